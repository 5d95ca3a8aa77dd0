#include "net/http/content.hpp"
#include "tests/net/server_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

using namespace troupe;
using namespace troupe::net;
using namespace troupe::net::test;

namespace {

constexpr std::size_t upload_bytes_max = 4 << 20;
constexpr std::string_view key = "Authorization: Bearer good\r\n";

std::string pattern(std::size_t bytes, std::size_t from = 0) {
    std::string out(bytes, '\0');
    for (std::size_t i = 0; i < bytes; ++i)
        out[i] = static_cast<char>('a' + (from + i) % 23);
    return out;
}

/// What the sinks of a test saw.
struct seen_bodies {
    std::mutex mutex;
    std::condition_variable changed;
    std::size_t bytes = 0;
    std::size_t largest = 0;
    int finished = 0;
    int ended = 0;
    bool held = false; ///< `take` waits.
    std::thread::id io_thread;
    bool on_io_thread = false;

    bool wait_for(const std::function<bool()>& what) {
        std::unique_lock lock(mutex);
        return changed.wait_for(lock, std::chrono::seconds(20), what);
    }
    void hold(bool on) {
        const std::lock_guard lock(mutex);
        held = on;
        changed.notify_all();
    }
};

struct counting_sink final : body_sink {
    explicit counting_sink(seen_bodies& s) : seen(s) {}
    ~counting_sink() override {
        const std::lock_guard lock(seen.mutex);
        ++seen.ended;
        seen.changed.notify_all();
    }
    expected<void> take(std::string_view piece) override {
        std::unique_lock lock(seen.mutex);
        good = good && piece == pattern(piece.size(), bytes % 23);
        bytes += piece.size();
        seen.bytes += piece.size();
        seen.largest = std::max(seen.largest, piece.size());
        seen.on_io_thread = seen.on_io_thread || std::this_thread::get_id() == seen.io_thread;
        seen.changed.notify_all();
        seen.changed.wait_for(lock, std::chrono::seconds(20), [&] { return !seen.held; });
        if (piece.find('!') != std::string_view::npos)
            return problem{code::storage_full, "The disk is full."};
        return {};
    }
    expected<void> finish() override {
        const std::lock_guard lock(seen.mutex);
        ++seen.finished;
        seen.changed.notify_all();
        return {};
    }
    seen_bodies& seen;
    std::size_t bytes = 0;
    bool good = true;
};

/// A server that takes and gives contents in pieces.
struct bodies_fixture {
    explicit bodies_fixture(server_settings settings = {}) {
        settings.listen = "127.0.0.1:0";
        settings.io_threads = 1;
        BOOST_REQUIRE(set_log_levels("off").has_value());
        server_hooks hooks;
        hooks.authenticate = [](const request& r) -> expected<principal> {
            if (r.header("authorization").value_or("") != "Bearer good")
                return problem{code::unauthenticated, "Send a key."};
            return principal{.name = "key/1"};
        };
        hooks.authorize = [](const principal&, std::string_view) { return expected<void>(); };
        hooks.routes = {upload(), download(), broken(), thoughtful()};
        auto started = server::start(settings, std::move(hooks));
        BOOST_REQUIRE(started.has_value());
        edge = std::move(*started);
    }

    route upload() {
        return {.verb = verb::put,
                .path = "/uploads/{path}",
                .operation = "upload",
                .permission = "upload",
                .body = body_type{.name = "content",
                                  .schema = {},
                                  .check = {},
                                  .bytes_max = upload_bytes_max,
                                  .content_type = "application/octet-stream"},
                .run =
                    [](request r, responder answer) {
                        const auto& sink = static_cast<const counting_sink&>(*r.received);
                        answer({.body = r.body + (sink.good ? "good " : "bad ") + std::to_string(sink.bytes)});
                    },
                .receive = [this](const request& r) -> expected<std::shared_ptr<body_sink>> {
                    if (r.param("path") == "refused")
                        return problem{code::not_found, "There is no such place."};
                    const std::lock_guard lock(seen.mutex);
                    seen.io_thread = std::this_thread::get_id();
                    return std::make_shared<counting_sink>(seen);
                }};
    }
    route download() {
        return {.verb = verb::get,
                .path = "/downloads/{bytes}",
                .operation = "download",
                .permission = "download",
                .run = [this](request r, responder answer) {
                    content c{std::stoull(std::string(r.param("bytes"))), "\"tag\"", "application/octet-stream", {}};
                    c.read = [this, total = c.bytes](std::uint64_t offset,
                                                     std::uint64_t bytes_max) -> expected<std::string> {
                        reads += 1;
                        const auto count = std::min<std::uint64_t>({bytes_max, 100'000, total - offset});
                        return pattern(static_cast<std::size_t>(count), static_cast<std::size_t>(offset % 23));
                    };
                    answer(to_response(std::move(c), r));
                }};
    }
    route broken() {
        return {.verb = verb::get, .path = "/broken", .operation = "broken", .run = [](request, responder answer) {
                    response r;
                    r.source = body_source{300'000, [first = true]() mutable -> expected<std::string> {
                                               if (!std::exchange(first, false))
                                                   return problem{code::storage_failed, "The disk is gone."};
                                               return std::string(100'000, 'x');
                                           }};
                    answer(std::move(r));
                }};
    }

    /// Says whether it ran on the thread that asked whether it blocks.
    route thoughtful() {
        return {.verb = verb::get,
                .path = "/thoughtful",
                .operation = "think",
                .run =
                    [this](const request&, const responder& answer) {
                        answer({.body = std::this_thread::get_id() == seen.io_thread ? "io" : "other"});
                    },
                .blocks =
                    [this] {
                        seen.io_thread = std::this_thread::get_id();
                        return blocks.load();
                    }};
    }

    [[nodiscard]] reply ask(std::string_view method, std::string_view target, std::string_view body = {},
                            std::string more = {}) const {
        raw_client client(edge->port());
        client.send(raw_client::request(method, "/api/v1" + std::string(target), body, std::string(key) + more));
        return client.read_reply(method != "HEAD");
    }

    seen_bodies seen;
    std::atomic<int> reads{0};
    std::atomic<bool> blocks{false};
    std::unique_ptr<server> edge; // last: its threads use the rest
};

} // namespace

BOOST_AUTO_TEST_SUITE(bodies_in_pieces)

BOOST_AUTO_TEST_CASE(a_large_body_reaches_its_sink_in_pieces_on_another_thread) {
    bodies_fixture f;
    const auto answer = f.ask("PUT", "/uploads/a", pattern(3'000'000));
    BOOST_TEST(answer.status == 200);
    BOOST_TEST(answer.body == "good 3000000");
    BOOST_TEST(f.seen.finished == 1);
    BOOST_TEST(f.seen.largest < 400'000u);
    BOOST_TEST(!f.seen.on_io_thread);
}

BOOST_AUTO_TEST_CASE(a_handler_that_may_block_runs_on_another_thread) {
    bodies_fixture f;
    BOOST_TEST(f.ask("GET", "/thoughtful").body == "io");
    f.blocks = true;
    BOOST_TEST(f.ask("GET", "/thoughtful").body == "other");
    BOOST_TEST(f.ask("GET", "/thoughtful").body == "other");
}

BOOST_AUTO_TEST_CASE(an_empty_and_a_chunked_body_come_whole_and_the_connection_goes_on) {
    bodies_fixture f;
    raw_client client(f.edge->port());
    client.send("PUT /api/v1/uploads/a HTTP/1.1\r\nHost: x\r\n" + std::string(key) + "Content-Length: 0\r\n\r\n");
    BOOST_TEST(client.read_reply().body == "good 0");
    client.send("PUT /api/v1/uploads/a HTTP/1.1\r\nHost: x\r\n" + std::string(key) +
                "Transfer-Encoding: chunked\r\n\r\n");
    const auto bytes = pattern(700'000);
    for (std::size_t at = 0; at < bytes.size(); at += 70'000)
        client.send("11170\r\n" + bytes.substr(at, 70'000) + "\r\n"); // 70 000 in hexadecimal
    client.send("0\r\n\r\n");
    BOOST_TEST(client.read_reply().body == "good 700000");
    client.send(raw_client::request("GET", "/api/v1/downloads/10", {}, key));
    BOOST_TEST(client.read_reply().body == pattern(10));
}

BOOST_AUTO_TEST_CASE(a_body_of_a_pipelined_request_does_not_take_what_follows) {
    bodies_fixture f;
    raw_client client(f.edge->port());
    client.send(raw_client::request("PUT", "/api/v1/uploads/a", pattern(300'000), key) +
                raw_client::request("GET", "/api/v1/downloads/5", {}, key));
    BOOST_TEST(client.read_reply().body == "good 300000");
    BOOST_TEST(client.read_reply().body == pattern(5));
}

BOOST_AUTO_TEST_CASE(a_refused_upload_is_refused_before_its_body) {
    bodies_fixture f;
    raw_client client(f.edge->port());
    client.send("PUT /api/v1/uploads/refused HTTP/1.1\r\nHost: x\r\n" + std::string(key) +
                "Content-Length: 3000000\r\n\r\n");
    const auto answer = client.read_reply();
    BOOST_TEST(answer.status == 404);
    BOOST_TEST(answer.header("connection") == "close");
    BOOST_TEST(f.seen.ended == 0);
}

BOOST_AUTO_TEST_CASE(a_body_over_the_limit_is_refused_however_it_is_announced) {
    bodies_fixture f;
    raw_client announced(f.edge->port());
    announced.send("PUT /api/v1/uploads/a HTTP/1.1\r\nHost: x\r\n" + std::string(key) +
                   "Content-Length: 4194305\r\n\r\n");
    BOOST_TEST(announced.read_reply().status == 413);
    raw_client chunked(f.edge->port());
    chunked.send("PUT /api/v1/uploads/a HTTP/1.1\r\nHost: x\r\n" + std::string(key) +
                 "Transfer-Encoding: chunked\r\n\r\n");
    const auto piece = "100000\r\n" + pattern(1 << 20) + "\r\n";
    for (int i = 0; i < 4; ++i)
        chunked.send(piece);
    chunked.send("1\r\n");
    BOOST_TEST(chunked.read_reply().status == 413);
    BOOST_TEST(f.seen.finished == 0);
    BOOST_TEST(f.seen.wait_for([&] { return f.seen.ended == 1; })); // nothing keeps what had come
}

BOOST_AUTO_TEST_CASE(a_sink_that_refuses_is_the_answer_in_the_middle_and_at_the_end) {
    bodies_fixture f;
    auto bytes = pattern(2'000'000);
    bytes[10] = '!';
    const auto answer = f.ask("PUT", "/uploads/a", bytes);
    BOOST_TEST(answer.status == 507);
    BOOST_TEST(answer.code() == "storage_full");
    raw_client client(f.edge->port());
    client.send(raw_client::request("PUT", "/api/v1/uploads/a", "!", key));
    BOOST_TEST(client.read_reply().status == 507);
    client.send(raw_client::request("GET", "/api/v1/downloads/5", {}, key)); // the body was whole: it goes on
    BOOST_TEST(client.read_reply().body == pattern(5));
    BOOST_TEST(f.seen.finished == 0);
}

BOOST_AUTO_TEST_CASE(a_client_that_leaves_in_the_middle_finishes_nothing) {
    bodies_fixture f;
    {
        raw_client client(f.edge->port());
        client.send("PUT /api/v1/uploads/a HTTP/1.1\r\nHost: x\r\n" + std::string(key) +
                    "Content-Length: 3000000\r\n\r\n" + pattern(1'000'000));
        BOOST_TEST(f.seen.wait_for([&] { return f.seen.bytes > 500'000; }));
    }
    BOOST_TEST(f.seen.wait_for([&] { return f.seen.ended == 1; }));
    BOOST_TEST(f.seen.finished == 0);
}

BOOST_AUTO_TEST_CASE(nothing_more_is_read_while_the_sink_is_behind) {
    bodies_fixture f;
    f.seen.hold(true);
    raw_client client(f.edge->port());
    std::thread sender([&] { client.send(raw_client::request("PUT", "/api/v1/uploads/a", pattern(3'000'000), key)); });
    BOOST_TEST(f.seen.wait_for([&] { return f.seen.bytes > 0; }));
    // Another connection of the same io thread is served meanwhile, again and again: time for it to read on.
    for (int i = 0; i < 50; ++i)
        BOOST_TEST(f.ask("GET", "/downloads/5").body == pattern(5));
    {
        const std::lock_guard lock(f.seen.mutex);
        BOOST_TEST(f.seen.bytes < 400'000u);
    }
    f.seen.hold(false);
    sender.join();
    BOOST_TEST(client.read_reply().body == "good 3000000");
}

BOOST_AUTO_TEST_CASE(a_server_that_stops_does_not_wait_for_a_body_that_does_not_come) {
    bodies_fixture f;
    raw_client client(f.edge->port());
    client.send("PUT /api/v1/uploads/a HTTP/1.1\r\nHost: x\r\n" + std::string(key) + "Content-Length: 3000000\r\n\r\n" +
                pattern(1'000'000));
    BOOST_TEST(f.seen.wait_for([&] { return f.seen.bytes > 500'000; }));
    f.edge->stop(0);
    BOOST_TEST(f.seen.wait_for([&] { return f.seen.ended == 1; }));
    BOOST_TEST(f.seen.finished == 0);
}

BOOST_AUTO_TEST_CASE(a_large_answer_comes_in_pieces_with_its_length) {
    bodies_fixture f;
    const auto answer = f.ask("GET", "/downloads/3000001");
    BOOST_TEST(answer.status == 200);
    BOOST_TEST(answer.header("content-length") == "3000001");
    BOOST_TEST(answer.header("accept-ranges") == "bytes");
    BOOST_TEST((answer.body == pattern(3'000'001)));
    BOOST_TEST(f.reads == 31);
    const auto head = f.ask("HEAD", "/downloads/3000001");
    BOOST_TEST(head.header("content-length") == "3000001");
    BOOST_TEST(f.reads == 31);
}

BOOST_AUTO_TEST_CASE(a_client_that_does_not_read_holds_up_the_source) {
    bodies_fixture f;
    raw_client client(f.edge->port(), 4096);
    client.send(raw_client::request("GET", "/api/v1/downloads/200000000", {}, key));
    client.read_until("\r\n\r\n");
    for (int i = 0; i < 50; ++i)
        BOOST_TEST(f.ask("GET", "/downloads/5").body == pattern(5));
    BOOST_TEST(f.reads < 200); // of 2000: what the sockets' buffers took, and 50 small ones
}

BOOST_AUTO_TEST_CASE(a_source_that_fails_cuts_the_connection) {
    bodies_fixture f;
    raw_client client(f.edge->port());
    client.send(raw_client::request("GET", "/api/v1/broken"));
    const auto all = client.read_to_end();
    BOOST_TEST(all.find("Content-Length: 300000\r\n") != std::string::npos);
    BOOST_TEST(std::ranges::count(all, 'x') < 200'000);
}

BOOST_AUTO_TEST_CASE(one_range_is_given_and_others_are_refused_or_passed_over) {
    bodies_fixture f;
    const auto ranged = [&](const std::string& range, std::string more = {}) {
        return f.ask("GET", "/downloads/200000", {}, "Range: " + range + "\r\n" + more);
    };
    auto answer = ranged("bytes=100-199");
    BOOST_TEST(answer.status == 206);
    BOOST_TEST(answer.header("content-range") == "bytes 100-199/200000");
    BOOST_TEST(answer.body == pattern(100, 100));
    answer = ranged("bytes=1000-");
    BOOST_TEST((answer.body == pattern(199'000, 1000)));
    BOOST_TEST(answer.header("content-length") == "199000");
    answer = ranged("bytes=-10");
    BOOST_TEST(answer.header("content-range") == "bytes 199990-199999/200000");
    BOOST_TEST(ranged("bytes=199999-999999999").body == pattern(1, 199'999));
    BOOST_TEST(ranged("bytes=5-9", "If-Range: \"tag\"\r\n").status == 206);
    BOOST_TEST(ranged("bytes=5-9", "If-Range: \"old\"\r\n").status == 200);
    for (const std::string all : {"bytes=0-1,5-6", "bytes=9-5", "lines=1-2", "bytes=x-2", "bytes=-", "bytes=1-2-3"}) {
        answer = ranged(all);
        BOOST_TEST(answer.status == 200, all);
        BOOST_TEST(answer.body.size() == 200'000u);
    }
    for (const std::string none : {"bytes=200000-", "bytes=200000-300000", "bytes=-0"}) {
        answer = ranged(none);
        BOOST_TEST(answer.status == 416, none);
        BOOST_TEST(answer.header("content-range") == "bytes */200000");
    }
}

BOOST_AUTO_TEST_CASE(a_content_that_the_client_has_is_not_sent) {
    bodies_fixture f;
    for (const std::string known : {"\"tag\"", "\"old\", \"tag\"", "W/\"tag\"", "*"}) {
        const auto answer = f.ask("GET", "/downloads/200000", {}, "If-None-Match: " + known + "\r\n");
        BOOST_TEST(answer.status == 304, known);
        BOOST_TEST(answer.header("etag") == "\"tag\"");
    }
    BOOST_TEST(f.reads == 0);
    BOOST_TEST(f.ask("GET", "/downloads/200000", {}, "If-None-Match: \"old\"\r\n").status == 200);
}

BOOST_AUTO_TEST_SUITE_END()
