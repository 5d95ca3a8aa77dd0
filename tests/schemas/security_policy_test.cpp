#include "schemas/security_policy.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;

namespace {

constexpr std::int64_t minute = 60'000;
constexpr std::int64_t day = 24 * 60 * minute;
const timestamp now{1'800'000'000'000};

security_policy policy(const setting_values& values) {
    const auto parsed = parse_security_policy(values, "/values");
    BOOST_REQUIRE_MESSAGE(parsed, parsed.error().detail);
    return *parsed;
}

policy_facts person() {
    policy_facts out;
    out.person = true;
    out.address = "192.0.2.7";
    out.role = "member";
    out.began = now;
    out.used = now;
    return out;
}

policy_breach judged(const setting_values& values, const policy_facts& facts) {
    return judge_policy(policy(values), facts, now);
}

/// The pointers of a refusal.
std::vector<std::string> wrong(const setting_values& values) {
    const auto parsed = parse_security_policy(values, "/values");
    BOOST_REQUIRE(!parsed);
    std::vector<std::string> out;
    for (const auto& e : parsed.error().errors) {
        out.push_back(e.pointer);
    }
    return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(security_policies)

BOOST_AUTO_TEST_CASE(without_a_policy_nothing_is_asked) {
    BOOST_TEST((judged({}, person()) == policy_breach::none));
    BOOST_TEST((judged({{"mail.from", {R"("x")"}}}, person()) == policy_breach::none)); // others mean nothing here
}

BOOST_AUTO_TEST_CASE(unknown_and_wrong_settings_are_refused_with_their_place) {
    BOOST_TEST((wrong({{"security.mfa", {"true"}}}) == std::vector<std::string>{"/values/security.mfa"}));
    BOOST_TEST(wrong({{"security", {"{}"}}}).size() == 1U);
    BOOST_TEST((wrong({{"security.password.length_min", {"7"}},
                       {"security.password.history", {"25"}},
                       {"security.session.idle_minutes", {"\"5\""}},
                       {"security.mfa.required", {"1"}},
                       {"security.mfa.roles", {"\"owner\""}},
                       {"security.addresses.allowed", {R"(["10.0.0.0/8","nonsense"])"}}})
                    .size()) == 6U);
    BOOST_TEST(wrong({{"security.addresses.allowed", {R"(["10.0.0.0/8, 0.0.0.0/0"])"}}}).size() == 1U);
}

BOOST_AUTO_TEST_CASE(every_known_setting_is_read) {
    const auto p = policy({{"security.password.length_min", {"14"}},
                           {"security.password.age_max_days", {"90"}},
                           {"security.password.history", {"5"}},
                           {"security.session.lifetime_minutes", {"720"}},
                           {"security.session.idle_minutes", {"30"}},
                           {"security.mfa.required", {"true"}},
                           {"security.mfa.roles", {R"(["owner"])"}},
                           {"security.addresses.allowed", {R"(["2001:db8::/32"])"}}});
    BOOST_TEST(p.password_length_min.value() == 14);
    BOOST_TEST(p.password_age_max_days.value() == 90);
    BOOST_TEST(p.password_history.value() == 5);
    BOOST_TEST(p.session_lifetime_minutes.value() == 720);
    BOOST_TEST(p.session_idle_minutes.value() == 30);
    BOOST_TEST(p.mfa_required);
    BOOST_TEST((p.mfa_roles == std::vector<std::string>{"owner"}));
    BOOST_TEST(p.addresses.contains(std::string_view("2001:db8::7")));
    BOOST_TEST(known_settings().size() == 10U);
}

BOOST_AUTO_TEST_CASE(addresses_bind_people_and_keys_in_both_families) {
    const setting_values allowed{{"security.addresses.allowed", {R"(["192.0.2.0/24","2001:db8::/32"])"}}};
    auto facts = person();
    BOOST_TEST((judged(allowed, facts) == policy_breach::none));
    facts.address = "2001:db8:1::9";
    BOOST_TEST((judged(allowed, facts) == policy_breach::none));
    facts.address = "::ffff:192.0.2.9"; // the mapped spelling of an IPv4 address
    BOOST_TEST((judged(allowed, facts) == policy_breach::none));
    for (const auto* elsewhere : {"192.0.3.1", "2001:db9::1", "", "unix"}) {
        facts.address = elsewhere;
        BOOST_TEST((judged(allowed, facts) == policy_breach::address), elsewhere);
        facts.person = false;
        BOOST_TEST((judged(allowed, facts) == policy_breach::address), elsewhere);
        facts.person = true;
    }
}

BOOST_AUTO_TEST_CASE(a_session_is_over_after_its_lifetime_or_a_rest) {
    auto facts = person();
    facts.began = timestamp{now.ms - 60 * minute};
    const setting_values life{{"security.session.lifetime_minutes", {"60"}}};
    BOOST_TEST((judged(life, facts) == policy_breach::none));
    facts.began = timestamp{now.ms - 60 * minute - 1};
    BOOST_TEST((judged(life, facts) == policy_breach::session_lifetime));
    facts = person();
    facts.used = timestamp{now.ms - 11 * minute};
    BOOST_TEST((judged({{"security.session.idle_minutes", {"10"}}}, facts) == policy_breach::session_idle));
    BOOST_TEST((judged({{"security.session.idle_minutes", {"11"}}}, facts) == policy_breach::none));
    facts.person = false; // keys have no session
    BOOST_TEST((judged({{"security.session.idle_minutes", {"10"}}}, facts) == policy_breach::none));
}

BOOST_AUTO_TEST_CASE(a_second_factor_is_asked_of_all_or_of_roles) {
    auto facts = person();
    const setting_values all{{"security.mfa.required", {"true"}}};
    const setting_values owners{{"security.mfa.roles", {R"(["owner"])"}}};
    BOOST_TEST((judged(all, facts) == policy_breach::second_factor));
    BOOST_TEST((judged(owners, facts) == policy_breach::none));
    facts.role = "owner";
    BOOST_TEST((judged(owners, facts) == policy_breach::second_factor));
    facts.second_factor = true;
    BOOST_TEST((judged(all, facts) == policy_breach::none));
    BOOST_TEST((judged(owners, facts) == policy_breach::none));
    facts.second_factor = false;
    facts.person = false;
    BOOST_TEST((judged(all, facts) == policy_breach::none));
}

BOOST_AUTO_TEST_CASE(an_old_password_counts_only_where_one_was_used) {
    const setting_values age{{"security.password.age_max_days", {"30"}}};
    auto facts = person();
    BOOST_TEST((judged(age, facts) == policy_breach::none)); // an issuer opened the session
    facts.password_changed_at = timestamp{now.ms - 30 * day};
    BOOST_TEST((judged(age, facts) == policy_breach::none));
    facts.password_changed_at = timestamp{now.ms - 30 * day - 1};
    BOOST_TEST((judged(age, facts) == policy_breach::password_age));
}

BOOST_AUTO_TEST_CASE(each_breach_has_a_code_of_its_own_kind) {
    BOOST_TEST((problem_of(policy_breach::address).code == code::address_not_allowed));
    BOOST_TEST((problem_of(policy_breach::session_idle).code == code::session_too_old));
    BOOST_TEST((problem_of(policy_breach::session_lifetime).code == code::session_too_old));
    BOOST_TEST((problem_of(policy_breach::second_factor).code == code::second_factor_required));
    BOOST_TEST((problem_of(policy_breach::password_age).code == code::password_expired));
}

BOOST_AUTO_TEST_SUITE_END()
