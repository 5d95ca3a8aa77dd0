// Requests that wait until what is read shows what other nodes have answered.

#include "tests/net/server_fixture.hpp"

#include <atomic>
#include <functional>
#include <thread>

using namespace troupe;
using namespace troupe::net;
using namespace troupe::net::test;

namespace {

using told = std::function<void(const expected<void>&)>;

struct waiting_edge {
    explicit waiting_edge(std::int64_t time_out_ms = 30'000) {
        BOOST_REQUIRE(set_log_levels("off").has_value()); // refusals are expected here
        server_settings settings;
        settings.listen = "127.0.0.1:0";
        settings.request_time_out_ms = time_out_ms;
        server_hooks hooks;
        hooks.routes = {{.verb = verb::post,
                         .path = "/echo",
                         .operation = "echo",
                         .permission = "echo:write",
                         .body = body_of<echo_body>("echo_body", 8192),
                         .run = [](request r, responder answer) { answer({.body = r.body}); }}};
        hooks.wait_to_read = [this](std::string_view target, told then) {
            const std::lock_guard lock(mutex);
            asked = target;
            waits = std::move(then);
            changed.notify_all();
        };
        hooks.authenticate = [this](const request&) -> expected<principal> {
            ++judged;
            return principal{.name = "key/1"};
        };
        hooks.authorize = [](const principal&, std::string_view) { return expected<void>(); };
        auto started = server::start(settings, std::move(hooks));
        BOOST_REQUIRE(started.has_value());
        edge = std::move(*started);
    }

    /// What the request that came is waiting for.
    told take() {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return waits != nullptr; });
        return std::exchange(waits, nullptr);
    }

    std::mutex mutex;
    std::condition_variable changed;
    told waits;
    std::string asked;
    std::atomic<int> judged{0};
    std::unique_ptr<server> edge; ///< The last: it uses the others.
};

std::string post(std::string_view text) {
    return raw_client::request("POST", "/api/v1/echo?x=1", R"({"text":")" + std::string(text) + "\"}");
}

} // namespace

BOOST_AUTO_TEST_SUITE(edge_catching_up)

BOOST_AUTO_TEST_CASE(nothing_is_judged_before_the_tables_have_all_and_then_all_of_it_is) {
    waiting_edge e;
    raw_client client(e.edge->port());
    client.send(raw_client::request("POST", "/api/v1/echo", R"({"text":"a"})") +
                raw_client::request("POST", "/api/v1/echo", R"({"text":"b"})")); // pipelined
    for (const std::string text : {"a", "b"}) {
        const auto then = e.take();
        BOOST_TEST(e.asked == "/api/v1/echo");
        BOOST_TEST(e.judged == (text == "a" ? 0 : 1));
        std::thread([&] { then({}); }).join(); // from any thread
        const auto answer = client.read_reply(true);
        BOOST_TEST(answer.status == 200);
        BOOST_TEST(answer.body == R"({"text":")" + text + "\"}");
    }
}

BOOST_AUTO_TEST_CASE(why_it_cannot_be_known_is_the_answer) {
    waiting_edge e;
    raw_client client(e.edge->port());
    client.send(post("a"));
    e.take()(problem{code::unavailable, "no majority"});
    const auto answer = client.read_reply(true);
    BOOST_TEST(answer.status == 503);
    BOOST_TEST(answer.body.find("no majority") != std::string::npos);
    BOOST_TEST(e.judged == 0);
}

BOOST_AUTO_TEST_CASE(what_comes_too_late_or_for_nobody_changes_nothing) {
    waiting_edge e(1);
    raw_client client(e.edge->port());
    client.send(post("a"));
    const auto late = e.take();
    BOOST_TEST(client.read_reply(true).status == 503);
    late({});
    raw_client again(e.edge->port());
    again.send(post("b"));
    const auto for_nobody = e.take();
    BOOST_TEST(e.judged == 0); // what was said of the first one is not for this one
    e.edge.reset();
    for_nobody({});
}

BOOST_AUTO_TEST_SUITE_END()
