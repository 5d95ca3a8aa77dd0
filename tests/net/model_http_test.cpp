#include "net/model/model.hpp"
#include "schemas/base/json.hpp"
#include "tests/net/loopback_server.hpp"

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

using namespace troupe;
using namespace troupe::net;
using test::loopback_server;
using test::peer;

namespace {

constexpr std::string_view key = "sk-very-secret";

const std::string good_stream = "data: {\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"Hel\"}}]}\r\n\r\n"
                                ": ping\n\n"
                                "data: {\"choices\":[{\"delta\":{\"content\":\"lo\"},\"finish_reason\":\"stop\"}]}\n\n"
                                "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2}}\n\n"
                                "data: [DONE]\n\n";

std::string http(int status, const std::string& body, const std::string& headers = {}) {
    return fmt::format("HTTP/1.1 {} X\r\n{}Content-Length: {}\r\n\r\n{}", status, headers, body.size(), body);
}

model_request question() {
    model_request request;
    request.model = "m";
    request.messages = {{.role = role::user, .content = "Hi"}};
    return request;
}

std::unique_ptr<net::model> model_at(const std::string& base_url) {
    wire_settings settings;
    settings.base_url = base_url;
    settings.api_key = key;
    auto made = make_model(settings);
    BOOST_REQUIRE(made);
    return *std::move(made);
}

expected<model_reply> ask(const std::string& answer, std::string* tokens = nullptr) {
    loopback_server server([&](peer& client) {
        client.read_request();
        client.send(answer);
    });
    return model_at(server.url("/v1/"))->complete(question(), {}, [&](std::string_view token) {
        if (tokens != nullptr)
            *tokens += std::string(token) + "|";
    });
}

problem refusal(const std::string& answer) {
    const auto reply = ask(answer);
    BOOST_REQUIRE(!reply);
    BOOST_TEST_MESSAGE(reply.error().detail);
    BOOST_TEST(reply.error().detail.find(key) == std::string::npos);
    return reply.error();
}

} // namespace

BOOST_AUTO_TEST_SUITE(model_over_http)

BOOST_AUTO_TEST_CASE(request_carries_the_context_the_tools_and_the_keys) {
    std::string seen;
    {
        loopback_server server([&](peer& client) {
            seen = client.read_request();
            client.send(http(200, good_stream));
        });
        auto request = question();
        request.messages = {
            {.role = role::system, .content = "Be \"kind\"."},
            {.role = role::user, .content = "Hi"},
            {.role = role::assistant, .tool_calls = {{"call_a", "read_file", R"({"path":"a"})"}}, .reasoning = "hm"},
            {.role = role::tool, .content = "line\n", .tool_call_id = "call_a", .tool_name = "read_file"},
            {.role = role::assistant, .content = "done", .reasoning = "not this"}};
        request.tools = {{"read_file", "Reads.", R"({"type":"object"})"}};
        request.output_tokens_max = 77;
        request.temperature = 0.5;
        request.idempotency_key = "run-1-step-2";
        BOOST_REQUIRE(model_at(server.url("/v1"))->complete(request, {}, {}));
    }
    BOOST_TEST(seen.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"));
    BOOST_TEST(seen.find("\r\nAuthorization: Bearer sk-very-secret\r\n") != std::string::npos);
    BOOST_TEST(seen.find("\r\nIdempotency-Key: run-1-step-2\r\n") != std::string::npos);
    const auto body = json::document::parse(seen.substr(seen.find("\r\n\r\n") + 4));
    BOOST_REQUIRE(body);
    BOOST_TEST(
        body->root().dump() ==
        R"({"model":"m","messages":[{"role":"system","content":"Be \"kind\"."},{"role":"user","content":"Hi"},)"
        R"({"role":"assistant","content":null,"tool_calls":[{"id":"call_a","type":"function","function":)"
        R"({"name":"read_file","arguments":"{\"path\":\"a\"}"}}],"reasoning_content":"hm"},)"
        R"({"role":"tool","content":"line\n","tool_call_id":"call_a"},{"role":"assistant","content":"done"}],)"
        R"("tools":[{"type":"function","function":{"name":"read_file","description":"Reads.","parameters":{"type":"object"}}}],)"
        R"("max_tokens":77,"temperature":0.5,"stream":true,"stream_options":{"include_usage":true}})");
}

BOOST_AUTO_TEST_CASE(stream_is_read_however_it_is_cut) {
    for (const std::size_t size : {std::size_t{1}, std::size_t{7}, good_stream.size()}) {
        std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        for (std::size_t at = 0; at < good_stream.size(); at += size) {
            const std::string piece = good_stream.substr(at, size);
            chunked += fmt::format("{:x}\r\n{}\r\n", piece.size(), piece);
        }
        std::string tokens;
        const auto reply = ask(chunked + "0\r\n\r\n", &tokens);
        BOOST_REQUIRE(reply);
        BOOST_TEST(tokens == "Hel|lo|");
        BOOST_TEST(reply->content == "Hello");
        BOOST_TEST(reply->usage.input == 5u);
    }
}

BOOST_AUTO_TEST_CASE(done_ends_the_call_though_the_connection_stays) {
    loopback_server server([](peer& client) {
        client.read_request();
        client.send("HTTP/1.1 200 OK\r\n\r\n" + good_stream);
        client.wait_for_close();
    });
    BOOST_TEST(model_at(server.url("/v1"))->complete(question(), {}, {}).has_value());
}

BOOST_AUTO_TEST_CASE(reply_that_is_not_streamed_is_taken) {
    const auto reply = ask(http(200, R"({"choices":[{"message":{"content":"Hello"},"finish_reason":"stop"}]})",
                                "Content-Type: application/json\r\n"));
    BOOST_REQUIRE(reply);
    BOOST_TEST(reply->content == "Hello");
}

BOOST_AUTO_TEST_CASE(cut_stream_gives_nothing_half) {
    const std::string half = "data: {\"choices\":[{\"delta\":{\"content\":\"Hel\"}}]}\n\n";
    BOOST_CHECK(refusal(http(200, half)).code == code::model_unavailable);
    BOOST_CHECK(refusal("HTTP/1.1 200 OK\r\n\r\n" + half + "data: {\"choices\":[{\"del").code ==
                code::model_unavailable);
    BOOST_CHECK(refusal("HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n" + half).code == code::model_unavailable);
    BOOST_CHECK(refusal("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").code == code::model_unavailable);
    BOOST_CHECK(refusal(http(200, ": ping\n\n")).code == code::model_unavailable);
    BOOST_CHECK(refusal("").code == code::model_unavailable);
}

BOOST_AUTO_TEST_CASE(nonsense_is_invalid) {
    BOOST_CHECK(refusal(http(200, "<html>Welcome</html>")).code == code::model_reply_invalid);
    BOOST_CHECK(refusal(http(200, "data: {nonsense\n\n")).code == code::model_reply_invalid);
}

BOOST_AUTO_TEST_CASE(reply_over_its_bound_is_refused) {
    loopback_server server([](peer& client) {
        client.read_request();
        client.send("HTTP/1.1 200 OK\r\n\r\n" + good_stream);
    });
    wire_settings settings;
    settings.base_url = server.url("/v1");
    settings.reply_bytes_max = good_stream.size() / 2;
    const auto reply = (*make_model(settings))->complete(question(), {}, {});
    BOOST_REQUIRE(!reply);
    BOOST_CHECK(reply.error().code == code::model_reply_invalid);
}

BOOST_AUTO_TEST_CASE(slow_down_says_how_long) {
    const auto limited = [](const std::string& headers) {
        const auto p = refusal(
            http(429, R"({"error":{"message":"slow","type":"requests","code":"rate_limit_exceeded"}})", headers));
        BOOST_CHECK(p.code == code::model_rate_limited);
        return p.retry_after_s;
    };
    BOOST_TEST(limited("Retry-After: 7\r\n").value() == 7u);
    BOOST_TEST(limited("retry-after-ms: 1500\r\n").value() == 2u);
    BOOST_TEST(limited("Retry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\n").value() == 0u);     // it has passed
    BOOST_TEST(limited("Retry-After: Fri, 31 Dec 9999 23:59:59 GMT\r\n").value() == 86400u); // at most a day
    BOOST_TEST(!limited("Retry-After: soon\r\n").has_value());
    BOOST_TEST(!limited("").has_value());
}

BOOST_AUTO_TEST_CASE(refusals_are_told_apart) {
    const auto code_of = [](int status, const std::string& error) {
        return refusal(http(status, R"({"error":)" + error + "}")).code;
    };
    BOOST_CHECK(code_of(429, R"({"message":"no credit","type":"insufficient_quota","code":"insufficient_quota"})") ==
                code::model_refused);
    BOOST_CHECK(code_of(401, R"({"message":"Incorrect API key provided: sk-very-secret"})") == code::model_refused);
    BOOST_CHECK(code_of(403, R"({"message":"no"})") == code::model_refused);
    BOOST_CHECK(code_of(404, R"({"message":"no such model","code":"model_not_found"})") == code::model_unknown);
    BOOST_CHECK(code_of(400, R"({"message":"context too long","code":"context_length_exceeded"})") ==
                code::model_refused);
    BOOST_CHECK(code_of(500, R"({"message":"oh"})") == code::model_unavailable);
    const auto busy = refusal(http(503, "busy", "Retry-After: 3\r\n"));
    BOOST_CHECK(busy.code == code::model_unavailable);
    BOOST_TEST(busy.retry_after_s.value() == 3u);
    BOOST_TEST(refusal(http(422, R"({"detail":"max_tokens is too large"})")).detail.find("too large") !=
               std::string::npos);
    BOOST_CHECK(refusal(http(301, "", "Location: /\r\n")).code == code::model_refused);
}

BOOST_AUTO_TEST_CASE(nobody_there_is_unavailable_and_stop_is_cancelled) {
    std::uint16_t port = 0;
    {
        port = loopback_server([](peer&) {}).port();
    }
    const auto absent = model_at(fmt::format("http://127.0.0.1:{}", port))->complete(question(), {}, {});
    BOOST_REQUIRE(!absent);
    BOOST_CHECK(absent.error().code == code::model_unavailable);

    std::stop_source stop;
    loopback_server server([&](peer& client) {
        client.read_request();
        client.send("HTTP/1.1 200 OK\r\n\r\ndata: {\"choices\":[{\"delta\":{\"content\":\"Hel\"}}]}\n\n");
        client.wait_for_close();
    });
    const auto stopped = model_at(server.url("/v1"))->complete(question(), stop.get_token(), [&](std::string_view) {
        stop.request_stop();
    });
    BOOST_REQUIRE(!stopped);
    BOOST_CHECK(stopped.error().code == code::cancelled);
}

BOOST_AUTO_TEST_CASE(each_wire_has_its_path_and_shows_its_key) {
    const auto head_of = [](model_wire wire, const std::string& base) {
        std::string seen;
        loopback_server server([&](peer& client) {
            seen = client.read_request();
            client.send(http(500, ""));
        });
        wire_settings settings;
        settings.wire = wire;
        settings.base_url = server.url(base);
        settings.api_key = key;
        BOOST_TEST(!(*make_model(settings))->complete(question(), {}, {}));
        return seen.substr(0, seen.find("\r\n\r\n") + 2);
    };
    const auto has = [](const std::string& head, std::string_view part) {
        return head.find(part) != std::string::npos;
    };
    const auto responses = head_of(model_wire::openai_responses, "/v1");
    BOOST_TEST(responses.starts_with("POST /v1/responses HTTP/1.1\r\n"));
    BOOST_TEST(has(responses, "\r\nAuthorization: Bearer sk-very-secret\r\n"));
    for (const char* base : {"/", "/v1", "/v1/"}) {
        const auto anthropic = head_of(model_wire::anthropic, base);
        BOOST_TEST(anthropic.starts_with("POST /v1/messages HTTP/1.1\r\n"));
        BOOST_TEST(has(anthropic, "\r\nx-api-key: sk-very-secret\r\n"));
        BOOST_TEST(has(anthropic, "\r\nanthropic-version: 2023-06-01\r\n"));
        BOOST_TEST(!has(anthropic, "Authorization"));
    }
    BOOST_TEST(head_of(model_wire::ollama, "/").starts_with("POST /api/chat HTTP/1.1\r\n"));
    BOOST_TEST(head_of(model_wire::deepseek, "/").starts_with("POST /chat/completions HTTP/1.1\r\n"));
}

BOOST_AUTO_TEST_CASE(lines_of_ollama_come_over_http_too) {
    loopback_server server([&](peer& client) {
        client.read_request();
        client.send(
            "HTTP/1.1 200 OK\r\nx-ratelimit-remaining-requests: 3\r\nx-ratelimit-reset-requests: 6m0s\r\n\r\n"
            "{\"message\":{\"content\":\"Hel\"},\"done\":false}\n{\"message\":{\"content\":\"lo\"},\"done\":true}\n");
        client.wait_for_close();
    });
    wire_settings settings;
    settings.wire = model_wire::ollama;
    settings.base_url = server.url("/");
    const auto reply = (*make_model(settings))->complete(question(), {}, {});
    BOOST_REQUIRE(reply);
    BOOST_TEST(reply->content == "Hello");
    BOOST_CHECK((reply->limits.requests == rate_limit{3, 360'000}));
}

BOOST_AUTO_TEST_CASE(settings_that_cannot_be_right_are_refused) {
    const auto refused = [](const std::string& url, const std::string& api_key) {
        wire_settings settings;
        settings.base_url = url;
        settings.api_key = api_key;
        const auto made = make_model(settings);
        return !made && made.error().code == code::config_invalid &&
               made.error().detail.find("secret") == std::string::npos;
    };
    BOOST_TEST(refused("api.example.com/v1", ""));
    BOOST_TEST(refused("https://me:secret@example.com/v1", ""));
    BOOST_TEST(refused("https://example.com/v1", "secret\n"));
    BOOST_TEST(!refused("https://example.com/v1", "secret"));
}

BOOST_AUTO_TEST_SUITE_END()
