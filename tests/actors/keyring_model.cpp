#include "actors/secret/keyring_model.hpp"

#include "tests/actors/given.hpp"

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

struct ring : entity<keyring_model> {
    ring() { accepted(add_data_keys{{{0, "m1", "w0"}, {1, "m1", "w1"}}}); }
};

} // namespace

BOOST_AUTO_TEST_SUITE(keyring)

BOOST_FIXTURE_TEST_CASE(it_begins_with_the_key_of_hashes_and_the_first_data_key, ring) {
    BOOST_TEST(state().current() == 1U);
    BOOST_TEST(!state().rotating());
    BOOST_TEST(owed() == texts{}, boost::test_tools::per_element());
    BOOST_TEST((state().organization == id_of(1)));
    entity<keyring_model> fresh;
    BOOST_TEST((fresh.refused(add_data_keys{{{0, "m1", "w0"}}}).code == code::conflict));
    BOOST_TEST(!fresh.view().exists);
}

BOOST_FIXTURE_TEST_CASE(of_two_that_add_a_key_at_once_one_is_refused, ring) {
    accepted(add_data_keys{{{2, "m1", "w2"}}});
    BOOST_TEST((refused(add_data_keys{{{2, "m1", "other"}}}).code == code::conflict));
    BOOST_TEST((refused(add_data_keys{{{4, "m1", "w4"}}}).code == code::conflict));
    BOOST_TEST((refused(add_data_keys{}).code == code::conflict));
}

BOOST_FIXTURE_TEST_CASE(a_rotation_is_owed_until_it_is_finished, ring) {
    accepted(add_data_keys{{{2, "m1", "w2"}}});
    BOOST_TEST(owed() == texts{"reseal/2"}, boost::test_tools::per_element());
    accepted(add_data_keys{{{3, "m1", "w3"}}});
    BOOST_TEST(owed() == texts{"reseal/3"}, boost::test_tools::per_element());
    accepted(finish_rotation{2}); // of the one before, which ended late
    BOOST_TEST(owed() == texts{"reseal/3"}, boost::test_tools::per_element());
    accepted(finish_rotation{3});
    BOOST_TEST(owed() == texts{}, boost::test_tools::per_element());
    BOOST_TEST(accepted(finish_rotation{3}).empty());
    BOOST_TEST(accepted(finish_rotation{9}).empty());
}

BOOST_FIXTURE_TEST_CASE(another_master_key_replaces_only_what_it_wraps_anew, ring) {
    accepted(rewrap_data_keys{{{0, "m2", "n0"}, {7, "m2", "n7"}}});
    BOOST_TEST(state().keys.size() == 2U);
    BOOST_TEST(state().keys[0].wrapped == "n0");
    BOOST_TEST(state().keys[1].wrapped == "w1");
    BOOST_TEST(accepted(rewrap_data_keys{{{0, "m2", "again"}}}).empty()); // a repeat, under another nonce
    BOOST_TEST(owed() == texts{}, boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(there_is_a_bound_on_keys, ring) {
    for (std::uint32_t n = 2; n < data_keys_max; ++n) {
        BOOST_TEST_REQUIRE(!!when(add_data_keys{{{n, "m1", "w"}}}));
    }
    BOOST_TEST(
        (refused(add_data_keys{{{static_cast<std::uint32_t>(data_keys_max), "m1", "w"}}}).code == code::conflict));
}

BOOST_AUTO_TEST_SUITE_END()
