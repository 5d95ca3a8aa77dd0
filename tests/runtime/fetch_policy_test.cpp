#include "runtime/config/fetch_policy.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::runtime;

namespace {

ip_bytes ip(std::string_view text) { return parse_ip(text).value(); }

} // namespace

BOOST_AUTO_TEST_SUITE(fetch_policies)

BOOST_AUTO_TEST_CASE(lists_of_hosts_and_networks_allow_what_they_name) {
    BOOST_TEST(fetch_policy::parse("")->is_off());
    const auto p = fetch_policy::parse("wiki.example.org, *.Example.NET, 10.0.0.0/8, ::1").value();
    BOOST_TEST(!p.is_off());
    BOOST_TEST(p.may_connect("WIKI.example.org.", ip("192.168.0.1")));
    BOOST_TEST(p.may_connect("a.b.example.net", ip("192.168.0.1")));
    BOOST_TEST(!p.may_connect("example.net", ip("192.168.0.1")));
    BOOST_TEST(!p.may_connect("badexample.net", ip("192.168.0.1")));
    BOOST_TEST(p.may_connect("any", ip("10.2.3.4")));
    BOOST_TEST(p.may_connect("any", ip("::1")));
    BOOST_TEST(!p.may_connect("any", ip("1.1.1.1")));
    const auto open = fetch_policy::parse("public").value();
    BOOST_TEST(open.may_connect("any", ip("1.1.1.1")));
    BOOST_TEST(!open.may_connect("any", ip("10.2.3.4")));
    BOOST_TEST(open.may_look_up("any"));
    BOOST_TEST(!fetch_policy::parse("example.org")->may_look_up("any"));
}

BOOST_AUTO_TEST_CASE(what_is_no_place_is_refused) {
    for (const char* bad :
         {"http://example.org", "10.0.0", "10.0.0.0/33", "a b", "*", "*.", "a..b", "-/", "ex_ample/"}) {
        BOOST_TEST(!!check_fetch(bad), bad);
    }
    BOOST_TEST(!check_fetch("public, example.org,10.0.0.0/8, "));
}

BOOST_AUTO_TEST_SUITE_END()
