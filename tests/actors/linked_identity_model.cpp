#include "actors/identity/linked_identity_model.hpp"

#include "tests/actors/given.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

const std::string issuer = "https://login.example.org";

/// Under the id that it has to have.
struct identity_of_ada : entity<linked_identity_model> {
    identity_of_ada() : entity(linked_identity_id(issuer, "ada")) {}
};

link_identity to_user(std::uint8_t n, bool anew = false) {
    return {id_of(n), "acme", issuer, "ada", "ada@example.org", anew};
}

} // namespace

BOOST_AUTO_TEST_SUITE(linked_identity_model_suite)

BOOST_AUTO_TEST_CASE(an_identity_opens_one_account_only) {
    identity_of_ada i;
    BOOST_TEST(!i.accepted(to_user(7)).empty());
    BOOST_TEST(i.accepted(to_user(7)).empty());
    BOOST_TEST((i.refused(to_user(8)).code == code::conflict));
    BOOST_TEST((i.refused(to_user(8, true)).code == code::conflict));
    BOOST_TEST(i.view().keys.size() == 1U);
}

BOOST_AUTO_TEST_CASE(what_was_unlinked_comes_back_only_when_its_person_asks) {
    identity_of_ada i;
    i.accepted(to_user(7));
    i.accepted(unlink_identity{});
    BOOST_TEST(i.view().keys.empty());
    BOOST_TEST(i.accepted(unlink_identity{}).empty());
    BOOST_TEST((i.refused(to_user(7)).code == code::forbidden));
    BOOST_TEST((i.refused(to_user(8)).code == code::forbidden));
    BOOST_TEST(i.accepted(note_identity_use{"eve@example.org"}).empty());
    BOOST_TEST(!i.accepted(to_user(8, true)).empty());
    BOOST_TEST((i.state().shown.user_id == id_of(8)));
    BOOST_TEST(!i.state().shown.removed_at);
}

BOOST_AUTO_TEST_CASE(use_is_noted_at_most_every_ten_minutes_and_when_the_address_changes) {
    identity_of_ada i;
    BOOST_TEST((i.refused(note_identity_use{"ada@example.org"}).code == code::not_found));
    i.accepted(to_user(7));
    BOOST_TEST(!i.accepted(note_identity_use{"ada@example.org"}).empty());
    BOOST_TEST(i.accepted(note_identity_use{"ada@example.org"}).empty());
    BOOST_TEST(!i.accepted(note_identity_use{"countess@example.org"}).empty());
    i.now = i.now + identity_use_ms;
    BOOST_TEST(!i.accepted(note_identity_use{"countess@example.org"}).empty());
}

BOOST_AUTO_TEST_CASE(issuer_and_subject_are_kept_apart_and_to_the_letter) {
    BOOST_TEST((linked_identity_id("https://a", "b") != linked_identity_id("https://ab", "")));
    BOOST_TEST((linked_identity_id(issuer, "ada") != linked_identity_id(issuer, "Ada")));
    entity<linked_identity_model> elsewhere;
    BOOST_TEST((elsewhere.refused(to_user(7)).code == code::internal));
}

BOOST_AUTO_TEST_SUITE_END()
