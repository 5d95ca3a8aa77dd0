#include "runtime/bus/bus.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using runtime::channel_matches;
using runtime::event_filter;

namespace {

const std::string id = "018f3c1e-0000-7000-8000-000000000001";
const std::string event = R"({"to":"done","ok":true,"count":3,"none":null,"task":{"priority":"high"},"list":[1]})";

void check_refused(const event_filter& f, const std::string& pointer) {
    const auto checked = runtime::check(f);
    BOOST_REQUIRE(checked.has_error());
    BOOST_TEST((checked.error().code == code::invalid_request));
    BOOST_TEST(checked.error().errors.front().pointer == pointer);
}

} // namespace

BOOST_AUTO_TEST_SUITE(live_filter)

BOOST_AUTO_TEST_CASE(an_event_has_to_pass_every_list) {
    BOOST_TEST((event_filter{}.shows("task_moved", id, event)));
    BOOST_TEST((event_filter{{"task_*"}, {id}, {"to=done"}}.shows("task_moved", id, event)));
    BOOST_TEST((event_filter{{"a", "task_moved"}, {}, {}}.shows("task_moved", id, event)));
    BOOST_TEST(!(event_filter{{"task_*"}, {id}, {"to=failed"}}.shows("task_moved", id, event)));
    BOOST_TEST(!(event_filter{{"run_*"}, {}, {}}.shows("task_moved", id, event)));
    BOOST_TEST(!(event_filter{{"task_move"}, {}, {}}.shows("task_moved", id, event)));
    BOOST_TEST(!(event_filter{{}, {"018f3c1e-0000-7000-8000-000000000002"}, {}}.shows("task_moved", id, event)));
}

BOOST_AUTO_TEST_CASE(members_are_compared_as_text_or_as_json) {
    const auto shows = [](const std::string& condition) {
        return event_filter{{}, {}, {condition}}.shows("x", id, event);
    };
    BOOST_TEST(shows("to=done"));
    BOOST_TEST(shows("ok=true"));
    BOOST_TEST(shows("count=3"));
    BOOST_TEST(shows("none=null"));
    BOOST_TEST(shows("task.priority=high"));
    BOOST_TEST(!shows("to="));
    BOOST_TEST(!shows("missing=null"));
    BOOST_TEST(!shows("ok=1"));
    BOOST_TEST(!shows("task.priority.deep=high"));
    BOOST_TEST(!(event_filter{{}, {}, {"to=done", "ok=false"}}.shows("x", id, event)));
    BOOST_TEST(!(event_filter{{}, {}, {"to=done"}}.shows("x", id, "no JSON")));
}

BOOST_AUTO_TEST_CASE(entries_that_can_pass_nothing_are_refused) {
    BOOST_TEST(runtime::check({{"task_*", "*", "$poisoned"}, {id}, {"a.b_c=x=y"}}).has_value());
    check_refused({{""}, {}, {}}, "/filter/kinds");
    check_refused({{"task*moved"}, {}, {}}, "/filter/kinds");
    check_refused({{}, {"task/1"}, {}}, "/filter/entities");
    check_refused({{}, {"018F3C1E-0000-7000-8000-000000000001"}, {}},
                  "/filter/entities"); // ids are shown in lower case
    for (const std::string bad : {"done", "=done", ".a=1", "a.=1", "a..b=1", "a b=1", "a/b=1"})
        check_refused({{}, {}, {bad}}, "/filter/where");
    check_refused({{}, {}, {"a=" + std::string(300, 'x')}}, "/filter/where");
    check_refused({std::vector<std::string>(17, "a"), {}, {}}, "/filter/kinds");
}

BOOST_AUTO_TEST_CASE(different_filters_have_different_keys) {
    BOOST_TEST((event_filter{{"a", "b"}, {}, {}}.key()) != (event_filter{{"ab"}, {}, {}}.key()));
    BOOST_TEST((event_filter{{"a"}, {}, {}}.key()) != (event_filter{{}, {"a"}, {}}.key()));
    BOOST_TEST((event_filter{{"a"}, {}, {"b=1"}}.key()) == (event_filter{{"a"}, {}, {"b=1"}}.key()));
}

BOOST_AUTO_TEST_CASE(a_lone_star_means_the_channels_of_entities) {
    BOOST_TEST(channel_matches("*", "runs/1"));
    BOOST_TEST(!channel_matches("*", "supervision"));
    BOOST_TEST(channel_matches("sup*", "supervision"));
    BOOST_TEST(channel_matches("runs/*", "runs/1"));
    BOOST_TEST(!channel_matches("runs/*", "tasks/1"));
    BOOST_TEST(channel_matches("runs/1", "runs/1"));
    BOOST_TEST(!channel_matches("runs/1", "runs/12"));
}

BOOST_AUTO_TEST_SUITE_END()
