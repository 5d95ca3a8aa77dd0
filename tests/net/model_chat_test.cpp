#include "net/model/wire.hpp"
#include "schemas/base/json.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <string_view>
#include <vector>

using namespace troupe;
using namespace troupe::net;

namespace {

/// A chunk with this delta.
std::string chunk(const std::string& delta, const std::string& finish = "null") {
    return R"({"id":"c","model":"m-1","choices":[{"index":0,"delta":)" + delta + R"(,"finish_reason":)" + finish +
           "}]}";
}

std::string call(const std::string& fields) { return chunk(R"({"tool_calls":[{)" + fields + "}]}"); }

const std::string end_of_calls = chunk("{}", R"("tool_calls")");

expected<model_reply> reply_of(const std::vector<std::string>& chunks, std::string* tokens = nullptr) {
    const auto reply = chat_reply([&](std::string_view token) {
        if (tokens != nullptr)
            *tokens += std::string(token) + "|";
    });
    for (const auto& one : chunks)
        if (const auto fed = reply->feed(one); !fed)
            return fed.error();
    return reply->finish(400);
}

std::vector<std::string> calls_of(const std::vector<std::string>& chunks) {
    const auto reply = reply_of(chunks);
    BOOST_REQUIRE(reply);
    BOOST_CHECK(reply->finish == finish_reason::tool_calls);
    std::vector<std::string> out;
    for (const auto& one : reply->tool_calls)
        out.push_back(one.id + " " + one.name + " " + one.arguments);
    return out;
}

void check_calls(const std::vector<std::string>& chunks, const std::vector<std::string>& want) {
    const auto seen = calls_of(chunks);
    BOOST_TEST(seen == want, boost::test_tools::per_element());
}

} // namespace

BOOST_AUTO_TEST_SUITE(chat_stream_of_chunks)

BOOST_AUTO_TEST_CASE(text_streams_and_usage_comes_last) {
    std::string tokens;
    const auto reply = reply_of({chunk(R"({"role":"assistant","content":""})"), chunk(R"({"content":"Hel"})"),
                                 chunk(R"({"content":"lo"})"), chunk("{}", R"("stop")"),
                                 R"({"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":3}})", "[DONE]"},
                                &tokens);
    BOOST_REQUIRE(reply);
    BOOST_TEST(tokens == "Hel|lo|");
    BOOST_TEST(reply->content == "Hello");
    BOOST_TEST(reply->model == "m-1");
    BOOST_CHECK(reply->finish == finish_reason::stop);
    BOOST_TEST(reply->usage.input == 12u);
    BOOST_TEST(reply->usage.output == 3u);
    BOOST_TEST(!reply->usage.estimated);
}

BOOST_AUTO_TEST_CASE(missing_usage_is_estimated_and_says_so) {
    const auto reply =
        reply_of({chunk(R"({"content":"12345678"})"), chunk("{}", R"("stop")"), R"({"choices":[],"usage":null})"});
    BOOST_REQUIRE(reply);
    BOOST_TEST(reply->usage.estimated);
    BOOST_TEST(reply->usage.input == 100u);
    BOOST_TEST(reply->usage.output == 2u);
}

BOOST_AUTO_TEST_CASE(reasoning_is_kept_apart) {
    std::string tokens;
    const auto reply =
        reply_of({chunk(R"({"reasoning_content":"hm ","content":null})"),
                  chunk(R"({"reasoning":"so","reasoning_content":"so"})"), chunk(R"({"content":"yes"})", R"("stop")")},
                 &tokens);
    BOOST_REQUIRE(reply);
    BOOST_TEST(reply->reasoning == "hm so");
    BOOST_TEST(reply->content == "yes");
    BOOST_TEST(tokens == "yes|");
}

BOOST_AUTO_TEST_CASE(finish_reasons_are_told_apart) {
    const auto finish = [](const std::string& word) {
        return reply_of({chunk(R"({"content":"x"})", '"' + word + '"')})->finish;
    };
    BOOST_CHECK(finish("length") == finish_reason::length);
    BOOST_CHECK(finish("content_filter") == finish_reason::content_filter);
    BOOST_CHECK(finish("stop") == finish_reason::stop);
    BOOST_CHECK(finish("eos") == finish_reason::stop);
}

BOOST_AUTO_TEST_CASE(arguments_are_joined_from_any_pieces) {
    const std::string arguments = R"({"path":"a \"b\" ü.txt","n":[1,2]})";
    for (std::size_t size = 1; size <= arguments.size(); ++size) {
        std::vector<std::string> chunks{
            call(R"("index":0,"id":"call_a","type":"function","function":{"name":"read","arguments":""})")};
        for (std::size_t at = 0; at < arguments.size();) {
            std::size_t end = std::min(at + size, arguments.size());
            while (end < arguments.size() && (static_cast<unsigned char>(arguments[end]) & 0xC0) == 0x80)
                ++end; // JSON text cannot hold half a character
            chunks.push_back(
                call(R"("index":0,"function":{"arguments":)" + json::quoted(arguments.substr(at, end - at)) + "}"));
            at = end;
        }
        chunks.push_back(end_of_calls);
        check_calls(chunks, {"call_a read " + arguments});
    }
}

BOOST_AUTO_TEST_CASE(interleaved_calls_are_told_apart_by_index) {
    check_calls({call(R"("index":0,"id":"a","function":{"name":"one","arguments":"{\"x\""})"),
                 call(R"("index":1,"id":"b","function":{"name":"two","arguments":"{"})"),
                 call(R"("index":0,"function":{"arguments":":1}"})"), call(R"("index":1,"function":{"arguments":"}"})"),
                 end_of_calls},
                {R"(a one {"x":1})", "b two {}"});
}

BOOST_AUTO_TEST_CASE(without_index_the_id_tells_and_then_the_order) {
    check_calls({call(R"("id":"a","function":{"name":"one","arguments":"{\"x\""})"),
                 call(R"("id":"b","function":{"name":"two","arguments":"{\"y\""})"),
                 call(R"("id":"a","function":{"arguments":":1}"})"), call(R"("function":{"arguments":":2}"})"),
                 end_of_calls},
                {R"(a one {"x":1})", R"(b two {"y":2})"});
}

BOOST_AUTO_TEST_CASE(same_index_with_another_id_is_another_call) {
    check_calls({call(R"("index":0,"id":"a","function":{"name":"one","arguments":"{}"})"),
                 call(R"("index":0,"id":"b","function":{"name":"two","arguments":"{"})"),
                 call(R"("index":0,"function":{"arguments":"}"})"), end_of_calls},
                {"a one {}", "b two {}"});
}

BOOST_AUTO_TEST_CASE(index_that_moves_without_a_name_goes_on_with_the_last_call) {
    check_calls({call(R"("index":0,"id":"a","function":{"name":"one","arguments":"{"})"),
                 call(R"("index":1,"function":{"arguments":"}"})"), end_of_calls},
                {"a one {}"});
}

BOOST_AUTO_TEST_CASE(repeated_name_and_id_change_nothing) {
    const std::string head = R"("index":0,"id":"a","function":{"name":"one","arguments":)";
    check_calls({call(head + R"("{"})"), call(head + R"("}"})"), end_of_calls}, {"a one {}"});
}

BOOST_AUTO_TEST_CASE(calls_without_ids_get_their_own) {
    check_calls({call(R"("function":{"name":"one","arguments":{"x":1}})"),
                 call(R"("function":{"name":"one","arguments":""})"), end_of_calls},
                {R"(call_0 one {"x":1})", "call_1 one {}"});
    check_calls({call(R"("index":0,"id":"call_1","function":{"name":"one"})"),
                 call(R"("index":1,"id":"call_1","function":{"name":"two"})"),
                 call(R"("index":2,"function":{"name":"three"})"), end_of_calls},
                {"call_1 one {}", "call_2 two {}", "call_3 three {}"});
}

BOOST_AUTO_TEST_CASE(call_without_a_name_is_invalid) {
    const auto reply = reply_of({call(R"("index":0,"id":"a","function":{"arguments":"{}"})"), end_of_calls});
    BOOST_REQUIRE(!reply);
    BOOST_CHECK(reply.error().code == code::model_reply_invalid);
}

BOOST_AUTO_TEST_CASE(stream_without_an_end_is_cut) {
    for (const auto& chunks : {std::vector<std::string>{},
                               {chunk(R"({"content":"half"})")},
                               {call(R"("index":0,"id":"a","function":{"name":"one","arguments":"{"})")}}) {
        const auto reply = reply_of(chunks);
        BOOST_REQUIRE(!reply);
        BOOST_CHECK(reply.error().code == code::model_unavailable);
    }
    BOOST_TEST(reply_of({chunk(R"({"content":"whole"})"), "[DONE]"}).has_value());
}

BOOST_AUTO_TEST_CASE(error_in_the_stream_is_what_it_says) {
    const auto code_of = [](const std::string& error) {
        const auto reply = reply_of({chunk(R"({"content":"half"})"), R"({"error":)" + error + "}"});
        BOOST_REQUIRE(!reply);
        return reply.error().code;
    };
    BOOST_CHECK(code_of(R"({"message":"oh","type":"server_error"})") == code::model_unavailable);
    BOOST_CHECK(code_of(R"("oh")") == code::model_unavailable);
    BOOST_CHECK(code_of(R"({"message":"oh","code":429})") == code::model_rate_limited);
    BOOST_CHECK(code_of(R"({"message":"oh","type":"requests","code":"rate_limit_exceeded"})") ==
                code::model_rate_limited);
    BOOST_CHECK(code_of(R"({"message":"oh","code":"insufficient_quota"})") == code::model_refused);
    BOOST_CHECK(code_of(R"({"message":"oh","type":"invalid_request_error"})") == code::model_refused);
    BOOST_TEST(
        reply_of({R"({"error":null,"choices":[{"delta":{"content":"x"},"finish_reason":"stop"}]})"}).has_value());
}

BOOST_AUTO_TEST_CASE(what_is_no_json_is_invalid) {
    for (const char* data : {"{\"choices\":", "hello", "[1]"}) {
        const auto reply = reply_of({data});
        BOOST_REQUIRE(!reply);
        BOOST_CHECK(reply.error().code == code::model_reply_invalid);
    }
}

BOOST_AUTO_TEST_CASE(whole_reply_is_taken_too) {
    std::string tokens;
    const auto reply = reply_of({R"({"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hi",
        "tool_calls":[{"id":"a","type":"function","function":{"name":"one","arguments":"{}"}}]},"finish_reason":"tool_calls"}],
        "usage":{"prompt_tokens":1,"completion_tokens":2}})"},
                                &tokens);
    BOOST_REQUIRE(reply);
    BOOST_TEST(tokens == "Hi|");
    BOOST_TEST(reply->tool_calls.size() == 1u);
    BOOST_TEST(reply->usage.output == 2u);
}

BOOST_AUTO_TEST_SUITE_END()
