#include "tests/fuzz/wire.hpp"

#include "schemas/base/clock.hpp"
#include "schemas/base/log.hpp"
#include "schemas/task.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>

namespace troupe::fuzz {

using namespace net;

/// Delivers two events of the past at once, then nothing.
class wire::quiet_bus : public runtime::bus {
public:
    expected<std::unique_ptr<runtime::subscription>>
    subscribe(runtime::subscription_request request, std::function<void(const runtime::live_event&)> sink) override {
        if (!request.since.empty() && request.since != "start")
            return problem{code::invalid_request, "This cursor cannot be read."};
        for (const auto* id : {"1", "2"})
            sink({id, {1}, request.channels.front(), "noted", R"({"text":"a"})", {}});
        return std::make_unique<runtime::subscription>();
    }
    std::unique_ptr<runtime::subscription>
    observe(uuid, std::function<void(const entity_address&, std::string_view)>) override {
        return std::make_unique<runtime::subscription>();
    }
    void publish(runtime::live_event) override {}
};

std::vector<route> wire::routes() {
    const auto note = [this](const request& r) {
        std::string all = r.path + '\n' + r.body + '\n' + r.who.name + '\n';
        for (const auto* texts : {&r.params, &r.query})
            for (const auto& [name, value] : *texts)
                all += name + '=' + value + '\n';
        now_.handled.push_back(std::move(all));
    };
    const auto answer_body = [note](request r, const responder& answer) {
        note(r);
        answer({.body = r.body.empty() ? "{}" : r.body});
    };
    const auto show = [note](request r, const std::function<void(expected<stream_spec>)>& shown) {
        note(r);
        shown(stream_spec{{"runs/" + std::string(r.param("id"))}, {}});
    };
    return {
        {.verb = verb::get,
         .path = "/tasks",
         .operation = "list_tasks",
         .permission = "task:read",
         .query = {{"limit", "", R"({"type":"integer","minimum":1,"maximum":100})"},
                   {"status", "", R"({"type":"string","enum":["inbox","done"]})"},
                   {"title", ""},
                   {"open", "", R"({"type":"boolean"})"}},
         .run = answer_body},
        {.verb = verb::post,
         .path = "/tasks",
         .operation = "create_task",
         .permission = "task:write",
         .body = body_of<create_task_body>("create_task", 2048),
         .run = answer_body},
        {.verb = verb::get, .path = "/tasks/{id}", .operation = "get_task", .run = answer_body},
        {.verb = verb::put,
         .path = "/files/{path}",
         .operation = "put_file",
         .permission = "file:write",
         .body = body_type{.name = "file",
                           .schema = {},
                           .check = {},
                           .bytes_max = 4096,
                           .content_type = "application/octet-stream"},
         .run = answer_body},
        {.verb = verb::get,
         .path = "/runs/{id}/events",
         .operation = "run_events",
         .query = {{"since", ""}, {"after", ""}},
         .run = answer_body,
         .stream = show},
        {.verb = verb::get,
         .path = "/ws/runs/{id}",
         .operation = "run_socket",
         .permission = "run:read",
         .stream = show},
        {.verb = verb::get, .path = "/lost", .operation = "lost", .run = [](request, const responder&) {}},
        {.verb = verb::get,
         .path = "/echo",
         .operation = "echo",
         .query = {{"text", ""}},
         .run =
             [](request r, const responder& answer) {
                 answer({.headers = {{"X-Echo", std::string(r.query_value("text").value_or(""))}}});
             },
         .rooted = true},
    };
}

/// Time stands still, so that an input means the same on a machine that is busy or stops for a while.
wire::wire() : bus_(std::make_shared<quiet_bus>()), io_(std::make_shared<io_thread>()) {
    static const std::atomic<std::int64_t> now_ms{1'700'000'000'000};
    use_virtual_time(&now_ms);
    server_hooks hooks;
    hooks.bus = bus_.get();
    hooks.authenticate = [](const request& r) -> expected<principal> {
        if (r.header("authorization").value_or("") != "Bearer good")
            return problem{code::unauthenticated, "Send a key."};
        return principal{.name = "key/1"};
    };
    hooks.authorize = [](const principal&, std::string_view) { return expected<void>(); };
    hooks.authorize_channel = [](const principal&, std::string_view channel) -> expected<void> {
        if (channel.starts_with("secret"))
            return problem{code::forbidden, "This channel is not yours."};
        return {};
    };
    hooks.on_request = [this](const answered_request& r) {
        now_.requests.emplace_back(r.to ? r.to->operation : std::string(), r.status);
    };
    auto made = router::make(routes());
    claim(made.has_value(), "the routes are good");
    server_settings settings;
    settings.header_bytes_max = 2048; // small, so that limits are met
    settings.stream_queue_events_max = 8;
    settings.websocket_message_bytes_max = 1024;
    settings.websocket_channels_max = 6;
    edge_ = std::make_shared<edge>(std::move(settings), std::move(hooks), std::move(*made));
    edge_->server_name = "troupe/fuzz";
}

/// Until nothing is left to do; reads what was sent.
void wire::drive(int peer, talk& into) {
    std::array<char, 64 * 1024> piece{};
    for (bool idle = false; !idle;) {
        io_->context().restart();
        idle = io_->context().poll() == 0;
        for (ssize_t got = 0; (got = ::recv(peer, piece.data(), piece.size(), MSG_DONTWAIT)) > 0; idle = false)
            into.sent.append(piece.data(), static_cast<std::size_t>(got));
    }
}

wire::talk wire::run(const std::vector<std::string_view>& pieces) {
    now_ = {};
    int ends[2];
    claim(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0, "there are sockets");
    {
        tcp_socket socket(io_->context());
        socket.assign(boost::asio::ip::tcp::v4(), ends[0]);
        std::make_shared<http_connection>(edge_, *io_, edge_socket(std::move(socket)))->start();
    }
    talk out;
    drive(ends[1], out);
    for (auto piece : pieces) {
        while (!piece.empty()) {
            const auto sent = ::send(ends[1], piece.data(), piece.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
            if (sent <= 0)
                break; // the edge has closed
            piece.remove_prefix(static_cast<std::size_t>(sent));
            drive(ends[1], out);
        }
    }
    ::shutdown(ends[1], SHUT_WR);
    drive(ends[1], out);
    io_->abort_all();
    drive(ends[1], out);
    ::close(ends[1]);
    claim(edge_->connections.now() == 0, "no connection is left behind");
    out.requests = std::move(now_.requests);
    out.handled = std::move(now_.handled);
    return out;
}

std::vector<std::string_view> pieces_of(std::string_view text, std::uint32_t seed) {
    std::vector<std::string_view> out;
    in_pieces(text, seed, [&](std::string_view piece) { out.push_back(piece); });
    return out;
}

} // namespace troupe::fuzz
