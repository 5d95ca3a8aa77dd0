#include "actors/run/chat.hpp"

#include "actors/run/run_events.hpp"
#include "schemas/base/json.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::actors;

namespace {

chat_answer::news token(chat_answer& a, std::uint32_t step, std::uint64_t offset, std::string text,
                        std::uint32_t attempt = 1) {
    return a.take("token", to_json(token_data{step, attempt, offset, std::move(text)}));
}

chat_answer::news reply(chat_answer& a, std::uint32_t step, std::string content) {
    model_call_finished e;
    e.step = step;
    e.attempt = 1;
    e.content = std::move(content);
    e.input_tokens = 10;
    e.output_tokens = 3;
    return a.take("model_call_finished", to_json(e));
}

chat_answer::news finished(chat_answer& a, std::string result) {
    return a.take("run_finished", to_json(run_finished{result}));
}

std::string place_of(std::string_view body) {
    const auto read = read_chat_request(body);
    BOOST_REQUIRE(!read);
    return read.error().errors.empty() ? "" : read.error().errors.front().pointer;
}

} // namespace

BOOST_AUTO_TEST_SUITE(chats)

BOOST_AUTO_TEST_CASE(a_request_is_a_goal_and_what_was_said_since) {
    const auto read = read_chat_request(
        R"({"model":"scout","temperature":1,"messages":[{"role":"system","content":"Be kind."},{"role":"user","content":"a"},
{"role":"assistant","content":"b"},{"role":"developer","content":"Be short."},{"role":"user","content":[{"type":"text","text":"c"},{"type":"text","text":"d"}]}],
"stream":true,"stream_options":{"include_usage":true},"max_completion_tokens":70})");
    BOOST_REQUIRE(read);
    BOOST_TEST(read->model == "scout");
    BOOST_TEST(read->instructions == "Be kind.\n\nBe short.");
    BOOST_TEST(read->goal == "a");
    BOOST_TEST_REQUIRE(read->messages.size() == 2U);
    BOOST_TEST(read->messages[0].role == "assistant");
    BOOST_TEST(read->messages[1].content == "c\nd");
    BOOST_TEST(read->stream);
    BOOST_TEST(read->stream_usage);
    BOOST_TEST(read->output_tokens_max == 70U);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_is_named) {
    BOOST_TEST(place_of(R"({"messages":[{"role":"user","content":"a"}]})") == "/model");
    BOOST_TEST(place_of(R"({"model":"m","messages":[]})") == "/messages");
    BOOST_TEST(place_of(R"({"model":"m"})") == "/messages");
    BOOST_TEST(
        place_of(R"({"model":"m","messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]})") ==
        "/messages");
    BOOST_TEST(place_of(R"({"model":"m","messages":[{"role":"user","content":""}]})") == "/messages/0/content");
    BOOST_TEST(place_of(R"({"model":"m","messages":[{"role":"user","content":5}]})") == "/messages/0/content");
    BOOST_TEST(place_of(R"({"model":"m","messages":[{"role":"tool","content":"a"}]})") == "/messages/0/role");
    BOOST_TEST(place_of(R"({"model":"m","messages":[{"role":"user","content":"a"}],"functions":[1]})") == "/functions");
    BOOST_TEST(
        place_of(
            R"({"model":"m","messages":[{"role":"user","content":"a"}],"response_format":{"type":"json_object"}})") ==
        "/response_format");
    BOOST_TEST(place_of(R"({"model":"m","messages":[{"role":"user","content":"a"}],"max_tokens":-1})") ==
               "/max_tokens");
    BOOST_TEST((read_chat_request("{").error().code == code::malformed_json));
    BOOST_TEST(!wants_chat_stream("{"));
    BOOST_TEST(!wants_chat_stream(R"({"stream":"yes"})"));
    BOOST_TEST(wants_chat_stream(R"({"stream":true})"));
}

BOOST_AUTO_TEST_CASE(tokens_then_the_reply_say_a_text_once) {
    chat_answer a;
    BOOST_TEST(token(a, 1, 0, "Hel").text == "Hel");
    BOOST_TEST(token(a, 1, 3, "lo").text == "lo");
    BOOST_TEST(reply(a, 1, "Hello.").text == ".");
    const auto end = finished(a, "Hello.");
    BOOST_TEST(end.ended);
    BOOST_TEST(!end.failed);
    BOOST_TEST(end.text.empty());
    BOOST_TEST(a.text() == "Hello.");
    BOOST_TEST(a.input_tokens() == 10U);
}

BOOST_AUTO_TEST_CASE(without_tokens_the_reply_is_said_as_a_whole) {
    chat_answer a;
    BOOST_TEST(reply(a, 1, "I look.").text == "I look.");
    BOOST_TEST(reply(a, 2, "").text.empty());
    BOOST_TEST(finished(a, "It is done.").text == "\n\nIt is done.");
    BOOST_TEST(a.text() == "I look.\n\nIt is done.");
}

BOOST_AUTO_TEST_CASE(steps_stand_apart) {
    chat_answer a;
    token(a, 1, 0, "One.");
    reply(a, 1, "One.");
    BOOST_TEST(token(a, 2, 0, "Two.").text == "\n\nTwo.");
    reply(a, 2, "Two.");
    BOOST_TEST(a.text() == "One.\n\nTwo.");
}

BOOST_AUTO_TEST_CASE(a_beginning_that_was_missed_comes_with_the_reply) {
    chat_answer a;
    BOOST_TEST(token(a, 1, 5, "world").text.empty());
    BOOST_TEST(reply(a, 1, "Hello world").text == "Hello world");
}

BOOST_AUTO_TEST_CASE(what_an_attempt_had_said_that_failed_stays_and_its_successor_follows) {
    chat_answer a;
    token(a, 1, 0, "Hel");
    BOOST_TEST(token(a, 1, 0, "Good", 2).text.empty());
    BOOST_TEST(reply(a, 1, "Good day").text == "\n\nGood day");
    BOOST_TEST(a.text() == "Hel\n\nGood day");
    BOOST_TEST(token(a, 1, 3, "lo").text.empty()); // late
}

BOOST_AUTO_TEST_CASE(other_ends) {
    chat_answer a;
    const auto failed = a.take("run_failed", to_json(run_failed{"budget_exhausted", "All steps are used."}));
    BOOST_TEST(failed.ended);
    BOOST_TEST_REQUIRE(!!failed.failed);
    BOOST_TEST((failed.failed->code == code::budget_exhausted));
    BOOST_TEST((chat_answer().take("run_cancelled", "{}").failed->code == code::cancelled));
    approval_requested asked;
    asked.text = "Which one?";
    const auto waits = chat_answer().take("approval_requested", to_json(asked));
    BOOST_TEST(waits.failed->detail.find("Which one?") != std::string::npos);
    BOOST_TEST(!chat_answer().take("output", "{}").ended);
}

BOOST_AUTO_TEST_CASE(the_texts_of_the_protocol_are_json) {
    chat_answer a;
    reply(a, 1, "He said \"hi\"\n");
    const chat_writer w{"chatcmpl-1", "the \"scout\"", {1'700'000'000'500}};
    const auto whole = json::document::parse(w.completion(a));
    BOOST_REQUIRE(whole);
    BOOST_TEST(whole->root().pointer("/choices/0/message/content")->as_string().value() == "He said \"hi\"\n");
    BOOST_TEST(whole->root().pointer("/usage/total_tokens")->as_int().value() == 13);
    BOOST_TEST(whole->root().int_or("created") == 1'700'000'000);
    for (const auto& text : {w.first_chunk(), w.text_chunk("a\nb")}) {
        BOOST_TEST(text.starts_with("data: {"));
        BOOST_TEST(text.ends_with("}\n\n"));
        BOOST_TEST(text.find('\n') == text.size() - 2); // one event
        BOOST_TEST(!!json::document::parse(text.substr(6)));
    }
    const auto last = w.last_chunk(a, true);
    BOOST_TEST(last.find(R"("finish_reason":"stop")") != std::string::npos);
    BOOST_TEST(last.find(R"("choices":[],"usage")") != std::string::npos);
    BOOST_TEST(last.ends_with("data: [DONE]\n\n"));
    BOOST_TEST(w.last_chunk(a, false).find("usage") == std::string::npos);
    const auto error = json::document::parse(chat_error({code::invalid_request, "n is wrong", {{"/n", "is wrong"}}}));
    BOOST_REQUIRE(error);
    BOOST_TEST(error->root().pointer("/error/param")->as_string().value() == "/n");
    BOOST_TEST(error->root().pointer("/error/message")->as_string().value() == "n is wrong");
}

BOOST_AUTO_TEST_SUITE_END()
