#include "net/devtools/connection.hpp"
#include "net/devtools/message.hpp"
#include "tests/net/loopback_server.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::net;

BOOST_AUTO_TEST_SUITE(devtools_protocol)

BOOST_AUTO_TEST_CASE(commands_are_written_with_their_page) {
    BOOST_TEST(devtools::write_command(7, "S1", "Page.navigate", R"({"url":"http://a/"})") ==
               R"({"id":7,"method":"Page.navigate","params":{"url":"http://a/"},"sessionId":"S1"})");
    BOOST_TEST(devtools::write_command(8, "", "Browser.close", "") ==
               R"({"id":8,"method":"Browser.close","params":{}})");
}

BOOST_AUTO_TEST_CASE(replies_events_and_refusals_are_told_apart) {
    const auto reply = devtools::read_message(R"({"id":7,"result":{"a":1},"sessionId":"S1"})");
    BOOST_REQUIRE(reply);
    BOOST_TEST(reply->id == 7U);
    BOOST_TEST(reply->session == "S1");
    BOOST_TEST(reply->content().int_or("a") == 1);
    BOOST_TEST(!reply->refusal);

    const auto event = devtools::read_message(R"({"method":"Page.loadEventFired","params":{"timestamp":2}})");
    BOOST_REQUIRE(event);
    BOOST_TEST(event->id == 0U);
    BOOST_TEST(event->method == "Page.loadEventFired");
    BOOST_TEST(event->content().int_or("timestamp") == 2);

    const auto refused = devtools::read_message(R"({"id":3,"error":{"code":-32000,"message":"No node"}})");
    BOOST_REQUIRE((refused && refused->refusal));
    BOOST_TEST(refused->refusal->detail == "the browser refused: No node");
}

BOOST_AUTO_TEST_CASE(what_is_no_message_is_refused) {
    for (const auto* text : {"", "[]", "7", "{}", R"({"id":0})", R"({"id":1,"method":"both"})", "{\"id\":1"}) {
        BOOST_TEST(!devtools::read_message(text), text);
    }
}

BOOST_AUTO_TEST_CASE(halves_of_characters_in_texts_of_pages_are_replaced) {
    const auto said = [](const std::string& text) {
        const auto m = devtools::read_message(R"({"id":1,"result":{"text":")" + text + "\"}}");
        return m ? m->content().text_or("text") : "no message";
    };
    BOOST_TEST(said("a\\ud83d\\ude00b") == "a\xf0\x9f\x98\x80"
                                           "b");
    BOOST_TEST(said("a\\ud83db") == "a\xef\xbf\xbd"
                                    "b");
    BOOST_TEST(said("\\ude00") == "\xef\xbf\xbd");
    BOOST_TEST(said("\\ud83d\\ud83d\\ude00") == "\xef\xbf\xbd\xf0\x9f\x98\x80");
    BOOST_TEST(said("\\\\ud83d") == "\\ud83d");
    BOOST_TEST(said("\\u0041\\n") == "A\n");
}

BOOST_AUTO_TEST_CASE(only_browsers_of_this_machine_are_driven) {
    const auto ignore = [](const devtools::message&) {};
    BOOST_TEST((devtools::connection::open("ws://10.0.0.1:1/x", ignore, 100).error().code == code::invalid_request));
    BOOST_TEST((devtools::connection::open("http://127.0.0.1:1/x", ignore, 100).error().code == code::invalid_request));
    BOOST_TEST((devtools::connection::open("ws://127.0.0.1/x", ignore, 100).error().code == code::invalid_request));
    const test::loopback_server no_browser([](test::peer& client) {
        client.read_request();
        client.send("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    });
    const auto url = no_browser.url("/x");
    BOOST_TEST(
        (devtools::connection::open("ws" + url.substr(4), ignore, 2000).error().code == code::connection_failed));
}

BOOST_AUTO_TEST_SUITE_END()
