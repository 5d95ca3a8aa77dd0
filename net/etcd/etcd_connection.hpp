#pragma once

#include "net/etcd/etcd_wire.hpp"
#include "schemas/base/problem.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::net::etcd {

/// Where a member listens for clients.
struct endpoint_address {
    std::string name; ///< "http://10.0.0.1:2379"
    bool tls = false;
    std::string host; ///< Without brackets.
    std::uint16_t port = 0;
    bool is_ip = false;
};

/// "http://HOST[:PORT]", "https://HOST[:PORT]" or "HOST[:PORT]"; the port is 2379 when it is left out.
/// `config_invalid` names what is wrong.
expected<endpoint_address> parse_endpoint(const std::string& text, bool tls_by_default);

/// What became of a request.
struct outcome {
    std::optional<answer> got = {};
    bool may_be_applied = false; ///< Without an answer: it may have arrived as a whole.
    std::string why = {};        ///< Without an answer.
};

/// One connection, kept open from request to request, one of them at a time. It connects with the first one, and is of
/// no more use once it is closed. All on the thread of its context.
class connection : public std::enable_shared_from_this<connection> {
public:
    connection(std::shared_ptr<boost::asio::io_context> context, endpoint_address to,
               std::shared_ptr<boost::asio::ssl::context> tls, std::size_t answer_bytes_max);
    ~connection();
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;

    /// `done` is called once, not inside of this call. Only when it `is_idle`.
    void call(const request& what, const std::string& token, std::int64_t time_out_ms,
              std::function<void(outcome)> done);
    /// The body of an answer goes to `on_piece` as it comes; the time-out is for the first piece. `on_end` is called
    /// when it ends by itself; an answer that is no 200 comes there.
    void stream(const request& what, const std::string& token, std::int64_t time_out_ms,
                std::function<void(std::string_view)> on_piece, std::function<void(outcome)> on_end);
    /// What is under way fails, inside of this call.
    void close(const std::string& why);

    [[nodiscard]] bool is_idle() const { return !closed_ && !job_; }
    [[nodiscard]] bool is_closed() const { return closed_; }

private:
    using error_code = boost::system::error_code;
    class reply_parser;
    struct job {
        std::string text;
        std::function<void(std::string_view)> on_piece; ///< Of a stream.
        std::function<void(outcome)> done;
        bool may_be_applied = false;
    };

    void begin(job what, std::int64_t time_out_ms);
    void connect();
    void connect_to(const std::vector<boost::asio::ip::tcp::endpoint>& places);
    void connected();
    void write();
    void read();
    void take_bytes();
    void end_of_bytes(error_code ec);
    void settle(outcome what);
    void arm(std::int64_t time_out_ms);

    std::shared_ptr<boost::asio::io_context> context_; ///< Kept for the thread that looks up a name.
    const endpoint_address to_;
    std::shared_ptr<boost::asio::ssl::context> tls_context_;
    const std::size_t answer_bytes_max_;
    boost::asio::ip::tcp::socket socket_;
    std::optional<boost::asio::ssl::stream<boost::asio::ip::tcp::socket&>> tls_;
    boost::asio::steady_timer timer_;
    std::unique_ptr<reply_parser> parser_; ///< Of the present or the last answer.
    boost::beast::flat_buffer unread_;
    std::optional<job> job_;
    bool open_ = false;
    bool closed_ = false;
};

} // namespace troupe::net::etcd
