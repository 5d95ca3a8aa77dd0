#include "net/smtp/smtp_client.hpp"

#include "schemas/base/network.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/core/tcp_stream.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <utility>

namespace troupe::net {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace ssl = boost::asio::ssl;
using asio::ip::tcp;
using boost::system::error_code;
using steady = std::chrono::steady_clock;

constexpr std::size_t read_bytes = 4096;

/// One connection for one mail.
class delivery {
public:
    delivery(const smtp_server& server, std::stop_token stop)
        : server_(server),
          stop_(std::move(stop)),
          deadline_(steady::now() + std::chrono::milliseconds(server.time_out_ms)),
          tcp_(context_) {}

    expected<void> run(smtp_login login, smtp_mail mail) {
        // From any thread; closing makes whatever this waits for return at once.
        const std::stop_callback on_stop(stop_, [this] { asio::post(context_, [this] { tcp_.close(); }); });
        if (auto opened = open(login); !opened) {
            return opened;
        }
        smtp_session session(std::move(login), std::move(mail));
        while (true) {
            auto reply = read();
            auto next = reply ? session.take(*reply) : expected<smtp_action>(reply.error());
            if (!next) {
                return next.error();
            }
            if (next->step == smtp_step::finish) {
                (void)write(next->bytes);
                return {};
            }
            if (next->step == smtp_step::start_tls) {
                if (!unread_.empty()) { // somebody on the way slipped it in, to be taken for the server's own words
                    return problem{code::connection_failed, name() + " said more before TLS began."};
                }
                if (auto done = shake_hands(); !done) {
                    return done;
                }
            }
            if (auto sent = write(next->bytes); !sent) {
                return sent;
            }
        }
    }

private:
    [[nodiscard]] std::string name() const { return server_.host + ":" + server_.port; }

    [[nodiscard]] problem failed(error_code why, std::string_view when) const {
        if (stop_.stop_requested()) {
            return {code::cancelled, "The call to " + name() + " was cancelled."};
        }
        if (why == beast::error::timeout || why == asio::error::would_block) {
            return {code::connection_failed, fmt::format("{} was silent for too long {}.", name(), when)};
        }
        return {code::connection_failed, fmt::format("{} failed {}: {}.", name(), when, why.message())};
    }

    /// Starts one asynchronous operation and runs it to its end, within the limits.
    template <class Start>
    error_code wait(Start start) {
        if (stop_.stop_requested()) {
            return asio::error::operation_aborted;
        }
        error_code result = asio::error::would_block;
        tcp_.expires_at(std::min(steady::now() + std::chrono::milliseconds(server_.step_time_out_ms), deadline_));
        start([&result](error_code ec, auto&&...) { result = ec; });
        context_.restart();
        while (result == asio::error::would_block && context_.run_one() != 0) {
        }
        return result;
    }

    expected<void> open(smtp_login& login) {
        error_code unknown;
        tcp::resolver resolver(context_);
        const auto found = resolver.resolve(server_.host, server_.port, unknown);
        if (unknown) {
            return failed(unknown, "while looking up its name");
        }
        if (const auto refused = wait([&](auto done) { tcp_.async_connect(found, std::move(done)); })) {
            return failed(refused, "while connecting");
        }
        error_code gone;
        const auto peer = tcp_.socket().remote_endpoint(gone);
        const auto address = gone ? std::nullopt : parse_ip(peer.address().to_string());
        login.trusts_wire = address && is_loopback(*address);
        login.is_secured = server_.tls;
        return server_.tls ? shake_hands() : expected<void>();
    }

    expected<void> shake_hands() {
        error_code bad;
        context_of_tls_.emplace(ssl::context::tls_client);
        SSL_CTX_set_min_proto_version(context_of_tls_->native_handle(), TLS1_2_VERSION);
        if (server_.ca_file.empty()) {
            context_of_tls_->set_default_verify_paths(bad);
        } else {
            context_of_tls_->load_verify_file(server_.ca_file, bad);
        }
        if (bad) {
            return problem{code::connection_failed,
                           fmt::format("The certificates in '{}' cannot be read: {}.", server_.ca_file, bad.message())};
        }
        tls_.emplace(tcp_, *context_of_tls_);
        tls_->set_verify_mode(ssl::verify_peer);
        tls_->set_verify_callback(ssl::host_name_verification(server_.host));
        if (!parse_ip(server_.host)) {
            SSL_set_tlsext_host_name(tls_->native_handle(), server_.host.c_str());
        }
        const auto refused = wait([&](auto done) { tls_->async_handshake(ssl::stream_base::client, std::move(done)); });
        return refused ? expected<void>(failed(refused, "during the TLS handshake")) : expected<void>();
    }

    expected<void> write(const std::string& bytes) {
        const auto unsent = wait([&](auto done) {
            if (tls_) {
                asio::async_write(*tls_, asio::buffer(bytes), std::move(done));
            } else {
                asio::async_write(tcp_, asio::buffer(bytes), std::move(done));
            }
        });
        return unsent ? expected<void>(failed(unsent, "while it was told something")) : expected<void>();
    }

    expected<smtp_reply> read() {
        while (true) {
            std::string_view bytes = unread_;
            auto reply = reader_.take(bytes);
            unread_ = std::string(bytes);
            if (!reply) {
                return reply.error();
            }
            if (*reply) {
                return std::move(**reply);
            }
            std::array<char, read_bytes> piece{};
            std::size_t count = 0;
            const auto ended = wait([&](auto done) {
                auto counted = [&count, done](error_code ec, std::size_t bytes_read) {
                    count = bytes_read;
                    done(ec);
                };
                if (tls_) {
                    tls_->async_read_some(asio::buffer(piece), std::move(counted));
                } else {
                    tcp_.async_read_some(asio::buffer(piece), std::move(counted));
                }
            });
            if (ended) {
                return failed(ended, "before it answered");
            }
            unread_.append(piece.data(), count);
        }
    }

    const smtp_server& server_;
    std::stop_token stop_;
    steady::time_point deadline_;
    asio::io_context context_;
    std::optional<ssl::context> context_of_tls_;
    beast::tcp_stream tcp_;
    std::optional<ssl::stream<beast::tcp_stream&>> tls_;
    smtp_reply_reader reader_;
    std::string unread_;
};

} // namespace

expected<void> send_mail(const smtp_server& server, smtp_login login, smtp_mail mail, const std::stop_token& stop) {
    return delivery(server, stop).run(std::move(login), std::move(mail));
}

} // namespace troupe::net
