#include "net/http/server.hpp"

#include "net/http/edge.hpp"
#include "net/http/http_connection.hpp"
#include "schemas/base/log.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <atomic>
#include <charconv>
#include <future>
#include <utility>

namespace troupe::net {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using tcp_acceptor = asio::basic_socket_acceptor<tcp, asio::io_context::executor_type>;

/// Connections beyond `connections_max` that still get their 503; more are closed at once.
constexpr std::size_t refused_max = 256;
constexpr int backlog = 4096;
/// Waiting for file descriptors to be free again.
constexpr std::int64_t accept_pause_ms = 100;
/// For connections to notice that they were cut.
constexpr std::int64_t abort_wait_ms = 2'000;

problem cannot_listen(const std::string& where, const std::string& why) {
    return {code::listen_failed, "Cannot listen on " + where + ": " + why +
                                     ". Give an address of this machine and a port, as 127.0.0.1:7117 or [::1]:7117."};
}

expected<tcp::endpoint> parse_endpoint(const std::string& text) {
    const auto colon = text.rfind(':');
    if (colon == std::string::npos)
        return cannot_listen(text, "the port is missing");
    std::string host = text.substr(0, colon);
    const std::string digits = text.substr(colon + 1);
    std::uint16_t port = 0;
    const auto [end, bad] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (bad != std::errc() || end != digits.data() + digits.size())
        return cannot_listen(text, "'" + digits + "' is no port");
    if (host.size() > 2 && host.front() == '[' && host.back() == ']')
        host = host.substr(1, host.size() - 2);
    if (host == "localhost")
        host = "127.0.0.1";
    error_code error;
    const auto address = asio::ip::make_address(host, error);
    if (error)
        return cannot_listen(text, "'" + host + "' is no IP address");
    return tcp::endpoint(address, port);
}

/// The listening socket itself is at fault; anything else passes.
bool is_broken(const error_code& error) {
    return error == asio::error::bad_descriptor || error == asio::error::invalid_argument ||
           error == asio::error::not_socket || error == asio::error::operation_not_supported;
}

} // namespace

struct server::impl {
    std::shared_ptr<edge> shared;
    std::vector<std::shared_ptr<io_thread>> threads;
    std::unique_ptr<tcp_acceptor> acceptor; // on the first thread
    std::unique_ptr<asio::steady_timer> pause;
    tcp::endpoint local;
    std::size_t next = 0; // whose turn it is to get a connection
    std::atomic<bool> stopped = false;

    expected<void> listen(const std::string& where);
    void accept();
    void hand_over(io_thread& io, tcp_socket socket);
};

/// One listener, not one a thread with SO_REUSEPORT: connections spread evenly even when they are few, and a second
/// node on the same port is refused by the kernel.
expected<void> server::impl::listen(const std::string& where) {
    const auto endpoint = parse_endpoint(where);
    if (!endpoint)
        return endpoint.error();
    acceptor = std::make_unique<tcp_acceptor>(threads.front()->context());
    error_code error;
    acceptor->open(endpoint->protocol(), error);
    if (!error)
        acceptor->set_option(asio::socket_base::reuse_address(true), error);
    if (!error)
        acceptor->bind(*endpoint, error);
    if (!error)
        acceptor->listen(backlog, error);
    if (error == asio::error::address_in_use)
        return problem{code::address_in_use, "Another process listens on " + where +
                                                 ": stop it, or choose another address with --listen ADDRESS:PORT "
                                                 "(port 0 picks a free one)."};
    if (error)
        return cannot_listen(where, error.message());
    local = acceptor->local_endpoint(error);
    pause = std::make_unique<asio::steady_timer>(threads.front()->context());
    return {};
}

void server::impl::accept() {
    auto& io = *threads[next++ % threads.size()];
    acceptor->async_accept(io.context(), [this, &io](const error_code& error, tcp_socket socket) {
        if (error == asio::error::operation_aborted || !acceptor->is_open())
            return;
        if (error && is_broken(error)) {
            log_for("edge").error("the listener is broken: {}", error.message());
            if (shared->hooks.on_failed)
                shared->hooks.on_failed("the listener is broken: " + error.message());
            return;
        }
        if (error) {
            log_for("edge").warn("cannot accept a connection: {}", error.message());
            pause->expires_after(std::chrono::milliseconds(accept_pause_ms));
            pause->async_wait([this](const error_code& ended) {
                if (!ended)
                    accept();
            });
            return;
        }
        hand_over(io, std::move(socket));
        accept();
    });
}

void server::impl::hand_over(io_thread& io, tcp_socket socket) {
    const auto open = shared->connections.now();
    const bool refused = open >= shared->settings.connections_max;
    if (open >= shared->settings.connections_max + refused_max)
        return;
    auto c = std::make_shared<http_connection>(shared, io, std::move(socket));
    io.post([c = std::move(c), refused] { refused ? c->refuse() : c->start(); });
}

expected<std::unique_ptr<server>> server::start(server_settings settings, server_hooks hooks) {
    auto routes = router::make(std::move(hooks.routes));
    if (!routes)
        return routes.error();
    auto i = std::make_unique<impl>();
    i->shared = std::make_shared<edge>(std::move(settings), std::move(hooks), std::move(*routes));
    i->shared->server_name = "troupe/" TROUPE_VERSION;
    if (!i->shared->hooks.instance.empty())
        i->shared->server_name += " (" + i->shared->hooks.instance + ")";
    i->shared->workers = std::make_unique<worker_threads>(std::max(1U, i->shared->settings.body_threads));
    const auto count = std::max(1U, i->shared->settings.io_threads);
    for (unsigned n = 0; n < count; ++n)
        i->threads.push_back(std::make_shared<io_thread>());
    if (auto* watch = i->shared->hooks.watch) {
        for (unsigned n = 0; n < count; ++n)
            i->threads[n]->watch_by(*watch, i->shared->hooks.path + "/io-" + std::to_string(n));
    }
    if (auto listening = i->listen(i->shared->settings.listen); !listening)
        return listening.error();
    i->accept();
    for (const auto& thread : i->threads)
        thread->start();
    std::unique_ptr<server> out(new server(std::move(i)));
    log_for("edge").info("listening on {}", out->url());
    return out;
}

server::server(std::unique_ptr<impl> i) : impl_(std::move(i)) {}

server::~server() { stop(0); }

std::uint16_t server::port() const { return impl_->local.port(); }

std::string server::url() const {
    const auto address = impl_->local.address().to_string();
    return "http://" + (impl_->local.address().is_v6() ? "[" + address + "]" : address) + ":" + std::to_string(port());
}

std::size_t server::connections() const { return impl_->shared->connections.now(); }

void server::stop(std::int64_t deadline_ms) {
    if (impl_->stopped.exchange(true))
        return;
    impl_->shared->draining = true;
    std::promise<void> closed;
    impl_->threads.front()->post([&] {
        error_code ignored;
        impl_->acceptor->close(ignored);
        impl_->pause->cancel();
        closed.set_value();
    });
    closed.get_future().wait();
    for (const auto& thread : impl_->threads)
        thread->post([t = thread.get()] { t->drain_all(); });
    auto& connections = impl_->shared->connections;
    if (!connections.wait_until_none(deadline_ms)) {
        if (deadline_ms > 0)
            log_for("edge").warn("{} connections were cut: they had not ended {} ms after the stop", connections.now(),
                                 deadline_ms);
        for (const auto& thread : impl_->threads)
            thread->post([t = thread.get()] { t->abort_all(); });
        connections.wait_until_none(abort_wait_ms);
    }
    for (const auto& thread : impl_->threads)
        thread->stop();
    impl_->shared->workers.reset();
}

} // namespace troupe::net
