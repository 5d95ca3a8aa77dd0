#include "schemas/security_policy.hpp"

#include <algorithm>
#include <array>

namespace troupe {
namespace {

constexpr std::int64_t ms_per_minute = 60'000;
constexpr std::int64_t minutes_per_day = 24 * 60;

/// A number of the policy, with its bounds.
struct number_rule {
    std::string_view key;
    std::optional<std::int64_t> security_policy::*member;
    std::int64_t min;
    std::int64_t max;
};
constexpr std::array number_rules{
    number_rule{"security.password.length_min", &security_policy::password_length_min, 8, 128},
    number_rule{"security.password.age_max_days", &security_policy::password_age_max_days, 1, 3650},
    number_rule{"security.password.history", &security_policy::password_history, 1, password_history_max},
    number_rule{"security.session.lifetime_minutes", &security_policy::session_lifetime_minutes, 5,
                365 * minutes_per_day},
    number_rule{"security.session.idle_minutes", &security_policy::session_idle_minutes, 1, 365 * minutes_per_day},
};

constexpr std::string_view mfa_required_key = "security.mfa.required";
constexpr std::string_view mfa_roles_key = "security.mfa.roles";
constexpr std::string_view addresses_key = "security.addresses.allowed";

constexpr std::array known{
    known_setting{"security.password.length_min",
                  "How many characters a new password of a member has, at least. The longest of the node and of the "
                  "person's organizations counts. Passwords of before stay.",
                  R"({"type":"integer","minimum":8,"maximum":128})"},
    known_setting{"security.password.age_max_days",
                  "How old a password may be: with an older one only the own account is open, until it is changed.",
                  R"({"type":"integer","minimum":1,"maximum":3650})"},
    known_setting{"security.password.history", "A new password is none of the last so many, the present one included.",
                  R"({"type":"integer","minimum":1,"maximum":24})"},
    known_setting{"security.session.lifetime_minutes", "After so long people log in again, however busy they are.",
                  R"({"type":"integer","minimum":5,"maximum":525600})"},
    known_setting{"security.session.idle_minutes", "A session that rested for so long is over.",
                  R"({"type":"integer","minimum":1,"maximum":525600})"},
    known_setting{"security.mfa.required", "Everybody logs in with a second factor. Keys have none and are not asked.",
                  R"({"type":"boolean"})"},
    known_setting{"security.mfa.roles", "Who has one of these roles logs in with a second factor.",
                  R"({"type":"array","items":{"type":"string","minLength":1,"maxLength":64},"maxItems":50})"},
    known_setting{"security.addresses.allowed",
                  "The networks (CIDR) and addresses that the organization may be used from, by people and by keys.",
                  R"({"type":"array","items":{"type":"string","minLength":2,"maxLength":64},"maxItems":200})"},
    known_setting{"tools.rules",
                  "What the organization's agents may do with their tools, beside their own rules: the most specific "
                  "decides, deny wins ties. They hold for runs that start from then on.",
                  R"({"type":"object","additionalProperties":{"enum":["allow","ask","deny"]},"maxProperties":100})"},
    known_setting{"tools.kind_rules", "The same for kinds of agents.",
                  R"({"type":"object","additionalProperties":{"type":"object","additionalProperties":)"
                  R"({"enum":["allow","ask","deny"]},"maxProperties":100},"maxProperties":100})"},
};

/// The texts of a list; nothing when it is no list of texts.
std::optional<std::vector<std::string>> texts_of(const json::value& v, std::size_t count_max) {
    if (v.type() != json::kind::array || v.size() > count_max) {
        return std::nullopt;
    }
    std::vector<std::string> out;
    bool good = true;
    v.each_element([&](json::value item) {
        const auto text = item.as_string();
        good = good && text && !text->empty() && text->size() <= 64;
        out.emplace_back(text.value_or(""));
    });
    return good ? std::optional(std::move(out)) : std::nullopt;
}

/// Empty: good.
std::string read_addresses(const json::value& v, security_policy& out) {
    const auto texts = texts_of(v, allowed_addresses_max);
    if (!texts) {
        return "expected a list of at most 200 networks, as [\"192.0.2.0/24\", \"2001:db8::/32\"]";
    }
    std::string all;
    for (const auto& text : *texts) {
        const bool plain = text.find_first_of(", \t") == std::string::npos;
        if (!plain || !network_list::parse(text)) {
            return "'" + text + "' is no network: write it as 192.0.2.0/24, 192.0.2.7 or 2001:db8::/32";
        }
        all += (all.empty() ? "" : ",") + text;
    }
    out.addresses = *network_list::parse(all);
    return {};
}

/// Empty: good.
std::string read_setting(std::string_view key, const json::value& v, security_policy& out) {
    if (const auto* rule = std::ranges::find(number_rules, key, &number_rule::key); rule != number_rules.end()) {
        const auto n = v.as_int();
        if (!n || *n < rule->min || *n > rule->max) {
            return "expected a whole number from " + std::to_string(rule->min) + " to " + std::to_string(rule->max);
        }
        out.*rule->member = *n;
        return {};
    }
    if (key == mfa_required_key) {
        const auto flag = v.as_bool();
        out.mfa_required = flag.value_or(false);
        return flag ? "" : "expected true or false";
    }
    if (key == mfa_roles_key) {
        auto roles = texts_of(v, 50);
        out.mfa_roles = roles.value_or(std::vector<std::string>());
        return roles ? "" : "expected a list of at most 50 names of roles, as [\"owner\", \"admin\"]";
    }
    if (key == addresses_key) {
        return read_addresses(v, out);
    }
    return "is no security setting that this node knows; GET …/settings/known lists them";
}

} // namespace

std::span<const known_setting> known_settings() { return known; }

bool is_security_key(std::string_view key) { return key == "security" || key.starts_with(security_prefix); }

expected<security_policy> parse_security_policy(const setting_values& values, std::string_view pointer) {
    security_policy out;
    std::vector<field_error> errors;
    for (const auto& [key, raw] : values) {
        if (!is_security_key(key)) {
            continue;
        }
        const auto parsed = json::document::parse(raw.text);
        const auto wrong = parsed ? read_setting(key, parsed->root(), out) : std::string("is no JSON");
        if (!wrong.empty()) {
            errors.push_back({std::string(pointer) + "/" + key, wrong});
        }
    }
    if (errors.empty()) {
        return out;
    }
    const auto detail = errors.front().pointer + ": " + errors.front().message;
    return problem{code::invalid_request, detail, std::move(errors)};
}

policy_breach judge_policy(const security_policy& policy, const policy_facts& caller, timestamp now) {
    if (!policy.addresses.empty() && !policy.addresses.contains(std::string_view(caller.address))) {
        return policy_breach::address;
    }
    if (!caller.person) {
        return policy_breach::none;
    }
    const auto older = [now](timestamp since, std::optional<std::int64_t> minutes) {
        return minutes && now - since > *minutes * ms_per_minute;
    };
    if (older(caller.began, policy.session_lifetime_minutes)) {
        return policy_breach::session_lifetime;
    }
    if (older(caller.used, policy.session_idle_minutes)) {
        return policy_breach::session_idle;
    }
    const bool asked =
        policy.mfa_required || std::ranges::find(policy.mfa_roles, caller.role) != policy.mfa_roles.end();
    if (asked && !caller.second_factor) {
        return policy_breach::second_factor;
    }
    const auto age = policy.password_age_max_days;
    if (caller.password_changed_at &&
        older(*caller.password_changed_at, age ? std::optional(*age * minutes_per_day) : std::nullopt)) {
        return policy_breach::password_age;
    }
    return policy_breach::none;
}

problem problem_of(policy_breach breach) {
    switch (breach) {
    case policy_breach::address:
        return {code::address_not_allowed,
                "this organization may be used from certain networks only, and your address is in none of them"};
    case policy_breach::session_lifetime:
        return {code::session_too_old, "this organization ends sessions after some time, and yours is over: log in "
                                       "again with POST /api/v1/auth/login"};
    case policy_breach::session_idle:
        return {code::session_too_old, "this organization ends sessions that rest, and yours did for too long: log in "
                                       "again with POST /api/v1/auth/login"};
    case policy_breach::second_factor:
        return {code::second_factor_required,
                "this organization asks for a second factor: enrol one with POST /api/v1/auth/mfa/enroll and "
                "/api/v1/auth/mfa/enable, then show a code with POST /api/v1/auth/step-up or log in again"};
    case policy_breach::password_age:
        return {code::password_expired, "your password is too old for this organization: change it with POST "
                                        "/api/v1/auth/change-password"};
    case policy_breach::none:
        break;
    }
    return {code::internal, "no policy was broken"};
}

entity_address settings_address(const uuid& organization) {
    return {system_organization, std::string(settings_kind), organization};
}

} // namespace troupe
