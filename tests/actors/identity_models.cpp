#include "actors/identity/api_key_model.hpp"
#include "actors/identity/organization_model.hpp"
#include "actors/identity/session_model.hpp"
#include "actors/identity/user_model.hpp"
#include "schemas/name_messages.hpp"

#include "tests/actors/given.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

using user = entity<user_model>;
using session = entity<session_model>;
using api_key = entity<api_key_model>;
using company = entity<organization_model>;

const create_user ada{"Ada@example.org", "Ada", "hash-1", false};

user an_account() {
    user u;
    u.accepted(ada);
    return u;
}

const open_session a_login{id_of(1), id_of(7), 3, {"password"}, "192.0.2.1", "curl", 1000};

session a_session() {
    session s;
    s.accepted(a_login);
    return s;
}

company acme() {
    company c;
    c.accepted(create_organization{"Acme", "acme", {}, organization_plan::free, id_of(11)});
    return c;
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

BOOST_AUTO_TEST_SUITE_END()

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

BOOST_AUTO_TEST_SUITE(api_key_model_suite)

BOOST_AUTO_TEST_CASE(a_key_shows_no_hash_and_leaves_the_lists_when_it_is_revoked) {
    api_key k;
    k.accepted(create_api_key{id_of(7), "ci", "user/x", "", {"task:*"}, "trp_abc", "beef", {}});
    BOOST_TEST(k.view().document.find("beef") == std::string::npos);
    BOOST_TEST(k.view().keys.size() == 1U);
    k.accepted(revoke_api_key{});
    BOOST_TEST(k.view().keys.empty());
    BOOST_TEST(k.accepted(revoke_api_key{}).empty());
    BOOST_TEST(k.accepted(note_api_key_use{"192.0.2.1"}).empty());
}

BOOST_AUTO_TEST_CASE(use_is_noted_at_most_every_ten_minutes) {
    api_key k;
    k.accepted(create_api_key{id_of(7), "ci", "user/x", "", {}, "trp_abc", "beef", {}});
    BOOST_TEST(!k.accepted(note_api_key_use{"192.0.2.1"}).empty());
    BOOST_TEST(k.accepted(note_api_key_use{"192.0.2.1"}).empty());
    k.now = k.now + api_key_use_ms;
    BOOST_TEST(!k.accepted(note_api_key_use{"192.0.2.2"}).empty());
}

BOOST_AUTO_TEST_CASE(a_key_that_has_expired_already_is_refused) {
    api_key k;
    BOOST_TEST((k.refused(create_api_key{id_of(7), "ci", "user/x", "", {}, "trp_abc", "beef", k.now}).code ==
                code::invalid_request));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(organization_model_suite)

BOOST_AUTO_TEST_CASE(who_makes_an_organization_owns_it_and_is_told) {
    const auto c = acme();
    BOOST_TEST(c.state().members.at(to_string(id_of(11))).role == "owner");
    BOOST_TEST(c.owed() == (texts{"confirm_name/1", "note_membership/2"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_last_owner_can_neither_leave_nor_be_demoted_or_disabled) {
    auto c = acme();
    BOOST_TEST((c.refused(remove_member{id_of(11)}).code == code::conflict));
    BOOST_TEST((c.refused(change_member{id_of(11), "viewer", {}}).code == code::conflict));
    BOOST_TEST((c.refused(change_member{id_of(11), {}, member_status::disabled}).code == code::conflict));
    c.accepted(add_member{id_of(12), "owner"});
    c.accepted(remove_member{id_of(11)});
    BOOST_TEST((c.refused(remove_member{id_of(12)}).code == code::conflict));
}

BOOST_AUTO_TEST_CASE(a_disabled_owner_counts_as_none) {
    auto c = acme();
    c.accepted(add_member{id_of(12), "owner"});
    c.accepted(change_member{id_of(12), {}, member_status::disabled});
    BOOST_TEST((c.refused(remove_member{id_of(11)}).code == code::conflict));
}

BOOST_AUTO_TEST_CASE(only_roles_that_the_organization_has_are_assigned) {
    auto c = acme();
    BOOST_TEST((c.refused(add_member{id_of(12), "auditor"}).code == code::invalid_request));
    c.accepted(put_role{"auditor", "Looks.", {"*:read"}});
    c.accepted(add_member{id_of(12), "auditor"});
    BOOST_TEST((c.refused(remove_role{"auditor"}).code == code::conflict)); // somebody has it
    c.accepted(change_member{id_of(12), "viewer", {}});
    c.accepted(remove_role{"auditor"});
    BOOST_TEST((c.refused(change_member{id_of(12), "auditor", {}}).code == code::invalid_request));
}

BOOST_AUTO_TEST_CASE(built_in_roles_stay_as_they_are_and_permissions_have_to_be_some) {
    auto c = acme();
    BOOST_TEST((c.refused(put_role{"owner", "", {"*"}}).code == code::conflict));
    BOOST_TEST((c.refused(remove_role{"viewer"}).code == code::conflict));
    BOOST_TEST((c.refused(put_role{"odd", "", {"task"}}).code == code::invalid_request));
    BOOST_TEST((c.refused(put_role{"odd", "", {"Task:read"}}).code == code::invalid_request));
}

BOOST_AUTO_TEST_CASE(an_invitation_is_good_once_for_its_address_until_it_expires) {
    auto c = acme();
    c.accepted(invite{id_of(21), "grace@example.org", "member", c.now + 1000});
    BOOST_TEST((c.refused(accept_invitation{id_of(21), id_of(12), "eve@example.org"}).code == code::not_found));
    c.accepted(accept_invitation{id_of(21), id_of(12), "Grace@example.org"});
    BOOST_TEST(c.state().members.at(to_string(id_of(12))).role == "member");
    BOOST_TEST((c.refused(accept_invitation{id_of(21), id_of(13), "grace@example.org"}).code == code::not_found));
    c.accepted(invite{id_of(22), "late@example.org", "member", c.now + 1000});
    c.now = c.now + 1000;
    BOOST_TEST((c.refused(accept_invitation{id_of(22), id_of(14), "late@example.org"}).code == code::not_found));
    c.accepted(revoke_invitation{id_of(22)});
    BOOST_TEST((c.refused(revoke_invitation{id_of(22)}).code == code::not_found));
}

BOOST_AUTO_TEST_CASE(who_leaves_is_told_and_its_item_says_so) {
    auto c = acme();
    c.accepted(add_member{id_of(12), "member"});
    const auto events = c.accepted(remove_member{id_of(12)});
    const auto items = organization_model::items(c.state(), events.front(), {id_of(1), 4, c.now, ""});
    BOOST_TEST_REQUIRE(items.size() == 1U);
    BOOST_TEST(items.front().document.find("\"removed\":true") != std::string::npos);
    BOOST_TEST(c.state().owed.open.back().payload.text.find("\"removed\":true") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(slugs_are_plain_and_never_look_like_an_id) {
    BOOST_TEST(is_slug("acme-2"));
    for (const auto* bad : {"", "-acme", "acme-", "Acme", "a b", "018f3c1e-0000-7000-8000-000000000001"}) {
        BOOST_TEST(!is_slug(bad), bad);
    }
    BOOST_TEST(slug_of("  Acme & Söhne, Inc. ") == "acme-s-hne-inc");
    BOOST_TEST(slug_of("日本") == "");
}

BOOST_AUTO_TEST_SUITE_END()
