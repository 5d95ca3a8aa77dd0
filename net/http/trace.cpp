#include "net/http/trace.hpp"

#include <algorithm>
#include <cstdint>
#include <random>

namespace troupe::net {

namespace {

bool is_hex(std::string_view text) {
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_zero(std::string_view text) { return text.find_first_not_of('0') == std::string_view::npos; }

void append_random_hex(std::string& out, int words) {
    thread_local std::mt19937_64 generator = [] {
        std::random_device device;
        std::seed_seq seed{device(), device(), device(), device()};
        return std::mt19937_64(seed);
    }();
    for (int i = 0; i < words; ++i) {
        std::uint64_t word = generator() | 1; // never all zero, which means "invalid"
        for (int digit = 0; digit < 16; ++digit, word >>= 4)
            out += "0123456789abcdef"[word & 0xf];
    }
}

} // namespace

trace_context continue_trace(std::optional<std::string_view> traceparent) {
    trace_context out;
    append_random_hex(out.span_id, 1);
    // "vv-tttttttttttttttttttttttttttttttt-ssssssssssssssss-ff", later versions may append more
    if (const auto p = traceparent.value_or("");
        p.size() >= 55 && p[2] == '-' && p[35] == '-' && p[52] == '-' && is_hex(p.substr(0, 2)) &&
        p.substr(0, 2) != "ff" && (p.size() == 55 || (p.substr(0, 2) != "00" && p[55] == '-')) &&
        is_hex(p.substr(3, 32)) && !is_zero(p.substr(3, 32)) && is_hex(p.substr(36, 16)) &&
        !is_zero(p.substr(36, 16)) && is_hex(p.substr(53, 2))) {
        out.trace_id = p.substr(3, 32);
        out.flags = p.substr(53, 2);
    } else {
        append_random_hex(out.trace_id, 2);
    }
    return out;
}

std::string to_traceparent(const trace_context& t) { return "00-" + t.trace_id + "-" + t.span_id + "-" + t.flags; }

bool is_request_id(std::string_view text) {
    return !text.empty() && text.size() <= 128 && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
               c == ':' || c == '-';
    });
}

} // namespace troupe::net
