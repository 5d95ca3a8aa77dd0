#pragma once

#include "net/http/server.hpp"
#include "net/http/stream_query.hpp"
#include "schemas/base/described.hpp"
#include "schemas/base/log.hpp"
#include "tests/net/fake_bus.hpp"
#include "tests/net/loopback.hpp"

#include <boost/test/unit_test.hpp>

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::net::test {

struct echo_body {
    std::string text;
    std::optional<std::int64_t> weight;
    static constexpr field_rule rules[] = {{.name = "text", .required = true, .min = 1, .max = 4000}};
};
BOOST_DESCRIBE_STRUCT(echo_body, (), (text, weight))

/// A server on a free port with a few routes; whoever has the key "good" may do everything.
struct server_fixture {
    explicit server_fixture(server_settings settings = {}) {
        settings.listen = "127.0.0.1:0";
        BOOST_REQUIRE(set_log_levels("off").has_value()); // refusals are expected here
        server_hooks hooks;
        hooks.routes = routes();
        hooks.bus = &bus;
        hooks.instance = "n1";
        hooks.authenticate = [](const request& r) -> expected<principal> {
            if (r.header("authorization").value_or("") != "Bearer good")
                return problem{code::unauthenticated, "Send a key."};
            return principal{.name = "key/1"};
        };
        hooks.authorize = [](const principal&, std::string_view permission) -> expected<void> {
            if (permission == "nobody")
                return problem{code::forbidden, "Nobody may do this."};
            return {};
        };
        hooks.authorize_channel = [](const principal&, std::string_view channel) -> expected<void> {
            if (channel.starts_with("secret"))
                return problem{code::forbidden, "This channel is not yours."};
            return {};
        };
        hooks.on_request = [this](const answered_request& r) {
            const std::lock_guard lock(mutex);
            requests.emplace_back(r.to ? r.to->operation : std::string(), r.status);
        };
        hooks.on_failed_request = [this](const failed_request& r) {
            const std::lock_guard lock(mutex);
            failed.push_back((r.to ? r.to->operation : "none") + " " + std::string(r.id) + " " +
                             std::string(explain(*r.why).name) + ": " + std::string(r.detail));
        };
        auto started = server::start(settings, std::move(hooks));
        BOOST_REQUIRE_MESSAGE(started.has_value(), (started ? std::string() : started.error().detail));
        edge = std::move(*started);
    }

    [[nodiscard]] std::uint16_t port() const { return edge->port(); }

    /// One request on a connection of its own.
    reply ask(std::string_view method, std::string_view target, std::string_view body = {},
              std::string_view headers = "Authorization: Bearer good\r\n") const {
        raw_client client(port());
        client.send(raw_client::request(method, target, body, headers));
        return client.read_reply(method != "HEAD");
    }

    /// Takes the responder that the route /held has stored.
    responder take_held() {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return held != nullptr; });
        return std::exchange(held, nullptr);
    }

    std::vector<route> routes() {
        route hello{.verb = verb::get,
                    .path = "/hello",
                    .operation = "hello",
                    .query = {{"name", ""}},
                    .run = [](request r, responder answer) {
                        answer({.body = R"({"hello":")" + std::string(r.query_value("name").value_or("")) + "\"}"});
                    }};
        route echo{.verb = verb::post,
                   .path = "/echo",
                   .operation = "echo",
                   .permission = "echo:write",
                   .body = body_of<echo_body>("echo_body", 8192),
                   .run = [](request r, responder answer) { answer({.body = r.body}); }};
        route raw{.verb = verb::put,
                  .path = "/files/{path}",
                  .operation = "put_file",
                  .permission = "file:write",
                  .body = body_type{.name = "file",
                                    .schema = {},
                                    .check = {},
                                    .bytes_max = 1 << 20,
                                    .content_type = "application/octet-stream"},
                  .run = [](request r, responder answer) {
                      answer({.body = std::move(r.body), .content_type = "application/octet-stream"});
                  }};
        route headers{
            .verb = verb::get, .path = "/headers", .operation = "headers", .run = [](request r, responder answer) {
                answer({.body = "{}", .headers = {{"X-Trace", r.trace}, {"X-Evil", "a\r\nSet-Cookie: b"}}});
            }};
        route lost{.verb = verb::get, .path = "/lost", .operation = "lost", .run = [](request, responder) {}};
        route held_route{
            .verb = verb::get, .path = "/held", .operation = "held", .run = [this](request, responder answer) {
                const std::lock_guard lock(mutex);
                held = std::move(answer);
                changed.notify_all();
            }};
        route twice{.verb = verb::get, .path = "/twice", .operation = "twice", .run = [](request, responder answer) {
                        answer({.body = R"("first")"});
                        answer({.body = R"("second")"});
                    }};
        route throws{.verb = verb::get, .path = "/throws", .operation = "throws", .run = [](request, responder) {
                         throw std::runtime_error("a defect");
                     }};
        route forbidden{.verb = verb::get,
                        .path = "/forbidden",
                        .operation = "forbidden",
                        .permission = "nobody",
                        .run = [](request, responder answer) { answer({}); }};
        route live{.verb = verb::get,
                   .path = "/live/{id}",
                   .operation = "live",
                   .permission = "live:read",
                   .query = stream_parameters(),
                   .run = [](request, responder answer) { answer({.body = R"({"live":false})"}); },
                   .stream =
                       [](request r, std::function<void(expected<stream_spec>)> show) {
                           if (r.param("id") == "none")
                               return show(problem{code::not_found, "There is no such thing."});
                           if (r.param("id") != "lost")
                               show(stream_spec{{"runs/" + std::string(r.param("id"))}, {}});
                       }};
        route socket{.verb = verb::get,
                     .path = "/ws/runs/{id}",
                     .operation = "ws_run",
                     .permission = "live:read",
                     .stream = live.stream};
        route client{
            .verb = verb::get, .path = "/client", .operation = "client", .run = [](request r, responder answer) {
                answer({.body = r.address + "|" + std::string(r.user_agent()) + "|" +
                                std::string(r.cookie("session").value_or("")) + (r.secure ? "|secure" : "|plain"),
                        .headers = {{"Set-Cookie", "a=1; HttpOnly"}, {"Set-Cookie", "b=2"}}});
            }};
        route large{.verb = verb::get, .path = "/large", .operation = "large", .run = [](request r, responder answer) {
                        response out{.body = "\"" + std::string(20'000, 'x') + "\"", .headers = {{"ETag", "\"7\""}}};
                        if (r.header("if-none-match").value_or("") == "\"7\"")
                            out = {.status = 304, .headers = out.headers};
                        for (const std::string name : {"if-match", "if-range"})
                            out.headers.emplace_back("x-" + name, r.header(name).value_or(""));
                        answer(std::move(out));
                    }};
        route page{.verb = verb::get, .path = "/page", .operation = "page", .run = [](request, responder answer) {
                       answer({.body = "<p>",
                               .content_type = "text/html",
                               .headers = {{"content-security-policy", "default-src 'self'"}}});
                   }};
        route old{.verb = verb::get,
                  .path = "/old",
                  .operation = "old",
                  .deprecated_since = "2026-11-21",
                  .sunset = "2027-05-21",
                  .run = [](request, responder answer) { answer({.body = "{}"}); }};
        route fed{.verb = verb::get,
                  .path = "/fed/{id}",
                  .operation = "fed",
                  .permission = "live:read",
                  .stream =
                      [this](request r, std::function<void(expected<stream_spec>)> show) {
                          stream_spec spec;
                          if (r.param("id") == "none")
                              spec.instead = response{.status = 409, .body = "{}"};
                          spec.fed = [this](stream_writer w) {
                              const std::lock_guard lock(mutex);
                              writer = std::move(w);
                              changed.notify_all();
                          };
                          spec.closed = [this] {
                              const std::lock_guard lock(mutex);
                              gone = true;
                              changed.notify_all();
                          };
                          show(std::move(spec));
                      },
                  .challenge = [](const request&) { return "Bearer realm=\"fed\""; }};
        return {fed,     client, large,      page,  old,    hello,     echo, raw,
                headers, lost,   held_route, twice, throws, forbidden, live, socket};
    }

    fake_bus bus;
    std::mutex mutex;
    std::condition_variable changed;
    responder held;
    stream_writer writer; ///< Of the stream at /fed.
    bool gone = false;    ///< And whether its reader has gone.
    std::vector<std::string> failed;
    std::vector<std::pair<std::string, int>> requests;
    std::unique_ptr<server> edge; // last: its threads use the rest
};

/// The default settings with some changed.
inline server_settings settings_with(const std::function<void(server_settings&)>& change) {
    server_settings out;
    change(out);
    return out;
}

} // namespace troupe::net::test
