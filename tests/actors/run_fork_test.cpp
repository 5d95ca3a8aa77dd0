#include "actors/run/run_compare.hpp"
#include "actors/run/run_context.hpp"
#include "tests/actors/run_fixture.hpp"

#include "schemas/base/limits.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

const auto each = boost::test_tools::per_element();
const uuid source = id_of(9);

context_message said(std::string role, std::string content) {
    return {std::move(role), std::move(content), {}, {}, {}, {}, false};
}

run forked(std::uint32_t step = 3, std::string message = "") {
    run r;
    r.accepted(fork_run{wish(), source, step, std::move(message)});
    return r;
}

step_document step(std::string key, std::uint32_t number, std::string content) {
    step_document d;
    d.key = std::move(key);
    d.step = number;
    d.status = step_status::succeeded;
    d.content = std::move(content);
    return d;
}

} // namespace

BOOST_AUTO_TEST_SUITE(run_forks)

BOOST_AUTO_TEST_CASE(a_fork_says_where_it_comes_from) {
    auto r = forked();
    const auto d = document(r);
    BOOST_TEST_REQUIRE(!!d.forked_from);
    BOOST_TEST((d.forked_from->run_id == source));
    BOOST_TEST(d.forked_from->step == 3U);
    BOOST_TEST((d.status == run_status::queued));
    const auto filters = r.filters();
    BOOST_TEST((std::ranges::find(filters, "forked_from=" + to_string(source)) != filters.end()));
    BOOST_TEST(r.accepted(fork_run{wish(), source, 3, ""}).empty()); // a repeat
}

BOOST_AUTO_TEST_CASE(it_does_not_begin_before_its_past_is_there) {
    auto r = forked();
    BOOST_TEST(r.accepted(begin()).empty());
    BOOST_TEST((document(r).status == run_status::queued));
    r.accepted(give_context{{said("assistant", "I look."), said("user", "Go on")}});
    BOOST_TEST(names_of(r.accepted(begin())) == (texts{"run_started", "model_call_started"}), each);
}

BOOST_AUTO_TEST_CASE(it_goes_on_counting_and_the_model_sees_the_past) {
    auto r = forked();
    r.accepted(give_context{{said("assistant", "I look."), said("user", "Go on")}});
    const auto call = the<model_call_started>(r.accepted(begin()));
    BOOST_TEST(call.step == 4U);
    const auto request = request_of(r.state());
    BOOST_TEST_REQUIRE(request.messages.size() == 4U);
    BOOST_TEST(request.messages[1].content == "Mend the calculator");
    BOOST_TEST(request.messages[2].content == "I look.");
    BOOST_TEST(request.messages[3].content == "Go on");
    BOOST_TEST(document(r).used.steps == 1U); // what the other one used is its own
}

BOOST_AUTO_TEST_CASE(the_past_counts_as_input) {
    auto r = forked();
    r.accepted(give_context{{said("user", std::string(40'000, 'x'))}});
    r.accepted(begin());
    BOOST_TEST(estimate_input_tokens(r.state().progress) > 10'000U);
}

BOOST_AUTO_TEST_CASE(a_past_is_given_once) {
    auto r = forked();
    BOOST_TEST(!r.accepted(give_context{{said("user", "Go on")}}).empty());
    BOOST_TEST(r.accepted(give_context{{said("user", "Go on")}}).empty());
    BOOST_TEST(r.state().messages.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_run_that_is_no_fork_takes_no_past) {
    run r;
    r.accepted(wish());
    BOOST_TEST(r.accepted(give_context{{said("user", "Go on")}}).empty());
    BOOST_TEST(r.state().messages.empty());
}

BOOST_AUTO_TEST_CASE(a_large_past_is_several_events_that_each_fit) {
    auto r = forked();
    give_context past;
    for (int i = 0; i < 40; ++i) {
        past.messages.push_back(said("user", std::string(200'000, '"'))); // twice as long as JSON
    }
    const auto events = r.accepted(past);
    BOOST_TEST(events.size() > 4U);
    for (const auto& e : events) {
        BOOST_TEST(encode_named(e).second.size() < limits::event_bytes_max);
    }
    BOOST_TEST(r.state().messages.size() == 40U);
}

BOOST_AUTO_TEST_CASE(steps_beside_each_other) {
    run_document left;
    left.id = id_of(1);
    run_document right;
    right.id = id_of(2);
    const std::vector<step_document> a{step("00001.000", 1, "x"), step("00002.000", 2, "y"), step("00003.000", 3, "z")};
    const std::vector<step_document> b{step("00001.000", 1, "x"), step("00002.000", 2, "other")};
    auto all = compare_runs(left, a, right, b, "", 10);
    BOOST_TEST_REQUIRE(all.steps.size() == 3U);
    BOOST_TEST((all.steps[0].comparison == step_comparison::same));
    BOOST_TEST((all.steps[1].comparison == step_comparison::changed));
    BOOST_TEST(all.steps[1].differs == std::vector<std::string>{"content"}, each);
    BOOST_TEST((all.steps[2].comparison == step_comparison::left_only));
    BOOST_TEST(all.first_difference.value_or("") == "00002.000");
    BOOST_TEST(!all.next_after);

    all = compare_runs(left, a, right, b, "", 2);
    BOOST_TEST(all.next_after.value_or("") == "00002.000");
    all = compare_runs(left, a, right, b, "00002.000", 2);
    BOOST_TEST(all.steps.size() == 1U);
    BOOST_TEST(all.first_difference.value_or("") == "00002.000"); // of all
}

BOOST_AUTO_TEST_CASE(a_fork_shares_what_came_before) {
    run_document left;
    left.id = id_of(1);
    run_document right;
    right.id = id_of(2);
    right.forked_from = {id_of(1), 1};
    const std::vector<step_document> a{step("00001.000", 1, "x"), step("00002.000", 2, "y")};
    const std::vector<step_document> b{step("00002.000", 2, "y")};
    const auto all = compare_runs(left, a, right, b, "", 10);
    BOOST_TEST((all.steps[0].comparison == step_comparison::shared));
    BOOST_TEST((all.steps[1].comparison == step_comparison::same));
    BOOST_TEST(!all.first_difference);
}

BOOST_AUTO_TEST_SUITE_END()
