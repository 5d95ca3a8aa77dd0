#include "actors/audit/refusal_model.hpp"

#include "tests/actors/given.hpp"

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

note_refusal refused_with(std::string_view why, std::uint64_t count = 1) {
    return {"POST", "/tasks", "create_task", "task:write", 403, std::string(why), count, {1000}, {1500}};
}

} // namespace

BOOST_AUTO_TEST_SUITE(refusals_entity)

BOOST_FIXTURE_TEST_CASE(each_refusal_is_an_event_and_nothing_is_shown, entity<refusal_model>) {
    const auto events = accepted(note_refusal(refused_with("forbidden", 3)));
    BOOST_REQUIRE(events.size() == 1U);
    BOOST_TEST(std::get<request_denied>(events[0]).refusal.count == 3U);
    BOOST_TEST(!view().exists);
    accepted(refused_with("forbidden"));
    BOOST_TEST(state().denied == 4U);
    BOOST_TEST(state().failed == 0U);
}

BOOST_FIXTURE_TEST_CASE(a_wrong_password_is_a_failure_and_no_denial, entity<refusal_model>) {
    const auto events = accepted(refused_with("invalid_credentials"));
    BOOST_TEST(std::holds_alternative<login_failed>(events[0]));
    BOOST_TEST(state().failed == 1U);
}

BOOST_AUTO_TEST_CASE(each_organization_and_day_has_its_own) {
    const auto a = derive_uuid({"a"});
    const auto b = derive_uuid({"b"});
    constexpr std::int64_t day_ms = 24LL * 3600 * 1000;
    BOOST_TEST((refusals_address(a, {0}) == refusals_address(a, {day_ms - 1})));
    BOOST_TEST((refusals_address(a, {0}) != refusals_address(a, {day_ms})));
    BOOST_TEST((refusals_address(a, {0}) != refusals_address(b, {0})));
}

BOOST_AUTO_TEST_SUITE_END()
