#include "net/client/http_client.hpp"

#include "tests/net/loopback_server.hpp"

#include <boost/test/unit_test.hpp>

#include <stop_token>
#include <string>
#include <string_view>
#include <thread>

using namespace troupe;
using namespace troupe::net;
using test::loopback_server;
using test::peer;

namespace {

/// Reads the request and answers with fixed bytes.
std::function<void(peer&)> answer(std::string bytes) {
    return [bytes = std::move(bytes)](peer& client) {
        client.read_request();
        client.send(bytes);
    };
}

expected<client_response> get(const std::string& url, std::size_t bytes_max = 1 << 20) {
    client_request request;
    request.url = url;
    request.reply_bytes_max = bytes_max;
    return fetch(request);
}

code refusal(const expected<client_response>& reply) {
    BOOST_REQUIRE(!reply);
    BOOST_TEST_MESSAGE(reply.error().detail);
    return reply.error().code;
}

} // namespace

BOOST_AUTO_TEST_SUITE(http_client)

BOOST_AUTO_TEST_CASE(body_with_length_and_headers_come_back) {
    loopback_server server(answer("HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\nX-One: a\r\nX-ONE: b\r\n\r\nhello"));
    const auto reply = get(server.url());
    BOOST_REQUIRE(reply);
    BOOST_TEST(reply->status == 404);
    BOOST_TEST(reply->body == "hello");
    BOOST_TEST(reply->headers.at("x-one") == "a, b");
}

BOOST_AUTO_TEST_CASE(request_is_sent_as_given) {
    std::string seen;
    {
        loopback_server server([&seen](peer& client) {
            seen = client.read_request();
            client.send("HTTP/1.1 204 No Content\r\n\r\n");
        });
        client_request request;
        request.method = "POST";
        request.url = server.url("/a/b?c=d%20e");
        request.headers = {{"Content-Type", "application/json"}};
        request.body = std::string(600'000, 'x'); // more than one piece
        const auto reply = fetch(request);
        BOOST_REQUIRE(reply);
        BOOST_TEST(reply->status == 204);
    }
    BOOST_TEST(seen.starts_with("POST /a/b?c=d%20e HTTP/1.1\r\nHost: 127.0.0.1:"));
    BOOST_TEST(seen.find("\r\nContent-Type: application/json\r\n") != std::string::npos);
    BOOST_TEST(seen.ends_with("\r\n\r\n" + std::string(600'000, 'x')));
}

BOOST_AUTO_TEST_CASE(chunked_body_is_joined) {
    loopback_server server(
        answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n"));
    const auto reply = get(server.url());
    BOOST_REQUIRE(reply);
    BOOST_TEST(reply->body == "hello world");
}

BOOST_AUTO_TEST_CASE(body_until_close_is_whole) {
    loopback_server server(answer("HTTP/1.0 200 OK\r\n\r\nhello"));
    const auto reply = get(server.url());
    BOOST_REQUIRE(reply);
    BOOST_TEST(reply->body == "hello");
}

BOOST_AUTO_TEST_CASE(interim_answers_are_passed_over) {
    loopback_server server(answer("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    const auto reply = get(server.url());
    BOOST_REQUIRE(reply);
    BOOST_TEST(reply->status == 200);
    BOOST_TEST(reply->body == "ok");
}

BOOST_AUTO_TEST_CASE(head_has_no_body_whatever_its_length_says) {
    loopback_server server(answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"));
    client_request request;
    request.method = "HEAD";
    request.url = server.url();
    const auto reply = fetch(request);
    BOOST_REQUIRE(reply);
    BOOST_TEST(reply->body.empty());
}

BOOST_AUTO_TEST_CASE(body_cut_short_is_no_answer) {
    for (const char* bytes :
         {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "HTTP/1.1 200 OK\r\nConte", ""}) {
        loopback_server server(answer(bytes));
        BOOST_CHECK(refusal(get(server.url())) == code::connection_failed);
    }
}

BOOST_AUTO_TEST_CASE(what_is_no_http_is_refused) {
    loopback_server server(answer("SSH-2.0-OpenSSH_9.2\r\n\r\n"));
    BOOST_CHECK(refusal(get(server.url())) == code::connection_failed);
}

BOOST_AUTO_TEST_CASE(body_over_its_bound_is_refused) {
    const std::string chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nhello\r\n0\r\n\r\n";
    loopback_server server(answer(chunked), 2);
    BOOST_CHECK(refusal(get(server.url(), 9)) == code::payload_too_large);
    BOOST_TEST(get(server.url(), 10).has_value());
}

BOOST_AUTO_TEST_CASE(bad_addresses_and_headers_are_refused) {
    for (const char* url : {"", "localhost", "ftp://localhost/", "http:///path", "http://a b/",
                            "http://localhost:99999/", "http://me:secret@localhost/"}) {
        const auto reply = get(url);
        BOOST_CHECK(refusal(reply) == code::invalid_request);
        BOOST_TEST(reply.error().detail.find("secret") == std::string::npos);
    }
    client_request request;
    request.url = "http://127.0.0.1:1/";
    request.headers = {{"Authorization", "Bearer secret\r\nX-Evil: 1"}};
    const auto reply = fetch(request);
    BOOST_CHECK(refusal(reply) == code::invalid_request);
    BOOST_TEST(reply.error().detail.find("secret") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(nobody_there_is_connection_failed) {
    std::uint16_t port = 0;
    {
        port = loopback_server([](peer&) {}).port();
    }
    const auto reply = get("http://127.0.0.1:" + std::to_string(port) + "/");
    BOOST_CHECK(refusal(reply) == code::connection_failed);
    BOOST_TEST(reply.error().detail.find(std::to_string(port)) != std::string::npos);
    BOOST_CHECK(refusal(get("http://no-such-host.invalid/")) == code::connection_failed);
}

BOOST_AUTO_TEST_CASE(localhost_is_this_machine) {
    loopback_server server(answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    const auto reply = get("http://localhost:" + std::to_string(server.port()) + "/");
    BOOST_REQUIRE(reply);
    BOOST_TEST(reply->body == "ok");
}

BOOST_AUTO_TEST_CASE(silence_and_the_whole_call_have_their_limits) {
    loopback_server server([](peer& client) { client.wait_for_close(); }, 2);
    client_request request;
    request.url = server.url();
    request.idle_time_out_ms = 20;
    BOOST_CHECK(refusal(fetch(request)) == code::connection_failed);
    request.idle_time_out_ms = 60'000;
    request.time_out_ms = 20;
    BOOST_CHECK(refusal(fetch(request)) == code::deadline_exceeded);
}

BOOST_AUTO_TEST_CASE(stop_ends_a_call_that_waits) {
    std::stop_source stop;
    loopback_server server([&stop](peer& client) {
        client.read_request();
        stop.request_stop();
        client.wait_for_close(); // returns only because the client hangs up
    });
    client_request request;
    request.url = server.url();
    BOOST_CHECK(refusal(fetch(request, stop.get_token())) == code::cancelled);
    BOOST_CHECK(refusal(fetch(request, stop.get_token())) == code::cancelled); // stopped before it began
}

BOOST_AUTO_TEST_CASE(stream_gives_pieces_as_they_come) {
    loopback_server server([](peer& client) {
        client.read_request();
        client.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
        client.wait_for_close(); // never ends the body: the client got the piece and left
    });
    client_request request;
    request.url = server.url();
    std::string seen;
    const auto reply = fetch_stream(request, {}, [&seen](std::string_view piece) {
        seen += piece;
        return seen != "first";
    });
    BOOST_REQUIRE(reply);
    BOOST_TEST(reply->status == 200);
    BOOST_TEST(seen == "first");
}

BOOST_AUTO_TEST_CASE(stream_is_not_bounded_but_an_error_body_is_kept) {
    client_request request;
    request.reply_bytes_max = 5;
    std::string seen;
    const auto keep = [&seen](std::string_view piece) {
        seen += piece;
        return true;
    };
    {
        loopback_server server(answer("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world"));
        request.url = server.url();
        const auto reply = fetch_stream(request, {}, keep);
        BOOST_REQUIRE(reply);
        BOOST_TEST(seen == "hello world");
        BOOST_TEST(reply->body.empty());
    }
    seen.clear();
    loopback_server server(answer("HTTP/1.1 500 Oh\r\nContent-Length: 5\r\n\r\nwrong"));
    request.url = server.url();
    const auto reply = fetch_stream(request, {}, keep);
    BOOST_REQUIRE(reply);
    BOOST_TEST(reply->status == 500);
    BOOST_TEST(reply->body == "wrong");
    BOOST_TEST(seen.empty());
}

BOOST_AUTO_TEST_CASE(stream_cut_short_is_a_problem_after_its_pieces) {
    loopback_server server(answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n"));
    client_request request;
    request.url = server.url();
    std::string seen;
    const auto reply = fetch_stream(request, {}, [&seen](std::string_view piece) {
        seen += piece;
        return true;
    });
    BOOST_CHECK(refusal(reply) == code::connection_failed);
    BOOST_TEST(seen == "first");
}

BOOST_AUTO_TEST_CASE(early_answer_to_a_large_body_is_seen) {
    loopback_server server([](peer& client) {
        client.send("HTTP/1.1 413 Payload Too Large\r\nContent-Length: 0\r\n\r\n");
        client.wait_for_close();
    });
    client_request request;
    request.method = "PUT";
    request.url = server.url();
    request.body = std::string(1 << 20, 'x');
    const auto reply = fetch(request);
    BOOST_REQUIRE(reply);
    BOOST_TEST(reply->status == 413);
}

BOOST_AUTO_TEST_CASE(only_addresses_that_are_allowed_are_connected_to) {
    const loopback_server server(answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    client_request request;
    request.url = "http://localhost:" + std::to_string(server.port()) + "/";
    std::string asked;
    request.may_reach = [&](const std::string& host, const std::optional<ip_bytes>& address) {
        asked += host + (address ? "=" + ip_text(*address) : "") + " ";
        return !address || ip_text(*address) == "127.0.0.1";
    };
    BOOST_TEST(fetch(request).value().body == "ok");
    BOOST_TEST(asked ==
               "localhost localhost=127.0.0.1 localhost=::1 "); // a name is looked up once, all of it is judged

    request.may_reach = [](const std::string&, const std::optional<ip_bytes>& address) { return !address; };
    BOOST_TEST((refusal(fetch(request)) == code::forbidden));
    request.url = "http://not-to-be-looked-up.invalid/";
    request.may_reach = [](const std::string&, const std::optional<ip_bytes>&) { return false; };
    BOOST_TEST((refusal(fetch(request)) == code::forbidden));
}

BOOST_AUTO_TEST_CASE(a_caller_that_does_not_want_the_head_is_spared_the_body) {
    const loopback_server server([](peer& client) {
        client.read_request();
        client.send(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 9\r\n\r\n");
        client.wait_for_close(); // the body never comes
    });
    client_request request;
    request.url = server.url();
    request.on_head = [](const client_response& head) -> expected<void> {
        BOOST_TEST(head.status == 200);
        return problem{code::tool_failed, head.headers.at("content-type")};
    };
    BOOST_TEST((refusal(fetch(request)) == code::tool_failed));
}

BOOST_AUTO_TEST_CASE(the_head_is_seen_before_a_body_that_came_with_it) {
    const loopback_server server(answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")); // in one piece
    std::string seen;
    client_request request;
    request.url = server.url();
    request.on_head = [&](const client_response& head) -> expected<void> {
        seen += std::to_string(head.status) + " ";
        return {};
    };
    const auto done = fetch_stream(request, {}, [&](std::string_view piece) {
        seen += piece;
        return true;
    });
    BOOST_TEST(done.has_value());
    BOOST_TEST(seen == "200 hello");
}

BOOST_AUTO_TEST_SUITE_END()
