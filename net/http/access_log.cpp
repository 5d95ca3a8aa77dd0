#include "net/http/access_log.hpp"

#include <fmt/format.h>

#include <iterator>

namespace troupe::net {

namespace {

/// Longer ones are cut: a line of a log is for reading.
constexpr std::size_t text_bytes_max = 512;

std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : text.substr(0, text_bytes_max)) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\')
            out.append("\\").push_back(c);
        else if (byte < 0x20 || byte >= 0x7f)
            fmt::format_to(std::back_inserter(out), "\\x{:02x}", byte);
        else
            out += c;
    }
    return out += text.size() > text_bytes_max ? "…\"" : "\"";
}

/// The id in the middle of a traceparent.
std::string_view trace_id(std::string_view traceparent) {
    return traceparent.size() > 35 ? traceparent.substr(3, 32) : std::string_view("-");
}

std::string_view or_dash(std::string_view text) { return text.empty() ? "-" : text; }

} // namespace

std::string access_line(const access_entry& e) {
    return fmt::format(
        "method={} path={} status={} bytes={} us={} request={} trace={} principal={} address={} agent={}",
        or_dash(e.method), quoted(e.path), e.status, e.bytes, e.microseconds, or_dash(e.request_id),
        trace_id(e.traceparent), quoted(e.principal), or_dash(e.address), quoted(e.user_agent));
}

} // namespace troupe::net
