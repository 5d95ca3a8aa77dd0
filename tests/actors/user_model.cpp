#include "actors/identity/user_model.hpp"

#include "schemas/name_messages.hpp"
#include "tests/actors/given.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

using user = entity<user_model>;

const create_user ada{"Ada@example.org", "Ada", "hash-1", false};

user an_account() {
    user u;
    u.accepted(ada);
    return u;
}

user_document shown(const user& u) {
    auto d = from_json<user_document>(u.view().document, strictness::input);
    BOOST_REQUIRE(d);
    return *d;
}

} // namespace

BOOST_AUTO_TEST_SUITE(user_model_suite)

BOOST_AUTO_TEST_CASE(an_account_confirms_its_address_and_shows_nothing_of_its_password) {
    const auto u = an_account();
    BOOST_TEST(u.owed() == texts{"confirm_name/1"}, boost::test_tools::per_element());
    BOOST_TEST(u.view().document.find("hash-1") == std::string::npos);
    BOOST_TEST(shown(u).email == "Ada@example.org");
}

BOOST_AUTO_TEST_CASE(a_second_creation_is_refused_and_nothing_comes_before_the_first) {
    auto u = an_account();
    BOOST_TEST((u.refused(ada).code == code::already_exists));
    user none;
    BOOST_TEST((none.refused(update_user{"Grace", {}, {}, {}, {}}).code == code::not_found));
}

BOOST_AUTO_TEST_CASE(a_new_password_ends_older_sessions_and_a_lock) {
    auto u = an_account();
    u.accepted(lock_user{u.now + 1000});
    const auto before = u.state().credential.generation;
    u.accepted(update_user{{}, {}, {}, {}, "hash-2"});
    BOOST_TEST(u.state().credential.generation == before + 1);
    BOOST_TEST(u.state().credential.password_hash == "hash-2");
    BOOST_TEST(!u.state().locked_until.has_value());
}

BOOST_AUTO_TEST_CASE(former_passwords_are_kept_beside_the_document_the_newest_first_and_bounded) {
    auto u = an_account();
    const auto first = u.state().credential.password_hash;
    u.accepted(update_user{{}, {}, {}, {}, "hash-2"});
    u.accepted(update_user{{}, {}, {}, {}, "hash-3"});
    BOOST_TEST((u.state().former_hashes == texts{"hash-2", first}));
    BOOST_TEST((u.items().back().collection == former_collection));
    BOOST_TEST(from_json<former_passwords>(u.items().back().document, strictness::input)->hashes.size() == 2U);
    for (int i = 0; i < 30; ++i) {
        u.accepted(update_user{{}, {}, {}, {}, "more-" + std::to_string(i)});
    }
    BOOST_TEST(u.state().former_hashes.size() == 24U);
    BOOST_TEST(u.state().former_hashes.front() == "more-28");
    BOOST_TEST(u.view().document.find("hash") == std::string::npos);
    v1::user_state old; // as it was stored before
    old.email = "ada@example.org";
    BOOST_TEST(upcast(old).email == "ada@example.org");
}

BOOST_AUTO_TEST_CASE(disabling_ends_sessions_and_the_same_values_change_nothing) {
    auto u = an_account();
    const auto before = u.state().credential.generation;
    u.accepted(update_user{{}, {}, user_status::disabled, {}, {}});
    BOOST_TEST(u.state().credential.generation == before + 1);
    BOOST_TEST(u.accepted(update_user{"Ada", "Ada@example.org", user_status::disabled, false, {}}).empty());
}

BOOST_AUTO_TEST_CASE(another_address_gives_the_first_one_up) {
    auto u = an_account();
    u.accepted(update_user{{}, "countess@example.org", {}, {}, {}});
    BOOST_TEST(u.owed() == (texts{"confirm_name/1", "confirm_name/3"}), boost::test_tools::per_element());
    BOOST_TEST(u.state().owed.open.size() == 3U); // the release waits behind the confirmation of the same name
    BOOST_TEST(u.state().owed.open[1].type == "release_name");
}

BOOST_AUTO_TEST_CASE(a_second_factor_counts_when_it_is_enabled_and_its_codes_are_good_once) {
    auto u = an_account();
    BOOST_TEST((u.refused(enable_mfa{"sealed", 7, {"h"}}).code == code::conflict));
    u.accepted(begin_mfa{"sealed"});
    BOOST_TEST(!shown(u).mfa);
    BOOST_TEST((u.refused(enable_mfa{"another", 7, {"h"}}).code == code::conflict));
    u.accepted(enable_mfa{"sealed", 7, {"h1", "h2"}});
    BOOST_TEST(shown(u).mfa);
    BOOST_TEST(u.view().document.find("sealed") == std::string::npos);
    BOOST_TEST((u.refused(use_mfa_code{7}).code == code::invalid_credentials)); // the one that enabled it
    u.accepted(use_mfa_code{9});
    BOOST_TEST((u.refused(use_mfa_code{8}).code == code::invalid_credentials));
    u.accepted(use_recovery_code{"h1"});
    BOOST_TEST((u.refused(use_recovery_code{"h1"}).code == code::invalid_credentials));
    BOOST_TEST((u.refused(begin_mfa{"other"}).code == code::conflict)); // nobody takes its place unseen
    u.accepted(disable_mfa{});
    BOOST_TEST(!shown(u).mfa);
    BOOST_TEST((u.refused(use_recovery_code{"h2"}).code == code::invalid_credentials));
    BOOST_TEST(u.accepted(disable_mfa{}).empty());
}

BOOST_AUTO_TEST_CASE(new_recovery_codes_end_the_old_ones) {
    auto u = an_account();
    BOOST_TEST((u.refused(renew_recovery_codes{{"n1"}}).code == code::conflict));
    u.accepted(begin_mfa{"sealed"});
    BOOST_TEST((u.refused(renew_recovery_codes{{"n1"}}).code == code::conflict)); // it does not count yet
    u.accepted(enable_mfa{"sealed", 7, {"h1"}});
    u.accepted(renew_recovery_codes{{"n1", "n2"}});
    BOOST_TEST((u.refused(use_recovery_code{"h1"}).code == code::invalid_credentials));
    u.accepted(use_recovery_code{"n2"});
}

BOOST_AUTO_TEST_CASE(the_document_says_whether_there_is_a_password) {
    BOOST_TEST(shown(an_account()).password);
    entity<user_model> of_an_issuer;
    of_an_issuer.accepted(create_user{"ada@example.org", "Ada", "", false});
    BOOST_TEST(!shown(of_an_issuer).password);
}

BOOST_AUTO_TEST_CASE(a_lock_is_only_made_longer) {
    auto u = an_account();
    const auto until = u.now + 1000;
    u.accepted(lock_user{until});
    BOOST_TEST(u.accepted(lock_user{until}).empty());
    u.accepted(unlock_user{});
    BOOST_TEST(u.accepted(unlock_user{}).empty());
}

BOOST_AUTO_TEST_CASE(late_news_of_a_membership_change_nothing) {
    auto u = an_account();
    u.accepted(note_membership{id_of(7), 5, "admin", true, false});
    BOOST_TEST(u.accepted(note_membership{id_of(7), 4, "viewer", true, false}).empty());
    u.accepted(note_membership{id_of(7), 6, "admin", true, true});
    BOOST_TEST(shown(u).organizations.empty());
    BOOST_TEST(u.accepted(note_membership{id_of(7), 5, "admin", true, false}).empty()); // does not bring it back
}

BOOST_AUTO_TEST_CASE(who_is_to_be_erased_leaves_all_and_gives_the_address_up_before_it_begins) {
    auto u = an_account();
    u.accepted(debt_settled{{"confirm_name/1", true, {}, {}, {}}});
    u.accepted(note_membership{id_of(21), 1, "owner", true, false});
    u.accepted(note_membership{id_of(22), 1, "viewer", true, false});
    u.accepted(note_membership{id_of(23), 1, "viewer", true, true}); // left before
    const auto before = u.state().credential.generation;
    BOOST_TEST(names_of(u.accepted(close_for_erasure{})) == texts{"user_closed"}, boost::test_tools::per_element());
    BOOST_TEST(u.state().credential.generation == before + 1); // no session goes on
    BOOST_TEST((shown(u).status == user_status::disabled));
    BOOST_TEST(u.owed() == (texts{"leave_organization/2", "leave_organization/3", "release_name/4"}),
               boost::test_tools::per_element());
    BOOST_TEST((u.sent<leave_organization>("leave_organization/2").first.id == id_of(21)));
    BOOST_TEST((u.sent<leave_organization>("leave_organization/2").second.user_id == id_of(1)));
    BOOST_TEST((u.sent<release_name>("release_name/4").second.owner == id_of(1)));
    u.accepted(debt_settled{{"release_name/4", true, {}, {}, {}}});
    u.accepted(debt_settled{{"leave_organization/2", true, {}, {}, {}}});
    BOOST_TEST(u.owed() == texts{"leave_organization/3"}, boost::test_tools::per_element());
    // The organization is gone itself: that is as good.
    u.accepted(debt_settled{{"leave_organization/3", false, "not_found", "there is no such organization", {}}});
    BOOST_TEST(u.owed() == texts{"begin_erasure/5"}, boost::test_tools::per_element());
    u.accepted(debt_settled{{"begin_erasure/5", true, {}, {}, {}}});
    BOOST_TEST(u.owed().empty());
}

BOOST_AUTO_TEST_CASE(who_is_being_erased_does_nothing_else_and_closes_once) {
    auto u = an_account();
    u.accepted(close_for_erasure{});
    const auto owed = u.owed();
    BOOST_TEST(u.accepted(close_for_erasure{}).empty());
    BOOST_TEST(u.owed() == owed, boost::test_tools::per_element());
    BOOST_TEST((u.refused(update_user{"Ada", {}, {}, {}, {}}).code == code::not_found));
    BOOST_TEST((u.refused(lock_user{u.now + 1000}).code == code::not_found));
    BOOST_TEST((u.refused(ada).code == code::not_found));
    u.accepted(note_membership{id_of(21), 2, "viewer", true, true}); // an organization tells what it was told
    BOOST_TEST(u.owed() == owed, boost::test_tools::per_element());
    user none;
    BOOST_TEST((none.refused(close_for_erasure{}).code == code::not_found));
}

BOOST_AUTO_TEST_SUITE_END()
