#include "net/devtools/connection.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include <fmt/format.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

namespace troupe::net::devtools {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = boost::beast::websocket;
using boost::system::error_code;

/// A screenshot of a long page, or the text of a huge one.
constexpr std::size_t message_bytes_max = 48 << 20;

problem failed(std::string why) { return {code::connection_failed, "the connection to the browser " + std::move(why)}; }

} // namespace

struct connection::impl {
    asio::io_context io{1};
    websocket::stream<beast::tcp_stream> socket{io};
    beast::flat_buffer unread;
    event_handler on_event;
    std::deque<std::string> unsent; ///< Of the connection's thread, as all above.
    std::thread thread;

    mutable std::mutex mutex;
    std::condition_variable_any answered;
    std::uint64_t last_id = 0;
    std::map<std::uint64_t, std::optional<message>> waiting; ///< Commands whose replies somebody waits for.
    bool open = false;

    expected<void> connect(const boost::urls::url_view& url, std::int64_t time_out_ms) {
        error_code ec;
        const auto address = asio::ip::make_address(std::string(url.host_address()), ec);
        if (ec || !address.is_loopback() || url.port_number() == 0) {
            return problem{code::invalid_request, "a browser is driven on this machine only"};
        }
        auto& stream = beast::get_lowest_layer(socket);
        const auto run = [&] {
            io.restart();
            io.run();
        };
        stream.expires_after(std::chrono::milliseconds(time_out_ms));
        stream.async_connect(asio::ip::tcp::endpoint(address, url.port_number()), [&](error_code e) { ec = e; });
        run();
        if (!ec) {
            stream.socket().set_option(asio::ip::tcp::no_delay(true), ec);
            socket.read_message_max(message_bytes_max);
            socket.async_handshake(std::string(url.encoded_host_and_port()), std::string(url.encoded_path()),
                                   [&](error_code e) { ec = e; });
            run();
        }
        if (ec) {
            return failed("cannot be made: " + ec.message());
        }
        stream.expires_never();
        open = true;
        io.restart();
        read();
        thread = std::thread([this] { io.run(); });
        return {};
    }

    void read() {
        socket.async_read(unread, [this](error_code ec, std::size_t) {
            if (ec) {
                return end();
            }
            take(beast::buffers_to_string(unread.data()));
            unread.consume(unread.size());
            read();
        });
    }

    void take(const std::string& text) {
        auto said = read_message(text);
        if (!said) {
            return; // Whoever waits for it hears of his deadline.
        }
        if (said->id == 0) {
            return on_event(*said);
        }
        const std::scoped_lock lock(mutex);
        if (const auto found = waiting.find(said->id); found != waiting.end()) {
            found->second = std::move(*said);
            answered.notify_all();
        }
    }

    /// On the connection's thread.
    void end() {
        const std::scoped_lock lock(mutex);
        open = false;
        answered.notify_all();
    }

    void write(std::string text) {
        asio::post(io, [this, text = std::move(text)]() mutable {
            unsent.push_back(std::move(text));
            if (unsent.size() == 1) {
                write_next();
            }
        });
    }

    void write_next() {
        socket.async_write(asio::buffer(unsent.front()), [this](error_code ec, std::size_t) {
            unsent.pop_front();
            if (ec) {
                return end();
            }
            if (!unsent.empty()) {
                write_next();
            }
        });
    }

    void close() {
        asio::post(io, [this] {
            beast::get_lowest_layer(socket).close();
            io.stop();
        });
        if (thread.joinable()) {
            thread.join();
        }
    }
};

connection::connection(std::shared_ptr<impl> i) : impl_(std::move(i)) {}

connection::~connection() { impl_->close(); }

expected<std::unique_ptr<connection>> connection::open(std::string_view url, event_handler on_event,
                                                       std::int64_t time_out_ms) {
    const auto parsed = boost::urls::parse_uri(url);
    if (!parsed || parsed->scheme() != "ws") {
        return problem{code::invalid_request, fmt::format("'{}' is no address of a browser", url)};
    }
    auto made = std::make_shared<impl>();
    made->on_event = std::move(on_event);
    if (auto connected = made->connect(*parsed, time_out_ms); !connected) {
        return connected.error();
    }
    return std::unique_ptr<connection>(new connection(std::move(made)));
}

expected<message> connection::call(std::string_view session, std::string_view method, std::string_view parameters,
                                   std::int64_t time_out_ms, const std::stop_token& stop) {
    auto& me = *impl_;
    std::unique_lock lock(me.mutex);
    if (!me.open) {
        return failed("has ended");
    }
    const auto id = ++me.last_id;
    const auto& reply = me.waiting[id];
    me.write(write_command(id, session, method, parameters));
    me.answered.wait_for(lock, stop, std::chrono::milliseconds(time_out_ms), [&] { return reply || !me.open; });
    auto got = std::move(me.waiting.extract(id).mapped());
    if (!got) {
        return stop.stop_requested() ? problem{code::cancelled, fmt::format("{} was cancelled", method)}
               : !me.open            ? failed(fmt::format("ended during {}", method))
                                     : problem{code::deadline_exceeded,
                                    fmt::format("the browser did not answer {} within {} ms", method, time_out_ms)};
    }
    return got->refusal ? expected<message>(*got->refusal) : std::move(*got);
}

void connection::send(std::string_view session, std::string_view method, std::string_view parameters) {
    auto& me = *impl_;
    const std::scoped_lock lock(me.mutex);
    if (me.open) {
        me.write(write_command(++me.last_id, session, method, parameters));
    }
}

bool connection::is_open() const {
    const std::scoped_lock lock(impl_->mutex);
    return impl_->open;
}

} // namespace troupe::net::devtools
