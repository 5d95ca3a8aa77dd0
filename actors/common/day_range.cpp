#include "actors/common/day_range.hpp"

#include "schemas/base/clock.hpp"
#include "schemas/quota.hpp"

#include <algorithm>
#include <string>
#include <string_view>

namespace troupe::actors {
namespace {

constexpr std::uint32_t days_default = 30;
constexpr std::uint32_t days_max = 366;

/// A day of the query, or what stands for it.
expected<std::uint32_t> day_in(const net::request& r, std::string_view name, std::uint32_t otherwise) {
    const auto text = r.query_value(name);
    const auto day = text ? parse_day(*text) : std::optional(otherwise);
    return day ? expected<std::uint32_t>(*day)
               : problem{code::invalid_request,
                         "`" + std::string(name) + "` is a day, as 2026-11-21",
                         {{std::string(name), "is no day"}}};
}

} // namespace

expected<day_range> days_in(const net::request& r) {
    const auto to = day_in(r, "to", day_of(system_now()));
    const auto from = to ? day_in(r, "from", *to - std::min(*to, days_default - 1)) : to;
    if (!from) {
        return from.error();
    }
    if (*from > *to || *to - *from >= days_max) {
        return problem{code::invalid_request,
                       "`from` is not after `to`, and at most " + std::to_string(days_max) + " days are shown at once",
                       {{"from", "does not fit `to`"}}};
    }
    return day_range{*from, *to};
}

std::vector<net::query_parameter> day_parameters() {
    const std::string day = R"({"type":"string","format":"date"})";
    return {{"from", "The first day.", day, R"("2026-11-01")"}, {"to", "The last day.", day, R"("2026-11-30")"}};
}

} // namespace troupe::actors
