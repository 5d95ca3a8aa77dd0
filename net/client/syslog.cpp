#include "net/client/syslog.hpp"

#include "runtime/config/syslog_place.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/write.hpp>

#include <unistd.h>

#include <array>
#include <chrono>
#include <optional>
#include <utility>

namespace troupe::net {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using asio::ip::udp;

constexpr std::int64_t send_time_out_ms = 4000;
constexpr std::size_t datagram_bytes_max = 8192;

problem unreachable(const std::string& place, const boost::system::error_code& why) {
    return {code::connection_failed, place + " cannot be reached: " + why.message()};
}

class syslog_udp final : public syslog_client {
public:
    syslog_udp(std::string host, std::string port) : host_(std::move(host)), port_(std::move(port)) {}

    expected<void> send(const std::vector<std::string>& messages) override {
        boost::system::error_code error;
        asio::io_context io;
        udp::resolver resolver(io);
        const auto found = resolver.resolve(host_, port_, error);
        if (error) {
            return unreachable(host_ + ":" + port_, error);
        }
        udp::socket socket(io);
        const auto to = found.begin()->endpoint();
        socket.open(to.protocol(), error);
        for (const auto& message : messages) {
            if (!error)
                socket.send_to(asio::buffer(message, datagram_bytes_max), to, 0, error);
        }
        return error ? expected<void>(unreachable(host_ + ":" + port_, error)) : expected<void>();
    }

private:
    std::string host_;
    std::string port_;
};

class syslog_tcp final : public syslog_client {
public:
    syslog_tcp(std::string host, std::string port) : host_(std::move(host)), port_(std::move(port)) {}

    expected<void> send(const std::vector<std::string>& messages) override {
        std::string all;
        for (const auto& message : messages)
            all += std::to_string(message.size()) + " " + message;
        const auto kept = socket_.has_value();
        auto sent = write(all);
        if (!sent && kept) { // it was closed since
            sent = write(all);
        }
        return sent;
    }

private:
    expected<void> write(const std::string& all) {
        boost::system::error_code error = asio::error::timed_out;
        const auto run = [&] {
            io_.restart();
            io_.run_for(std::chrono::milliseconds(send_time_out_ms));
        };
        if (!socket_) {
            tcp::resolver resolver(io_);
            boost::system::error_code unknown;
            const auto found = resolver.resolve(host_, port_, unknown);
            if (unknown) {
                return unreachable(host_ + ":" + port_, unknown);
            }
            socket_.emplace(io_);
            asio::async_connect(*socket_, found, [&](auto result, const auto&) { error = result; });
            run();
            if (error) {
                return broken(error);
            }
        }
        if (is_closed_by_peer()) {
            return broken(asio::error::eof);
        }
        error = asio::error::timed_out;
        asio::async_write(*socket_, asio::buffer(all), [&](auto result, std::size_t) { error = result; });
        run();
        return error ? broken(error) : expected<void>();
    }

    /// A syslog server says nothing: anything to read is its end.
    bool is_closed_by_peer() {
        boost::system::error_code error;
        socket_->non_blocking(true, error);
        std::array<char, 64> ignored{};
        socket_->receive(asio::buffer(ignored), 0, error);
        return error == asio::error::eof || error == asio::error::connection_reset;
    }

    expected<void> broken(boost::system::error_code why) {
        boost::system::error_code ignored;
        socket_->close(ignored); // ends what is under way, whose handlers refer to this call
        io_.restart();
        io_.run();
        socket_.reset();
        return unreachable(host_ + ":" + port_, why);
    }

    std::string host_;
    std::string port_;
    asio::io_context io_;
    std::optional<tcp::socket> socket_;
};

} // namespace

expected<std::unique_ptr<syslog_client>> make_syslog_client(const std::string& place) {
    auto parsed = runtime::parse_syslog_place(place);
    if (!parsed)
        return parsed.error();
    auto& [is_udp, host, port] = *parsed;
    return is_udp ? std::unique_ptr<syslog_client>(std::make_unique<syslog_udp>(std::move(host), std::move(port)))
                  : std::unique_ptr<syslog_client>(std::make_unique<syslog_tcp>(std::move(host), std::move(port)));
}

std::string syslog_host() {
    std::array<char, 256> name{};
    return ::gethostname(name.data(), name.size() - 1) == 0 ? syslog_field(name.data(), 255) : "-";
}

std::string syslog_field(std::string_view text, std::size_t bytes_max) {
    std::string out;
    for (const char c : text.substr(0, bytes_max))
        out += c > 32 && c < 127 ? c : '_';
    return out.empty() ? "-" : out;
}

} // namespace troupe::net
