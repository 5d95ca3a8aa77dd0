#pragma once

#include "net/http/connection_places.hpp"
#include "net/http/tls.hpp"

#include <boost/asio/async_result.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/error_code.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <utility>

namespace troupe::net {

/// The concrete executor keeps Asio free of type erasure.
using tcp_socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, boost::asio::io_context::executor_type>;

/// What a connection speaks through: a plain socket, or one with TLS. An Asio stream, so that everything above it is
/// written once. A plain one passes operations straight on. It keeps its client's place until it is destroyed.
class edge_socket {
public:
    using executor_type = tcp_socket::executor_type;
    using error_code = boost::system::error_code;

    explicit edge_socket(tcp_socket socket, connection_place place = {})
        : socket_(std::move(socket)), place_(std::move(place)) {}

    executor_type get_executor() { return socket_.get_executor(); }
    tcp_socket& plain() { return socket_; }
    [[nodiscard]] bool is_open() const { return socket_.is_open(); }
    [[nodiscard]] bool is_secure() const { return tls_ != nullptr; }

    /// From now on with TLS; the handshake comes first.
    void secure(std::unique_ptr<tls_session> session) { tls_ = std::move(session); }
    tls_session& session() { return *tls_; }
    /// The TLS of a socket that moves to another thread; null: plain.
    std::unique_ptr<tls_session> take_session() { return std::move(tls_); }

    template <class Buffers, class Token>
    auto async_read_some(const Buffers& buffers, Token&& token) {
        return boost::asio::async_initiate<Token, void(error_code, std::size_t)>(
            [this, &buffers](auto done) {
                if (!tls_)
                    socket_.async_read_some(buffers, std::move(done));
                else
                    start(reading<Buffers>{*tls_, buffers}, std::move(done));
            },
            token);
    }

    template <class Buffers, class Token>
    auto async_write_some(const Buffers& buffers, Token&& token) {
        return boost::asio::async_initiate<Token, void(error_code, std::size_t)>(
            [this, &buffers](auto done) {
                if (!tls_)
                    socket_.async_write_some(buffers, std::move(done));
                else
                    start(writing<Buffers>{*tls_, buffers}, std::move(done));
            },
            token);
    }

    /// Writes what the socket takes at once, of the first pieces; `wants` says what to wait for when that was nothing.
    /// After nothing was taken, the same has to be offered again, with nothing less behind it.
    tls_step write_now(std::span<const boost::asio::const_buffer> pieces);

    /// Reads what is there. With TLS, wait for more only after nothing was there.
    tls_step read_now(boost::asio::mutable_buffer into);

    /// `done(error)` when the socket can do that.
    template <class Handler>
    void wait_for(tls_step::want what, Handler&& done) {
        socket_.async_wait(what == tls_step::want::read ? tcp_socket::wait_read : tcp_socket::wait_write,
                           std::forward<Handler>(done));
    }

    /// Says that nothing more comes; what the client sends can still be read.
    void shutdown_send(error_code& error) {
        say_goodbye();
        socket_.shutdown(tcp_socket::shutdown_send, error);
    }

    /// What TLS has to say before the end.
    void say_goodbye() {
        if (tls_ && socket_.is_open())
            tls_->say_goodbye();
    }

    /// Ends it now. The peer may be gone already.
    void close() {
        error_code ignored;
        say_goodbye();
        socket_.shutdown(tcp_socket::shutdown_both, ignored);
        socket_.close(ignored);
    }

private:
    tls_step write_record(std::span<const boost::asio::const_buffer> pieces);

    template <class Buffers>
    struct reading {
        tls_session& tls;
        Buffers buffers;

        tls_step operator()() {
            for (auto at = boost::asio::buffer_sequence_begin(buffers); at != boost::asio::buffer_sequence_end(buffers);
                 ++at) {
                if (const boost::asio::mutable_buffer into = *at; into.size() > 0)
                    return tls.read(into);
            }
            return {};
        }
    };

    template <class Buffers>
    struct writing {
        tls_session& tls;
        Buffers buffers;

        tls_step operator()() {
            tls_step out;
            for (auto at = boost::asio::buffer_sequence_begin(buffers); at != boost::asio::buffer_sequence_end(buffers);
                 ++at) {
                const boost::asio::const_buffer from = *at;
                if (from.size() == 0)
                    continue;
                const auto one = tls.write(from);
                out.bytes += one.bytes;
                if (one.bytes < from.size())
                    return out.bytes > 0 ? out : one;
            }
            return out;
        }
    };

    /// Tries, waits for the socket, and tries again.
    template <class Attempt>
    struct operation {
        tcp_socket& socket;
        Attempt attempt;
        tls_step last = {};
        bool waited = false;
        bool tried = false;

        template <class Self>
        void operator()(Self& self, error_code error = {}) {
            if (tried)
                return self.complete(last.error, last.bytes);
            if (!error && !socket.is_open()) // its number may be another's by now
                error = boost::asio::error::bad_descriptor;
            last = error ? tls_step{.error = error} : attempt();
            auto& from = socket; // `self` takes this object with it
            if (last.wants != tls_step::want::nothing) {
                waited = true;
                const auto what = last.wants == tls_step::want::read ? tcp_socket::wait_read : tcp_socket::wait_write;
                return from.async_wait(what, std::move(self));
            }
            if (waited)
                return self.complete(last.error, last.bytes);
            tried = true; // not from within the call that started it
            boost::asio::post(from.get_executor(), std::move(self));
        }
    };

    template <class Attempt, class Handler>
    void start(Attempt attempt, Handler done) {
        boost::asio::async_compose<Handler, void(error_code, std::size_t)>(
            operation<Attempt>{socket_, std::move(attempt)}, done, socket_);
    }

    tcp_socket socket_;
    connection_place place_;
    std::unique_ptr<tls_session> tls_; // null: plain
};

} // namespace troupe::net
