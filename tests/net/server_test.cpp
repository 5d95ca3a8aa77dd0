#include "net/http/server.hpp"

#include "schemas/base/clock.hpp"
#include "schemas/base/json.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/net/server_fixture.hpp"

#include <future>
#include <random>
#include <thread>

using namespace troupe;
using namespace troupe::net;
using namespace troupe::net::test;

namespace {

const std::string with_key = "Authorization: Bearer good\r\n";

/// The pointers of a problem's errors.
std::vector<std::string> pointers(const reply& r) {
    std::vector<std::string> out;
    const auto document = json::document::parse(r.body);
    if (document && document->root().find("errors"))
        document->root().find("errors")->each_element([&](json::value e) { out.push_back(e.text_or("pointer")); });
    return out;
}

/// What a server says to these bytes, and that it closes afterwards.
reply refused(const server_fixture& f, std::string_view bytes) {
    raw_client client(f.port());
    client.send(bytes);
    auto out = client.read_reply();
    BOOST_TEST(out.header("connection") == "close");
    BOOST_TEST(out.header("content-type") == "application/problem+json");
    client.end_sending();
    client.read_to_end();
    return out;
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(http_server, server_fixture)

BOOST_AUTO_TEST_CASE(a_connection_serves_many_requests) {
    raw_client client(port());
    for (int i = 0; i < 3; ++i) {
        client.send(raw_client::request("GET", "/api/v1/hello?name=a"));
        const auto r = client.read_reply();
        BOOST_TEST(r.status == 200);
        BOOST_TEST(r.body == R"({"hello":"a"})");
        BOOST_TEST(r.header("connection") == "");
    }
}

BOOST_AUTO_TEST_CASE(a_deprecated_route_says_since_when_and_until_when) {
    const auto old = ask("GET", "/api/v1/old");
    BOOST_TEST(old.status == 200);
    BOOST_TEST(old.header("deprecation") == "@1795219200");
    BOOST_TEST(old.header("sunset") == "Fri, 21 May 2027 00:00:00 GMT");
    BOOST_TEST(old.header("link").find("rel=\"deprecation\"") != std::string::npos);
    const auto wrong = ask("GET", "/api/v1/old?what=1"); // also where it refuses
    BOOST_TEST(wrong.status == 422);
    BOOST_TEST(wrong.header("deprecation") == "@1795219200");
    const auto present = ask("GET", "/api/v1/hello");
    BOOST_TEST(present.header("deprecation") == "");
    BOOST_TEST(present.header("sunset") == "");
}

BOOST_AUTO_TEST_CASE(pipelined_requests_are_answered_in_order) {
    raw_client client(port());
    std::string all;
    for (int i = 0; i < 50; ++i)
        all += raw_client::request("GET", "/api/hello?name=" + std::to_string(i)) +
               raw_client::request("POST", "/api/echo", R"({"text":")" + std::to_string(i) + "\"}", with_key);
    client.send(all);
    for (int i = 0; i < 50; ++i) {
        BOOST_TEST(client.read_reply().body == R"({"hello":")" + std::to_string(i) + "\"}");
        BOOST_TEST(client.read_reply().body == R"({"text":")" + std::to_string(i) + "\"}");
    }
}

BOOST_AUTO_TEST_CASE(a_request_may_come_byte_by_byte) {
    raw_client client(port());
    for (const char c : "\r\n" + raw_client::request("POST", "/api/echo", R"({"text":"slow"})", with_key))
        client.send({&c, 1});
    BOOST_TEST(client.read_reply().body == R"({"text":"slow"})");
}

BOOST_AUTO_TEST_CASE(chunked_bodies_are_joined) {
    raw_client client(port());
    client.send("POST /api/echo HTTP/1.1\r\nHost: test\r\n" + with_key +
                "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"tex\r\n");
    client.send("a;note=x\r\nt\":\"split\"\r\n1\r\n}\r\n0\r\nX-Trailer: y\r\n\r\n" +
                raw_client::request("GET", "/api/hello"));
    BOOST_TEST(client.read_reply().body == R"({"text":"split"})");
    BOOST_TEST(client.read_reply().status == 200);
}

BOOST_AUTO_TEST_CASE(a_client_that_expects_100_gets_it_before_it_sends) {
    raw_client client(port());
    const std::string body = R"({"text":"later"})";
    client.send("POST /api/echo HTTP/1.1\r\nHost: test\r\n" + with_key +
                "Expect: 100-continue\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
    BOOST_TEST(client.read_until("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
    client.send(body);
    BOOST_TEST(client.read_reply().body == body);
}

BOOST_AUTO_TEST_CASE(a_client_that_expects_100_is_refused_before_it_sends) {
    raw_client client(port());
    client.send("POST /api/echo HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n");
    const auto r = client.read_reply();
    BOOST_TEST(r.status == 401);
    BOOST_TEST(r.header("connection") == "close");
}

BOOST_AUTO_TEST_CASE(http_1_0_and_connection_close_end_the_connection) {
    raw_client old(port());
    old.send("GET /api/hello HTTP/1.0\r\n\r\n");
    BOOST_TEST(old.read_to_end().starts_with("HTTP/1.1 200 OK\r\n"));
    raw_client last(port());
    last.send(raw_client::request("GET", "/api/hello", {}, "Connection: close\r\n"));
    BOOST_TEST(last.read_reply().header("connection") == "close");
    BOOST_TEST(last.read_to_end() == "");
}

BOOST_AUTO_TEST_CASE(bytes_that_are_not_http_get_a_problem) {
    const std::map<std::string, int> bad = {
        {std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11), 400},
        {std::string("\0\0\0\0", 4), 400},
        {"hello world\r\n\r\n", 400},
        {"GET / HTTP/1.1\n\n", 400},
        {"GET /api/hello HTTP/2.0\r\n\r\n", 505},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
        {"GET /api/hello HTTP/1.1\r\n\r\n", 400}, // no Host
        {"GET /api/hello HTTP/1.1\r\nHost: a\r\nbroken header\r\n\r\n", 400},
        {"GET /api/hello HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400},
        {"POST /api/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {"POST /api/echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\nabc", 400},
        {"POST /api/echo HTTP/1.1\r\nHost: a\r\n" + with_key + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
    };
    for (const auto& [bytes, status] : bad) {
        const auto r = refused(*this, bytes);
        BOOST_TEST(r.status == status, bytes);
        BOOST_TEST(r.code() == "malformed_http", bytes);
        BOOST_TEST(json::document::parse(r.body)->root().int_or("status") == status);
        BOOST_TEST(!r.header("x-request-id").empty());
    }
    BOOST_TEST(ask("GET", "/api/hello").status == 200);
}

BOOST_AUTO_TEST_CASE(a_request_that_ends_in_the_middle_gets_a_problem) {
    for (const auto* bytes :
         {"GET /api/hel", "GET /api/hello HTTP/1.1\r\nHost:",
          "POST /api/echo HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\nContent-Length: 9\r\n\r\n{"}) {
        raw_client client(port());
        client.send(bytes);
        client.end_sending();
        const auto r = client.read_reply();
        BOOST_TEST(r.status == 400);
        BOOST_TEST(r.code() == "malformed_http");
        BOOST_TEST(client.read_to_end() == "");
    }
}

BOOST_AUTO_TEST_CASE(damaged_requests_always_get_an_http_answer) {
    const std::string good = raw_client::request("POST", "/api/v1/echo?x=%41", R"({"text":"a","weight":1})", with_key) +
                             "POST /api/echo HTTP/1.1\r\nHost: a\r\n" + with_key +
                             "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"tex\r\n0\r\n\r\n";
    std::mt19937 random(20261121); // the seed is the bug report
    for (int round = 0; round < 400; ++round) {
        std::string bytes = good.substr(round % 2 == 0 ? 0 : good.rfind("POST"));
        for (auto damage = 1 + random() % 3; damage > 0; --damage) {
            const auto at = 1 + random() % (bytes.size() - 1);
            switch (random() % 3) {
            case 0:
                bytes[at] = static_cast<char>(random());
                break;
            case 1:
                bytes.erase(at, random() % 8);
                break;
            default:
                bytes.insert(at, 1, "\r\n:%\0 {"[random() % 7]);
                break;
            }
        }
        raw_client client(port());
        client.send(bytes);
        client.end_sending();
        const auto answer = client.read_to_end();
        BOOST_REQUIRE_MESSAGE(answer.starts_with("HTTP/1.1 "), "round " << round << " got '" << answer << "'");
    }
}

BOOST_AUTO_TEST_CASE(headers_over_the_limit_are_431_however_they_are_cut) {
    const auto one =
        refused(*this, "GET /api/hello HTTP/1.1\r\nHost: a\r\nX-Big: " + std::string(20'000, 'a') + "\r\n\r\n");
    BOOST_TEST(one.status == 431);
    BOOST_TEST(one.code() == "payload_too_large");
    BOOST_TEST(refused(*this, "GET /api/" + std::string(20'000, 'a')).status == 414);
    BOOST_TEST(refused(*this, "GET /api/" + std::string(9'000, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n").status == 414);
    raw_client many(port());
    many.send("GET /api/hello HTTP/1.1\r\nHost: a\r\n");
    for (int i = 0; i < 3000; ++i)
        many.send("X-Small: 1\r\n");
    BOOST_TEST(many.read_reply().status == 431);
}

BOOST_AUTO_TEST_CASE(a_bad_header_is_refused_for_the_same_reason_however_it_is_cut) {
    const std::string big(20'000, 'a');
    const std::map<std::string, int> bad = {
        {"GET /api/hello HTTP/\xff\xff\xff", 400}, // no end of the line: what is wrong with it cannot be known
        {"GET /api/hello HTTP/\xff\xff\xff\r\nHost: a", 505},
        {"GET /api/hello HTTP/1.1\r\nbroken header\r\nX-Big: " + big + "\r\n\r\n", 431},
        {"GET /api/hello HTTP/9.9\r\nX-Big: " + big + "\r\n\r\n", 505},
        {"GET /api/hello HTTP/1.1\nHost: a\n\n", 400},
        {std::string("\0GET /api/hello HTTP/1.1\r\nX-Big: ", 33) + big, 400},
    };
    for (const auto& [bytes, status] : bad) {
        for (const std::size_t piece : {bytes.size(), std::size_t{1 + bytes.size() / 40}, std::size_t{7}}) {
            raw_client client(port());
            for (std::size_t at = 0; at < bytes.size(); at += piece)
                client.send(bytes.substr(at, piece));
            client.end_sending();
            BOOST_TEST(client.read_reply().status == status, bytes.substr(0, 60) << " in pieces of " << piece);
        }
    }
}

BOOST_AUTO_TEST_CASE(bodies_over_the_limit_are_413_before_they_are_read) {
    raw_client client(port());
    client.send("POST /api/echo HTTP/1.1\r\nHost: a\r\n" + with_key + "Content-Length: 1000000000\r\n\r\n{");
    const auto r = client.read_reply();
    BOOST_TEST(r.status == 413);
    BOOST_TEST(r.code() == "payload_too_large");
    BOOST_TEST(r.header("connection") == "close");
    raw_client chunked(port());
    chunked.send("POST /api/echo HTTP/1.1\r\nHost: a\r\n" + with_key + "Transfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 20; ++i)
        chunked.send("400\r\n" + std::string(1024, ' ') + "\r\n");
    BOOST_TEST(chunked.read_reply().status == 413);
}

BOOST_AUTO_TEST_CASE(a_refused_request_with_a_small_body_keeps_its_connection) {
    raw_client client(port());
    client.send(raw_client::request("POST", "/api/echo", R"({"text":"a"})") + raw_client::request("GET", "/api/hello"));
    const auto r = client.read_reply();
    BOOST_TEST(r.status == 401);
    BOOST_TEST(r.header("www-authenticate") == "Bearer");
    BOOST_TEST(client.read_reply().status == 200);
}

BOOST_AUTO_TEST_CASE(bad_bodies_name_their_mistakes) {
    const auto text = ask("POST", "/api/echo", "{\"text\":");
    BOOST_TEST(text.status == 400);
    BOOST_TEST(text.code() == "malformed_json");
    BOOST_TEST(ask("POST", "/api/echo", "{\"text\":\"\xff\"}").code() == "malformed_json");
    BOOST_TEST(ask("POST", "/api/echo", std::string(2000, '[') + std::string(2000, ']')).code() == "malformed_json");
    const auto fields = ask("POST", "/api/echo", R"({"text":7,"weight":"heavy","colour":"red"})");
    BOOST_TEST(fields.status == 422);
    BOOST_TEST(fields.code() == "invalid_request");
    BOOST_TEST((pointers(fields) == std::vector<std::string>{"/text", "/weight", "/colour"}));
    BOOST_TEST((pointers(ask("POST", "/api/echo", "{}")) == std::vector<std::string>{"/text"}));
    raw_client empty(port());
    empty.send("POST /api/echo HTTP/1.1\r\nHost: a\r\n" + with_key + "Content-Length: 0\r\n\r\n");
    BOOST_TEST((pointers(empty.read_reply()) == std::vector<std::string>{"/text"})); // nothing is an empty object
}

BOOST_AUTO_TEST_CASE(a_json_body_has_to_say_so) {
    const auto with_type = [&](std::string_view type) {
        raw_client client(port());
        client.send("POST /api/echo HTTP/1.1\r\nHost: a\r\n" + with_key + std::string(type) +
                    "Content-Length: 12\r\n\r\n{\"text\":\"a\"}");
        return client.read_reply();
    };
    BOOST_TEST(with_type("").status == 200);
    BOOST_TEST(with_type("Content-Type: Application/JSON; charset=utf-8\r\n").status == 200);
    BOOST_TEST(with_type("Content-Type: application/merge-patch+json\r\n").status == 200);
    BOOST_TEST(with_type("Content-Type: text/plain\r\n").code() == "unsupported_media_type");
}

BOOST_AUTO_TEST_CASE(raw_bodies_come_back_whole) {
    std::string body(300'000, '\0');
    for (std::size_t i = 0; i < body.size(); ++i)
        body[i] = static_cast<char>(i * 7 % 251);
    const auto r = ask("PUT", "/api/v1/files/a/b.bin", body);
    BOOST_TEST(r.status == 200);
    BOOST_TEST((r.body == body));
    BOOST_TEST(r.header("content-type") == "application/octet-stream");
}

BOOST_AUTO_TEST_CASE(paths_and_methods_that_are_not_there_say_so) {
    const auto missing = ask("GET", "/api/v1/nothing");
    BOOST_TEST(missing.status == 404);
    BOOST_TEST(missing.code() == "not_found");
    const auto method = ask("DELETE", "/api/v1/hello");
    BOOST_TEST(method.status == 405);
    BOOST_TEST(method.code() == "method_not_allowed");
    BOOST_TEST(method.header("allow") == "GET, HEAD, OPTIONS");
    BOOST_TEST(ask("BREW", "/api/v1/hello").status == 405);
    BOOST_TEST(ask("GET", "/api/v1/%ff").code() == "malformed_http");
    const auto query = ask("GET", "/api/v1/hello?colour=red");
    BOOST_TEST(query.status == 422);
    BOOST_TEST((pointers(query) == std::vector<std::string>{"colour"}));
    BOOST_TEST(ask("GET", "http://TEST/api/v1/hello").status == 200); // the Host header says the same
}

BOOST_AUTO_TEST_CASE(head_is_get_without_its_body) {
    raw_client client(port());
    client.send(raw_client::request("HEAD", "/api/hello?name=abc") + raw_client::request("GET", "/api/hello"));
    const auto r = client.read_reply(false);
    BOOST_TEST(r.status == 200);
    BOOST_TEST(r.header("content-length") == "15");
    BOOST_TEST(client.read_reply().body == R"({"hello":""})");
}

BOOST_AUTO_TEST_CASE(options_tells_the_methods) {
    const auto r = ask("OPTIONS", "/api/v1/echo", {}, {});
    BOOST_TEST(r.status == 204);
    BOOST_TEST(r.header("allow") == "POST, OPTIONS");
    BOOST_TEST(ask("OPTIONS", "*", {}, {}).status == 204);
    BOOST_TEST(ask("OPTIONS", "/api/v1/nothing", {}, {}).status == 404);
}

BOOST_AUTO_TEST_CASE(callers_without_key_or_permission_are_refused) {
    const auto r = ask("POST", "/api/echo", R"({"text":"a"})", "");
    BOOST_TEST(r.status == 401);
    BOOST_TEST(r.code() == "unauthenticated");
    BOOST_TEST(r.header("www-authenticate") == "Bearer");
    BOOST_TEST(ask("GET", "/api/forbidden").code() == "forbidden");
    BOOST_TEST(ask("POST", "/api/echo", R"({"text":"a"})").status == 200);
}

BOOST_AUTO_TEST_CASE(every_answer_carries_ids_and_security_headers) {
    const auto r =
        ask("GET", "/api/headers", {},
            "X-Request-Id: my-id.1\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00\r\n");
    BOOST_TEST(r.header("x-request-id") == "my-id.1");
    const auto trace = r.header("traceparent");
    BOOST_TEST(trace.starts_with("00-0af7651916cd43dd8448eb211c80319c-"));
    BOOST_TEST(trace.ends_with("-00"));
    BOOST_TEST(trace.find("b7ad6b7169203331") == std::string::npos);
    BOOST_TEST(r.header("x-trace") == trace);
    BOOST_TEST(r.header("x-content-type-options") == "nosniff");
    BOOST_TEST(r.header("cache-control") == "no-store");
    BOOST_TEST(r.header("referrer-policy") == "no-referrer");
    BOOST_TEST(r.header("server").starts_with("troupe/"));
    BOOST_TEST(!r.header("date").empty());
    BOOST_TEST(r.header("set-cookie") == "");
    const auto made = ask("GET", "/api/headers", {}, "X-Request-Id: not ok!\r\ntraceparent: 00-nonsense\r\n");
    BOOST_TEST(made.header("x-request-id").size() == 32);
    BOOST_TEST(made.header("traceparent").size() == 55);
}

BOOST_AUTO_TEST_CASE(a_handler_that_forgets_its_responder_answers_unavailable) {
    const auto r = ask("GET", "/api/lost");
    BOOST_TEST(r.status == 503);
    BOOST_TEST(r.code() == "unavailable");
}

BOOST_AUTO_TEST_CASE(a_second_answer_is_ignored_and_a_throw_is_internal) {
    raw_client client(port());
    client.send(raw_client::request("GET", "/api/twice") + raw_client::request("GET", "/api/throws") +
                raw_client::request("GET", "/api/hello"));
    BOOST_TEST(client.read_reply().body == R"("first")");
    BOOST_TEST(client.read_reply().code() == "internal");
    BOOST_TEST(client.read_reply().body == R"({"hello":""})");
}

BOOST_AUTO_TEST_CASE(answers_may_come_from_any_thread) {
    raw_client client(port());
    client.send(raw_client::request("GET", "/api/held"));
    std::thread([answer = take_held()] { answer({.body = "7"}); }).join();
    BOOST_TEST(client.read_reply().body == "7");
}

BOOST_AUTO_TEST_CASE(a_late_answer_is_replaced_by_a_problem) {
    raw_client client(port());
    client.send(raw_client::request("GET", "/api/held", {}, "X-Request-Timeout-Ms: 1\r\n"));
    const auto answer = take_held();
    const auto r = client.read_reply();
    BOOST_TEST(r.status == 504);
    BOOST_TEST(r.code() == "deadline_exceeded");
    client.send(raw_client::request("GET", "/api/held"));
    const auto second = take_held();
    answer({.body = "1"}); // belongs to the first request
    second({.body = "2"});
    BOOST_TEST(client.read_reply().body == "2");
    BOOST_TEST(ask("GET", "/api/hello", {}, "X-Request-Timeout-Ms: soon\r\n").status == 422);
}

BOOST_AUTO_TEST_CASE(requests_that_the_node_failed_are_reported_with_what_was_said) {
    const auto held_answer = [&](const problem& p) {
        raw_client client(port());
        client.send(raw_client::request("GET", "/api/held", {}, "X-Request-Id: r7\r\n"));
        take_held()(to_response(p, {}));
        client.read_reply();
    };
    ask("GET", "/api/lost");   // 503: it passes
    ask("GET", "/api/throws"); // is in the log
    ask("BREW", "/api/hello"); // 501: no node could
    ask("GET", "/api/nothing");
    ask("GET", "/api/held", {}, "X-Request-Timeout-Ms: 1\r\n"); // the client allowed no more
    take_held();
    held_answer({code::overloaded, "too much"});
    held_answer({code::poison, "the entity told it"});
    held_answer({code::storage_full, "the disk has 7 bytes left"});
    held_answer({code::internal, "it is broken"});
    const std::lock_guard lock(mutex);
    const std::vector<std::string> told{"held r7 storage_full: the disk has 7 bytes left",
                                        "held r7 internal: it is broken"};
    BOOST_TEST(failed == told, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(requests_are_reported_with_operation_and_status) {
    ask("GET", "/api/hello");
    ask("GET", "/api/nothing");
    const std::lock_guard lock(mutex);
    BOOST_TEST((requests == std::vector<std::pair<std::string, int>>{{"hello", 200}, {"", 404}}));
}

BOOST_AUTO_TEST_CASE(a_drain_answers_what_is_in_flight_and_then_ends) {
    raw_client idle(port());
    idle.send(raw_client::request("GET", "/api/hello"));
    BOOST_TEST(idle.read_reply().status == 200);
    raw_client busy(port());
    busy.send(raw_client::request("GET", "/api/held"));
    const auto answer = take_held();
    auto stopped = std::async(std::launch::async, [&] { edge->stop(10'000); });
    BOOST_TEST(idle.read_to_end() == ""); // closed: the drain has begun
    BOOST_CHECK_THROW(raw_client{port()}, std::runtime_error);
    answer({.body = "1"});
    const auto r = busy.read_reply();
    BOOST_TEST(r.body == "1");
    BOOST_TEST(r.header("connection") == "close");
    BOOST_TEST(busy.read_to_end() == "");
    stopped.get();
    BOOST_TEST(edge->connections() == 0U);
}

BOOST_AUTO_TEST_CASE(a_responder_outlives_its_server) {
    raw_client client(port());
    client.send(raw_client::request("GET", "/api/held"));
    auto answer = take_held();
    edge.reset();
    answer({.body = "nobody hears this"});
    answer = nullptr;
    BOOST_TEST(client.read_to_end() == "");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(http_server_limits)

BOOST_AUTO_TEST_CASE(a_slow_header_and_a_slow_body_get_408) {
    server_fixture f(settings_with([](auto& s) { s.header_time_out_ms = s.body_time_out_ms = 50; }));
    raw_client header(f.port());
    header.send("GET /api/hello HTTP/1.1\r\nHost: a\r\n");
    BOOST_TEST(header.read_reply().status == 408);
    raw_client body(f.port());
    body.send("POST /api/echo HTTP/1.1\r\nHost: a\r\n" + with_key + "Content-Length: 9\r\n\r\n{");
    const auto r = body.read_reply();
    BOOST_TEST(r.status == 408);
    BOOST_TEST(r.code() == "deadline_exceeded");
    BOOST_TEST(body.read_to_end() == "");
}

BOOST_AUTO_TEST_CASE(a_client_that_does_not_read_its_answers_is_cut) {
    server_fixture f(settings_with([](auto& s) { s.write_time_out_ms = 50; }));
    raw_client client(f.port());
    const std::string ask = raw_client::request("PUT", "/api/files/a", std::string(1 << 20, 'x'), with_key);
    constexpr std::size_t asked = 50; // more than all buffers between the two hold
    for (std::size_t i = 0; i < asked; ++i)
        client.send(ask);
    BOOST_TEST(client.read_to_end().size() < asked << 20);
}

BOOST_AUTO_TEST_CASE(an_idle_connection_is_closed) {
    server_fixture f(settings_with([](auto& s) { s.idle_time_out_ms = 50; }));
    raw_client client(f.port());
    BOOST_TEST(client.read_to_end() == "");
}

BOOST_AUTO_TEST_CASE(connections_over_the_limit_are_told_to_come_back) {
    server_fixture f(settings_with([](auto& s) { s.connections_max = 1; }));
    raw_client first(f.port());
    first.send(raw_client::request("GET", "/api/hello"));
    BOOST_TEST(first.read_reply().status == 200);
    raw_client second(f.port());
    const auto r = second.read_reply();
    BOOST_TEST(r.status == 503);
    BOOST_TEST(r.code() == "overloaded");
    BOOST_TEST(r.header("retry-after") == "1");
}

BOOST_AUTO_TEST_CASE(a_refusal_for_overload_comes_late_and_nothing_is_served_meanwhile) {
    server_fixture f(settings_with([](auto& s) { s.refusal_ms = 200; }));
    raw_client client(f.port());
    const auto begun = monotonic_ms();
    client.send(raw_client::request("GET", "/api/held") + raw_client::request("GET", "/api/hello"));
    f.take_held()(to_response({code::overloaded, "too much", {}, 2}, {}));
    const auto refused = client.read_reply();
    BOOST_TEST(refused.status == 503);
    BOOST_TEST(refused.header("retry-after") == "2");
    BOOST_TEST(monotonic_ms() - begun >= 100); // half of it at least
    BOOST_TEST(client.read_reply().status == 200);

    raw_client hurried(f.port()); // its own deadline is nearer
    hurried.send(raw_client::request("GET", "/api/held", {}, "X-Request-Timeout-Ms: 5000\r\n"));
    f.take_held()(to_response({code::not_found, "no", {}, {}}, {}));
    BOOST_TEST(hurried.read_reply().status == 404); // what is not for overload is answered at once
}

BOOST_AUTO_TEST_CASE(bodies_without_room_wait_in_the_socket_and_small_requests_go_on) {
    server_fixture f(settings_with([](auto& s) { s.body_bytes_max = 1 << 20; }));
    const std::string body(1 << 20, 'x');
    const auto whole = raw_client::request("PUT", "/api/files/a", body, "Authorization: Bearer good\r\n");
    auto first = std::make_unique<raw_client>(f.port());
    first->send(whole.substr(0, whole.size() - 1)); // holds all the room
    raw_client second(f.port());
    second.send(whole.substr(0, 100'000));
    raw_client small(f.port());
    for (int i = 0; i < 3; ++i) {
        small.send(raw_client::request("POST", "/api/echo", R"({"text":"x"})", "Authorization: Bearer good\r\n"));
        BOOST_TEST(small.read_reply().status == 200);
    }
    first->send("x");
    BOOST_TEST(first->read_reply().body == body);
    second.send(whole.substr(100'000)); // its turn
    BOOST_TEST(second.read_reply().body == body);

    raw_client third(f.port());
    third.send(whole.substr(0, 100));
    third.send(whole.substr(100));
    BOOST_TEST(third.read_reply().status == 200); // and all of it came back
    first.reset();
}

BOOST_AUTO_TEST_CASE(a_body_that_finds_no_room_in_time_is_told_to_come_back) {
    server_fixture f(settings_with([](auto& s) {
        s.body_bytes_max = 1000;
        s.body_time_out_ms = 50;
    }));
    raw_client client(f.port());
    client.send(raw_client::request("PUT", "/api/files/a", std::string(5000, 'x'), "Authorization: Bearer good\r\n"));
    const auto r = client.read_reply();
    BOOST_TEST(r.status == 503);
    BOOST_TEST(r.code() == "overloaded");
    BOOST_TEST(!r.header("retry-after").empty());
}

BOOST_AUTO_TEST_CASE(a_port_that_is_taken_is_named) {
    server_fixture f;
    server_settings settings;
    settings.listen = "127.0.0.1:" + std::to_string(f.port());
    const auto second = server::start(settings, {});
    BOOST_REQUIRE(!second.has_value());
    BOOST_TEST((second.error().code == code::address_in_use));
    BOOST_TEST(second.error().detail.find(settings.listen) != std::string::npos);
}

BOOST_AUTO_TEST_CASE(addresses_that_cannot_be_listened_on_are_named) {
    for (const auto* where : {"127.0.0.1", "nowhere:80", "127.0.0.1:many", "127.0.0.1:70000", "192.0.2.1:8080"}) {
        server_settings settings;
        settings.listen = where;
        const auto r = server::start(settings, {});
        BOOST_REQUIRE_MESSAGE(!r.has_value(), where);
        BOOST_TEST((r.error().code == code::listen_failed), where);
        BOOST_TEST(r.error().detail.find(where) != std::string::npos);
    }
}

BOOST_AUTO_TEST_CASE(it_listens_on_ipv6) {
    server_settings settings;
    settings.listen = "[::1]:0";
    const auto r = server::start(settings, {});
    if (!r)
        return; // a machine without IPv6
    BOOST_TEST((*r)->url() == "http://[::1]:" + std::to_string((*r)->port()));
}

BOOST_AUTO_TEST_SUITE_END()
