#include "net/etcd/etcd_connection.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/socket_base.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/none.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <charconv>
#include <chrono>
#include <exception>
#include <thread>
#include <utility>

namespace troupe::net::etcd {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;

namespace {

constexpr std::size_t header_bytes_max = 64 << 10;
constexpr std::size_t read_bytes = 64 << 10;

/// A dead peer is noticed after about ten seconds of silence. Options that are refused cost only that.
void watch_over(tcp::socket& socket) {
    boost::system::error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    socket.set_option(asio::socket_base::keep_alive(true), ignored);
    for (const auto& [option, seconds_or_count] : {std::pair(TCP_KEEPIDLE, 5), {TCP_KEEPINTVL, 2}, {TCP_KEEPCNT, 3}})
        ::setsockopt(socket.native_handle(), IPPROTO_TCP, option, &seconds_or_count, sizeof seconds_or_count);
}

} // namespace

expected<endpoint_address> parse_endpoint(const std::string& text, bool tls_by_default) {
    const problem wrong{code::config_invalid,
                        fmt::format("'{}' is no endpoint of etcd; write it as http://HOST:PORT, https://HOST:PORT or "
                                    "HOST:PORT.",
                                    text)};
    const auto whole = text.find("://") != std::string::npos ? text : (tls_by_default ? "https://" : "http://") + text;
    const auto url = boost::urls::parse_uri(whole);
    if (!url || !url->has_authority() || url->host_address().empty() || url->has_userinfo() ||
        (url->scheme() != "http" && url->scheme() != "https") ||
        (!url->encoded_path().empty() && url->encoded_path() != "/") || url->has_query() || url->has_fragment())
        return wrong;
    endpoint_address out;
    out.tls = url->scheme() == "https";
    out.host = url->host_address();
    out.port = 2379;
    const std::string_view port(url->port().data(), url->port().size());
    if (!port.empty() && std::from_chars(port.data(), port.data() + port.size(), out.port).ec != std::errc())
        return wrong;
    if (out.port == 0)
        return wrong;
    boost::system::error_code no_address;
    asio::ip::make_address(out.host, no_address);
    out.is_ip = !no_address;
    const bool brackets = out.host.find(':') != std::string::npos;
    out.name = fmt::format("{}://{}{}{}:{}", out.tls ? "https" : "http", brackets ? "[" : "", out.host,
                           brackets ? "]" : "", out.port);
    return out;
}

/// Gives the body of one answer away as it comes, or keeps it.
class connection::reply_parser : public http::basic_parser<false> {
public:
    reply_parser(std::size_t body_bytes_max, std::function<void(std::string_view)> on_piece)
        : body_bytes_max_(body_bytes_max), on_piece_(std::move(on_piece)) {
        eager(true);
        header_limit(header_bytes_max);
        body_limit(boost::none); // counted here
    }

    answer kept;

private:
    void on_request_impl(http::verb, boost::beast::string_view, boost::beast::string_view, int, error_code&) override {}
    void on_response_impl(int status, boost::beast::string_view, int, error_code&) override { kept.status = status; }
    void on_field_impl(http::field, boost::beast::string_view, boost::beast::string_view, error_code&) override {}
    void on_header_impl(error_code&) override {}
    void on_body_init_impl(boost::optional<std::uint64_t> const&, error_code&) override {}
    std::size_t on_body_impl(boost::beast::string_view piece, error_code& ec) override { return take(piece, ec); }
    void on_chunk_header_impl(std::uint64_t, boost::beast::string_view, error_code&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, boost::beast::string_view piece, error_code& ec) override {
        return take(piece, ec);
    }
    void on_finish_impl(error_code&) override {}

    std::size_t take(boost::beast::string_view piece, error_code& ec) {
        if (on_piece_ && kept.status == 200)
            on_piece_({piece.data(), piece.size()});
        else if (piece.size() > body_bytes_max_ - kept.body.size())
            ec = http::error::body_limit;
        else
            kept.body.append(piece.data(), piece.size());
        return piece.size();
    }

    const std::size_t body_bytes_max_;
    const std::function<void(std::string_view)> on_piece_;
};

connection::connection(std::shared_ptr<asio::io_context> context, endpoint_address to,
                       std::shared_ptr<asio::ssl::context> tls, std::size_t answer_bytes_max)
    : context_(std::move(context)),
      to_(std::move(to)),
      tls_context_(std::move(tls)),
      answer_bytes_max_(answer_bytes_max),
      socket_(*context_),
      timer_(*context_) {}

connection::~connection() = default;

void connection::call(const request& what, const std::string& token, std::int64_t time_out_ms,
                      std::function<void(outcome)> done) {
    stream(what, token, time_out_ms, nullptr, std::move(done));
}

void connection::stream(const request& what, const std::string& token, std::int64_t time_out_ms,
                        std::function<void(std::string_view)> on_piece, std::function<void(outcome)> on_end) {
    const bool brackets = to_.host.find(':') != std::string::npos;
    job next;
    next.text = fmt::format("POST {} HTTP/1.1\r\nHost: {}{}{}:{}\r\nContent-Type: application/json\r\n"
                            "Content-Length: {}\r\n{}{}{}\r\n{}",
                            what.path, brackets ? "[" : "", to_.host, brackets ? "]" : "", to_.port, what.body.size(),
                            token.empty() ? "" : "Authorization: ", token, token.empty() ? "" : "\r\n", what.body);
    if (on_piece)
        next.on_piece = [this, take = std::move(on_piece)](std::string_view piece) {
            timer_.cancel();
            take(piece);
        };
    next.done = std::move(on_end);
    begin(std::move(next), time_out_ms);
}

void connection::begin(job what, std::int64_t time_out_ms) {
    job_ = std::move(what);
    parser_ = std::make_unique<reply_parser>(answer_bytes_max_, job_->on_piece);
    arm(time_out_ms);
    if (open_)
        write();
    else
        connect();
}

void connection::arm(std::int64_t time_out_ms) {
    timer_.expires_after(std::chrono::milliseconds(time_out_ms));
    timer_.async_wait([self = shared_from_this(), time_out_ms](error_code ec) {
        // A timer that was set anew while this waited in the queue says no error either.
        if (!ec && self->job_ && self->timer_.expiry() <= std::chrono::steady_clock::now())
            self->close(fmt::format("it did not answer within {} ms", time_out_ms));
    });
}

void connection::close(const std::string& why) {
    if (closed_)
        return;
    closed_ = true;
    error_code ignored;
    timer_.cancel();
    socket_.close(ignored);
    if (job_) {
        const bool may_be_applied = job_->may_be_applied;
        settle({std::nullopt, may_be_applied, why});
    }
}

void connection::settle(outcome what) {
    auto done = std::move(std::exchange(job_, std::nullopt)->done);
    timer_.cancel();
    done(std::move(what));
}

// ---- connecting

void connection::connect() {
    if (to_.is_ip || to_.host == "localhost") { // the latter is this machine without a lookup (RFC 6761, 6.3)
        std::vector<tcp::endpoint> places;
        if (to_.is_ip)
            places = {{asio::ip::make_address(to_.host), to_.port}};
        else
            places = {{asio::ip::address_v4::loopback(), to_.port}, {asio::ip::address_v6::loopback(), to_.port}};
        return connect_to(places);
    }
    // The resolver of the C library cannot be interrupted: a thread asks it, and nobody waits for that.
    std::thread([context = context_, self = weak_from_this(), host = to_.host, port = std::to_string(to_.port)] {
        std::vector<tcp::endpoint> places;
        std::string why;
        try {
            asio::io_context own;
            error_code ec;
            for (const auto& one : tcp::resolver(own).resolve(host, port, ec))
                places.push_back(one.endpoint());
            why = ec ? ec.message() : "";
        } catch (const std::exception& e) {
            why = e.what();
        }
        asio::post(*context, [self, places = std::move(places), why = std::move(why)] {
            const auto me = self.lock();
            if (!me || me->closed_)
                return;
            if (places.empty())
                me->close(fmt::format("its name cannot be looked up: {}", why));
            else
                me->connect_to(places);
        });
    }).detach();
}

void connection::connect_to(const std::vector<tcp::endpoint>& places) {
    asio::async_connect(socket_, places, [self = shared_from_this()](error_code ec, const tcp::endpoint&) {
        if (self->closed_)
            return;
        if (ec)
            return self->close(ec.message());
        watch_over(self->socket_);
        if (!self->to_.tls)
            return self->connected();
        self->tls_.emplace(self->socket_, *self->tls_context_);
        self->tls_->set_verify_mode(asio::ssl::verify_peer);
        self->tls_->set_verify_callback(asio::ssl::host_name_verification(self->to_.host));
        if (!self->to_.is_ip)
            SSL_set_tlsext_host_name(self->tls_->native_handle(), self->to_.host.c_str());
        self->tls_->async_handshake(asio::ssl::stream_base::client, [self](error_code refused) {
            if (self->closed_)
                return;
            if (refused)
                return self->close(fmt::format("the TLS handshake failed: {}", refused.message()));
            self->connected();
        });
    });
}

void connection::connected() {
    open_ = true;
    read();
    if (job_)
        write();
}

// ---- talking

void connection::write() {
    job_->may_be_applied = true;
    const auto text = std::make_shared<std::string>(std::move(job_->text));
    auto done = [self = shared_from_this(), text](error_code ec, std::size_t count) {
        if (self->closed_ || !ec)
            return;
        if (self->job_ && count < text->size())
            self->job_->may_be_applied = false;
        self->close(ec.message());
    };
    if (tls_)
        asio::async_write(*tls_, asio::buffer(*text), std::move(done));
    else
        asio::async_write(socket_, asio::buffer(*text), std::move(done));
}

/// Always one is under way, so that the end of a connection at rest is seen before it is used again.
void connection::read() {
    auto done = [self = shared_from_this()](error_code ec, std::size_t count) {
        if (self->closed_)
            return;
        self->unread_.commit(count);
        if (count > 0)
            self->take_bytes();
        if (self->closed_)
            return;
        if (ec)
            self->end_of_bytes(ec);
        else
            self->read();
    };
    if (tls_)
        tls_->async_read_some(unread_.prepare(read_bytes), std::move(done));
    else
        socket_.async_read_some(unread_.prepare(read_bytes), std::move(done));
}

void connection::take_bytes() {
    while (unread_.size() > 0 && !closed_) {
        if (!job_ || !job_->may_be_applied)
            return close("it sent what nobody asked for");
        error_code ec;
        const auto taken = parser_->put(unread_.data(), ec);
        unread_.consume(taken);
        if (closed_) // by what a piece led to
            return;
        if (ec == http::error::need_more)
            return;
        if (ec)
            return close(fmt::format("its answer is no HTTP or too long: {}", ec.message()));
        if (!parser_->is_done())
            continue;
        const bool last = !parser_->keep_alive();
        outcome whole{std::move(parser_->kept), true, "it had no more to say"};
        if (last || job_->on_piece) {
            auto done = std::move(std::exchange(job_, std::nullopt)->done);
            close("");
            return done(std::move(whole));
        }
        settle(std::move(whole));
    }
}

void connection::end_of_bytes(error_code ec) {
    const auto why =
        ec == asio::error::eof || ec == asio::ssl::error::stream_truncated ? "it closed the connection" : ec.message();
    if (job_ && job_->may_be_applied && parser_->got_some()) {
        error_code bad;
        parser_->put_eof(bad);
        if (!bad && parser_->is_done() && !job_->on_piece) { // a body that ends with the connection
            auto done = std::move(std::exchange(job_, std::nullopt)->done);
            outcome whole{std::move(parser_->kept), true, ""};
            close("");
            return done(std::move(whole));
        }
    }
    close(why);
}

} // namespace troupe::net::etcd
