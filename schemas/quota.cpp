#include "schemas/quota.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace troupe {

namespace {

constexpr char part_mark = '@';
constexpr std::int64_t day_ms = 24LL * 3600 * 1000;

constexpr std::array kinds{
    quota_kind{"agents", "agents", false, &quota_limits::agents, "agents"},
    quota_kind{"tasks_per_day", "tasks", true, &quota_limits::tasks_per_day, "tasks a day"},
    quota_kind{"storage_bytes", "storage_bytes", false, &quota_limits::storage_bytes, "bytes of files"},
    quota_kind{"tokens_per_day", "tokens", true, &quota_limits::tokens_per_day, "tokens of models a day"},
    quota_kind{"cost_micros_per_day", "cost_micros", true, &quota_limits::cost_micros_per_day,
               "millionths of the currency a day for models"},
};

std::string_view trimmed(std::string_view text) {
    const auto begin = text.find_first_not_of(' ');
    return begin == text.npos ? std::string_view() : text.substr(begin, text.find_last_not_of(' ') - begin + 1);
}

/// "20GB" → 20'000'000'000; "none": no limit.
std::optional<std::int64_t> number(std::string_view text) {
    if (text == "none") {
        return no_quota;
    }
    std::int64_t out = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    const auto unit = text.substr(static_cast<std::size_t>(end - text.data()));
    static constexpr std::array<std::pair<std::string_view, std::int64_t>, 9> units{{{"", 1},
                                                                                     {"kB", 1'000},
                                                                                     {"MB", 1'000'000},
                                                                                     {"GB", 1'000'000'000},
                                                                                     {"TB", 1'000'000'000'000},
                                                                                     {"KiB", 1LL << 10},
                                                                                     {"MiB", 1LL << 20},
                                                                                     {"GiB", 1LL << 30},
                                                                                     {"TiB", 1LL << 40}}};
    const auto found = std::ranges::find(units, unit, [](const auto& u) { return u.first; });
    if (found == units.end()) {
        return {};
    }
    const auto factor = found->second;
    constexpr std::int64_t most = 1'000'000'000'000'000;
    const bool good = error == std::errc() && out >= 0 && out <= most / factor;
    return good ? std::optional(out * factor) : std::nullopt;
}

} // namespace

std::span<const quota_kind> quota_kinds() { return kinds; }

const quota_kind* find_quota(std::string_view counts) {
    const auto found = std::ranges::find(kinds, counts, &quota_kind::counts);
    return found == kinds.end() ? nullptr : &*found;
}

std::string part_of_count(std::string_view counts, const uuid& part) {
    return std::string(counts) + part_mark + to_string(part);
}

std::string_view whole_count(std::string_view counts) { return counts.substr(0, counts.find(part_mark)); }

std::uint32_t day_of(timestamp t) { return t.ms < 0 ? 0 : static_cast<std::uint32_t>(t.ms / day_ms); }

timestamp day_begin(std::uint32_t day) { return {std::int64_t{day} * day_ms}; }

std::string day_text(std::uint32_t day) { return to_string(day_begin(day)).substr(0, 10); }

std::optional<std::uint32_t> parse_day(std::string_view text) {
    const auto parsed = text.size() == 10 ? parse_timestamp(std::string(text) + "T00:00:00Z") : std::nullopt;
    return parsed && parsed->ms >= 0 ? std::optional(day_of(*parsed)) : std::nullopt;
}

expected<void> judge_quota(const allowance& a, std::string_view counts, std::int64_t used, std::int64_t wanted,
                           timestamp now) {
    if (a.suspended) {
        return problem{code::organization_suspended,
                       "this organization is suspended: it can be read, and nothing in it begins or grows"};
    }
    const auto* kind = find_quota(counts);
    const auto limit = kind ? (a.limits.*kind->member).value_or(no_quota) : no_quota;
    // Who gives something back may do so above the limit, too.
    if (limit == no_quota || wanted <= 0 || wanted <= limit - used) {
        return {};
    }
    const auto tomorrow = day_begin(day_of(now) + 1);
    const auto reset = kind->daily ? fmt::format("It is reset at {}.", to_string(tomorrow))
                                   : std::string("It is not reset: remove some, or ask for another plan.");
    problem out{code::quota_exceeded,
                fmt::format("The plan {} allows {} {}; {} are in use, and {} more would be over it. {} "
                            "GET /organizations/{{id}}/limits shows all limits.",
                            a.plan, limit, kind->noun, used, wanted, reset),
                {{fmt::format("/limits/{}", kind->name),
                  fmt::format("limit {}, used {}, wanted {}, plan {}{}", limit, used, wanted, a.plan,
                              kind->daily ? ", resets " + to_string(tomorrow) : std::string())}}};
    if (kind->daily) {
        out.retry_after_s = static_cast<std::uint32_t>((tomorrow - now + 999) / 1000);
    }
    return out;
}

expected<void> judge_part(std::string_view counts, std::int64_t limit, std::int64_t used, std::int64_t wanted,
                          timestamp now) {
    if (wanted <= limit - used) {
        return {};
    }
    const auto* kind = find_quota(whole_count(counts));
    const auto tomorrow = day_begin(day_of(now) + 1);
    problem out{code::quota_exceeded,
                fmt::format("The agent may use {} {}; {} are used or reserved, and {} more would be over it. It is "
                            "reset at {}, and limits_per_day of the agent sets another limit for its next runs.",
                            limit, kind ? kind->noun : counts, used, wanted, to_string(tomorrow))};
    out.retry_after_s = static_cast<std::uint32_t>((tomorrow - now + 999) / 1000);
    return out;
}

expected<quota_limits> parse_quota_limits(std::string_view text) {
    quota_limits out;
    for (std::size_t at = 0; at < text.size();) {
        const auto end = std::min(text.find(',', at), text.size());
        const auto entry = trimmed(text.substr(at, end - at));
        at = end + 1;
        const auto equals = std::min(entry.find('='), entry.size());
        const auto kind = std::ranges::find(kinds, trimmed(entry.substr(0, equals)), &quota_kind::name);
        const auto value = equals < entry.size() ? number(trimmed(entry.substr(equals + 1))) : std::nullopt;
        if (kind == kinds.end() || !value || out.*kind->member) {
            return problem{
                code::config_invalid,
                fmt::format("\"{}\" is no LIMIT=NUMBER with a limit of agents, tasks_per_day, storage_bytes, "
                            "tokens_per_day and cost_micros_per_day, as in tasks_per_day=200, or names one "
                            "twice",
                            entry)};
        }
        out.*kind->member = *value;
    }
    return out;
}

quota_limits merged(quota_limits plan, const quota_limits& own) {
    for (const auto& kind : kinds) {
        if (own.*kind.member) {
            plan.*kind.member = own.*kind.member;
        }
    }
    return plan;
}

} // namespace troupe
