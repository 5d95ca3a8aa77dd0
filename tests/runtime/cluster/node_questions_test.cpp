#include "runtime/cluster/node_questions.hpp"

#include <boost/test/unit_test.hpp>

#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

using namespace troupe;
using namespace troupe::runtime::cluster;

namespace {

uuid node(std::uint8_t n) {
    uuid out;
    out.bytes[15] = n;
    return out;
}

/// Two nodes, which hear each other when the test says so.
struct world {
    bool connected = true;
    std::vector<envelope> sent_by_1;
    std::vector<envelope> sent_by_2;
    std::vector<expected<std::string>> answers;
    node_questions n1{[this](const uuid&, const envelope& what) {
        if (connected) {
            sent_by_1.push_back(what);
        }
        return connected;
    }};
    node_questions n2{[this](const uuid&, const envelope& what) {
        sent_by_2.push_back(what);
        return connected;
    }};

    void ask(std::string name, std::string parameters = "{}", std::int64_t now = 1000) {
        n1.ask(
            node(2), std::move(name), std::move(parameters),
            [this](expected<std::string> what) { answers.push_back(std::move(what)); }, now);
    }
    void deliver() {
        for (auto& what : std::exchange(sent_by_1, {})) {
            n2.on_question(node(1), std::get<node_question>(what));
        }
        for (auto& what : std::exchange(sent_by_2, {})) {
            n1.on_answer(node(2), std::get<node_answer>(std::move(what)));
        }
    }
    [[nodiscard]] bool failed_with(code what, std::size_t n = 0) const {
        return answers.size() > n && answers[n].has_error() && answers[n].error().code == what;
    }
};

} // namespace

BOOST_AUTO_TEST_SUITE(cluster_node_questions)

BOOST_AUTO_TEST_CASE(a_question_is_answered_by_the_node_that_it_is_for_now_or_later) {
    world w;
    question_done later;
    w.n2.answer_with("echo",
                     [](std::string_view said, const question_done& then) { then("[" + std::string(said) + "]"); });
    w.n2.answer_with("later", [&](std::string_view, question_done then) { later = std::move(then); });
    w.ask("later");
    w.ask("echo", "7");
    w.deliver();
    BOOST_REQUIRE(w.answers.size() == 1u);
    BOOST_TEST(w.answers[0].value() == "[7]");
    later(std::string("{}"));
    w.deliver();
    BOOST_REQUIRE(w.answers.size() == 2u);
    BOOST_TEST(w.answers[1].value() == "{}");
}

BOOST_AUTO_TEST_CASE(a_problem_of_the_handler_comes_to_whoever_asked) {
    world w;
    w.n2.answer_with("bad", [](std::string_view, const question_done& then) { then(problem{code::conflict, "no"}); });
    w.ask("bad");
    w.deliver();
    BOOST_TEST(w.failed_with(code::conflict));
}

BOOST_AUTO_TEST_CASE(a_name_that_the_node_does_not_know_is_a_problem_that_says_so) {
    world w;
    w.ask("of_the_future");
    w.deliver();
    BOOST_REQUIRE(w.failed_with(code::unavailable));
    BOOST_TEST(w.answers[0].error().detail.find("of_the_future") != std::string::npos);
    BOOST_TEST(w.answers[0].error().detail.find("older version") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(without_a_connection_and_when_it_breaks_the_answer_is_unavailable) {
    world w;
    w.connected = false;
    w.ask("echo");
    BOOST_TEST(w.failed_with(code::unavailable));
    w.connected = true;
    w.ask("echo");
    w.n1.on_peer_down(node(3));
    BOOST_TEST(w.answers.size() == 1u);
    w.n1.on_peer_down(node(2));
    BOOST_TEST(w.failed_with(code::unavailable, 1));
}

BOOST_AUTO_TEST_CASE(what_is_not_answered_in_time_ends_once_and_a_late_answer_counts_for_nothing) {
    world w;
    w.n2.answer_with("echo", [](std::string_view, const question_done& then) { then(std::string("{}")); });
    w.ask("echo");
    w.n1.on_tick(1000 + node_questions::wait_max_ms - 1);
    BOOST_TEST(w.answers.empty());
    w.n1.on_tick(1000 + node_questions::wait_max_ms);
    BOOST_TEST(w.failed_with(code::unavailable));
    w.deliver();
    BOOST_TEST(w.answers.size() == 1u);
}

BOOST_AUTO_TEST_CASE(an_answer_of_another_node_than_was_asked_counts_for_nothing) {
    world w;
    w.ask("echo");
    const auto number = std::get<node_question>(w.sent_by_1.at(0)).number;
    w.n1.on_answer(node(3), {number, std::string("forged")});
    BOOST_TEST(w.answers.empty());
    w.n1.on_answer(node(2), {number, std::string("true")});
    BOOST_TEST(w.answers.at(0).value() == "true");
}

BOOST_AUTO_TEST_CASE(what_is_too_big_is_a_problem_and_nothing_is_lost) {
    world w;
    w.n2.answer_with("big", [](std::string_view, const question_done& then) { then(std::string(9 << 20, ' ')); });
    w.ask("big");
    w.deliver();
    BOOST_TEST(w.failed_with(code::payload_too_large));
    w.ask("big", std::string(1 << 20, ' '));
    BOOST_TEST(w.failed_with(code::payload_too_large, 1));
    BOOST_TEST(w.sent_by_1.empty());
}

BOOST_AUTO_TEST_CASE(as_many_wait_as_may_on_both_sides) {
    world w;
    std::vector<question_done> kept;
    w.n2.answer_with("slow", [&](std::string_view, question_done then) { kept.push_back(std::move(then)); });
    for (std::size_t n = 0; n < node_questions::outstanding_max; ++n) {
        w.ask("slow");
    }
    BOOST_TEST(w.answers.empty());
    w.ask("slow");
    BOOST_TEST(w.failed_with(code::overloaded));
    w.deliver();
    w.n1.on_tick(1'000'000); // it has given up; the other one is still at work
    w.answers.clear();
    w.ask("slow", "{}", 1'000'000);
    w.deliver();
    BOOST_TEST(w.failed_with(code::overloaded));
    for (auto& then : kept) {
        then(std::string("{}"));
    }
    w.ask("slow", "{}", 1'000'000);
    w.deliver();
    kept.back()(std::string("1"));
    w.deliver();
    BOOST_TEST(w.answers.back().value() == "1");
}

BOOST_AUTO_TEST_SUITE_END()
