#include "net/http/cors.hpp"

#include "net/http/text.hpp"

#include <algorithm>

namespace troupe::net {

namespace {

constexpr std::string_view exposed =
    "Access-Control-Expose-Headers: ETag, Location, Retry-After, RateLimit-Limit, "
    "RateLimit-Remaining, RateLimit-Reset, X-Request-Id, Idempotent-Replayed, Content-Range, Accept-Ranges, "
    "traceparent\r\n";
/// Browsers keep what a preflight said at most so long, or two hours.
constexpr std::string_view preflight =
    "Access-Control-Allow-Headers: Authorization, X-Api-Key, Content-Type, Idempotency-Key, If-Match, If-None-Match, "
    "If-Range, Range, Last-Event-ID, X-Request-Id, X-Request-Timeout-Ms, X-CSRF-Token, X-Organization, traceparent, "
    "tracestate\r\n"
    "Access-Control-Max-Age: 7200\r\n";

} // namespace

origin_policy::origin_policy(std::string_view list) {
    while (!list.empty()) {
        const auto comma = list.find(',');
        const auto one = lower_case(trim(list.substr(0, comma)));
        list = comma == list.npos ? std::string_view() : list.substr(comma + 1);
        if (one == "*")
            any_ = true;
        else if (!one.empty())
            origins_.push_back(one);
    }
}

bool origin_policy::allows(std::string_view origin) const {
    return !origin.empty() && (any_ || std::ranges::find(origins_, lower_case(origin)) != origins_.end());
}

void origin_policy::append_lines(std::string& out, std::string_view origin) const {
    if (!any_ && origins_.empty())
        return;
    if (!origins_.empty())
        out += "Vary: Origin\r\n"; // also for those without: a cache must not give their answer to others
    if (!allows(origin))
        return;
    if (std::ranges::find(origins_, lower_case(origin)) != origins_.end())
        out.append("Access-Control-Allow-Origin: ")
            .append(origin)
            .append("\r\nAccess-Control-Allow-Credentials: true\r\n");
    else
        out += "Access-Control-Allow-Origin: *\r\n";
    out += exposed;
}

void origin_policy::append_preflight(std::string& out, std::string_view methods) const {
    out.append("Access-Control-Allow-Methods: ").append(methods).append("\r\n").append(preflight);
}

bool is_same_origin(std::string_view origin, std::string_view host, bool secure) {
    const auto scheme = origin.find("://");
    if (scheme == origin.npos || host.empty())
        return false;
    const bool tls = equal_ignoring_case(origin.substr(0, scheme), "https");
    const std::string_view port = tls ? ":443" : ":80"; // browsers leave the usual one out, other programs may not
    auto of_page = origin.substr(scheme + 3);
    if (of_page.ends_with(port))
        of_page.remove_suffix(port.size());
    if (host.ends_with(port))
        host.remove_suffix(port.size());
    return (tls || !secure) && equal_ignoring_case(of_page, host);
}

} // namespace troupe::net
