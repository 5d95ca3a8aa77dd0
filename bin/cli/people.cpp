#include "bin/cli/people.hpp"

#include "bin/cli/logins.hpp"
#include "schemas/auth.hpp"
#include "schemas/base/json.hpp"
#include "schemas/organization.hpp"

#include <fmt/format.h>

#include <charconv>
#include <system_error>

namespace troupe::cli {

std::string given_organization(context& c) {
    const auto search = c.search();
    return search.org ? *search.org : search.environment("TROUPE_ORG").value_or("");
}

std::string organization_name(context& c, const std::optional<uuid>& id) {
    if (!id) {
        return "";
    }
    auto node = c.node();
    const auto found = node ? (*node)->get_as<organization_document>("/organizations/" + to_string(*id))
                            : expected<organization_document>(node.error());
    return found ? fmt::format("{} ({})", found->name, found->slug) : to_string(*id);
}

expected<std::string> organization_path(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    if (const auto& chosen = (*node)->where().organization; !chosen.empty()) {
        return "/organizations/" + encode_segment(chosen);
    }
    const auto me = (*node)->get_as<caller_document>("/auth/me");
    if (!me) {
        return me.error();
    }
    if (!me->organization_id) {
        return problem{code::conflict,
                       "You belong to no organization: name one with --org, or join one with `troupe org "
                       "join TOKEN`."};
    }
    return "/organizations/" + to_string(*me->organization_id);
}

expected<timestamp> parse_time_ahead(std::string_view flag, std::string_view text, timestamp now) {
    constexpr std::int64_t minute_ms = 60'000;
    constexpr std::int64_t day_ms = 24 * 60 * minute_ms;
    constexpr std::int64_t count_max = 1'000'000;
    const auto wrong = [&](std::string_view why) {
        return problem{code::invalid_request, fmt::format("--{} {}: {}, as 90d, 12h or 2027-01-31.", flag, text, why)};
    };
    auto time = parse_timestamp(text);
    if (!time && text.size() == std::string_view("2027-01-31").size()) {
        time = parse_timestamp(std::string(text) + "T00:00:00Z");
    }
    if (!time) {
        std::int64_t count = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
        const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
        const auto unit_ms = unit == "m"   ? minute_ms
                             : unit == "h" ? 60 * minute_ms
                             : unit == "d" ? day_ms
                             : unit == "w" ? 7 * day_ms
                             : unit == "y" ? 365 * day_ms
                                           : 0;
        if (error != std::errc() || unit_ms == 0 || count <= 0 || count > count_max) {
            return wrong("expected a time to come");
        }
        time = now + count * unit_ms;
    }
    return *time > now ? expected<timestamp>(*time) : wrong("that is past");
}

std::string with_member(std::string json, std::string_view name, std::string_view value) {
    while (!json.empty() && json.back() != '}') {
        json.pop_back();
    }
    if (json.empty()) {
        return json;
    }
    json.pop_back();
    return json + fmt::format("{}{}:{}}}", json.ends_with('{') ? "" : ",", json::quoted(name), json::quoted(value));
}

} // namespace troupe::cli
