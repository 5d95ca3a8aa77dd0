// Bytes that two programs could read in two ways are refused, each for its reason.
#include "net/http/message_check.hpp"

#include "schemas/base/json.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/net/server_fixture.hpp"

#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::net;
using namespace troupe::net::test;

namespace {

const std::string with_key = "Authorization: Bearer good\r\n";
const std::string get = "GET /api/hello HTTP/1.1\r\n";
const std::string post = "POST /api/echo HTTP/1.1\r\nHost: test\r\n" + with_key;
const std::string body = R"({"text":"a"})"; // 12 bytes

/// What it says; it has to be a problem, to close, and not to answer what is smuggled behind.
int refused(const server_fixture& f, const std::string& bytes) {
    raw_client client(f.port());
    client.send(bytes + "GET /api/hello?name=smuggled HTTP/1.1\r\nHost: test\r\n\r\n");
    const auto r = client.read_reply();
    BOOST_TEST(r.header("connection") == "close", bytes);
    BOOST_TEST(r.header("content-type") == "application/problem+json", bytes);
    BOOST_TEST(json::document::parse(r.body)->root().int_or("status") == r.status, bytes);
    client.end_sending();
    BOOST_TEST(client.read_to_end() == "", bytes);
    return r.status;
}

int status_of(const server_fixture& f, const std::string& bytes) {
    raw_client client(f.port());
    client.send(bytes);
    return client.read_reply().status;
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(strictness, server_fixture)

BOOST_AUTO_TEST_CASE(a_body_has_one_length) {
    for (const std::string lengths : {
             "Content-Length: 12\r\nContent-Length: 12\r\n",
             "Content-Length: 12\r\nContent-Length: 13\r\n",
             "Content-Length: 12\r\ncontent-length: 0\r\n",
             "Content-Length: 12, 12\r\n",
             "Content-Length: +12\r\n",
             "Content-Length: 0x0c\r\n",
             "Content-Length: 12 3\r\n",
             "Content-Length: \r\n",
             "Content-Length: 99999999999999999999999\r\n",
             "Content-Length: -12\r\n",
         })
        BOOST_TEST(refused(*this, post + lengths + "\r\n" + body) == 400, lengths);
    BOOST_TEST(status_of(*this, post + "Content-Length: 12\r\n\r\n" + body) == 200);
}

BOOST_AUTO_TEST_CASE(a_body_is_framed_in_one_way) {
    const std::string chunked = "c\r\n" + body + "\r\n0\r\n\r\n";
    for (const std::string framing : {
             "Content-Length: 22\r\nTransfer-Encoding: chunked\r\n",
             "Transfer-Encoding: chunked\r\nContent-Length: 22\r\n",
             "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
             "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
             "Transfer-Encoding: chunked, identity\r\n",
             "Transfer-Encoding: identity\r\n",
             "Transfer-Encoding: xchunked\r\n",
             "Transfer-Encoding: \"chunked\"\r\n",
             "Transfer-Encoding:\x0b"
             "chunked\r\n",
         })
        BOOST_TEST(refused(*this, post + framing + "\r\n" + chunked) == 400, framing);
    BOOST_TEST(refused(*this, post + "Transfer-Encoding: gzip, chunked\r\n\r\n" + chunked) == 501);
    BOOST_TEST(refused(*this, "POST /api/echo HTTP/1.0\r\nHost: a\r\n" + with_key +
                                  "Transfer-Encoding: chunked\r\n\r\n" + chunked) == 400);
    BOOST_TEST(status_of(*this, post + "Transfer-Encoding: Chunked\r\n\r\n" + chunked) == 200);
}

BOOST_AUTO_TEST_CASE(chunks_are_read_to_the_letter) {
    const auto start = post + "Transfer-Encoding: chunked\r\n\r\n";
    for (const auto& chunks : std::initializer_list<std::string>{
             "c\n" + body + "\r\n0\r\n\r\n",
             "c\r\n" + body + "\n0\r\n\r\n",
             "c\r\n" + body + "0\r\n\r\n",
             "0xc\r\n" + body + "\r\n0\r\n\r\n",
             "+c\r\n" + body + "\r\n0\r\n\r\n",
             "-c\r\n" + body + "\r\n0\r\n\r\n",
             " c\r\n" + body + "\r\n0\r\n\r\n",
             "\r\n" + body + "\r\n0\r\n\r\n",
             "1000000000000000c\r\n" + body + "\r\n0\r\n\r\n",
             "c\r" + body + "\r\n0\r\n\r\n",
         })
        BOOST_TEST(refused(*this, start + chunks) == 400, chunks);
}

BOOST_AUTO_TEST_CASE(extensions_of_chunks_are_bounded_together) {
    const auto start = post + "Transfer-Encoding: chunked\r\n\r\n";
    BOOST_TEST(status_of(*this, start + "c;name=value\r\n" + body + "\r\n0;last\r\n\r\n") == 200);
    BOOST_TEST(refused(*this, start + "c;a=" + std::string(5'000, 'x') + "\r\n" + body + "\r\n0\r\n\r\n") == 400);
    std::string many = start;
    for (int i = 0; i < 500; ++i)
        many += "1;abcdefgh=ij\r\n \r\n";
    BOOST_TEST(refused(*this, many + "0\r\n\r\n") == 400);
}

BOOST_AUTO_TEST_CASE(lines_end_with_cr_lf) {
    BOOST_TEST(refused(*this, "GET /api/hello HTTP/1.1\nHost: a\r\n\r\n") == 400);
    BOOST_TEST(refused(*this, get + "Host: a\n\r\n") == 400);
    BOOST_TEST(refused(*this, get + "Host: a\nX: b\r\n\r\n") == 400);
    BOOST_TEST(refused(*this, get + "Host: a\r\nX: b\rY: c\r\n\r\n") == 400);
    BOOST_TEST(refused(*this, get + "Host: a\r\n\n") == 400);
}

BOOST_AUTO_TEST_CASE(headers_are_not_folded) {
    BOOST_TEST(refused(*this, get + "Host: a\r\nX: b\r\n c\r\n\r\n") == 400);
    BOOST_TEST(refused(*this, get + "Host: a\r\nX: b\r\n\tc\r\n\r\n") == 400);
    BOOST_TEST(refused(*this, get + " Host: a\r\n\r\n") == 400);
    BOOST_TEST(refused(*this, post + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n") == 400);
}

BOOST_AUTO_TEST_CASE(names_of_headers_are_tokens) {
    for (const std::string line :
         {"Content-Length : 12", "X Y: a", "X@: a", ": a", "X", "X\t: a", "(X): a", "X\xe4: a"})
        BOOST_TEST(refused(*this, get + "Host: a\r\n" + line + "\r\n\r\n") == 400, line);
    BOOST_TEST(refused(*this, get + "Host: a\r\n" + std::string("X\0Y: a\r\n\r\n", 10)) == 400);
    BOOST_TEST(refused(*this, get + "Host: a\r\n" + std::string("X: a\0b\r\n\r\n", 10)) == 400);
    BOOST_TEST(refused(*this, get + "Host: a\r\nX: a\x7f\r\n\r\n") == 400);
    BOOST_TEST(refused(*this, std::string("GET /api/\0hello HTTP/1.1\r\nHost: a\r\n\r\n", 37)) == 400);
    BOOST_TEST(status_of(*this, get + "Host: a\r\nX_y.z!: \xc3\xa4\tb\r\nX-Empty:\r\n\r\n") == 200);
}

BOOST_AUTO_TEST_CASE(there_is_one_host) {
    for (const std::string hosts :
         {"Host: a\r\nHost: a\r\n", "Host: a\r\nhost: b\r\n", "Host: a, b\r\n", "Host: \r\n", "Host: a b\r\n",
          "Host: a/b\r\n", "Host: user@a\r\n", "Host: a:b\r\n", "Host: [::1\r\n", "Host: a:123456\r\n", "X: y\r\n"})
        BOOST_TEST(refused(*this, get + hosts + "\r\n") == 400, hosts);
    for (const std::string host : {"a", "a.example:80", "127.0.0.1:7117", "[::1]:7117", "[::1]", "a_b:"})
        BOOST_TEST(status_of(*this, get + "Host: " + host + "\r\n\r\n") == 200, host);
}

BOOST_AUTO_TEST_CASE(a_url_names_the_same_host) {
    const auto with = [](const std::string& target, const std::string& host) {
        return "GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n";
    };
    BOOST_TEST(status_of(*this, with("http://a:80/api/hello?name=b", "A:80")) == 200);
    BOOST_TEST(refused(*this, with("http://b/api/hello", "a")) == 400);
    BOOST_TEST(refused(*this, with("http://u@a/api/hello", "a")) == 400);
    BOOST_TEST(refused(*this, with("ftp://a/api/hello", "a")) == 400);
    BOOST_TEST(refused(*this, with("api/hello", "a")) == 400);
    BOOST_TEST(refused(*this, with("*", "a")) == 400);
    BOOST_TEST(refused(*this, "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n") == 400);
}

BOOST_AUTO_TEST_CASE(what_decides_comes_once) {
    for (const std::string name : {"Authorization", "Content-Type", "Idempotency-Key", "Expect", "Range",
                                   "X-Request-Timeout-Ms", "Origin", "Content-Encoding"})
        BOOST_TEST(refused(*this, get + "Host: a\r\n" + name + ": 1\r\n" + name + ": 1\r\n\r\n") == 400, name);
    BOOST_TEST(status_of(*this, get + "Host: a\r\nAccept: a\r\nAccept: b\r\nCookie: a=1\r\nCookie: b=2\r\n\r\n") ==
               200);
}

BOOST_AUTO_TEST_CASE(expectations_are_met_or_refused) {
    BOOST_TEST(refused(*this, post + "Expect: 200-ok\r\nContent-Length: 12\r\n\r\n" + body) == 417);
    BOOST_TEST(refused(*this, post + "Expect: 100-continue, more\r\nContent-Length: 12\r\n\r\n" + body) == 417);
    BOOST_TEST(status_of(*this, post + "Expect: 100-Continue\r\nContent-Length: 12\r\n\r\n" + body) == 200);
    raw_client old(port()); // which knows no 100
    old.send("POST /api/echo HTTP/1.0\r\n" + with_key + "Expect: 100-continue\r\nContent-Length: 12\r\n\r\n");
    old.send(body);
    BOOST_TEST(old.read_reply().status == 200);
}

BOOST_AUTO_TEST_CASE(an_encoded_body_is_415) {
    raw_client client(port());
    client.send(post + "Content-Encoding: gzip\r\nContent-Length: 12\r\n\r\n" + body);
    const auto r = client.read_reply();
    BOOST_TEST(r.status == 415);
    BOOST_TEST(r.code() == "unsupported_media_type");
    client.send(post + "Content-Encoding: identity\r\nContent-Length: 12\r\n\r\n" + body);
    BOOST_TEST(client.read_reply().status == 200);
}

BOOST_AUTO_TEST_CASE(http_1_0_keeps_a_connection_when_it_asks) {
    raw_client client(port());
    for (int i = 0; i < 2; ++i) {
        client.send("GET /api/hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        BOOST_TEST(client.read_reply().header("connection") == "keep-alive");
    }
    client.send("GET /api/hello HTTP/1.0\r\n\r\n");
    BOOST_TEST(client.read_reply().header("connection") == "close");
    BOOST_TEST(client.read_to_end() == "");
}

BOOST_AUTO_TEST_CASE(a_trailer_without_end_is_refused_and_one_changes_nothing) {
    const auto start = post + "Transfer-Encoding: chunked\r\n\r\nc\r\n" + body + "\r\n0\r\n";
    BOOST_TEST(status_of(*this, start + "Authorization: Bearer bad\r\nX-Request-Id: other\r\n\r\n") == 200);
    BOOST_TEST(status_of(*this, start + "Content-Length: 9\r\n\r\n") == 400);
    raw_client client(port());
    client.send(start);
    for (int i = 0; i < 30; ++i)
        client.send("X-" + std::to_string(i) + ": " + std::string(4'000, 'x') + "\r\n");
    const auto status = client.read_reply().status;
    BOOST_TEST((status == 400 || status == 431));
}

BOOST_AUTO_TEST_CASE(targets_fall_apart_as_they_should) {
    const auto parts = split_target("http://a:80/b/c?d=/e");
    BOOST_TEST(parts.good);
    BOOST_TEST(parts.authority == "a:80");
    BOOST_TEST(parts.path == "/b/c");
    BOOST_TEST(parts.query == "d=/e");
    BOOST_TEST(split_target("https://a?b").path == "/");
    BOOST_TEST(split_target("https://a?b").query == "b");
    BOOST_TEST(split_target("/x?a?b").query == "a?b");
    BOOST_TEST(!split_target("").good);
    BOOST_TEST(!split_target("//").authority.size());
}

BOOST_AUTO_TEST_SUITE_END()
