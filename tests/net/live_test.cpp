#include "net/http/live_feed.hpp"
#include "net/http/server.hpp"

#include "schemas/base/json.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/net/server_fixture.hpp"

#include <future>

using namespace troupe;
using namespace troupe::net;
using namespace troupe::net::test;

namespace {

const std::string with_key = "Authorization: Bearer good\r\n";
const std::string as_stream = with_key + "Accept: text/event-stream\r\n";

/// A stream whose head has been read.
std::unique_ptr<raw_client> open_stream(const server_fixture& f, std::string_view target, std::string_view headers,
                                        int receive_buffer_bytes = 0) {
    auto out = std::make_unique<raw_client>(f.port(), receive_buffer_bytes);
    out->send(raw_client::request("GET", target, {}, headers));
    const auto head = out->read_until("\r\n\r\n");
    BOOST_TEST(head.starts_with("HTTP/1.1 200 OK\r\n"));
    BOOST_TEST(head.find("Content-Type: text/event-stream\r\n") != std::string::npos);
    BOOST_TEST(out->read_until("\n\n") == "retry: 2000\n: connected\n\n");
    return out;
}

const std::string upgrade = raw_client::request("GET", "/ws", {},
                                                "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                                                "Sec-WebSocket-Version: 13\r\n"
                                                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
                                                    with_key);

std::string field(std::string_view text, std::string_view pointer) {
    const auto document = json::document::parse(text);
    if (!document)
        return "no JSON: " + std::string(text);
    const auto found = document->root().pointer(pointer);
    return !found ? "" : found->as_string() ? std::string(*found->as_string()) : found->dump();
}

/// Small queues, so that they fill.
server_settings small_queues() {
    return settings_with([](auto& s) { s.stream_queue_events_max = 16; });
}

/// Fills a reader that does not read: more than any socket buffer and the queue hold.
void flood(fake_bus& bus, timestamp at = system_now()) {
    const std::string big = "\"" + std::string(200'000, 'x') + "\"";
    for (int i = 0; i < 100; ++i)
        bus.publish("runs/1", big, at);
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(event_streams, server_fixture)

BOOST_AUTO_TEST_CASE(a_handler_may_feed_a_stream_itself) {
    server_fixture f;
    auto client = open_stream(f, "/api/v1/fed/1", as_stream);
    stream_writer write;
    {
        std::unique_lock lock(f.mutex);
        f.changed.wait(lock, [&] { return f.writer != nullptr; });
        write = f.writer;
    }
    BOOST_TEST(write({"data: one\n\n", false}));
    BOOST_TEST(client->read_until("\n\n") == "data: one\n\n");
    BOOST_TEST(write({"data: two\n\n", true}));
    BOOST_TEST(client->read_until("\n\n") == "data: two\n\n");
    BOOST_TEST(!write({"data: three\n\n", false})); // the second was the last
    std::unique_lock lock(f.mutex);
    f.changed.wait(lock, [&] { return f.gone; });
}

BOOST_AUTO_TEST_CASE(who_feeds_a_stream_hears_that_its_reader_has_gone) {
    server_fixture f;
    open_stream(f, "/api/v1/fed/1", as_stream).reset();
    std::unique_lock lock(f.mutex);
    f.changed.wait(lock, [&] { return f.gone; });
}

BOOST_AUTO_TEST_CASE(in_place_of_a_stream_there_may_be_an_answer) {
    const server_fixture f;
    BOOST_TEST(f.ask("GET", "/api/v1/fed/none").status == 409);
    const auto stranger = f.ask("GET", "/api/v1/fed/1", {}, "");
    BOOST_TEST(stranger.status == 401);
    BOOST_TEST(stranger.header("www-authenticate") == "Bearer realm=\"fed\"");
}

BOOST_AUTO_TEST_CASE(the_past_comes_before_the_present) {
    bus.publish("runs/1", "1");
    bus.publish("runs/2", "2");
    bus.publish("runs/1", "3");
    const auto stream = open_stream(*this, "/api/v1/live/1?since=start", as_stream);
    BOOST_TEST(stream->read_until("\n\n").starts_with("id: 1\nevent: noted\ndata: {\"id\":\"1\",\"ts\":"));
    BOOST_TEST(stream->read_until("\n\n").find("\"data\":3}") != std::string::npos);
    bus.publish("runs/1", "{\"a\":\n4}");
    BOOST_TEST(stream->read_until("\n\n").find("\"data\":{\"a\": 4}}") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_stream_resumes_after_its_last_event) {
    for (const auto* n : {"1", "2", "3"})
        bus.publish("runs/1", n);
    const auto stream = open_stream(*this, "/api/live/1?since=start", as_stream + "Last-Event-ID: 2\r\n");
    BOOST_TEST(stream->read_until("\n\n").starts_with("id: 3\n"));
}

BOOST_AUTO_TEST_CASE(without_asking_for_a_stream_the_handler_answers) {
    BOOST_TEST(ask("GET", "/api/live/1").body == R"({"live":false})");
}

BOOST_AUTO_TEST_CASE(refused_streams_are_problems) {
    const auto none = ask("GET", "/api/live/none", {}, as_stream);
    BOOST_TEST(none.status == 404);
    BOOST_TEST(none.code() == "not_found");
    BOOST_TEST(ask("GET", "/api/live/lost", {}, as_stream).code() == "unavailable");
    BOOST_TEST(ask("GET", "/api/live/1?since=garbage", {}, as_stream).code() == "invalid_request");
    BOOST_TEST(ask("GET", "/api/live/1", {}, "Accept: text/event-stream\r\n").status == 401);
}

BOOST_AUTO_TEST_CASE(a_stream_that_its_client_leaves_is_given_up) {
    auto stream = open_stream(*this, "/api/live/1", as_stream);
    BOOST_TEST(bus.wait_for_subscriptions(1));
    stream.reset();
    BOOST_TEST(bus.wait_for_subscriptions(0));
}

BOOST_AUTO_TEST_CASE(a_drain_ends_streams_with_a_reason) {
    const auto stream = open_stream(*this, "/api/live/1", as_stream);
    edge->stop(10'000);
    const auto rest = stream->read_to_end();
    BOOST_TEST(rest.starts_with("event: closed\n"));
    BOOST_TEST(rest.find("stopping") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_reader_that_is_too_slow_is_told_where_to_resume) {
    server_fixture f(small_queues());
    f.bus.publish("runs/1", "\"first\"");
    const auto stream = open_stream(f, "/api/live/1?since=start", as_stream, 4096);
    flood(f.bus);
    BOOST_TEST(f.bus.wait_for_subscriptions(0)); // dropped
    const auto all = stream->read_to_end();
    const auto last = all.substr(all.rfind("\nid: ") + 5);
    BOOST_TEST(last.find("\nevent: dropped\n") != std::string::npos);
    // The cursor is that of the last event that did arrive.
    const auto cursor = last.substr(0, last.find('\n'));
    BOOST_TEST(all.find("id: " + cursor + "\nevent: noted\n") != std::string::npos);
    BOOST_TEST(all.find("id: " + std::to_string(std::stoi(cursor) + 1) + "\n") == std::string::npos);
    BOOST_TEST(std::stoi(cursor) < 101);
}

BOOST_AUTO_TEST_CASE(a_reader_of_a_long_past_gets_all_of_it) {
    server_fixture f(small_queues());
    for (int i = 0; i < 500; ++i)
        f.bus.publish("runs/1", std::to_string(i), system_now() + -3'600'000);
    const auto stream = open_stream(f, "/api/live/1?since=start", as_stream);
    for (int i = 1; i <= 500; ++i)
        BOOST_REQUIRE(stream->read_until("\n\n").starts_with("id: " + std::to_string(i) + "\n"));
    BOOST_TEST(f.bus.subscribed() > 1U); // it was paused in between
    f.bus.publish("runs/1", "\"now\"");
    BOOST_TEST(stream->read_until("\n\n").starts_with("id: 501\n"));
}

BOOST_AUTO_TEST_CASE(a_silent_stream_has_a_heartbeat) {
    server_fixture f(settings_with([](auto& s) { s.heartbeat_ms = 1; }));
    const auto stream = open_stream(f, "/api/live/1", as_stream);
    BOOST_TEST(stream->read_until("\n\n") == ": heartbeat\n\n");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(websockets, server_fixture)

BOOST_AUTO_TEST_CASE(all_three_paths_are_accepted) {
    for (const auto* path : {"/ws", "/api/ws", "/api/v1/ws"}) {
        raw_websocket socket(port(), path, with_key);
        BOOST_TEST(socket.accepted().status == 101);
        BOOST_TEST(socket.accepted().header("sec-websocket-accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        socket.send_text(R"({"op":"ping","ref":"9"})");
        BOOST_TEST(socket.read_text() == R"({"op":"pong","ref":"9"})");
    }
}

BOOST_AUTO_TEST_CASE(an_upgrade_needs_a_key) {
    const raw_websocket nobody(port(), "/ws");
    BOOST_TEST(nobody.accepted().status == 401);
    BOOST_TEST(nobody.accepted().code() == "unauthenticated");
    const raw_websocket browser(port(), "/ws", "Sec-WebSocket-Protocol: troupe.v1, troupe.key.good\r\n");
    BOOST_TEST(browser.accepted().status == 101);
    BOOST_TEST(browser.accepted().header("sec-websocket-protocol") == "troupe.v1");
    const raw_websocket wrong(port(), "/ws", "Sec-WebSocket-Protocol: troupe.key.bad\r\n");
    BOOST_TEST(wrong.accepted().status == 401);
}

BOOST_AUTO_TEST_CASE(a_plain_request_at_a_socket_path_is_told_to_upgrade) {
    const auto r = ask("GET", "/api/v1/ws");
    BOOST_TEST(r.status == 426);
    BOOST_TEST(r.header("upgrade") == "websocket");
    const raw_websocket elsewhere(port(), "/api/v1/hello", with_key);
    BOOST_TEST(elsewhere.accepted().status == 404);
}

BOOST_AUTO_TEST_CASE(subscribed_channels_come_until_they_are_unsubscribed) {
    raw_websocket socket(port(), "/ws", with_key);
    socket.send_text(R"({"op":"subscribe","channels":["runs/*","tasks/1"],"ref":"a"})");
    const auto subscribed = socket.read_text();
    BOOST_TEST(subscribed == R"({"op":"subscribed","subscription":"s1","channels":["runs/*","tasks/1"],"ref":"a"})");
    bus.publish("tasks/2", "0");
    bus.publish("runs/7", "1");
    bus.publish("tasks/1", "2");
    const auto first = socket.read_text();
    BOOST_TEST(field(first, "/channel") == "runs/7");
    BOOST_TEST(field(first, "/kind") == "noted");
    BOOST_TEST(field(first, "/id") == "2");
    BOOST_TEST(field(socket.read_text(), "/channel") == "tasks/1");
    socket.send_text(R"({"op":"unsubscribe","channels":["runs/*"],"ref":"b"})");
    BOOST_TEST(socket.read_text() == R"({"op":"unsubscribed","channels":["runs/*"],"ref":"b"})");
    bus.publish("runs/7", "3");
    bus.publish("tasks/1", "4");
    BOOST_TEST(field(socket.read_text(), "/data") == "4");
    socket.send_text(R"({"op":"unsubscribe","subscription":"s1"})");
    BOOST_TEST(field(socket.read_text(), "/op") == "unsubscribed");
    BOOST_TEST(bus.wait_for_subscriptions(0));
}

BOOST_AUTO_TEST_CASE(a_subscription_starts_after_its_cursor) {
    for (const auto* n : {"1", "2", "3"})
        bus.publish("runs/1", n);
    raw_websocket socket(port(), "/ws", with_key);
    socket.send_text(R"({"op":"subscribe","channels":["runs/1"],"since":"1"})");
    BOOST_TEST(field(socket.read_text(), "/op") == "subscribed"); // before its events
    BOOST_TEST(field(socket.read_text(), "/id") == "2");
    BOOST_TEST(field(socket.read_text(), "/id") == "3");
}

BOOST_AUTO_TEST_CASE(mistakes_are_answered_and_the_socket_goes_on) {
    raw_websocket socket(port(), "/ws", with_key);
    const auto problem_of = [&](std::string_view message) {
        socket.send_text(message);
        const auto answer = socket.read_text();
        BOOST_TEST(field(answer, "/op") == "error");
        return answer;
    };
    BOOST_TEST(field(problem_of("{"), "/problem/code") == "malformed_json");
    BOOST_TEST(field(problem_of(R"({"op":"dance","ref":"4"})"), "/problem/errors/0/pointer") == "/op");
    BOOST_TEST(field(problem_of(R"({"op":"dance","ref":"4"})"), "/ref") == "4");
    BOOST_TEST(field(problem_of(R"({"op":"ping","colour":1})"), "/problem/errors/0/pointer") == "/colour");
    BOOST_TEST(field(problem_of(R"({"op":"subscribe","channels":[]})"), "/problem/code") == "invalid_request");
    BOOST_TEST(field(problem_of(R"({"op":"subscribe","channels":["secret/1"]})"), "/problem/code") == "forbidden");
    BOOST_TEST(field(problem_of(R"({"op":"subscribe","channels":["a"],"since":"garbage"})"), "/problem/code") ==
               "invalid_request");
    BOOST_TEST(field(problem_of(R"({"op":"unsubscribe","channels":["a"]})"), "/problem/code") == "not_found");
    socket.send_frame(2, "binary");
    BOOST_TEST(field(socket.read_text(), "/problem/code") == "invalid_request");
    socket.send_text(R"({"op":"ping"})");
    BOOST_TEST(socket.read_text() == R"({"op":"pong"})");
}

BOOST_AUTO_TEST_CASE(channels_and_messages_have_limits) {
    server_fixture f(settings_with([](auto& s) { s.websocket_channels_max = 2; }));
    raw_websocket socket(f.port(), "/ws", with_key);
    socket.send_text(R"({"op":"subscribe","channels":["a","b"]})");
    BOOST_TEST(field(socket.read_text(), "/op") == "subscribed");
    socket.send_text(R"({"op":"subscribe","channels":["c"]})");
    BOOST_TEST(field(socket.read_text(), "/problem/code") == "overloaded");
    socket.send_text(R"({"op":"unsubscribe","channels":["a"]})");
    BOOST_TEST(field(socket.read_text(), "/op") == "unsubscribed");
    socket.send_text(R"({"op":"subscribe","channels":["c"]})");
    BOOST_TEST(field(socket.read_text(), "/op") == "subscribed");
    socket.send_text(std::string(70'000, ' '));
    const auto last = socket.read();
    BOOST_TEST(last.opcode == 8U);
    BOOST_TEST(last.close_code() == 1009);
}

BOOST_AUTO_TEST_CASE(a_stream_route_is_a_socket_with_its_subscription) {
    for (const auto* path : {"/ws/runs/1", "/api/v1/ws/runs/1", "/api/ws/runs/1", "/api/v1/live/1"}) {
        raw_websocket socket(port(), path, with_key);
        BOOST_REQUIRE(socket.accepted().status == 101);
        BOOST_TEST(field(socket.read_text(), "/channels/0") == "runs/1");
        bus.publish("runs/1", "5");
        BOOST_TEST(field(socket.read_text(), "/data") == "5");
    }
    raw_websocket none(port(), "/ws/runs/none", with_key);
    BOOST_TEST(field(none.read_text(), "/problem/code") == "not_found");
    const raw_websocket nobody(port(), "/ws/runs/1");
    BOOST_TEST(nobody.accepted().status == 401);
}

BOOST_AUTO_TEST_CASE(a_subscription_shows_what_passes_its_filter) {
    raw_websocket socket(port(), "/ws", with_key);
    socket.send_text(R"({"op":"subscribe","channels":["runs/*"],"filter":{"kinds":["not*"],"where":["a.b=7"]}})");
    BOOST_TEST(field(socket.read_text(), "/op") == "subscribed");
    bus.publish("runs/1", R"({"a":{"b":6}})");
    bus.publish("runs/1", R"({"a":{"b":7}})");
    BOOST_TEST(field(socket.read_text(), "/data/a/b") == "7");
    socket.send_text(R"({"op":"subscribe","channels":["runs/*"],"filter":{"where":["a"]}})");
    BOOST_TEST(field(socket.read_text(), "/problem/errors/0/pointer") == "/filter/where");
    const auto stream = open_stream(*this, "/api/v1/live/1?since=start&kind=x,not*&where=a.b=7", as_stream);
    BOOST_TEST(stream->read_until("\n\n").starts_with("id: 2\n"));
    BOOST_TEST(ask("GET", "/api/v1/live/1?where=a", {}, as_stream).code() == "invalid_request");
}

BOOST_AUTO_TEST_CASE(a_silent_client_is_pinged_and_then_given_up) {
    server_fixture f(settings_with([](auto& s) { s.websocket_time_out_ms = 500; }));
    raw_client client(f.port());
    client.send(upgrade);
    client.read_until("\r\n\r\n");
    BOOST_TEST(client.read_to_end() == std::string("\x89\0", 2)); // and nothing else until its end
    raw_client answers(f.port());
    answers.send(upgrade);
    answers.read_until("\r\n\r\n");
    for (int i = 0; i < 4; ++i) { // twice as long as a silent one is kept
        BOOST_TEST(answers.read_bytes(2) == std::string("\x89\0", 2));
        answers.send(std::string("\x8a\x80\0\0\0\0", 6));
    }
}

BOOST_AUTO_TEST_CASE(what_breaks_the_protocol_ends_the_socket_with_its_code) {
    raw_websocket unmasked(port(), "/ws", with_key);
    unmasked.send_frame(3, "x"); // an unknown kind
    BOOST_TEST(unmasked.read().close_code() == 1002);
    raw_websocket garbled(port(), "/ws", with_key);
    garbled.send_frame(1, "\xc3\x28");
    BOOST_TEST(garbled.read().close_code() == 1007);
    raw_websocket polite(port(), "/ws", with_key);
    polite.send_frame(8, "\x03\xe8"
                         "bye");
    const auto end = polite.read();
    BOOST_TEST(end.opcode == 8U);
    BOOST_TEST(end.payload == "\x03\xe8"
                              "bye");
}

BOOST_AUTO_TEST_CASE(readers_of_an_event_share_its_text) {
    const auto texts = [&](live_feed& feed) { return feed.take(1 << 20, 64).texts; };
    const auto encode = [](const runtime::live_event& e) { return runtime::to_envelope(e); };
    std::vector<std::shared_ptr<live_feed>> feeds;
    for (int i = 0; i < 3; ++i) {
        feeds.push_back(std::make_shared<live_feed>(bus, live_feed::limits{1000, 10},
                                                    live_feed::form{i == 2 ? 1U : 0U, encode}, [] {}));
        BOOST_REQUIRE(feeds.back()->subscribe("a", {{}, {"runs/1"}, {}}).has_value());
    }
    bus.publish("runs/1", "1");
    const auto first = texts(*feeds[0]);
    const auto second = texts(*feeds[1]);
    const auto other = texts(*feeds[2]);
    BOOST_REQUIRE((first.size() == 1 && second.size() == 1 && other.size() == 1));
    BOOST_TEST(first[0].get() == second[0].get());
    BOOST_TEST(first[0].get() != other[0].get()); // another form
    BOOST_TEST(first[0]->id == "1");
}

BOOST_AUTO_TEST_CASE(a_reader_with_a_form_of_its_own_gets_that_until_its_last_text) {
    live_feed::form mine{1, nullptr, [seen = 0](const runtime::live_event& e) mutable -> own_text {
                             ++seen;
                             return {seen == 2 ? "" : std::to_string(seen) + e.data, seen == 3};
                         }};
    auto feed = std::make_shared<live_feed>(bus, live_feed::limits{1000, 10}, mine, [] {});
    BOOST_REQUIRE(feed->subscribe("a", {{}, {"runs/1"}, {}}).has_value());
    for (const auto* data : {"1", "2", "3", "4"}) {
        bus.publish("runs/1", data);
    }
    const auto taken = feed->take(1 << 20, 64);
    BOOST_REQUIRE(taken.texts.size() == 2U); // one was passed over, and nothing follows the last
    BOOST_TEST(taken.texts[0]->bytes.starts_with("1"));
    BOOST_TEST(taken.texts[1]->bytes.starts_with("3"));
    BOOST_TEST(!taken.ended);
    BOOST_TEST(feed->take(1 << 20, 64).ended);
}

BOOST_AUTO_TEST_CASE(a_slow_socket_is_told_where_to_resume) {
    server_fixture f(small_queues());
    raw_websocket socket(f.port(), "/ws", with_key, 4096);
    socket.send_text(R"({"op":"subscribe","channels":["runs/*"]})");
    BOOST_TEST(field(socket.read_text(), "/op") == "subscribed");
    flood(f.bus);
    BOOST_TEST(f.bus.wait_for_subscriptions(0));
    std::string last_id;
    for (;;) {
        const auto text = socket.read_text();
        if (field(text, "/op") == "dropped") {
            BOOST_TEST(field(text, "/subscriptions/0/subscription") == "s1");
            BOOST_TEST(field(text, "/subscriptions/0/since") == last_id);
            break;
        }
        last_id = field(text, "/id");
    }
    const auto end = socket.read();
    BOOST_TEST(end.opcode == 8U);
    BOOST_TEST(end.close_code() == 1013);
}

BOOST_AUTO_TEST_CASE(a_drain_closes_sockets_with_a_reason) {
    auto socket = std::make_unique<raw_websocket>(port(), "/ws", with_key);
    socket->send_text(R"({"op":"ping"})");
    BOOST_TEST(socket->read_text() == R"({"op":"pong"})");
    auto stopped = std::async(std::launch::async, [&] { edge->stop(10'000); });
    const auto end = socket->read();
    BOOST_TEST(end.opcode == 8U);
    BOOST_TEST(end.close_code() == 1001);
    socket->send_frame(8, end.payload);
    socket.reset();
    stopped.get();
    BOOST_TEST(edge->connections() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
