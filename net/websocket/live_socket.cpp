#include "net/websocket/live_socket.hpp"

#include "net/http/live_feed.hpp"
#include "net/http/text.hpp"
#include "net/websocket/live_messages.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/base/json.hpp"
#include "schemas/base/log.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/stream.hpp>

#include <deque>
#include <string>
#include <utility>
#include <vector>

namespace troupe::net {

namespace {

namespace asio = boost::asio;
namespace websocket = boost::beast::websocket;
using boost::system::error_code;

/// Answers that may wait for a client that asks but does not read; then it is read no further.
constexpr std::size_t answers_max = 64;
/// What is taken out of the feed at once.
constexpr std::size_t take_bytes = 64 * limits::kib;

/// For the client to answer a close.
constexpr std::int64_t close_ms = 2'000;

constexpr std::string_view slow_reader = "too slow: subscribe again from the cursors in the last message";
constexpr std::string_view stopping = "the node is stopping: connect again";
constexpr std::string_view changed = "the token has expired, or your rights have changed: connect again";

class live_socket : public connection {
public:
    live_socket(std::shared_ptr<edge> e, io_thread& io, socket_upgrade upgrade)
        : connection(std::move(e)),
          io_(io),
          asked_(std::move(upgrade.asked)),
          target_(upgrade.target),
          message_(std::move(upgrade.message)),
          stream_(std::move(upgrade.socket)) {}
    ~live_socket() override {
        if (feed_)
            feed_->close();
    }

    void start();
    void tick(std::int64_t now_ms) override;
    void drain() override;
    void abort() override;

private:
    std::shared_ptr<live_socket> self() { return std::static_pointer_cast<live_socket>(shared_from_this()); }
    void make_feed();
    void on_accepted();
    void show_target();
    void read();
    void on_message();
    void subscribe(client_message m);
    void unsubscribe(const client_message& m);
    expected<void> check_channels(const client_message& m) const;
    void say(std::string text);
    void flush();
    void take_events();
    void write_next();
    void close(websocket::close_code why, std::string_view reason);

    io_thread& io_;
    request asked_;
    const route* target_;
    boost::beast::http::request<growing_body> message_;
    websocket::stream<edge_socket, false> stream_; // false: no compression, which costs 300 kB a connection
    boost::beast::flat_buffer buffer_;
    std::shared_ptr<live_feed> feed_;
    std::deque<std::string> answers_; // go before events
    std::deque<std::string> events_;  // taken from the feed
    std::string writing_;
    std::uint64_t subscriptions_ = 0;
    std::int64_t write_deadline_ms_ = 0;
    bool reading_ = false;
    bool is_writing_ = false;
    bool accepted_ = false;
    bool closing_ = false; // nothing more is queued
    bool ended_ = false;
    std::pair<websocket::close_code, std::string_view> last_words_;
};

void live_socket::start() {
    const auto& settings = edge_->settings;
    io_.add(shared_from_this());
    websocket::stream_base::timeout times{};
    times.handshake_timeout = std::chrono::milliseconds(settings.header_time_out_ms);
    times.idle_timeout = std::chrono::milliseconds(settings.websocket_time_out_ms);
    times.keep_alive_pings = true; // after half of the idle time
    stream_.set_option(times);
    const bool offered_protocol = has_token(asked_.header("sec-websocket-protocol").value_or(""), live_subprotocol);
    const auto key = key_in_subprotocols(asked_.header("sec-websocket-protocol").value_or(""));
    // Browsers fail when none of the offered subprotocols is chosen.
    std::string chosen = offered_protocol ? std::string(live_subprotocol)
                         : key            ? std::string(key_subprotocol) + std::string(*key)
                                          : std::string();
    stream_.set_option(websocket::stream_base::decorator(
        [name = edge_->server_name, id = asked_.id, trace = asked_.trace, chosen](websocket::response_type& r) {
            r.set(boost::beast::http::field::server, name);
            r.set("X-Request-Id", id);
            r.set("traceparent", trace);
            if (!chosen.empty())
                r.set(boost::beast::http::field::sec_websocket_protocol, chosen);
        }));
    stream_.read_message_max(settings.websocket_message_bytes_max);
    stream_.auto_fragment(false);
    stream_.async_accept(message_, [s = self()](error_code error) { error ? s->abort() : s->on_accepted(); });
}

void live_socket::make_feed() {
    const auto& settings = edge_->settings;
    feed_ = std::make_shared<live_feed>(
        *edge_->hooks.bus, live_feed::limits{settings.stream_queue_bytes_max, settings.stream_queue_events_max},
        runtime::to_envelope, [thread = io_.shared_from_this(), socket = std::weak_ptr(self())] {
            thread->post([socket] {
                if (const auto s = socket.lock())
                    s->flush();
            });
        });
}

void live_socket::on_accepted() {
    accepted_ = true;
    message_ = {};
    if (edge_->hooks.bus == nullptr)
        return close(websocket::close_code::try_again_later, "this node has no live feed at the moment");
    make_feed();
    if (edge_->draining)
        return drain();
    if (target_ != nullptr)
        show_target();
    read();
}

/// The path was a stream's: its route says what is shown.
void live_socket::show_target() {
    auto promise = std::make_shared<promised<expected<stream_spec>>>(
        io_.shared_from_this(),
        [weak = std::weak_ptr(self())](expected<stream_spec> spec) {
            const auto s = weak.lock();
            if (!s || s->closing_)
                return;
            client_message m;
            if (spec) {
                m.channels = std::move(spec->channels);
                m.since = spec->since.empty() ? std::string(s->asked_.query_value("since").value_or("")) : spec->since;
                s->subscribe(std::move(m));
            } else {
                s->say(error_message(spec.error(), ""));
            }
        },
        [] {
            return expected<stream_spec>(
                problem{code::unavailable, "The part that serves this stream has ended without an answer.", {}, 1});
        });
    target_->stream(asked_, [promise](expected<stream_spec> spec) { promise->give(std::move(spec)); });
}

void live_socket::read() {
    if (reading_ || closing_ || answers_.size() >= answers_max)
        return; // goes on when answers have been written
    reading_ = true;
    stream_.async_read(buffer_, [s = self()](error_code error, std::size_t) {
        s->reading_ = false;
        if (error)
            return s->abort(); // Beast has answered a close, a broken frame or a message that is too long
        s->on_message();
        s->read();
    });
}

void live_socket::on_message() {
    const std::string text = boost::beast::buffers_to_string(buffer_.data());
    buffer_.consume(buffer_.size());
    auto message = stream_.got_text()
                       ? from_json<client_message>(text, strictness::input)
                       : expected<client_message>(problem{code::invalid_request, "Send JSON in text messages."});
    if (!message)
        return say(error_message(message.error(), ref_in(text)));
    switch (message->op) {
    case client_op::subscribe:
        if (auto valid = check_channels(*message); !valid)
            return say(error_message(valid.error(), message->ref));
        return subscribe(std::move(*message));
    case client_op::unsubscribe:
        return unsubscribe(*message);
    case client_op::ping:
        return say(pong_message(message->ref));
    }
}

expected<void> live_socket::check_channels(const client_message& m) const {
    if (m.channels.empty())
        return problem{code::invalid_request, "/channels: name at least one channel", {{"/channels", "is empty"}}};
    if (feed_->channels() + m.channels.size() > edge_->settings.websocket_channels_max)
        return problem{code::overloaded, "This connection may hold " +
                                             std::to_string(edge_->settings.websocket_channels_max) +
                                             " channels: unsubscribe some, use a pattern, or open another."};
    for (const auto& channel : m.channels) {
        if (!edge_->hooks.authorize_channel)
            return problem{code::forbidden, "This node shows no channels yet."};
        if (auto may = edge_->hooks.authorize_channel(asked_.who, channel); !may)
            return may.error();
    }
    return {};
}

void live_socket::subscribe(client_message m) {
    const auto name = "s" + std::to_string(++subscriptions_);
    auto begun = feed_->subscribe(name, {asked_.who.organization, m.channels, m.since});
    // Events are only written after this message, as both wait for `flush`.
    say(begun ? subscribed_message(name, m) : error_message(begun.error(), m.ref));
}

void live_socket::unsubscribe(const client_message& m) {
    const bool found =
        m.subscription.empty() ? feed_->unsubscribe_channels(m.channels) > 0 : feed_->unsubscribe(m.subscription);
    say(found ? unsubscribed_message(m)
              : error_message(
                    {code::not_found, "This connection has no such subscription: see the \"subscribed\" messages."},
                    m.ref));
}

void live_socket::say(std::string text) {
    if (closing_)
        return;
    answers_.push_back(std::move(text));
    write_next();
}

void live_socket::flush() {
    if (!accepted_ || closing_)
        return;
    if (feed_->dropped())
        take_events(); // even with a write that is stuck: the subscriptions end now
    else
        write_next();
}

void live_socket::take_events() {
    auto taken = feed_->take(take_bytes);
    for (auto& message : taken.messages)
        events_.push_back(std::move(message));
    edge_->tell_lost(taken.lost);
    if (!taken.dropped)
        return;
    events_.push_back(dropped_message(taken.resume)); // after what was taken before
    close(websocket::close_code::try_again_later, slow_reader);
}

void live_socket::write_next() {
    if (is_writing_ || ended_)
        return;
    if (answers_.empty() && events_.empty() && feed_ && !closing_)
        take_events();
    if (is_writing_ || ended_)
        return; // taking them may have begun the end
    auto& from = answers_.empty() ? events_ : answers_;
    if (from.empty()) {
        if (closing_) {
            ended_ = true;
            write_deadline_ms_ = monotonic_ms() + close_ms;
            stream_.async_close(
                {last_words_.first, boost::beast::string_view(last_words_.second.data(), last_words_.second.size())},
                [s = self()](error_code) { s->abort(); });
        }
        return;
    }
    writing_ = std::move(from.front());
    from.pop_front();
    is_writing_ = true;
    write_deadline_ms_ = monotonic_ms() + edge_->settings.write_time_out_ms;
    stream_.text(true);
    stream_.async_write(asio::buffer(writing_), [s = self()](error_code error, std::size_t) {
        s->is_writing_ = false;
        if (error)
            return s->abort();
        s->write_next();
        s->read();
    });
}

/// After what is still to be written.
void live_socket::close(websocket::close_code why, std::string_view reason) {
    if (closing_)
        return;
    closing_ = true;
    last_words_ = {why, reason};
    if (feed_)
        feed_->close();
    write_next();
}

void live_socket::tick(std::int64_t now_ms) {
    if (accepted_ && !closing_ && !edge_->still_may(asked_, asked_.who))
        close(websocket::close_code::policy_error, changed);
    if ((is_writing_ || ended_) && now_ms >= write_deadline_ms_) {
        log_for("edge").debug("WebSocket closed: the client does not read");
        abort();
    }
}

void live_socket::drain() {
    if (accepted_)
        close(websocket::close_code::going_away, stopping);
}

void live_socket::abort() {
    auto& socket = stream_.next_layer();
    if (feed_)
        feed_->close();
    closing_ = ended_ = true;
    if (socket.is_open())
        socket.close();
    io_.remove(this);
}

} // namespace

void serve_live_socket(std::shared_ptr<edge> e, io_thread& io, socket_upgrade upgrade) {
    std::make_shared<live_socket>(std::move(e), io, std::move(upgrade))->start();
}

std::optional<std::string_view> key_in_subprotocols(std::string_view header) {
    while (!header.empty()) {
        const auto comma = header.find(',');
        const auto item = trim(header.substr(0, comma));
        if (item.starts_with(key_subprotocol) && item.size() > key_subprotocol.size())
            return item.substr(key_subprotocol.size());
        header = comma == std::string_view::npos ? std::string_view() : header.substr(comma + 1);
    }
    return std::nullopt;
}

} // namespace troupe::net
