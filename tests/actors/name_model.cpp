#include "actors/name/name_model.hpp"

#include "tests/actors/given.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {
using name = entity<name_model>;
const reserve_name by_one{"agent", "Scout", id_of(11)};
const reserve_name by_two{"agent", "scout", id_of(12)};
} // namespace

BOOST_AUTO_TEST_SUITE(name_model_suite)

BOOST_AUTO_TEST_CASE(spellings_in_either_case_are_one_name_and_kinds_and_organizations_are_not) {
    BOOST_TEST((name_id(organization, "agent", "Scout") == name_id(organization, "agent", "sCOUT")));
    BOOST_TEST((name_id(organization, "agent", "scout") != name_id(organization, "agent", "scouts")));
    BOOST_TEST((name_id(organization, "agent", "scout") != name_id(organization, "user", "scout")));
    BOOST_TEST((name_id(organization, "agent", "scout") != name_id(id_of(201), "agent", "scout")));
}

BOOST_AUTO_TEST_CASE(first_reservation_wins_and_the_second_is_refused) {
    name n;
    BOOST_TEST(names_of(n.accepted(by_one)) == texts{"name_reserved"}, boost::test_tools::per_element());
    BOOST_TEST((n.refused(by_two).code == code::already_exists));
    BOOST_TEST((n.state().owner == id_of(11)));
}

BOOST_AUTO_TEST_CASE(repeated_commands_change_nothing) {
    name n;
    n.accepted(by_one);
    BOOST_TEST(n.accepted(by_one).empty());
    n.accepted(confirm_name{"agent", "Scout", id_of(11), 1});
    BOOST_TEST(n.accepted(confirm_name{"agent", "Scout", id_of(11), 1}).empty());
    BOOST_TEST(n.accepted(by_one).empty());
    n.accepted(release_name{id_of(11), 5});
    BOOST_TEST(n.accepted(release_name{id_of(11), 5}).empty());
}

BOOST_AUTO_TEST_CASE(only_a_reservation_has_a_timer) {
    name n;
    BOOST_TEST(n.owed().empty());
    n.accepted(by_one);
    BOOST_TEST(n.owed() == texts{"expire/1"}, boost::test_tools::per_element());
    n.accepted(confirm_name{"agent", "Scout", id_of(11), 1});
    BOOST_TEST(n.owed().empty());
}

BOOST_AUTO_TEST_CASE(unconfirmed_reservation_expires_and_the_name_is_free_again) {
    name n;
    n.accepted(by_one);
    BOOST_TEST(n.accepted(expire_name{1}).empty()); // too early
    n.now = n.now + name_reservation_ms;
    BOOST_TEST(names_of(n.accepted(expire_name{1})) == texts{"name_expired"}, boost::test_tools::per_element());
    BOOST_TEST(!n.view().exists);
    n.accepted(by_two);
    BOOST_TEST((n.state().owner == id_of(12)));
}

BOOST_AUTO_TEST_CASE(late_timer_of_an_older_reservation_does_not_end_the_newer_one) {
    name n;
    n.accepted(by_one);
    n.accepted(release_name{id_of(11), 5});
    n.accepted(by_two);
    n.now = n.now + name_reservation_ms;
    BOOST_TEST(n.accepted(expire_name{1}).empty());
    BOOST_TEST((n.state().owner == id_of(12)));
}

BOOST_AUTO_TEST_CASE(confirmation_after_expiry_takes_a_name_that_is_still_free) {
    name n;
    n.accepted(by_one);
    n.now = n.now + name_reservation_ms;
    n.accepted(expire_name{1});
    BOOST_TEST(names_of(n.accepted(confirm_name{"agent", "Scout", id_of(11), 1})) == texts{"name_confirmed"},
               boost::test_tools::per_element());
    BOOST_TEST((n.refused(by_two).code == code::already_exists));
}

BOOST_AUTO_TEST_CASE(confirmation_after_expiry_is_refused_when_another_has_the_name) {
    name n;
    n.accepted(by_one);
    n.now = n.now + name_reservation_ms;
    n.accepted(expire_name{1});
    n.accepted(by_two);
    BOOST_TEST((n.refused(confirm_name{"agent", "Scout", id_of(11), 1}).code == code::already_exists));
}

BOOST_AUTO_TEST_CASE(only_the_owner_can_release) {
    name n;
    n.accepted(by_one);
    n.accepted(confirm_name{"agent", "Scout", id_of(11), 1});
    BOOST_TEST(n.accepted(release_name{id_of(12), 5}).empty());
    BOOST_TEST(n.view().exists);
    n.accepted(release_name{id_of(11), 5});
    BOOST_TEST(!n.view().exists);
}

BOOST_AUTO_TEST_CASE(given_up_reservation_is_free_and_a_confirmed_name_is_not) {
    name n;
    n.accepted(by_one);
    n.accepted(release_name{id_of(11), 0});
    BOOST_TEST(!n.view().exists);
    n.accepted(by_one);
    n.accepted(confirm_name{"agent", "Scout", id_of(11), 1});
    BOOST_TEST(n.accepted(release_name{id_of(11), 0}).empty());
    BOOST_TEST(n.view().exists);
}

BOOST_AUTO_TEST_CASE(late_release_leaves_a_name_that_its_owner_took_again) {
    name n;
    n.accepted(by_one);
    n.accepted(confirm_name{"agent", "Scout", id_of(11), 1});
    n.accepted(confirm_name{"agent", "Scout", id_of(11), 7});
    BOOST_TEST(n.accepted(release_name{id_of(11), 5}).empty());
    BOOST_TEST(n.view().exists);
    n.accepted(release_name{id_of(11), 8});
    BOOST_TEST(!n.view().exists);
}

BOOST_AUTO_TEST_CASE(late_confirmation_does_not_take_back_what_was_given_up) {
    name n;
    n.accepted(by_one);
    n.accepted(release_name{id_of(11), 2}); // of a deleted owner, ahead of its outbox
    BOOST_TEST(n.accepted(confirm_name{"agent", "Scout", id_of(11), 1}).empty());
    BOOST_TEST(!n.view().exists);
    n.accepted(by_two);
    BOOST_TEST((n.state().owner == id_of(12)));
}

BOOST_AUTO_TEST_CASE(neither_events_nor_state_hold_the_text) {
    name n;
    const auto told = [&](const name_model::command& c) {
        for (const auto& e : n.accepted(c)) {
            BOOST_TEST(encode_named(e).second.find("Scout") == std::string::npos);
        }
        BOOST_TEST(to_json(n.state()).find("Scout") == std::string::npos);
    };
    told(by_one);
    told(confirm_name{"agent", "Scout", id_of(11), 1});
    BOOST_TEST(n.refused(by_two).detail.find("'scout'") != std::string::npos); // as its sender wrote it
    told(release_name{id_of(11), 2});
}

BOOST_AUTO_TEST_SUITE_END()
