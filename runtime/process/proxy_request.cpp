#include "runtime/process/proxy_request.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <limits>
#include <optional>

namespace troupe::runtime {

namespace {

constexpr std::uint16_t http_port = 80;

problem bad(std::string why) { return {code::invalid_request, std::move(why)}; }

bool same(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

template <class Number>
std::optional<Number> number(std::string_view text) {
    Number value = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool whole = failed == std::errc{} && end == text.data() + text.size();
    return whole ? std::optional(value) : std::nullopt;
}

/// Up to the separator, which is taken away with it.
std::string_view take(std::string_view& from, std::string_view separator) {
    const auto at = std::min(from.find(separator), from.size());
    const auto taken = from.substr(0, at);
    from.remove_prefix(std::min(at + separator.size(), from.size()));
    return taken;
}

/// HOST, HOST:PORT, [ADDRESS], [ADDRESS]:PORT.
bool read_authority(std::string_view text, std::uint16_t port, proxy_request& into) {
    const bool brackets = text.starts_with('[');
    const auto end = brackets ? text.find(']') : text.find(':');
    const auto host = brackets ? text.substr(1, std::min(end, text.size()) - 1) : text.substr(0, end);
    auto rest = end == text.npos ? std::string_view() : text.substr(end + (brackets ? 1 : 0));
    if ((brackets && end == text.npos) || (!rest.empty() && rest.front() != ':')) {
        return false;
    }
    const auto given = rest.empty() ? std::optional(port) : number<std::uint16_t>(rest.substr(1));
    const auto fits = [&](unsigned char c) {
        return std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_' || (brackets && c == ':');
    };
    into.host = host;
    into.port = given.value_or(0);
    return !host.empty() && into.port != 0 && std::all_of(host.begin(), host.end(), fits);
}

/// Between two programs, or for the proxy alone: not passed on.
bool is_of_the_connection(std::string_view name) {
    for (const auto* own : {"connection", "keep-alive", "te", "upgrade", "host"}) {
        if (same(name, own)) {
            return true;
        }
    }
    return name.size() > 6 && same(name.substr(0, 6), "proxy-");
}

/// Copies the fields that the server is to see. What is wrong, if something is.
std::optional<problem> read_fields(std::string_view fields, proxy_request& into) {
    std::optional<std::uint64_t> length;
    while (!fields.empty()) {
        const auto line = take(fields, "\r\n");
        if (line.empty()) {
            break;
        }
        auto value = line;
        const auto name = take(value, ":");
        const auto is_token = [](unsigned char c) { return std::isgraph(c) != 0; };
        if (name.empty() || name.size() == line.size() || !std::all_of(name.begin(), name.end(), is_token) ||
            std::any_of(value.begin(), value.end(), [](char c) { return c == '\r' || c == '\n' || c == '\0'; })) {
            return bad("a header field is malformed");
        }
        if (same(name, "transfer-encoding")) {
            return bad("a body without a Content-Length is not passed on");
        }
        if (same(name, "content-length")) {
            const auto digits = value.find_first_not_of(" \t");
            const auto given = number<std::uint64_t>(digits == value.npos ? "" : value.substr(digits));
            if (!given || length) {
                return bad("the Content-Length is malformed, or there are two");
            }
            length = given;
        }
        if (!is_of_the_connection(name)) {
            into.head.append(line).append("\r\n");
        }
    }
    into.body_bytes = length.value_or(0);
    return std::nullopt;
}

} // namespace

expected<proxy_request> read_proxy_request(std::string_view head) {
    proxy_request out;
    auto line = take(head, "\r\n");
    const auto method = take(line, " ");
    auto target = take(line, " ");
    const auto is_method = [](unsigned char c) { return std::isupper(c) != 0; };
    if (method.empty() || !std::all_of(method.begin(), method.end(), is_method) || !line.starts_with("HTTP/1.") ||
        line.size() != sizeof("HTTP/1.1") - 1 ||
        std::any_of(target.begin(), target.end(), [](unsigned char c) { return std::isgraph(c) == 0; })) {
        return bad("this is no HTTP/1.1 request");
    }
    if (method == "CONNECT") {
        out.tunnel = true;
        out.body_bytes = std::numeric_limits<std::uint64_t>::max();
        return read_authority(target, 0, out) ? expected<proxy_request>(out) : bad("CONNECT needs HOST:PORT");
    }
    constexpr std::string_view scheme = "http://";
    if (target.size() < scheme.size() || !same(target.substr(0, scheme.size()), scheme)) {
        return bad("this is a proxy: ask for http://HOST/PATH, or CONNECT HOST:PORT");
    }
    target.remove_prefix(scheme.size());
    const auto authority = target.substr(0, target.find_first_of("/?"));
    const auto path = target.substr(authority.size());
    if (!read_authority(authority, http_port, out)) {
        return bad("the address of the request is malformed");
    }
    out.head.append(method).append(" ").append(path.starts_with('/') ? "" : "/").append(path).append(" HTTP/1.1\r\n");
    out.head.append("Host: ").append(authority).append("\r\nConnection: close\r\n");
    if (auto wrong = read_fields(head, out)) {
        return std::move(*wrong);
    }
    out.head += "\r\n";
    return out;
}

} // namespace troupe::runtime
