#include "schemas/base/network.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;

BOOST_AUTO_TEST_SUITE(network)

BOOST_AUTO_TEST_CASE(addresses_have_one_text) {
    for (const auto& [text, shown] : {std::pair("192.0.2.1", "192.0.2.1"), std::pair("::ffff:192.0.2.1", "192.0.2.1"),
                                      std::pair("2001:DB8:0::1", "2001:db8::1"), std::pair("[::1]", "::1")}) {
        const auto parsed = parse_ip(text);
        BOOST_REQUIRE_MESSAGE(parsed.has_value(), text);
        BOOST_TEST(ip_text(*parsed) == shown);
    }
    for (const auto* text :
         {"", "192.0.2", "192.0.2.256", "192.0.2.01x", "host", "::g", "[::1", "1.2.3.4:80", "fe80::1%eth0"})
        BOOST_TEST(!parse_ip(text).has_value(), text);
    BOOST_TEST(is_loopback(*parse_ip("127.9.9.9")));
    BOOST_TEST(is_loopback(*parse_ip("::1")));
    BOOST_TEST(is_loopback(*parse_ip("::ffff:127.0.0.1")));
    BOOST_TEST(!is_loopback(*parse_ip("128.0.0.1")));
    BOOST_TEST(!is_loopback(*parse_ip("::2")));
}

BOOST_AUTO_TEST_CASE(networks_contain_their_addresses) {
    const auto list = *network_list::parse("10.0.0.0/8, 192.0.2.128/25,2001:db8::/33 , 203.0.113.9");
    for (const auto* inside : {"10.255.0.1", "::ffff:10.1.1.1", "192.0.2.200", "2001:db8:7fff::1", "203.0.113.9"})
        BOOST_TEST(list.contains(inside), inside);
    for (const auto* outside : {"11.0.0.1", "192.0.2.127", "2001:db8:8000::1", "203.0.113.8", "nonsense", ""})
        BOOST_TEST(!list.contains(outside), outside);
    BOOST_TEST(network_list::parse("0.0.0.0/0")->contains("9.9.9.9"));
    BOOST_TEST(!network_list::parse("0.0.0.0/0")->contains("2001:db8::1"));
    BOOST_TEST(network_list::parse("").value().empty());
}

BOOST_AUTO_TEST_CASE(what_is_no_network_is_named) {
    for (const std::string text : {"10.0.0.0/33", "2001:db8::/129", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/4294967200",
                                   "host/8", "10.0.0.1 10.0.0.2"}) {
        const auto list = network_list::parse("192.0.2.1, " + text);
        BOOST_REQUIRE_MESSAGE(!list.has_value(), text);
        BOOST_TEST(list.error().detail.find(text) != std::string::npos);
    }
}

BOOST_AUTO_TEST_CASE(public_is_what_anybody_may_ask) {
    for (const char* one : {"93.184.216.34", "1.1.1.1", "100.63.255.255", "100.128.0.0", "172.32.0.1", "223.255.255.1",
                            "2606:4700::1111", "64:ff9b::101:101"}) {
        BOOST_TEST(is_public(parse_ip(one).value()), one);
    }
    for (const char* one : {"0.0.0.0",
                            "10.0.0.1",
                            "100.64.0.1",
                            "127.0.0.1",
                            "127.255.0.1",
                            "169.254.169.254",
                            "172.31.255.255",
                            "192.168.0.1",
                            "198.19.0.1",
                            "224.0.0.251",
                            "240.0.0.1",
                            "255.255.255.255",
                            "::",
                            "::1",
                            "::ffff:10.0.0.1",
                            "fe80::1",
                            "fc00::1",
                            "fd12::1",
                            "ff02::1",
                            "2001:db8::1",
                            "2002:7f00:1::",
                            "2001::1",
                            "64:ff9b::a00:1",
                            "::127.0.0.1",
                            "64:ff9b:1::1",
                            "fec0::1"}) {
        BOOST_TEST(!is_public(parse_ip(one).value()), one);
    }
}

BOOST_AUTO_TEST_SUITE_END()
