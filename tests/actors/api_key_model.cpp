#include "actors/identity/api_key_model.hpp"

#include "tests/actors/given.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

using api_key = entity<api_key_model>;

} // namespace

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
