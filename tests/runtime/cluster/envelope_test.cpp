#include "runtime/cluster/envelope.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <variant>

using namespace troupe;
using namespace troupe::runtime;
using namespace troupe::runtime::cluster;

namespace {

command some_command() {
    command c;
    c.to = {make_uuid(), "task", make_uuid()};
    c.type = "create_task";
    c.payload = R"({"title":"x"})";
    c.id = "user/1:2";
    c.request_hash = 77;
    c.principal = "user/1";
    c.cause = "cause";
    c.correlation = "request";
    c.trace = "00-trace";
    c.client = {"::1", "curl", make_uuid()};
    c.deadline_ms = 5000;
    c.if_match = 0;
    return c;
}

template <class E>
E again(const E& e, std::int64_t sent_at = 1000, std::int64_t read_at = 1000) {
    return std::get<E>(decode_envelope(encode(e, sent_at), read_at).value());
}

} // namespace

BOOST_AUTO_TEST_SUITE(cluster_envelopes)

BOOST_AUTO_TEST_CASE(a_command_comes_as_it_went_with_the_time_that_is_left_to_it) {
    const auto c = some_command();
    const auto read = again(command_envelope{9, c, 4}, 1000, 70'000);
    BOOST_TEST(read.number == 9u);
    BOOST_TEST(read.decided_after == 4u);
    BOOST_TEST((read.what.to == c.to));
    for (const auto member : {&command::type, &command::payload, &command::id, &command::principal, &command::cause,
                              &command::correlation, &command::trace}) {
        BOOST_TEST((read.what.*member == c.*member));
    }
    BOOST_TEST(read.what.request_hash == 77u);
    BOOST_TEST((read.what.client == c.client));
    BOOST_TEST(read.what.deadline_ms == 74'000);
    BOOST_TEST(read.what.if_match.value() == 0u);
    auto open = c;
    open.deadline_ms = 0;
    open.if_match.reset();
    const auto without = again(command_envelope{1, open, 0}).what;
    BOOST_TEST(without.deadline_ms == 0);
    BOOST_TEST(!without.if_match);
    BOOST_TEST(again(command_envelope{1, c, 0}, 1000, 3).what.deadline_ms == 4003);
    BOOST_TEST(again(command_envelope{1, c, 0}, 9000, 3).what.deadline_ms == 1); // over already, and not none
}

BOOST_AUTO_TEST_CASE(answers_and_indexes_come_as_they_went) {
    const auto good = again(answer_envelope{3, false, outcome{8, true, "{}"}});
    BOOST_TEST(good.number == 3u);
    BOOST_TEST(good.answer->version == 8u);
    BOOST_TEST(good.answer->repeated);
    BOOST_TEST(good.answer->document == "{}");
    const problem why{code::conflict, "not now", {{"/name", "is taken"}}, 0};
    const auto bad = again(answer_envelope{3, true, why});
    BOOST_TEST(bad.elsewhere);
    BOOST_TEST((bad.answer.error().code == code::conflict));
    BOOST_TEST(bad.answer.error().detail == "not now");
    BOOST_TEST(bad.answer.error().errors.at(0).pointer == "/name");
    BOOST_TEST(bad.answer.error().retry_after_s.value() == 0u);
    BOOST_TEST(!again(answer_envelope{3, false, problem{code::conflict, ""}}).answer.error().retry_after_s);
    BOOST_TEST(again(index_question{1ULL << 40}).round == 1ULL << 40);
    const auto indexes = again(index_answer{2, {{0, 1}, {255, 1ULL << 50}}});
    BOOST_TEST((indexes.applied == index_answer{2, {{0, 1}, {255, 1ULL << 50}}}.applied));
}

BOOST_AUTO_TEST_CASE(questions_of_nodes_and_their_answers_come_as_they_went) {
    const auto question = again(node_question{1ULL << 40, "supervision", R"({"depth":3})"});
    BOOST_TEST(question.number == 1ULL << 40);
    BOOST_TEST(question.name == "supervision");
    BOOST_TEST(question.parameters == R"({"depth":3})");
    const auto good = again(node_answer{5, std::string(R"({"path":"/"})")});
    BOOST_TEST(good.number == 5u);
    BOOST_TEST(good.answer.value() == R"({"path":"/"})");
    const auto bad = again(node_answer{5, problem{code::not_found, "nothing", {}, 3}});
    BOOST_TEST((bad.answer.error().code == code::not_found));
    BOOST_TEST(bad.answer.error().detail == "nothing");
    BOOST_TEST(bad.answer.error().retry_after_s.value() == 3u);
}

BOOST_AUTO_TEST_CASE(every_beginning_of_an_envelope_is_refused_or_shorter_and_nothing_is_read_beyond) {
    for (const auto& e : std::vector<envelope>{
             command_envelope{9, some_command(), 4}, answer_envelope{3, false, outcome{8, true, "{}"}},
             answer_envelope{3, false, problem{code::conflict, "x"}}, index_question{300},
             node_question{300, "load", "{}"}, node_answer{300, std::string("{}")},
             node_answer{300, problem{code::conflict, "x"}}}) {
        const auto whole = encode(e, 0);
        for (std::size_t n = 0; n < whole.size(); ++n) {
            BOOST_TEST(decode_envelope(whole.substr(0, n), 0).has_error(), n);
        }
        BOOST_TEST(decode_envelope(whole + "x", 0).has_error());
    }
    BOOST_TEST(decode_envelope(std::string("\x09\x01", 2), 0).has_error());
}

BOOST_AUTO_TEST_SUITE_END()
