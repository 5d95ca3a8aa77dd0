#include "actors/identity/organization_model.hpp"

#include "schemas/name_messages.hpp"
#include "tests/actors/given.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

using company = entity<organization_model>;

company acme() {
    company c;
    c.accepted(create_organization{"Acme", "acme", {}, organization_plan::free, id_of(11)});
    return c;
}

update_organization to_status(organization_status status) {
    update_organization c;
    c.status = status;
    return c;
}

update_organization trial_until(timestamp end) {
    auto c = to_status(organization_status::trial);
    c.trial_ends_at = end;
    return c;
}

quota_limits allowing(std::string_view text) { return parse_quota_limits(text).value(); }

update_organization own(quota_limits all) {
    update_organization c;
    c.limits = all;
    return c;
}

} // namespace

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

BOOST_AUTO_TEST_CASE(a_trial_becomes_suspended_when_it_is_over) {
    auto c = acme();
    const auto end = c.now + 1000;
    c.accepted(trial_until(end));
    BOOST_TEST(c.owed().back() == "trial");
    BOOST_TEST(c.accepted(end_trial{end}).empty()); // before its time
    c.now = end;
    BOOST_TEST(c.accepted(end_trial{end + 1}).empty()); // of another one
    c.accepted(end_trial{end});
    BOOST_TEST((c.state().status == organization_status::suspended));
    BOOST_TEST(c.owed().back() != "trial");
}

BOOST_AUTO_TEST_CASE(a_trial_that_is_prolonged_or_paid_for_goes_on) {
    auto c = acme();
    const auto end = c.now + 1000;
    c.accepted(trial_until(end));
    c.accepted(trial_until(end + 1000));
    c.now = end;
    BOOST_TEST(c.accepted(end_trial{end}).empty());
    c.accepted(to_status(organization_status::active));
    c.now = end + 1000;
    BOOST_TEST(c.accepted(end_trial{end + 1000}).empty());
    // It is over: another one needs another end.
    BOOST_TEST((c.refused(to_status(organization_status::trial)).code == code::invalid_request));
}

BOOST_AUTO_TEST_CASE(own_limits_are_replaced_all_at_once_and_taken_away) {
    auto c = acme();
    c.accepted(own(allowing("agents=7")));
    BOOST_TEST(c.document<organization_document>().limits->agents.value() == 7);
    BOOST_TEST(c.accepted(own(allowing("agents=7"))).empty());
    c.accepted(own(allowing("tasks_per_day=none")));
    BOOST_TEST(!c.document<organization_document>().limits->agents);
    c.accepted(own(quota_limits{}));
    BOOST_TEST(!c.document<organization_document>().limits);
}

BOOST_AUTO_TEST_CASE(an_erased_person_leaves_even_as_the_last_owner_and_once) {
    auto c = acme();
    BOOST_TEST(names_of(c.accepted(leave_organization{id_of(11)})) == texts{"member_removed"},
               boost::test_tools::per_element());
    BOOST_TEST(c.state().members.empty());
    BOOST_TEST(c.accepted(leave_organization{id_of(11)}).empty());
    BOOST_TEST(c.accepted(leave_organization{id_of(77)}).empty());
}

BOOST_AUTO_TEST_CASE(an_organization_to_be_erased_tells_its_members_and_gives_its_names_up_before_it_begins) {
    company c;
    c.accepted(create_organization{"Acme", "acme", "acme.example", organization_plan::free, id_of(11)});
    c.accepted(add_member{id_of(12), "viewer"});
    for (const auto& key : c.owed()) {
        c.accepted(debt_settled{{key, true, {}, {}, {}}});
    }
    for (const auto& key : c.owed()) { // what was behind another for the same receiver
        c.accepted(debt_settled{{key, true, {}, {}, {}}});
    }
    BOOST_REQUIRE(c.owed().empty());
    BOOST_TEST(names_of(c.accepted(close_for_erasure{})) == texts{"organization_closed"},
               boost::test_tools::per_element());
    BOOST_TEST(c.document<organization_document>().closing);
    BOOST_TEST(c.document<organization_document>().members == 0u);
    const auto owed = c.owed();
    BOOST_REQUIRE(owed.size() == 4u);
    texts released;
    for (const auto& key : owed) {
        if (key.starts_with("note_membership/")) {
            const auto [to, told] = c.sent<note_membership>(key);
            BOOST_TEST((to.id == id_of(11) || to.id == id_of(12)));
            BOOST_TEST(told.removed);
        } else {
            released.push_back(key);
            BOOST_TEST((c.sent<release_name>(key).second.owner == id_of(1)));
        }
    }
    BOOST_TEST(released.size() == 2u);
    BOOST_TEST(c.accepted(close_for_erasure{}).empty());
    for (std::size_t i = 0; i < owed.size(); ++i) {
        BOOST_TEST(c.owed().size() == owed.size() - i);
        c.accepted(debt_settled{{owed[i], true, {}, {}, {}}});
    }
    BOOST_REQUIRE(c.owed().size() == 1u);
    BOOST_TEST(c.owed().front().starts_with("begin_erasure/"));
    BOOST_TEST((c.sent<begin_erasure>(c.owed().front()).first.id == id_of(1)));
    c.accepted(debt_settled{{c.owed().front(), true, {}, {}, {}}});
    BOOST_TEST(c.owed().empty());
}

BOOST_AUTO_TEST_CASE(an_organization_that_is_being_erased_takes_nothing_else) {
    auto c = acme();
    c.accepted(close_for_erasure{});
    BOOST_TEST((c.refused(add_member{id_of(12), "viewer"}).code == code::not_found));
    BOOST_TEST((c.refused(to_status(organization_status::active)).code == code::not_found));
    BOOST_TEST((c.refused(leave_organization{id_of(11)}).code == code::not_found));
    company none;
    BOOST_TEST((none.refused(close_for_erasure{}).code == code::not_found));
}

BOOST_AUTO_TEST_SUITE_END()
