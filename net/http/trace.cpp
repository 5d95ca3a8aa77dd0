#include "net/http/trace.hpp"

#include "net/http/text.hpp"

#include <algorithm>
#include <cstdint>
#include <random>
#include <utility>

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

/// At most 32 members that have a key and a value, of at most 512 bytes together; what is broken is not passed on.
bool is_tracestate(std::string_view text) {
    constexpr std::size_t bytes_max = 512;
    constexpr int members_max = 32;
    int members = 0;
    if (text.size() > bytes_max)
        return false;
    while (!text.empty()) {
        const auto comma = std::min(text.find(','), text.size());
        const auto member = trim(text.substr(0, comma));
        text.remove_prefix(std::min(comma + 1, text.size()));
        const auto equals = member.find('=');
        if (member.empty())
            continue; // empty members are allowed
        if (++members > members_max || equals == 0 || equals == std::string_view::npos || equals + 1 == member.size())
            return false;
        if (!std::all_of(member.begin(), member.end(), [](char c) { return c >= ' ' && c <= '~'; }))
            return false;
    }
    return members > 0;
}

} // namespace

trace_context continue_trace(std::optional<std::string_view> traceparent, std::optional<std::string_view> tracestate) {
    trace_context out;
    if (auto caller = parse_traceparent(traceparent.value_or(""))) {
        out = std::move(*caller);
        out.parent_id = std::move(out.span_id);
        if (tracestate && is_tracestate(*tracestate))
            out.state = *tracestate;
    } else {
        append_random_hex(out.trace_id, 2);
    }
    out.span_id = make_span_id();
    return out;
}

std::string make_span_id() {
    std::string out;
    append_random_hex(out, 1);
    return out;
}

std::optional<trace_context> parse_traceparent(std::string_view p) {
    // "vv-tttttttttttttttttttttttttttttttt-ssssssssssssssss-ff", later versions may append more
    const bool valid = p.size() >= 55 && p[2] == '-' && p[35] == '-' && p[52] == '-' && is_hex(p.substr(0, 2)) &&
                       p.substr(0, 2) != "ff" && (p.size() == 55 || (p.substr(0, 2) != "00" && p[55] == '-')) &&
                       is_hex(p.substr(3, 32)) && !is_zero(p.substr(3, 32)) && is_hex(p.substr(36, 16)) &&
                       !is_zero(p.substr(36, 16)) && is_hex(p.substr(53, 2));
    if (!valid)
        return std::nullopt;
    trace_context out;
    out.trace_id = p.substr(3, 32);
    out.span_id = p.substr(36, 16);
    // Of the flags `sampled` and `random` are defined; others have to be zero in what is passed on.
    out.flags = {'0', "01230123012301230123"[(p[54] >= 'a' ? p[54] - 'a' + 10 : p[54] - '0')]};
    return out;
}

std::string to_traceparent(const trace_context& t) { return "00-" + t.trace_id + "-" + t.span_id + "-" + t.flags; }

namespace {
thread_local std::string traceparent_of_thread;
} // namespace

std::string current_traceparent() { return traceparent_of_thread; }

trace_scope::trace_scope(std::string traceparent)
    : traceparent_(std::move(traceparent)),
      before_(std::exchange(traceparent_of_thread, traceparent_)),
      lines_("", traceparent_) {}

trace_scope::~trace_scope() { traceparent_of_thread = std::move(before_); }

bool is_request_id(std::string_view text) {
    return !text.empty() && text.size() <= 128 && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
               c == ':' || c == '-';
    });
}

} // namespace troupe::net
