#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>

#include <fmt/format.h>

#include <functional>
#include <istream>
#include <iterator>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace troupe::cli::tests {

struct fake_request {
    std::string line; ///< "GET /api/v1/runs?limit=50"
    std::map<std::string, std::string> headers;
    std::string body;
};
struct fake_reply {
    int status = 200;
    std::string body = "{}";
    std::string content_type = "application/json";
    std::string headers = {}; ///< Whole lines: "Retry-After: 5\r\n".
};

/// A node of canned answers on a port of its own: one request a connection.
class fake_node {
public:
    explicit fake_node(std::function<fake_reply(const fake_request&)> answer)
        : answer_(std::move(answer)),
          acceptor_(io_, {boost::asio::ip::make_address("127.0.0.1"), 0}),
          thread_([this] { serve(); }) {}

    ~fake_node() {
        // A connection without a request ends the loop.
        boost::asio::io_context io;
        boost::asio::ip::tcp::socket last(io);
        boost::system::error_code ignored;
        last.connect(acceptor_.local_endpoint(), ignored);
        last.close(ignored);
        thread_.join();
    }

    [[nodiscard]] std::string url() const {
        return fmt::format("http://127.0.0.1:{}", acceptor_.local_endpoint().port());
    }

    /// What was asked so far: "GET /path".
    std::vector<fake_request> requests() {
        const std::lock_guard lock(mutex_);
        return requests_;
    }

private:
    void serve() {
        for (;;) {
            boost::asio::ip::tcp::socket socket(io_);
            boost::system::error_code failed;
            acceptor_.accept(socket, failed);
            boost::asio::streambuf buffer;
            boost::asio::read_until(socket, buffer, "\r\n\r\n", failed);
            if (failed) {
                return;
            }
            auto request = read(socket, buffer);
            const auto reply = answer_(request);
            {
                const std::lock_guard lock(mutex_);
                requests_.push_back(std::move(request));
            }
            const auto text =
                fmt::format("HTTP/1.1 {} X\r\nContent-Type: {}\r\nContent-Length: {}\r\n{}Connection: close\r\n\r\n{}",
                            reply.status, reply.content_type, reply.body.size(), reply.headers, reply.body);
            boost::asio::write(socket, boost::asio::buffer(text), failed);
            socket.shutdown(boost::asio::ip::tcp::socket::shutdown_send, failed);
        }
    }

    static fake_request read(boost::asio::ip::tcp::socket& socket, boost::asio::streambuf& buffer) {
        fake_request request;
        std::istream in(&buffer);
        std::getline(in, request.line);
        request.line.resize(request.line.find(" HTTP/"));
        for (std::string line; std::getline(in, line) && line != "\r";) {
            const auto colon = line.find(':');
            std::string name = line.substr(0, colon);
            for (auto& c : name) {
                c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
            }
            request.headers[name] = line.substr(colon + 2, line.size() - colon - 3);
        }
        const auto length =
            request.headers.contains("content-length") ? std::stoul(request.headers["content-length"]) : 0;
        boost::system::error_code failed;
        if (buffer.size() < length) {
            boost::asio::read(socket, buffer, boost::asio::transfer_exactly(length - buffer.size()), failed);
        }
        request.body.assign(std::istreambuf_iterator<char>(in), {});
        return request;
    }

    std::function<fake_reply(const fake_request&)> answer_;
    boost::asio::io_context io_;
    boost::asio::ip::tcp::acceptor acceptor_;
    std::mutex mutex_;
    std::vector<fake_request> requests_;
    std::thread thread_;
};

} // namespace troupe::cli::tests
