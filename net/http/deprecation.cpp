#include "net/http/deprecation.hpp"

#include "schemas/base/clock.hpp"

#include <array>
#include <ctime>
#include <optional>

namespace troupe::net {

namespace {

/// Midnight UTC of "2026-11-21".
std::optional<timestamp> day(const std::string& text) {
    return text.size() == 10 ? parse_timestamp(text + "T00:00:00Z") : std::nullopt;
}

/// As HTTP writes dates: "Sat, 21 Nov 2026 00:00:00 GMT".
std::string http_date(timestamp t) {
    const std::time_t seconds = t.ms / 1000;
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    std::array<char, 64> out{};
    return {out.data(), std::strftime(out.data(), out.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts)};
}

} // namespace

std::string deprecation_mistake(const route& r) {
    if (r.deprecated_since.empty())
        return r.sunset.empty() ? "" : "has a sunset and is not deprecated: say since when.";
    const auto since = day(r.deprecated_since);
    const auto end = r.sunset.empty() ? since : day(r.sunset);
    if (!since || !end)
        return "has a deprecation or sunset that is no day, as in 2026-11-21.";
    return *end < *since ? "has a sunset before its deprecation." : "";
}

std::string deprecation_lines(const route& r) {
    const auto since = day(r.deprecated_since);
    const auto end = day(r.sunset);
    std::string out;
    if (since)
        out += "Deprecation: @" + std::to_string(since->ms / 1000) +
               "\r\nLink: </api/v1/docs#versions>; rel=\"deprecation\"; type=\"text/html\"\r\n";
    if (end)
        out += "Sunset: " + http_date(*end) + "\r\n";
    return out;
}

} // namespace troupe::net
