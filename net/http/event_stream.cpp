#include "net/http/event_stream.hpp"

#include "schemas/base/clock.hpp"
#include "schemas/base/json.hpp"
#include "schemas/base/log.hpp"

#include <boost/asio/buffer.hpp>

#include <algorithm>
#include <utility>

namespace troupe::net {

namespace {

namespace asio = boost::asio;
using boost::system::error_code;

std::string to_event(const runtime::live_event& e) {
    std::string data = runtime::to_envelope(e);
    std::replace(data.begin(), data.end(), '\n', ' '); // between JSON tokens only: a line feed would end the event
    std::string out;
    out.reserve(data.size() + e.id.size() + e.kind.size() + 32);
    if (!e.id.empty())
        out.append("id: ").append(e.id).append("\n");
    out.append("event: ").append(e.kind).append("\ndata: ").append(data).append("\n\n");
    return out;
}

/// An event of the edge itself, in the same envelope.
std::string to_last_event(std::string_view kind, std::string_view cursor, std::string_view reason) {
    runtime::live_event e;
    e.id = cursor;
    e.ts = system_now();
    e.kind = kind;
    json::object_writer data(e.data);
    data.field("since", cursor).field("reason", reason);
    data.end();
    return to_event(e);
}

} // namespace

event_stream::event_stream(std::shared_ptr<edge> e, io_thread& io)
    : connection(std::move(e)), io_(io), socket_(tcp_socket(io.context())) {}

event_stream::~event_stream() {
    if (feed_)
        feed_->close();
    tell_closed();
}

void event_stream::tell_closed() {
    if (const auto closed = std::exchange(closed_, nullptr))
        closed();
}

std::shared_ptr<event_stream> event_stream::self() {
    return std::static_pointer_cast<event_stream>(shared_from_this());
}

expected<std::shared_ptr<event_stream>> event_stream::open(std::shared_ptr<edge> e, io_thread& io, request asked,
                                                           const stream_spec& spec) {
    if (e->hooks.bus == nullptr)
        return problem{code::unavailable, "This node has no live feed at the moment: try again later."};
    const auto& settings = e->settings;
    auto& bus = *e->hooks.bus;
    auto out = std::make_shared<event_stream>(e, io);
    out->feed_ = std::make_shared<live_feed>(
        bus, live_feed::limits{settings.stream_queue_bytes_max, settings.stream_queue_events_max},
        live_feed::form{1, to_event, spec.form},
        [thread = io.shared_from_this(), stream = std::weak_ptr<connection>(out)] { thread->wake(stream); });
    if (!spec.fed) {
        auto subscribed = out->feed_->subscribe("", {asked.who.organization, spec.channels, spec.since, spec.filter});
        if (!subscribed)
            return subscribed.error();
    }
    out->asked_ = std::move(asked);
    out->own_ = spec.form || spec.fed;
    out->broken_ = spec.broken;
    out->fed_ = spec.fed;
    out->closed_ = spec.closed;
    return out;
}

void event_stream::start(edge_socket socket, std::string head) {
    socket_ = std::move(socket);
    started_ = true;
    // The comment makes proxies and clients show the stream at once.
    out_.add(std::move(head) + "retry: 2000\n: connected\n\n");
    heartbeat_at_ms_ = monotonic_ms() + edge_->settings.heartbeat_ms;
    io_.add(shared_from_this());
    read();
    if (const auto fed = std::exchange(fed_, nullptr))
        fed([feed = std::weak_ptr(feed_)](own_text text) {
            const auto open = feed.lock();
            return open && open->write(std::move(text));
        });
    flush();
    if (edge_->draining)
        drain();
}

void event_stream::flush() {
    for (int round = 0; started_ && socket_.is_open(); ++round) {
        if (!ending_ && ((!waiting_ && out_.empty()) || feed_->dropped())) {
            auto taken = feed_->take(live_write_bytes, live_write_texts);
            for (auto& text : taken.texts)
                out_.add(std::move(text));
            edge_->tell_lost(taken.lost);
            if (taken.ended)
                finish("");
            if (taken.dropped)
                end_with(
                    to_last_event("dropped", taken.resume.empty() ? "" : taken.resume.front().since,
                                  "The reader was too slow. Connect again with Last-Event-ID to go on from there."));
        }
        if (waiting_)
            return;
        if (out_.empty())
            return ending_ ? abort() : void();
        if (round == live_writes_max)
            return io_.wake(weak_from_this());
        heartbeat_at_ms_ = monotonic_ms() + edge_->settings.heartbeat_ms;
        const auto step = out_.write_to(socket_);
        if (step.error)
            return abort();
        if (step.wants == tls_step::want::nothing)
            continue;
        waiting_ = true;
        write_deadline_ms_ = monotonic_ms() + edge_->settings.write_time_out_ms;
        socket_.wait_for(step.wants, [s = self()](error_code error) {
            s->waiting_ = false;
            if (error)
                s->abort();
            else
                s->flush();
        });
        return;
    }
}

/// Nothing is expected from the client: this only notices that it has gone.
void event_stream::read() {
    socket_.async_read_some(asio::buffer(ignored_), [s = self()](error_code error, std::size_t) {
        if (error)
            s->abort();
        else
            s->read();
    });
}

/// Before its end. Readers of another form do not know the edge's own events.
void event_stream::end_with(std::string last_event) { finish(own_ ? broken_ : std::move(last_event)); }

void event_stream::finish(std::string last_event) {
    ending_ = true;
    if (!last_event.empty())
        out_.add(std::move(last_event));
    feed_->close();
}

void event_stream::tick(std::int64_t now_ms) {
    if (!ending_ && !edge_->still_may(asked_, asked_.who)) {
        end_with(to_last_event("closed", "", "The token has expired, or what you may do has changed. Connect again."));
        return flush();
    }
    if (waiting_) {
        if (now_ms >= write_deadline_ms_) {
            log_for("edge").debug("event stream closed: the client does not read");
            abort();
        }
    } else if (now_ms >= heartbeat_at_ms_) {
        out_.add(": heartbeat\n\n");
        flush();
    }
}

void event_stream::drain() {
    if (ending_)
        return;
    closed_ = nullptr; // whoever reads it has not turned away
    end_with(to_last_event("closed", "", "The node is stopping. Connect again."));
    flush();
}

void event_stream::abort() {
    if (!socket_.is_open())
        return;
    feed_->close();
    socket_.close();
    tell_closed();
    io_.remove(this);
}

} // namespace troupe::net
