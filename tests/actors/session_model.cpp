#include "actors/identity/session_model.hpp"

#include "tests/actors/given.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

using session = entity<session_model>;

const open_session a_login{id_of(1), id_of(7), 3, {"password"}, "192.0.2.1", "curl", 1000};

session a_session() {
    session s;
    s.accepted(a_login);
    return s;
}

} // namespace

BOOST_AUTO_TEST_SUITE(session_model_suite)

BOOST_AUTO_TEST_CASE(each_use_of_a_refresh_token_makes_the_next_one_good) {
    auto s = a_session();
    s.accepted(rotate_session{0, {}, "192.0.2.2", "curl", 1000});
    s.accepted(rotate_session{1, {}, "192.0.2.2", "curl", 1000});
    BOOST_TEST(s.state().rotation == 2U);
    BOOST_TEST(s.state().shown.address == "192.0.2.2");
}

BOOST_AUTO_TEST_CASE(a_refresh_token_that_was_used_ends_the_session) {
    auto s = a_session();
    s.accepted(rotate_session{0, {}, "", "", 1000});
    BOOST_TEST(names_of(s.accepted(rotate_session{0, {}, "", "", 1000})) == texts{"session_ended"},
               boost::test_tools::per_element());
    BOOST_TEST(s.state().shown.ended_because.value_or("") == "token_reused");
    BOOST_TEST((s.refused(rotate_session{1, {}, "", "", 1000}).code == code::unauthenticated)); // the thief's too
}

BOOST_AUTO_TEST_CASE(a_session_that_is_not_used_ends_by_its_timer_and_not_before) {
    auto s = a_session();
    BOOST_TEST(s.owed() == texts{"expire/0"}, boost::test_tools::per_element());
    BOOST_TEST(s.accepted(end_session{"expired"}).empty());
    s.now = s.now + 1000;
    BOOST_TEST((s.refused(rotate_session{0, {}, "", "", 1000}).code == code::unauthenticated));
    s.accepted(end_session{"expired"});
    BOOST_TEST(s.owed().empty());
    BOOST_TEST(s.view().keys.empty()); // no longer listed
}

BOOST_AUTO_TEST_CASE(use_moves_the_end_and_the_organization_stays_unless_another_is_asked_for) {
    auto s = a_session();
    s.now = s.now + 900;
    s.accepted(rotate_session{0, {}, "", "", 1000});
    BOOST_TEST((s.state().shown.organization_id == std::optional(id_of(7))));
    BOOST_TEST((s.state().shown.expires_at == s.now + 1000));
    s.accepted(rotate_session{1, id_of(8), "", "", 1000});
    BOOST_TEST((s.state().shown.organization_id == std::optional(id_of(8))));
}

BOOST_AUTO_TEST_CASE(an_ended_session_stays_ended) {
    auto s = a_session();
    s.accepted(end_session{"logout"});
    BOOST_TEST(s.accepted(end_session{"again"}).empty());
    BOOST_TEST((s.refused(confirm_session{"otp"}).code == code::unauthenticated));
}

BOOST_AUTO_TEST_SUITE_END()
