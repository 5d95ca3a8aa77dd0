#include "net/http/message_check.hpp"

#include "net/http/text.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace troupe::net {

namespace {

bool is_letter_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

/// RFC 9110, 5.6.2.
bool is_token_character(char c) {
    return is_letter_or_digit(c) ||
           (c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
}

bool is_control(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\t') || byte == 0x7f;
}

std::string_view flaw_in_field(std::string_view line) {
    if (line.front() == ' ' || line.front() == '\t')
        return "a header line is continued on the next one";
    const auto end = static_cast<std::size_t>(std::ranges::find_if_not(line, is_token_character) - line.begin());
    if (end == 0 || end == line.size() || line[end] != ':')
        return end > 0 && end < line.size() && (line[end] == ' ' || line[end] == '\t')
                   ? "there is a blank in or after the name of a header"
                   : "the name of a header is broken";
    return {};
}

} // namespace

std::string_view flaw_in_lines(std::string_view part, bool is_first_line) {
    while (!part.empty()) {
        const auto end = part.find('\n');
        if (end == part.npos || end == 0 || part[end - 1] != '\r')
            return "a line of the header does not end with CR LF";
        const auto line = part.substr(0, end - 1);
        part.remove_prefix(end + 1);
        if (std::ranges::any_of(line, is_control))
            return "there is a control character in the header";
        if (is_first_line || line.empty())
            continue;
        if (const auto flaw = flaw_in_field(line); !flaw.empty())
            return flaw;
    }
    return {};
}

bool is_single(std::string_view lower_name) {
    static constexpr std::array<std::string_view, 19> names = {
        "authorization",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "idempotency-key",
        "if-modified-since",
        "if-range",
        "if-unmodified-since",
        "last-event-id",
        "origin",
        "range",
        "sec-websocket-key",
        "sec-websocket-version",
        "traceparent",
        "transfer-encoding",
        "x-api-key",
        "x-request-timeout-ms",
    };
    return std::ranges::find(names, lower_name) != names.end();
}

bool is_host(std::string_view text) {
    const bool six = text.starts_with('[');
    const auto end = six ? text.find(']') : text.find(':');
    const auto name = text.substr(six ? 1 : 0, end == text.npos ? end : end - (six ? 1 : 0));
    if (name.empty() || (six && end == text.npos))
        return false;
    const auto rest = end == text.npos ? std::string_view() : text.substr(end + (six ? 1 : 0));
    const bool good_port = rest.empty() || (rest.front() == ':' && rest.size() <= 6 &&
                                            rest.find_first_not_of("0123456789", 1) == rest.npos);
    return good_port && std::ranges::all_of(name, [&](char c) {
               return is_letter_or_digit(c) ||
                      (six ? c == ':' || c == '.'
                           : c != '\0' && std::string_view("-._~%!$&'()*+;=").find(c) != std::string_view::npos);
           });
}

target_parts split_target(std::string_view target) {
    target_parts out;
    out.good = target.starts_with('/') || target == "*";
    if (!out.good) {
        const auto scheme = target.find("://");
        const auto name = target.substr(0, scheme);
        if (scheme == target.npos || !(equal_ignoring_case(name, "http") || equal_ignoring_case(name, "https")))
            return out;
        target.remove_prefix(scheme + 3);
        out.authority = target.substr(0, target.find_first_of("/?"));
        target.remove_prefix(out.authority.size());
        out.good = is_host(out.authority);
    }
    const auto mark = target.find('?');
    out.path = target.substr(0, mark);
    if (out.path.empty())
        out.path = "/";
    out.query = mark == target.npos ? std::string_view() : target.substr(mark + 1);
    return out;
}

} // namespace troupe::net
