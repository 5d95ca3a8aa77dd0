#include "bin/cli/login_oidc.hpp"
#include "net/client/http_client.hpp"

#include <boost/test/unit_test.hpp>

#include <stop_token>
#include <string>
#include <thread>

using namespace troupe;
using namespace troupe::cli;

BOOST_AUTO_TEST_SUITE(login_oidc)

BOOST_AUTO_TEST_CASE(values_of_a_query_are_decoded) {
    BOOST_TEST(value_in_query("a=1&state=x%2Fy+z&b", "state").value() == "x/y z");
    BOOST_TEST(value_in_query("a=1&b", "b").value().empty());
    BOOST_TEST(value_in_query("a=%zz%4", "a").value() == "%zz%4");
    BOOST_TEST(!value_in_query("astate=1", "state"));
    BOOST_TEST(!value_in_query("", "state"));
}

BOOST_AUTO_TEST_CASE(only_the_browser_with_the_right_state_is_heard) {
    auto listener = loopback_listener::open();
    BOOST_REQUIRE(listener.has_value());
    const auto url = listener->url();
    int forged = 0;
    int plain = 0;
    int right = 0;
    std::jthread browser([&] {
        const auto status = [&](const std::string& query) {
            net::client_request r;
            r.url = url + query;
            const auto reply = net::fetch(r);
            return reply ? reply->status : 0;
        };
        plain = status("favicon.ico");
        forged = status("?code=1&state=other");
        right = status("?code=2&state=mine");
    });
    const auto query = listener->wait("mine", 60'000, {});
    BOOST_REQUIRE(query.has_value());
    BOOST_TEST(value_in_query(*query, "code").value() == "2");
    browser.join();
    BOOST_TEST(plain == 404);
    BOOST_TEST(forged == 404);
    BOOST_TEST(right == 200);
}

BOOST_AUTO_TEST_CASE(waiting_ends_when_it_is_interrupted) {
    auto listener = loopback_listener::open();
    BOOST_REQUIRE(listener.has_value());
    std::stop_source stop;
    stop.request_stop();
    BOOST_TEST((listener->wait("mine", 60'000, stop.get_token()).error().code == code::cancelled));
    BOOST_TEST((listener->wait("mine", 0, {}).error().code == code::deadline_exceeded));
}

BOOST_AUTO_TEST_SUITE_END()
