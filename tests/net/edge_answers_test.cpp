// What stands around an answer: who asked, cookies, policies for browsers, compression, the log of accesses.
#include "net/http/access_log.hpp"
#include "net/http/client_address.hpp"
#include "net/http/compression.hpp"
#include "net/http/connection_places.hpp"
#include "net/http/cors.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/net/server_fixture.hpp"

#include <zlib.h>

#include <string>

using namespace troupe;
using namespace troupe::net;
using namespace troupe::net::test;

namespace {

const std::string with_key = "Authorization: Bearer good\r\n";

std::string unzipped(const std::string& text) {
    z_stream s{};
    BOOST_REQUIRE(inflateInit2(&s, 15 + 16) == Z_OK);
    std::string out(1 << 20, '\0');
    s.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    s.avail_in = static_cast<uInt>(text.size());
    s.next_out = reinterpret_cast<Bytef*>(out.data());
    s.avail_out = static_cast<uInt>(out.size());
    BOOST_TEST(inflate(&s, Z_FINISH) == Z_STREAM_END);
    out.resize(s.total_out);
    inflateEnd(&s);
    return out;
}

std::string client_of(const std::map<std::string, std::string>& headers, std::string_view proxy = "10.0.0.1") {
    request r;
    r.headers = headers;
    return forwarded_client(r, proxy, *network_list::parse("10.0.0.0/8, ::1")).address;
}

server_settings with_origins(const std::string& origins) {
    return settings_with([&](auto& s) { s.cors_origins = origins; });
}

const std::string upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
                            with_key;

} // namespace

BOOST_FIXTURE_TEST_SUITE(clients, server_fixture)

BOOST_AUTO_TEST_CASE(a_handler_knows_address_user_agent_and_cookies) {
    const auto r = ask("GET", "/api/client", {},
                       "User-Agent: tester/1\r\nCookie: a=1; session=\"x y\"\r\nCookie: session=other; b\r\n"
                       "X-Forwarded-For: 192.0.2.9\r\nX-Forwarded-Proto: https\r\n");
    BOOST_TEST(r.body == "127.0.0.1|tester/1|x y|plain");
    BOOST_TEST(ask("GET", "/api/client", {}, "").body == "127.0.0.1|||plain");
}

BOOST_AUTO_TEST_CASE(a_handler_may_set_several_cookies) {
    raw_client client(port());
    client.send(raw_client::request("GET", "/api/client"));
    const auto head = client.read_until("\r\n\r\n");
    BOOST_TEST(head.find("Set-Cookie: a=1; HttpOnly\r\nSet-Cookie: b=2\r\n") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(edge_answers)

BOOST_AUTO_TEST_CASE(a_trusted_proxy_says_who_asks) {
    server_fixture f(settings_with([](auto& s) { s.trusted_proxies = "127.0.0.0/8"; }));
    BOOST_TEST(f.ask("GET", "/api/client", {}, "X-Forwarded-For: 192.0.2.9\r\nX-Forwarded-Proto: https\r\n").body ==
               "192.0.2.9|||secure");
    BOOST_TEST(f.ask("GET", "/api/client", {}, "X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-For: 192.0.2.9\r\n").body ==
               "192.0.2.9|||plain");
    BOOST_TEST(f.ask("GET", "/api/client", {}, "").body == "127.0.0.1|||plain");
}

BOOST_AUTO_TEST_CASE(the_last_address_that_is_no_proxy_is_the_client) {
    BOOST_TEST(client_of({}) == "10.0.0.1");
    BOOST_TEST(client_of({{"x-forwarded-for", "1.2.3.4"}}) == "1.2.3.4");
    BOOST_TEST(client_of({{"x-forwarded-for", "6.6.6.6, 1.2.3.4, 10.9.9.9"}}) == "1.2.3.4");
    BOOST_TEST(client_of({{"x-forwarded-for", "10.1.1.1"}}) == "10.1.1.1");
    BOOST_TEST(client_of({{"x-forwarded-for", "1.2.3.4:567"}}) == "1.2.3.4");
    BOOST_TEST(client_of({{"x-forwarded-for", "2001:DB8::0:1"}}) == "2001:db8::1");
    BOOST_TEST(client_of({{"x-forwarded-for", "::ffff:1.2.3.4"}}) == "1.2.3.4");
    BOOST_TEST(client_of({{"x-forwarded-for", "6.6.6.6, nonsense"}}) == "10.0.0.1");
    BOOST_TEST(client_of({{"x-forwarded-for", "6.6.6.6, nonsense, 10.2.2.2"}}) == "10.2.2.2");
    BOOST_TEST(client_of({{"x-forwarded-for", ",,"}}) == "10.0.0.1");
    BOOST_TEST(client_of({{"forwarded", "for=6.6.6.6, For=\"[2001:db8::1]:80\";proto=https;by=x"}}) == "2001:db8::1");
    BOOST_TEST(client_of({{"forwarded", "for=unknown"}}) == "10.0.0.1");
    BOOST_TEST(client_of({{"forwarded", "for=1.2.3.4"}, {"x-forwarded-for", "1.2.3.4"}}) == "1.2.3.4");
    // One of them came from the client: neither is believed.
    BOOST_TEST(client_of({{"forwarded", "for=6.6.6.6"}, {"x-forwarded-for", "1.2.3.4"}}) == "10.0.0.1");
}

BOOST_AUTO_TEST_CASE(addresses_share_their_places) {
    const auto places = std::make_shared<connection_places>();
    BOOST_TEST(places->take("a") == 1U);
    {
        BOOST_TEST(places->take("a") == 2U);
        connection_place second(places, "a");
        connection_place moved(std::move(second));
        BOOST_TEST(places->take("b") == 1U);
    }
    BOOST_TEST(places->take("a") == 2U); // the second was given back, once
}

BOOST_AUTO_TEST_CASE(connections_of_one_address_over_its_limit_get_429) {
    server_fixture f(settings_with([](auto& s) {
        s.connections_per_address_max = 1;
        s.spare_loopback = false;
    }));
    {
        raw_client first(f.port());
        first.send(raw_client::request("GET", "/api/hello"));
        BOOST_TEST(first.read_reply().status == 200);
        raw_client second(f.port());
        const auto r = second.read_reply();
        BOOST_TEST(r.status == 429);
        BOOST_TEST(r.code() == "overloaded");
        BOOST_TEST(r.header("retry-after") == "5");
        BOOST_TEST(r.header("connection") == "close");
        second.end_sending();
        BOOST_TEST(second.read_to_end() == "");
    }
    // Their places come back when the node has seen that they are gone.
    int status = 0;
    for (int i = 0; i < 1000 && status != 200; ++i) {
        raw_client next(f.port());
        next.send(raw_client::request("GET", "/api/hello"));
        status = next.read_reply().status;
    }
    BOOST_TEST(status == 200);
}

BOOST_AUTO_TEST_CASE(a_stream_keeps_the_place_of_its_address) {
    server_fixture f(settings_with([](auto& s) {
        s.connections_per_address_max = 1;
        s.spare_loopback = false;
    }));
    raw_client stream(f.port());
    stream.send(raw_client::request("GET", "/api/v1/live/1", {}, with_key + "Accept: text/event-stream\r\n"));
    stream.read_until(": connected\n\n");
    raw_client second(f.port());
    BOOST_TEST(second.read_reply().status == 429);
}

BOOST_AUTO_TEST_CASE(this_machine_is_bound_by_the_limit_of_all_only) {
    server_fixture f(settings_with([](auto& s) { s.connections_per_address_max = 1; }));
    raw_client first(f.port());
    first.send(raw_client::request("GET", "/api/hello"));
    BOOST_TEST(first.read_reply().status == 200);
    BOOST_TEST(f.ask("GET", "/api/hello").status == 200);
}

BOOST_AUTO_TEST_CASE(answers_are_data_and_no_page_of_anybody) {
    server_fixture f;
    const auto r = f.ask("GET", "/api/hello");
    BOOST_TEST(r.header("x-frame-options") == "DENY");
    BOOST_TEST(r.header("content-security-policy") == "default-src 'none'; frame-ancestors 'none'");
    BOOST_TEST(r.header("cross-origin-resource-policy") == "same-origin");
    BOOST_TEST(r.header("cache-control") == "no-store");
    BOOST_TEST(r.header("strict-transport-security") == "");                               // there is no TLS
    BOOST_TEST(f.ask("GET", "/api/large").header("cache-control") == "private, no-cache"); // it has an ETag
    const auto page = f.ask("GET", "/api/page");                                           // which says it itself
    BOOST_TEST(page.header("content-security-policy") == "default-src 'self'");
    BOOST_TEST(page.header("x-frame-options") == "DENY");
}

BOOST_AUTO_TEST_CASE(pages_of_configured_origins_may_read_and_ask_before_they_write) {
    server_fixture f(with_origins("https://a.example, http://localhost:3000"));
    const std::string origin = "Origin: https://a.example\r\n";
    const auto r = f.ask("GET", "/api/hello", {}, origin);
    BOOST_TEST(r.header("access-control-allow-origin") == "https://a.example");
    BOOST_TEST(r.header("access-control-allow-credentials") == "true");
    BOOST_TEST(r.header("access-control-expose-headers").find("Idempotent-Replayed") != std::string::npos);
    BOOST_TEST(r.header("vary") == "Origin");
    const auto asked = f.ask("OPTIONS", "/api/v1/echo", {},
                             origin + "Access-Control-Request-Method: POST\r\n"
                                      "Access-Control-Request-Headers: authorization\r\n");
    BOOST_TEST(asked.status == 204);
    BOOST_TEST(asked.header("access-control-allow-methods") == "POST, OPTIONS");
    BOOST_TEST(asked.header("access-control-allow-headers").find("Idempotency-Key") != std::string::npos);
    BOOST_TEST(asked.header("access-control-allow-origin") == "https://a.example");
    BOOST_TEST(!asked.header("access-control-max-age").empty());
    // A refusal can be read as well.
    BOOST_TEST(f.ask("POST", "/api/echo", "{}", origin).header("access-control-allow-origin") == "https://a.example");
}

BOOST_AUTO_TEST_CASE(pages_of_other_origins_may_not) {
    server_fixture f(with_origins("https://a.example"));
    for (const std::string origin : {"https://b.example", "http://a.example", "https://a.example.evil", "null"}) {
        const auto r = f.ask("GET", "/api/hello", {}, "Origin: " + origin + "\r\n");
        BOOST_TEST(r.status == 200); // the browser keeps it from the page
        BOOST_TEST(r.header("access-control-allow-origin") == "", origin);
        BOOST_TEST(r.header("vary") == "Origin");
        const auto asked =
            f.ask("OPTIONS", "/api/echo", {}, "Origin: " + origin + "\r\nAccess-Control-Request-Method: POST\r\n");
        BOOST_TEST(asked.header("access-control-allow-methods") == "", origin);
    }
    server_fixture none;
    BOOST_TEST(none.ask("GET", "/api/hello", {}, "Origin: https://a.example\r\n").header("vary") == "");
}

BOOST_AUTO_TEST_CASE(any_origin_comes_without_credentials) {
    server_fixture f(with_origins("*"));
    const auto r = f.ask("GET", "/api/hello", {}, "Origin: https://a.example\r\n");
    BOOST_TEST(r.header("access-control-allow-origin") == "*");
    BOOST_TEST(r.header("access-control-allow-credentials") == "");
}

BOOST_AUTO_TEST_CASE(a_websocket_opens_for_own_and_configured_pages_only) {
    server_fixture f(with_origins("https://a.example"));
    const auto status = [&](const std::string& origin) {
        raw_client client(f.port());
        client.send(raw_client::request("GET", "/api/v1/ws", {}, upgrade + origin));
        return client.read_reply().status;
    };
    BOOST_TEST(status("") == 101);
    BOOST_TEST(status("Origin: http://test\r\n") == 101); // Host: test
    BOOST_TEST(status("Origin: https://a.example\r\n") == 101);
    BOOST_TEST(status("Origin: http://b.example\r\n") == 403);
    BOOST_TEST(status("Origin: null\r\n") == 403);
}

BOOST_AUTO_TEST_CASE(cookies_do_not_write_for_pages_of_others) {
    server_fixture f(with_origins("https://a.example"));
    const auto code = [&](const std::string& headers) {
        return f.ask("POST", "/api/echo", R"({"text":"a"})", headers).code();
    };
    BOOST_TEST(code("Cookie: session=1\r\nOrigin: http://b.example\r\n") == "forbidden");
    BOOST_TEST(code("Cookie: session=1\r\nOrigin: null\r\n") == "forbidden");
    for (const std::string origin : {"", "Origin: http://test\r\n", "Origin: https://a.example\r\n"})
        BOOST_TEST(code("Cookie: session=1\r\n" + origin) == "unauthenticated", origin);    // the cookie is judged
    BOOST_TEST(code("Cookie: session=1\r\nOrigin: http://b.example\r\n" + with_key) == ""); // a key came with leave
    BOOST_TEST(f.ask("GET", "/api/hello", {}, "Cookie: session=1\r\nOrigin: http://b.example\r\n").status == 200);
}

BOOST_AUTO_TEST_CASE(origins_are_compared_with_the_host) {
    BOOST_TEST(is_same_origin("https://a:7117", "A:7117", true));
    BOOST_TEST(is_same_origin("https://a", "a:443", true));
    BOOST_TEST(is_same_origin("http://a:80", "a", false));
    BOOST_TEST(is_same_origin("https://a", "a", false)); // a proxy may have ended the TLS
    BOOST_TEST(!is_same_origin("http://a", "a", true));
    BOOST_TEST(!is_same_origin("https://a:1", "a:2", true));
    BOOST_TEST(!is_same_origin("null", "a", true));
    BOOST_TEST(!is_same_origin("https://", "", true));
}

BOOST_AUTO_TEST_CASE(large_texts_are_compressed_for_who_wants_it) {
    server_fixture f;
    const auto plain = f.ask("GET", "/api/large");
    BOOST_TEST(plain.header("content-encoding") == "");
    BOOST_TEST(plain.header("vary") == "Accept-Encoding");
    BOOST_TEST(plain.header("etag") == "\"7\"");
    const auto small = f.ask("GET", "/api/large", {}, "Accept-Encoding: br, gzip\r\n");
    BOOST_TEST(small.header("content-encoding") == "gzip");
    BOOST_TEST(small.header("vary") == "Accept-Encoding");
    BOOST_TEST(small.header("etag") == "\"7-gzip\"");
    BOOST_TEST(small.body.size() < plain.body.size() / 4);
    BOOST_TEST((unzipped(small.body) == plain.body));
    raw_client head(f.port());
    head.send(raw_client::request("HEAD", "/api/large", {}, "Accept-Encoding: gzip\r\n"));
    BOOST_TEST(head.read_reply(false).header("content-length") == std::to_string(small.body.size()));
    BOOST_TEST(f.ask("GET", "/api/hello", {}, "Accept-Encoding: gzip\r\n").header("content-encoding") == "");
}

BOOST_AUTO_TEST_CASE(validators_of_compressed_answers_are_known_again) {
    server_fixture f;
    const auto same = f.ask("GET", "/api/large", {}, "Accept-Encoding: gzip\r\nIf-None-Match: \"7-gzip\"\r\n");
    BOOST_TEST(same.status == 304);
    BOOST_TEST(same.header("etag") == "\"7-gzip\"");
    BOOST_TEST(same.header("vary") == "Accept-Encoding");
    BOOST_TEST(f.ask("GET", "/api/large", {}, "If-None-Match: \"7\"\r\n").header("etag") == "\"7\"");
    BOOST_TEST(f.ask("GET", "/api/large", {}, "If-None-Match: \"6-gzip\"\r\n").status == 200);
    BOOST_TEST(f.ask("GET", "/api/large", {}, "If-Match: \"7-gzip\"\r\n").header("x-if-match") == "\"7\"");
    // Of If-Range it stays: a range of the plain content is no part of the compressed one.
    BOOST_TEST(f.ask("GET", "/api/large", {}, "If-Range: \"7-gzip\"\r\n").header("x-if-range") == "\"7-gzip\"");
}

BOOST_AUTO_TEST_CASE(gzip_is_chosen_by_weight) {
    for (const auto* yes : {"gzip", "GZIP", "br, gzip;q=0.5", "*", "gzip;q=1.0, identity;q=0.5", "*;q=0.1", "x-gzip",
                            "identity;q=0, gzip;q=0.001"})
        BOOST_TEST(accepts_gzip(yes), yes);
    for (const auto* no : {"", "br", "gzip;q=0", "identity", "gzip;q=0.5, identity;q=1", "*;q=0", "gzip;q=0, *",
                           "notgzip", "identity, *;q=0.3"})
        BOOST_TEST(!accepts_gzip(no), no);
}

BOOST_AUTO_TEST_CASE(only_whole_texts_of_fitting_size_are_compressed) {
    const auto fits = [](const std::function<void(response&)>& change) {
        response r{.body = std::string(2000, 'a')};
        change(r);
        return is_compressible(r);
    };
    BOOST_TEST(fits([](response&) {}));
    BOOST_TEST(fits([](response& r) { r.content_type = "application/problem+json"; }));
    BOOST_TEST(fits([](response& r) { r.content_type = "text/plain; version=0.0.4"; }));
    BOOST_TEST(!fits([](response& r) { r.content_type = "application/octet-stream"; }));
    BOOST_TEST(!fits([](response& r) { r.body.resize(1000); }));
    BOOST_TEST(!fits([](response& r) { r.body.resize(300 << 10); }));
    BOOST_TEST(!fits([](response& r) { r.status = 206; }));
    BOOST_TEST(!fits([](response& r) { r.headers.emplace_back("content-encoding", "br"); }));
    BOOST_TEST(!fits([](response& r) { r.source = body_source{.bytes = 2000, .next = {}}; }));
    std::string noise(2000, '\0');
    for (std::size_t i = 0; i < noise.size(); ++i)
        noise[i] = static_cast<char>((i * 2654435761U) >> 13);
    response incompressible{.body = noise, .content_type = "text/plain"};
    compress(incompressible);
    BOOST_TEST(incompressible.body.size() <= noise.size());
}

BOOST_AUTO_TEST_CASE(a_line_of_the_access_log_cannot_be_forged) {
    const auto line = access_line({.method = "GET",
                                   .path = "/a\" status=200",
                                   .status = 404,
                                   .bytes = 10,
                                   .microseconds = 5,
                                   .request_id = "id-1",
                                   .traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
                                   .principal = "key/1",
                                   .address = "192.0.2.1",
                                   .user_agent = "evil\r\n\x1b[2J\\"});
    BOOST_TEST(line == R"(method=GET path="/a\" status=200" status=404 bytes=10 us=5 request=id-1)"
                       R"( trace=0af7651916cd43dd8448eb211c80319c principal="key/1" address=192.0.2.1)"
                       R"( agent="evil\x0d\x0a\x1b[2J\\")");
    BOOST_TEST(access_line({}).starts_with("method=- path=\"\" status=0"));
    const std::string long_text(5000, 'a');
    access_entry long_one;
    long_one.user_agent = long_text;
    BOOST_TEST(access_line(long_one).size() < 800U);
}

BOOST_AUTO_TEST_SUITE_END()
