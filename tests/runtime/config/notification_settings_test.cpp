#include "runtime/config/notification_settings.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::runtime;

BOOST_AUTO_TEST_SUITE(notification_settings_suite)

BOOST_AUTO_TEST_CASE(nothing_is_sent_unless_it_is_said) {
    const auto none = parse_notification_settings("");
    BOOST_TEST_REQUIRE(none.has_value());
    BOOST_TEST(!none->has_mail());
    BOOST_TEST(none->webhook_allow.is_off());
    BOOST_TEST(none->batch_ms == 60'000);
}

BOOST_AUTO_TEST_CASE(a_file_says_how) {
    const auto read = parse_notification_settings(
        R"({"smtp":{"url":"smtps://[::1]:465","from":"node@example.org","user":"u","password":"secret:SMTP"},
            "webhook_allow":"public, 10.0.0.0/8","templates":"/etc/troupe/mails","batch_ms":0})");
    BOOST_TEST_REQUIRE(read.has_value());
    BOOST_TEST(read->smtp_tls);
    BOOST_TEST(read->smtp_host == "::1");
    BOOST_TEST(read->smtp_port == "465");
    BOOST_TEST(!read->webhook_allow.is_off());
    BOOST_TEST(read->templates == "/etc/troupe/mails");
    BOOST_TEST(read->batch_ms == 0);
}

BOOST_AUTO_TEST_CASE(what_is_wrong_is_named_by_its_place) {
    const auto wrong = [](std::string_view text) {
        const auto read = parse_notification_settings(text);
        BOOST_TEST_REQUIRE(read.has_error(), text);
        BOOST_TEST((read.error().code == code::config_invalid));
        return read.error().detail;
    };
    for (const auto* url : {"mail.example.org:25", "http://x:25", "smtp://x", "smtp://:25", "smtp://x:", "smtp://x:y",
                            "smtp://u@x:25", "smtp://x:123456", "smtp://[]:25"}) {
        BOOST_TEST(wrong(R"({"smtp":{"url":")" + std::string(url) + R"(","from":"a@b"}})").starts_with("/smtp/url: "),
                   url);
    }
    BOOST_TEST(wrong(R"({"smtp":{"url":"smtp://x:25"}})").starts_with("/smtp/from: "));
    BOOST_TEST(wrong(R"({"webhook_allow":"no host!"})").starts_with("/webhook_allow: "));
    BOOST_TEST(wrong(R"({"batch_ms":-1})").starts_with("/batch_ms: "));
    BOOST_TEST(wrong(R"({"smpt":{}})").starts_with("/smpt: "));
    BOOST_TEST(!wrong("{").empty());
}

BOOST_AUTO_TEST_SUITE_END()
