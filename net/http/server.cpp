#include "net/http/server.hpp"

#include "net/http/edge.hpp"
#include "net/http/edge_socket.hpp"
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
/// The same for one address.
constexpr std::size_t refused_of_address_max = 64;
constexpr int backlog = 4096;
/// Waiting for file descriptors to be free again.
constexpr std::int64_t accept_pause_ms = 100;
/// For connections to notice that they were cut.
constexpr std::int64_t abort_wait_ms = 2'000;

const problem too_many{
    code::overloaded, "This node holds as many connections as it may: try again in a moment.", {}, 1};
const problem too_many_of_address{
    code::overloaded,
    "Your address holds as many connections as it may: close some, or use one for more requests.",
    {},
    5};

ip_bytes bytes_of(const asio::ip::address& a) {
    return a.is_v6() ? a.to_v6().to_bytes() : asio::ip::make_address_v6(asio::ip::v4_mapped, a.to_v4()).to_bytes();
}

/// Whose places these are: an IPv6 client has a /64.
std::string key_of(const ip_bytes& a) {
    const bool four = ip_text(a).find(':') == std::string::npos;
    return {a.begin(), four ? a.end() : a.begin() + 8};
}

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

std::string url_of(std::string_view scheme, const tcp::endpoint& where) {
    const auto address = where.address().to_string();
    return std::string(scheme) + "://" + (where.address().is_v6() ? "[" + address + "]" : address) + ":" +
           std::to_string(where.port());
}

/// The listening socket itself is at fault; anything else passes.
bool is_broken(const error_code& error) {
    return error == asio::error::bad_descriptor || error == asio::error::invalid_argument ||
           error == asio::error::not_socket || error == asio::error::operation_not_supported;
}

} // namespace

/// On the first thread.
struct listener {
    explicit listener(asio::io_context& on, entrance w) : way(w), acceptor(on), pause(on) {}
    entrance way;
    tcp_acceptor acceptor;
    asio::steady_timer pause;
    tcp::endpoint local;
    tcp::endpoint peer; // of the connection that comes next
};

struct server::impl {
    std::shared_ptr<edge> shared;
    std::vector<std::shared_ptr<io_thread>> threads;
    std::vector<std::unique_ptr<listener>> listeners; // the first is the edge's own
    std::size_t next = 0;                             // whose turn it is to get a connection
    bool failed = false;
    std::atomic<bool> stopped = false;

    expected<void> listen(const std::string& where, entrance way);
    expected<void> prepare();
    void accept(listener& at);
    void hand_over(io_thread& io, tcp_socket socket, const listener& at);
};

/// One listener, not one a thread with SO_REUSEPORT: connections spread evenly even when they are few, and a second
/// node on the same port is refused by the kernel.
expected<void> server::impl::listen(const std::string& where, entrance way) {
    const auto endpoint = parse_endpoint(where);
    if (!endpoint)
        return endpoint.error();
    auto& l = *listeners.emplace_back(std::make_unique<listener>(threads.front()->context(), way));
    error_code error;
    l.acceptor.open(endpoint->protocol(), error);
    if (!error)
        l.acceptor.set_option(asio::socket_base::reuse_address(true), error);
    if (!error)
        l.acceptor.bind(*endpoint, error);
    if (!error)
        l.acceptor.listen(backlog, error);
    if (error == asio::error::address_in_use)
        return problem{code::address_in_use,
                       "Another process listens on " + where + ": stop it, or choose another address with " +
                           (way == entrance::redirect ? "edge.tls.redirect_listen" : "--listen ADDRESS:PORT") +
                           " (port 0 picks a free one)."};
    if (error)
        return cannot_listen(where, error.message());
    l.local = l.acceptor.local_endpoint(error);
    return {};
}

void server::impl::accept(listener& at) {
    auto& io = *threads[next++ % threads.size()];
    at.acceptor.async_accept(io.context(), at.peer, [this, &io, &at](const error_code& error, tcp_socket socket) {
        if (error == asio::error::operation_aborted || !at.acceptor.is_open())
            return;
        if (error && is_broken(error)) {
            log_for("edge").error("the listener is broken: {}", error.message());
            if (shared->hooks.on_failed && !std::exchange(failed, true))
                shared->hooks.on_failed("the listener is broken: " + error.message());
            return;
        }
        if (error) {
            log_for("edge").warn("cannot accept a connection: {}", error.message());
            at.pause.expires_after(std::chrono::milliseconds(accept_pause_ms));
            at.pause.async_wait([this, &at](const error_code& ended) {
                if (!ended)
                    accept(at);
            });
            return;
        }
        hand_over(io, std::move(socket), at);
        accept(at);
    });
}

void server::impl::hand_over(io_thread& io, tcp_socket socket, const listener& at) {
    const auto& settings = shared->settings;
    const auto open = shared->connections.now();
    if (open >= settings.connections_max + refused_max)
        return;
    const auto peer = bytes_of(at.peer.address());
    connection_place place;
    std::size_t held = 0;
    if (!shared->proxies.contains(peer) && !(settings.spare_loopback && is_loopback(peer))) {
        const auto key = key_of(peer);
        held = shared->places->take(key);
        place = connection_place(shared->places, key);
        if (held > settings.connections_per_address_max + refused_of_address_max)
            return;
    }
    auto c = std::make_shared<http_connection>(shared, io, edge_socket(std::move(socket), std::move(place)), at.way,
                                               ip_text(peer));
    if (open >= settings.connections_max)
        io.post([c = std::move(c)] { c->refuse(too_many, 503); });
    else if (held > settings.connections_per_address_max)
        io.post([c = std::move(c)] { c->refuse(too_many_of_address, 429); });
    else
        io.post([c = std::move(c)] { c->start(); });
}

/// Reads what the settings name.
expected<void> server::impl::prepare() {
    auto& e = *shared;
    auto proxies = network_list::parse(e.settings.trusted_proxies);
    if (!proxies)
        return problem{code::config_invalid, "edge.trusted_proxies: " + proxies.error().detail};
    e.proxies = std::move(*proxies);
    const auto& tls = e.settings.tls;
    if (tls.certificate_file.empty() != tls.key_file.empty() ||
        (!tls.redirect_listen.empty() && tls.certificate_file.empty()))
        return problem{code::config_invalid,
                       "edge.tls: certificate_file and key_file belong together, and redirect_listen needs both"};
    if (tls.certificate_file.empty())
        return {};
    auto identity = tls_identity::load(tls.certificate_file, tls.key_file);
    if (!identity)
        return identity.error();
    e.identity = std::move(*identity);
    if (tls.hsts_seconds > 0)
        e.tls_line = "Strict-Transport-Security: max-age=" + std::to_string(tls.hsts_seconds) + "\r\n";
    return {};
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
    if (auto prepared = i->prepare(); !prepared)
        return prepared.error();
    const auto& tls = i->shared->settings.tls;
    if (auto listening = i->listen(i->shared->settings.listen, i->shared->identity ? entrance::tls : entrance::plain);
        !listening)
        return listening.error();
    i->shared->tls_port = i->listeners.front()->local.port();
    if (!tls.redirect_listen.empty()) {
        if (auto listening = i->listen(tls.redirect_listen, entrance::redirect); !listening)
            return listening.error();
    }
    for (const auto& l : i->listeners)
        i->accept(*l);
    for (const auto& thread : i->threads)
        thread->start();
    std::unique_ptr<server> out(new server(std::move(i)));
    log_for("edge").info("listening on {}", out->url());
    if (const auto port = out->redirect_port(); port != 0)
        log_for("edge").info("redirects {} to it", url_of("http", out->impl_->listeners.back()->local));
    return out;
}

server::server(std::unique_ptr<impl> i) : impl_(std::move(i)) {}

server::~server() { stop(0); }

std::uint16_t server::port() const { return impl_->listeners.front()->local.port(); }

std::uint16_t server::redirect_port() const {
    return impl_->listeners.size() > 1 ? impl_->listeners.back()->local.port() : 0;
}

void server::change(const rate_rule& address, const rate_rule& caller, const rate_rule& organization, bool access_log) {
    auto& e = *impl_->shared;
    e.by_address.change(address);
    e.by_caller.change(caller);
    e.by_organization.change(organization);
    e.logs_accesses = access_log;
}

expected<void> server::reload_certificate() {
    return impl_->shared->identity ? impl_->shared->identity->reload() : expected<void>();
}

std::string server::url() const {
    return url_of(impl_->shared->identity ? "https" : "http", impl_->listeners.front()->local);
}

std::size_t server::connections() const { return impl_->shared->connections.now(); }

void server::stop(std::int64_t deadline_ms) {
    if (impl_->stopped.exchange(true))
        return;
    impl_->shared->draining = true;
    std::promise<void> closed;
    impl_->threads.front()->post([&] {
        for (const auto& l : impl_->listeners) {
            error_code ignored;
            l->acceptor.close(ignored);
            l->pause.cancel();
        }
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
