#include "runtime/config/retention.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <utility>

namespace troupe::runtime {

namespace {

constexpr std::int64_t day_ms = 24LL * 3600 * 1000;
constexpr std::int64_t retention_max_ms = 100 * 365 * day_ms;
constexpr std::pair<std::string_view, std::int64_t> units[] = {
    {"d", day_ms}, {"h", 3600 * 1000}, {"m", 60 * 1000}, {"s", 1000}, {"ms", 1}};

std::string_view trimmed(std::string_view text) {
    const auto begin = text.find_first_not_of(' ');
    return begin == text.npos ? std::string_view() : text.substr(begin, text.find_last_not_of(' ') - begin + 1);
}

/// "90d" → ms. Only 0 goes without a unit.
std::optional<std::int64_t> duration_ms(std::string_view text) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const auto unit = text.substr(static_cast<std::size_t>(end - text.data()));
    if (error != std::errc() || number < 0 || number > retention_max_ms) {
        return {};
    }
    if (number == 0 && unit.empty()) {
        return 0;
    }
    const auto found = std::ranges::find(units, unit, &std::pair<std::string_view, std::int64_t>::first);
    return found == std::end(units) || number > retention_max_ms / found->second
               ? std::nullopt
               : std::optional(number * found->second);
}

} // namespace

expected<std::map<std::string, std::int64_t, std::less<>>> parse_retention_kinds(std::string_view text) {
    std::map<std::string, std::int64_t, std::less<>> out;
    for (std::size_t at = 0; at < text.size();) {
        const auto end = std::min(text.find(',', at), text.size());
        const auto entry = trimmed(text.substr(at, end - at));
        at = end + 1;
        const auto equals = entry.find('=');
        const auto kind = trimmed(entry.substr(0, equals));
        const auto time = equals == entry.npos ? std::nullopt : duration_ms(trimmed(entry.substr(equals + 1)));
        if (kind.empty() || !time || !out.emplace(kind, *time).second) {
            return problem{code::config_invalid,
                           fmt::format("\"{}\" is no KIND=TIME, as in run=90d, up to 100 years and with a unit of d, "
                                       "h, m, s or ms, or names a kind twice; 0 keeps all for ever",
                                       entry)};
        }
    }
    return out;
}

std::int64_t retention_policy::history_of(std::string_view kind) const {
    const auto found = kinds.find(kind);
    return found == kinds.end() ? history_ms : found->second;
}

std::int64_t retention_policy::shortest_ms() const {
    std::int64_t out = 0;
    const auto consider = [&](std::int64_t time) { out = time > 0 && (out == 0 || time < out) ? time : out; };
    consider(log_ms);
    consider(history_ms);
    for (const auto& [kind, time] : kinds) {
        consider(time);
    }
    return out;
}

retention_policy retention_of(const config& values) {
    auto kinds = parse_retention_kinds(values.retention_kinds);
    return {values.retention_log_ms, values.retention_history_ms,
            kinds ? std::move(*kinds) : std::map<std::string, std::int64_t, std::less<>>()};
}

std::optional<wrong_retention> check_retention(const config& values) {
    const auto too_short = [&](std::string property, const std::string& what, std::int64_t time) {
        return time == 0 || time >= values.dedup_window_ms
                   ? std::nullopt
                   : std::optional(wrong_retention{std::move(property),
                                                   fmt::format("{}: {} ms is shorter than dedup.window_ms ({}), so "
                                                               "that a repeated command could not be answered; take at "
                                                               "least that, or 0 for ever",
                                                               what, time, values.dedup_window_ms)});
    };
    auto wrong = too_short("retention.history_ms", "retention.history_ms", values.retention_history_ms);
    wrong = wrong ? wrong : too_short("retention.log_ms", "retention.log_ms", values.retention_log_ms);
    for (const auto& [kind, time] : retention_of(values).kinds) {
        wrong = wrong ? wrong : too_short("retention.kinds", "retention.kinds, " + kind, time);
    }
    return wrong;
}

} // namespace troupe::runtime
