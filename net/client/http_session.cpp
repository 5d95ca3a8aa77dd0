#include "net/client/http_session.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include <fmt/format.h>

#include <chrono>

namespace troupe::net {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

} // namespace

struct http_session::impl {
    impl(const boost::urls::url_view& url, std::int64_t silence_ms)
        : host(url.host_address()),
          port(url.has_port() ? std::string(url.port()) : "80"),
          authority(url.encoded_host_and_port()),
          silence(silence_ms) {}

    beast::tcp_stream& timed() {
        stream.expires_after(silence);
        return stream;
    }
    void run() {
        io.restart();
        io.run();
    }

    const std::string host;
    const std::string port;
    const std::string authority; ///< As in `Host`: an IPv6 address has its brackets.
    const std::chrono::milliseconds silence;
    asio::io_context io;
    beast::tcp_stream stream{io};
    beast::flat_buffer buffer;
};

http_session::http_session(std::unique_ptr<impl> i) : impl_(std::move(i)) {}
http_session::~http_session() = default;
http_session::http_session(http_session&&) noexcept = default;

expected<http_session> http_session::make(std::string_view url, std::int64_t silence_ms) {
    const auto parsed = boost::urls::parse_uri(url);
    if (!parsed || parsed->scheme() != "http") {
        return problem{code::invalid_request, fmt::format("{} is no URL of plain http", url)};
    }
    return http_session(std::make_unique<impl>(*parsed, silence_ms));
}

expected<void> http_session::connect() {
    auto& me = *impl_;
    error_code failed;
    const auto found = asio::ip::tcp::resolver(me.io).resolve(me.host, me.port, failed);
    me.buffer.clear();
    if (!failed) {
        me.timed().async_connect(found, [&](error_code e, const auto&) { failed = e; });
        me.run();
    }
    if (!failed) {
        me.stream.socket().set_option(asio::ip::tcp::no_delay(true), failed);
    }
    return failed ? expected<void>(problem{code::connection_failed,
                                           fmt::format("cannot reach {}:{}: {}", me.host, me.port, failed.message())})
                  : expected<void>();
}

expected<client_response> http_session::send(std::string_view method, std::string_view target,
                                             const std::vector<std::pair<std::string, std::string>>& headers,
                                             std::string body) {
    auto& me = *impl_;
    http::request<http::string_body> request;
    request.method_string({method.data(), method.size()});
    request.target({target.data(), target.size()});
    request.set(http::field::host, me.authority);
    for (const auto& [name, value] : headers) {
        request.set(name, value);
    }
    request.body() = std::move(body);
    request.prepare_payload();
    http::response<http::string_body> answer;
    error_code failed;
    http::async_write(me.timed(), request, [&](error_code e, std::size_t) { failed = e; });
    me.run();
    if (!failed) {
        http::async_read(me.timed(), me.buffer, answer, [&](error_code e, std::size_t) { failed = e; });
        me.run();
    }
    if (failed) {
        return problem{code::connection_failed, "the connection broke: " + failed.message()};
    }
    return client_response{static_cast<int>(answer.result_int()), {}, std::move(answer.body())};
}

} // namespace troupe::net
