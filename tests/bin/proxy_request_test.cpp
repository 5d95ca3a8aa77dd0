#include "runtime/process/proxy_request.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::runtime;

BOOST_AUTO_TEST_SUITE(proxy_requests)

BOOST_AUTO_TEST_CASE(a_tunnel_has_a_place_and_nothing_to_pass_on) {
    const auto r = read_proxy_request("CONNECT Example.org:443 HTTP/1.1\r\nHost: x\r\nProxy-Authorization: y\r\n\r\n");
    BOOST_REQUIRE(r);
    BOOST_TEST(r->tunnel);
    BOOST_TEST(r->host == "Example.org");
    BOOST_TEST(r->port == 443);
    BOOST_TEST(r->head.empty());
    BOOST_TEST(read_proxy_request("CONNECT [2001:db8::1]:8443 HTTP/1.0\r\n\r\n")->host == "2001:db8::1");
}

BOOST_AUTO_TEST_CASE(a_request_goes_on_to_its_host_without_what_was_for_the_proxy) {
    const auto r = read_proxy_request("POST http://example.org:8080/a?b HTTP/1.1\r\nHost: other.example\r\nA: b\r\n"
                                      "proxy-authorization: c\r\nConnection: keep-alive\r\nContent-Length: 12\r\n\r\n");
    BOOST_REQUIRE(r);
    BOOST_TEST(!r->tunnel);
    BOOST_TEST(r->host == "example.org");
    BOOST_TEST(r->port == 8080);
    BOOST_TEST(r->body_bytes == 12u);
    BOOST_TEST(r->head == "POST /a?b HTTP/1.1\r\nHost: example.org:8080\r\nConnection: close\r\nA: b\r\n"
                          "Content-Length: 12\r\n\r\n");
    BOOST_TEST(read_proxy_request("GET http://a HTTP/1.1\r\n\r\n")->head.starts_with("GET / HTTP/1.1\r\nHost: a\r\n"));
    BOOST_TEST(read_proxy_request("GET http://a?b HTTP/1.1\r\n\r\n")->head.starts_with("GET /?b HTTP/1.1\r\n"));
    BOOST_TEST(read_proxy_request("GET HTTP://a/ HTTP/1.1\r\n\r\n")->port == 80);
}

BOOST_AUTO_TEST_CASE(what_two_programs_could_read_differently_is_refused) {
    for (const char* wrong : {"",
                              "\r\n\r\n",
                              "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
                              "GET https://a/ HTTP/1.1\r\n\r\n",
                              "CONNECT a HTTP/1.1\r\n\r\n",
                              "CONNECT a:0 HTTP/1.1\r\n\r\n",
                              "CONNECT [::1 HTTP/1.1\r\n\r\n",
                              "CONNECT [::1]x:1 HTTP/1.1\r\n\r\n",
                              "GET http://u@a/ HTTP/1.1\r\n\r\n",
                              "GET http://a:b/ HTTP/1.1\r\n\r\n",
                              "GET http:///x HTTP/1.1\r\n\r\n",
                              "GET http://a/ HTTP/2.0\r\n\r\n",
                              "get http://a/ HTTP/1.1\r\n\r\n",
                              "GET  http://a/ HTTP/1.1\r\n\r\n",
                              "GET http://a/ HTTP/1.1 x\r\n\r\n",
                              "GET http://a/ HTTP/1.1\r\nA : b\r\n\r\n",
                              "GET http://a/ HTTP/1.1\r\n A: b\r\n\r\n",
                              "GET http://a/ HTTP/1.1\r\nA: b\nC: d\r\n\r\n",
                              "GET http://a/ HTTP/1.1\r\nA\r\n\r\n",
                              "POST http://a/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
                              "POST http://a/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
                              "POST http://a/ HTTP/1.1\r\nContent-Length: 1x\r\n\r\n",
                              "POST http://a/ HTTP/1.1\r\nContent-Length:\r\n\r\n"}) {
        BOOST_TEST(!read_proxy_request(wrong), wrong);
    }
}

BOOST_AUTO_TEST_SUITE_END()
