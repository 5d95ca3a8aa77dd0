#include "net/websocket/live_socket.hpp"

#include "net/http/live_feed.hpp"
#include "net/http/outbox.hpp"
#include "net/http/stream_query.hpp"
#include "net/http/text.hpp"
#include "net/websocket/frames.hpp"
#include "net/websocket/live_messages.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/base/json.hpp"
#include "schemas/base/log.hpp"

#include <boost/asio/buffer.hpp>

#include <array>
#include <string>
#include <utility>
#include <vector>

namespace troupe::net {

namespace {

namespace asio = boost::asio;
using boost::system::error_code;

/// Answers that may wait for a client that asks but does not read; then it is read no further.
constexpr std::size_t answers_max = 64;
/// For the client to answer a close.
constexpr std::int64_t close_ms = 2'000;

constexpr std::string_view slow_reader = "too slow: subscribe again from the cursors in the last message";
constexpr std::string_view stopping = "the node is stopping: connect again";
constexpr std::string_view changed = "the token has expired, or your rights have changed: connect again";

std::string to_message(const runtime::live_event& e) { return to_frame(frame_kind::text, runtime::to_envelope(e)); }

class live_socket : public connection {
public:
    live_socket(std::shared_ptr<edge> e, io_thread& io, socket_upgrade upgrade)
        : connection(std::move(e)),
          io_(io),
          asked_(std::move(upgrade.asked)),
          target_(upgrade.target),
          socket_(std::move(upgrade.socket)),
          frames_(edge_->settings.websocket_message_bytes_max) {}
    ~live_socket() override {
        if (feed_)
            feed_->close();
    }

    void start();
    void tick(std::int64_t now_ms) override;
    void drain() override;
    void abort() override;
    void woken() override { flush(); }

private:
    std::shared_ptr<live_socket> self() { return std::static_pointer_cast<live_socket>(shared_from_this()); }
    [[nodiscard]] std::string handshake() const;
    void make_feed();
    void show_target();
    void read();
    void take_input();
    void on_frame();
    void on_message(const std::string& text, bool is_text);
    void subscribe(client_message m);
    void unsubscribe(const client_message& m);
    expected<void> check_channels(const client_message& m) const;
    void say(std::string text) { answer(to_frame(frame_kind::text, text)); }
    void answer(std::string frame);
    void flush();
    void take_events();
    void fill_outbox();
    void write_next();
    void wait_to_write(tls_step::want what);
    void begin_close(close_code why, std::string_view reason);
    void close(close_code why, std::string_view reason);

    io_thread& io_;
    request asked_;
    const route* target_;
    edge_socket socket_;
    frame_reader frames_;
    std::array<char, 512> buffer_{};
    std::string_view unread_; // of the buffer
    std::shared_ptr<live_feed> feed_;
    std::vector<std::string> answers_; // go before events
    outbox out_;
    std::string last_words_; // the frame that closes
    std::uint64_t subscriptions_ = 0;
    std::int64_t write_deadline_ms_ = 0;
    std::int64_t heard_ms_ = 0;
    bool reading_ = false;
    bool waiting_ = false;     // for the socket to take more
    bool pinged_ = false;      // since it was heard last
    bool closing_ = false;     // nothing more is queued
    bool peer_closed_ = false; // what else it sends is not read
    bool ended_ = false;       // the last words are out
};

void live_socket::start() {
    io_.add(shared_from_this());
    heard_ms_ = monotonic_ms();
    for (const auto* name : {"accept", "accept-encoding", "accept-language", "cache-control", "connection", "host",
                             "pragma", "sec-websocket-extensions", "sec-websocket-version", "upgrade"})
        asked_.headers.erase(name); // it is kept as long as the connection
    out_.add(handshake());
    asked_.headers.erase("sec-websocket-key");
    if (edge_->hooks.bus == nullptr)
        return close(close_code::try_again_later, "this node has no live feed at the moment");
    make_feed();
    if (edge_->draining)
        return drain();
    if (target_ != nullptr)
        show_target();
    write_next();
    read();
}

std::string live_socket::handshake() const {
    const auto offered = asked_.header("sec-websocket-protocol").value_or("");
    const auto key = key_in_subprotocols(offered);
    // Browsers fail when none of the offered subprotocols is chosen.
    const auto chosen = has_token(offered, live_subprotocol) ? std::string(live_subprotocol)
                        : key                                ? std::string(key_subprotocol).append(*key)
                                                             : std::string();
    auto out = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nServer: " +
               edge_->server_name + "\r\nX-Request-Id: " + asked_.id + "\r\ntraceparent: " + asked_.trace +
               "\r\nSec-WebSocket-Accept: " + accept_key(asked_.header("sec-websocket-key").value_or(""));
    if (!chosen.empty())
        out += "\r\nSec-WebSocket-Protocol: " + chosen;
    return out + "\r\n\r\n";
}

void live_socket::make_feed() {
    const auto& settings = edge_->settings;
    feed_ = std::make_shared<live_feed>(
        *edge_->hooks.bus, live_feed::limits{settings.stream_queue_bytes_max, settings.stream_queue_events_max},
        live_feed::form{0, to_message},
        [thread = io_.shared_from_this(), socket = weak_from_this()] { thread->wake(socket); });
}

/// The path was a stream's: its route says what is shown.
void live_socket::show_target() {
    auto promise = std::make_shared<promised<expected<stream_spec>>>(
        io_.shared_from_this(),
        [weak = std::weak_ptr(self())](expected<stream_spec> spec) {
            const auto s = weak.lock();
            if (!s || s->closing_)
                return;
            if (spec)
                spec = complete(std::move(*spec), s->asked_);
            if (!spec)
                return s->say(error_message(spec.error(), ""));
            client_message m;
            m.channels = std::move(spec->channels);
            m.since = std::move(spec->since);
            m.filter = {spec->filter.kinds, spec->filter.entities, spec->filter.where};
            s->subscribe(std::move(m));
        },
        [] {
            return expected<stream_spec>(
                problem{code::unavailable, "The part that serves this stream has ended without an answer.", {}, 1});
        });
    if (auto valid = check_stream_query(asked_); !valid)
        return promise->give(valid.error());
    target_->stream(asked_, [promise](expected<stream_spec> spec) { promise->give(std::move(spec)); });
}

void live_socket::read() {
    if (reading_ || !unread_.empty() || !socket_.is_open())
        return; // goes on when answers have been written
    reading_ = true;
    socket_.async_read_some(asio::buffer(buffer_), [s = self()](error_code error, std::size_t bytes) {
        s->reading_ = false;
        if (error)
            return s->abort();
        s->heard_ms_ = monotonic_ms();
        s->pinged_ = false;
        s->unread_ = std::string_view(s->buffer_.data(), bytes);
        s->take_input();
        s->read();
    });
}

/// All that was read, unless the client asks faster than it reads the answers.
void live_socket::take_input() {
    while (!unread_.empty() && !peer_closed_ && answers_.size() < answers_max) {
        switch (frames_.read(unread_)) {
        case frame_reader::outcome::more:
            break;
        case frame_reader::outcome::message:
            on_frame();
            break;
        case frame_reader::outcome::failed:
            peer_closed_ = true; // nothing that it sends can be read any more
            close(frames_.failure(), "");
            break;
        }
    }
    if (peer_closed_)
        unread_ = {};
}

void live_socket::on_frame() {
    auto payload = frames_.take_payload();
    switch (frames_.kind()) {
    case frame_kind::ping:
        return answer(to_frame(frame_kind::pong, payload));
    case frame_kind::pong:
        return;
    case frame_kind::close:
        peer_closed_ = true;
        if (ended_)
            return abort();
        if (!closing_) {
            begin_close(close_code::normal, "");
            last_words_ = to_frame(frame_kind::close, payload); // as it said it
        }
        return write_next();
    default:
        if (!closing_)
            on_message(payload, frames_.kind() == frame_kind::text);
    }
}

void live_socket::on_message(const std::string& text, bool is_text) {
    auto message = is_text ? from_json<client_message>(text, strictness::input)
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
    return runtime::check({m.filter.kinds, m.filter.entities, m.filter.where});
}

void live_socket::subscribe(client_message m) {
    const auto name = "s" + std::to_string(++subscriptions_);
    auto begun = feed_->subscribe(
        name, {asked_.who.organization, m.channels, m.since, {m.filter.kinds, m.filter.entities, m.filter.where}});
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

void live_socket::answer(std::string frame) {
    if (closing_)
        return;
    answers_.push_back(std::move(frame));
    write_next();
}

void live_socket::flush() {
    if (closing_ && !out_.empty())
        return write_next();
    if (closing_ || !feed_)
        return;
    if (feed_->dropped())
        take_events(); // even with a write that is stuck: the subscriptions end now
    write_next();
}

void live_socket::take_events() {
    auto taken = feed_->take(live_write_bytes, live_write_texts);
    for (auto& text : taken.texts)
        out_.add(std::move(text));
    edge_->tell_lost(taken.lost);
    if (!taken.dropped)
        return;
    answers_.push_back(to_frame(frame_kind::text, dropped_message(taken.resume))); // after what was taken before
    begin_close(close_code::try_again_later, slow_reader);
}

void live_socket::fill_outbox() {
    for (auto& each : std::exchange(answers_, {}))
        out_.add(std::move(each));
    if (out_.empty() && feed_ && !closing_)
        take_events();
    for (auto& each : std::exchange(answers_, {})) // that they are the last
        out_.add(std::move(each));
    if (out_.empty() && !last_words_.empty())
        out_.add(std::exchange(last_words_, {}));
}

void live_socket::write_next() {
    for (int round = 0; !waiting_ && !ended_; ++round) {
        if (out_.empty())
            fill_outbox();
        if (out_.empty()) {
            if (!closing_)
                break;
            ended_ = true;
            if (peer_closed_ && frames_.kind() == frame_kind::close)
                return abort();
            write_deadline_ms_ = monotonic_ms() + close_ms;
            error_code ignored;
            socket_.shutdown_send(ignored);
            break;
        }
        if (round == live_writes_max) {
            io_.wake(weak_from_this());
            break;
        }
        const auto step = out_.write_to(socket_);
        if (step.error)
            return abort();
        if (step.wants != tls_step::want::nothing)
            wait_to_write(step.wants);
    }
}

void live_socket::wait_to_write(tls_step::want what) {
    waiting_ = true;
    write_deadline_ms_ = monotonic_ms() + edge_->settings.write_time_out_ms;
    socket_.wait_for(what, [s = self()](error_code error) {
        s->waiting_ = false;
        if (error)
            return s->abort();
        s->write_next();
        s->take_input(); // there may be room for answers again
        s->read();
    });
}

/// After what is still to be written.
void live_socket::begin_close(close_code why, std::string_view reason) {
    if (std::exchange(closing_, true))
        return;
    last_words_ = to_close_frame(why, reason);
    if (feed_)
        feed_->close();
}

void live_socket::close(close_code why, std::string_view reason) {
    begin_close(why, reason);
    write_next();
}

void live_socket::tick(std::int64_t now_ms) {
    if (!closing_ && !edge_->still_may(asked_, asked_.who))
        close(close_code::policy_error, changed);
    if ((waiting_ || ended_) && now_ms >= write_deadline_ms_) {
        log_for("edge").debug("WebSocket closed: the client does not read");
        return abort();
    }
    const auto silent_ms = now_ms - heard_ms_;
    if (silent_ms >= edge_->settings.websocket_time_out_ms) {
        log_for("edge").debug("WebSocket closed: nothing was heard of the client");
        return abort();
    }
    if (silent_ms >= edge_->settings.websocket_time_out_ms / 2 && !pinged_) {
        pinged_ = true;
        answer(to_frame(frame_kind::ping, ""));
    }
}

void live_socket::drain() { close(close_code::going_away, stopping); }

void live_socket::abort() {
    if (feed_)
        feed_->close();
    closing_ = ended_ = true;
    if (socket_.is_open())
        socket_.close();
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
