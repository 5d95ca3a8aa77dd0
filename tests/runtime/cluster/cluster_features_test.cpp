// When what newer programs store may be stored: cluster_core.

#include "runtime/cluster/cluster_view.hpp"
#include "tests/runtime/cluster/core_fixture.hpp"

using namespace core_fixture;

namespace {

constexpr std::int64_t patience_ms = 60'000;

cluster_settings knowing(feature_set features) {
    auto s = settings();
    s.features = std::move(features);
    s.features_after_ms = patience_ms;
    return s;
}

entry member_knowing(const std::string& name, const uuid& replica, std::vector<std::string> features,
                     std::uint64_t revision) {
    return {member_key(name), to_json(member_value{replica, "10.0.0.2", 7118, 1, false, std::move(features)}),
            revision};
}

entry on(std::vector<std::string> features, std::uint64_t revision) {
    return {std::string(features_key), to_json(features_value{std::move(features)}), revision};
}

/// n1, which knows `moods`, has joined n2, which may or may not.
host beside(std::vector<std::string> n2_knows) {
    host h(knowing({"moods"}));
    h.show({config_entry(), member_knowing("n2", b, std::move(n2_knows), 4)});
    const auto asked = h.one<commit_wanted>();
    h.core.on_changes(asked.what.then, 11, h.out);
    h.core.on_committed(asked.id, transaction_result{true, 11, {}}, h.out);
    BOOST_REQUIRE(h.core.joined());
    h.out.clear();
    return h;
}

std::vector<commit_wanted> after(host& h, std::int64_t ms) {
    h.tick(0);
    h.out.clear();
    h.tick(ms);
    return h.take<commit_wanted>();
}

} // namespace

BOOST_AUTO_TEST_SUITE(cluster_features)

BOOST_AUTO_TEST_CASE(a_founder_turns_on_all_that_it_knows) {
    host h(knowing({"moods"}));
    h.show({}, 1);
    const auto what = h.one<commit_wanted>().what;
    BOOST_TEST(writes(what, features_key));
    h.core.on_changes(what.then, 2, h.out);
    BOOST_TEST(h.core.features().contains("moods"));
}

BOOST_AUTO_TEST_CASE(a_program_without_features_writes_none) {
    host h;
    h.show({}, 1);
    BOOST_TEST(!writes(h.one<commit_wanted>().what, features_key));
}

BOOST_AUTO_TEST_CASE(a_member_says_what_it_knows) {
    host h(knowing({"moods"}));
    h.show({config_entry()});
    for (const auto& c : h.one<commit_wanted>().what.then) {
        BOOST_TEST((c.key != member_key("n1") || c.value->find(R"("features":["moods"])") != std::string::npos));
    }
}

BOOST_AUTO_TEST_CASE(nothing_is_turned_on_while_a_member_does_not_know_it) {
    auto h = beside({});
    BOOST_TEST(after(h, 10 * patience_ms).empty());
    const auto view = view_of(h.core, 0).summary;
    BOOST_TEST(view.features.empty());
    BOOST_REQUIRE(view.features_waiting.size() == 1U);
    BOOST_TEST(view.features_waiting.front().feature == "moods");
    BOOST_TEST(view.features_waiting.front().nodes == std::vector<std::string>{"n2"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(what_all_know_is_turned_on_after_a_while_and_once) {
    auto h = beside({"moods"});
    BOOST_TEST(after(h, patience_ms - 1).empty());
    h.tick(patience_ms);
    const auto asked = h.one<commit_wanted>();
    BOOST_TEST(has(asked.what, features_key, 0));
    BOOST_TEST(has(asked.what, "members/n2", 4)); // it may be an older one by then
    BOOST_TEST(has(asked.what, "members/n1", 11));
    BOOST_TEST(writes(asked.what, features_key));
    h.tick(patience_ms + 1);
    BOOST_TEST(h.take<commit_wanted>().empty()); // it is under way
    h.core.on_changes(asked.what.then, 12, h.out);
    h.core.on_committed(asked.id, transaction_result{true, 12, {}}, h.out);
    BOOST_TEST(h.core.features().contains("moods"));
    h.tick(10 * patience_ms);
    BOOST_TEST(h.take<commit_wanted>().empty());
}

BOOST_AUTO_TEST_CASE(a_refused_turn_is_tried_again) {
    auto h = beside({"moods"});
    (void)after(h, 1);
    h.tick(patience_ms);
    const auto asked = h.one<commit_wanted>();
    h.core.on_committed(asked.id, transaction_result{false, 12, {}}, h.out);
    h.tick(patience_ms + 1);
    BOOST_TEST(h.take<commit_wanted>().size() == 1U);
}

BOOST_AUTO_TEST_CASE(the_wait_begins_when_the_last_one_knows_it) {
    auto h = beside({});
    (void)after(h, patience_ms);
    h.core.on_changes({{member_key("n2"), member_knowing("n2", b, {"moods"}, 0).value}}, 12, h.out);
    h.tick(patience_ms + 1);
    h.tick(2 * patience_ms);
    BOOST_TEST(h.take<commit_wanted>().empty());
    h.tick(2 * patience_ms + 1);
    BOOST_TEST(h.take<commit_wanted>().size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_program_that_does_not_know_what_is_on_is_turned_away) {
    host h;
    h.show({config_entry(), on({"moods"}, 7)});
    BOOST_TEST(h.take<commit_wanted>().empty());
    const auto why = h.one<turned_away>().why;
    BOOST_TEST((why.code == code::data_dir_newer));
    BOOST_TEST(why.detail.find("'moods'") != std::string::npos, why.detail);
}

BOOST_AUTO_TEST_CASE(also_when_it_is_a_member_already) {
    auto h = joined();
    h.core.on_changes({{std::string(features_key), on({"moods"}, 0).value}}, 12, h.out);
    BOOST_TEST(h.take<turned_away>().size() == 1U);
}

BOOST_AUTO_TEST_CASE(what_was_on_stays_on_when_the_key_is_lost) {
    auto h = beside({"moods"});
    h.core.on_changes({{std::string(features_key), on({"moods"}, 0).value}}, 12, h.out);
    h.core.on_changes({{std::string(features_key), std::nullopt}}, 13, h.out);
    BOOST_TEST(h.core.features().contains("moods")); // the logs have it
}

BOOST_AUTO_TEST_SUITE_END()
