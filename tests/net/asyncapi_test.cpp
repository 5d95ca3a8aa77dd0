#include "net/websocket/asyncapi.hpp"

#include "net/websocket/live_messages.hpp"
#include "schemas/base/json.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <variant>
#include <vector>

namespace asyncapi_test_types {
struct note_written {
    std::string text;
};
BOOST_DESCRIBE_STRUCT(note_written, (), (text))
struct note_lost {
    std::int64_t times = 0;
};
BOOST_DESCRIBE_STRUCT(note_lost, (), (times))
} // namespace asyncapi_test_types
TROUPE_NAMED(asyncapi_test_types::note_written)
TROUPE_NAMED(asyncapi_test_types::note_lost)

using namespace troupe;
using namespace troupe::net;
using namespace asyncapi_test_types;

namespace {

std::vector<live_channel> channels() {
    std::vector<live_channel> out{
        {"notes", "notes/{id}", "A note.", messages_of<std::variant<note_written, note_lost>>()},
        {"all", "all", "Everything.", {}, true}};
    out.front().messages.push_back({"token", [] { return std::string(R"({"type":"string"})"); }, true});
    return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(asyncapi)

BOOST_AUTO_TEST_CASE(channels_and_messages_come_from_one_declaration) {
    const auto document = json::document::parse(make_asyncapi(channels(), "1.2"));
    BOOST_REQUIRE(document.has_value());
    const auto root = document->root();
    BOOST_TEST(root.text_or("asyncapi") == "3.0.0");
    const auto text = [&](std::string_view pointer) {
        const auto found = root.pointer(pointer);
        BOOST_REQUIRE_MESSAGE(found.has_value(), pointer);
        return found->dump();
    };
    BOOST_TEST(text("/channels/notes/address") == R"("notes/{id}")");
    BOOST_TEST(root.pointer("/channels/notes/parameters/id").has_value());
    BOOST_TEST(root.pointer("/channels/notes/messages")->size() == 4U); // and `reset`
    BOOST_TEST(text("/components/messages/notes.note_lost/payload/properties/kind/const") == R"("note_lost")");
    BOOST_TEST(text("/components/messages/notes.note_written/payload/properties/data/properties/text/type") ==
               R"("string")");
    // what is only live has no cursor, and of many entities `data` says which
    BOOST_TEST(text("/components/messages/notes.token/payload/properties/id/maxLength") == "0");
    BOOST_TEST(root.pointer("/components/messages/all.event/payload/properties/data/properties/entity").has_value());
    BOOST_TEST(text("/operations/show_notes/action") == R"("send")");
    BOOST_TEST(text("/operations/ask/action") == R"("receive")");
}

BOOST_AUTO_TEST_CASE(what_the_node_answers_is_what_is_described) {
    client_message m;
    m.channels = {"runs/*"};
    m.ref = "1";
    BOOST_TEST(subscribed_message("s1", m) ==
               R"({"op":"subscribed","subscription":"s1","channels":["runs/*"],"ref":"1"})");
    BOOST_TEST(unsubscribed_message(m) == R"({"op":"unsubscribed","channels":["runs/*"],"ref":"1"})");
    m.subscription = "s1";
    m.ref.clear();
    BOOST_TEST(unsubscribed_message(m) == R"({"op":"unsubscribed","subscription":"s1"})");
    BOOST_TEST(pong_message("") == R"({"op":"pong"})");
    BOOST_TEST(from_json<error_reply>(error_message({code::not_found, "nothing"}, "2"), strictness::input).has_value());
    BOOST_TEST(dropped_message({}) == R"({"op":"dropped","subscriptions":[]})");
}

BOOST_AUTO_TEST_SUITE_END()
