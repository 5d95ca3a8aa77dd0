#include "net/http/http_connection.hpp"

#include "net/http/deprecation.hpp"
#include "net/http/event_stream.hpp"
#include "net/http/reply_text.hpp"
#include "net/http/text.hpp"
#include "net/websocket/live_socket.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/base/log.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/error.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <exception>
#include <random>
#include <utility>

namespace troupe::net {

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;

/// One read takes up to this much: little while waiting, as that is what an idle connection costs.
constexpr std::size_t read_header_bytes = 4 * limits::kib;
constexpr std::size_t read_body_bytes = 64 * limits::kib;
/// So much of a body goes to its sink at once; it has `body_time_out_ms` to arrive.
constexpr std::size_t handed_bytes = 256 * limits::kib;
/// A body up to here travels in one buffer with its header.
constexpr std::size_t joined_body_bytes = 16 * limits::kib;
/// After a refusal, what the client still sends is read away for so long and so far, else a reset could take the
/// answer from it.
constexpr std::int64_t linger_ms = 2'000;
constexpr std::size_t linger_bytes = 4 * limits::mib;
/// A body up to here costs no more than its header did.
constexpr std::uint64_t free_body_bytes = read_header_bytes;
/// The rest of a refused body up to here is read, and the connection kept.
constexpr std::uint64_t refused_body_bytes = 64 * limits::kib;

spdlog::logger& log() {
    static auto& logger = log_for("edge");
    return logger;
}

problem defect(const route& r, const std::exception& e) {
    log().error("the handler of {} threw: {}", r.operation, e.what());
    return {code::internal, "The request failed inside the node: see its log."};
}

std::int64_t now_us() {
    return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

} // namespace

http_connection::http_connection(std::shared_ptr<edge> e, io_thread& io, tcp_socket socket)
    : connection(std::move(e)), io_(io), socket_(std::move(socket)) {}

std::shared_ptr<http_connection> http_connection::self() {
    return std::static_pointer_cast<http_connection>(shared_from_this());
}

void http_connection::enter(phase p, std::int64_t time_out_ms) {
    phase_ = p;
    deadline_ms_ = monotonic_ms() + time_out_ms;
}

void http_connection::start() {
    error_code ignored; // a socket that is gone already shows in the first read
    socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
    io_.add(shared_from_this());
    advance();
}

void http_connection::refuse() {
    io_.add(shared_from_this());
    fail({code::overloaded, "This node holds as many connections as it may: try again in a moment.", {}, 1});
}

// ---- reading

void http_connection::read() {
    if (std::exchange(reading_, true))
        return; // a time-out answered while one was under way
    const auto bytes_max = phase_ == phase::body ? read_body_bytes : read_header_bytes;
    socket_.async_read_some(buffer_.prepare(bytes_max), [c = self()](error_code error, std::size_t bytes) {
        c->reading_ = false;
        if (c->phase_ == phase::closed)
            return;
        if (!error)
            c->on_read(bytes);
        else if (error == asio::error::eof)
            c->on_peer_end();
        else
            c->close();
    });
}

void http_connection::on_read(std::size_t bytes) {
    if (phase_ == phase::lingering) {
        lingered_bytes_ += bytes;
        lingered_bytes_ > linger_bytes ? close() : read(); // nothing is committed: the bytes are gone
        return;
    }
    if (phase_ != phase::header && phase_ != phase::body)
        return; // answered meanwhile by a time-out
    buffer_.commit(bytes);
    advance();
}

void http_connection::on_peer_end() {
    // The client may have closed only its side: it still gets to know why a request that it began is not served.
    if (parser_ && (phase_ == phase::header || phase_ == phase::body))
        fail({code::malformed_http, "The connection ended in the middle of the request: send it whole."});
    else if (phase_ == phase::header || phase_ == phase::lingering)
        close();
}

/// Goes on with what is in the buffer, until more has to be read or a request is being answered.
void http_connection::advance() {
    const bool complete = phase_ == phase::header ? read_header() && read_body() : read_body();
    if (complete)
        dispatch();
}

/// False: more has to be read first, or the request was refused for good.
bool http_connection::read_header() {
    if (!parser_) {
        // Clients of old send an empty line between requests.
        while (buffer_.size() > 0 && std::string_view("\r\n").find(unread_text().front()) != std::string_view::npos)
            buffer_.consume(1);
        if (buffer_.size() == 0) {
            enter(phase::header, edge_->settings.idle_time_out_ms);
            if (buffer_.capacity() > 2 * read_header_bytes)
                buffer_.shrink_to_fit();
            if (edge_->draining)
                close();
            else
                read();
            return false;
        }
        parser_.emplace();
        parser_->header_limit(static_cast<std::uint32_t>(edge_->settings.header_bytes_max));
        parser_->body_limit(boost::none); // set when the route is known
        header_bytes_ = searched_bytes_ = 0;
        enter(phase::header, edge_->settings.header_time_out_ms);
    }
    error_code error = http::error::need_more;
    if (const auto first = unread_text().front(); header_bytes_ == 0 && (first <= ' ' || first > '~'))
        error = http::error::bad_method; // a TLS handshake has no lines to wait for
    while (error == http::error::need_more) {
        const auto part = header_part_bytes();
        if (header_bytes_ + (part > 0 ? part : buffer_.size() + 1) > edge_->settings.header_bytes_max) {
            error = http::error::header_limit;
        } else if (part == 0) {
            read();
            return false;
        } else if (parser_->put(asio::buffer(buffer_.data(), part), error) == part) {
            buffer_.consume(part);
            header_bytes_ += part;
            searched_bytes_ = 0;
        } else if (!error || error == http::error::need_more) {
            error = http::error::bad_line_ending;
        }
    }
    if (error) {
        fail(error);
        return false;
    }
    on_header();
    return phase_ == phase::body;
}

std::string_view http_connection::unread_text() const {
    return {static_cast<const char*>(buffer_.data().data()), buffer_.size()};
}

/// How long the next part of the header is: its first line, or all after that with the empty line. 0: it is not whole
/// yet. Beast judges the same bytes in another way when they come in other pieces, so it gets these two always.
std::size_t http_connection::header_part_bytes() {
    const auto text = unread_text();
    for (auto at = text.find('\n', searched_bytes_); at != std::string_view::npos; at = text.find('\n', at + 1)) {
        const auto end = at > 0 && text[at - 1] == '\r' ? at - 1 : at;
        if (header_bytes_ == 0 || end == 0 || text[end - 1] == '\n')
            return at + 1;
    }
    searched_bytes_ = text.size();
    return 0;
}

/// The same, for the body.
bool http_connection::read_body() {
    if (wants_credit_ && !take_credit())
        return false; // `tick` looks again
    while (!parser_->is_done()) {
        if (sink_ && parser_->get().body().size() >= handed_bytes) {
            hand_over();
            return false;
        }
        error_code error;
        std::size_t used = 0;
        if (buffer_.size() == 0)
            error = http::error::need_more;
        else
            used = parser_->put(buffer_.data(), error);
        buffer_.consume(used);
        if (error == http::error::need_more) {
            if (buffer_.size() > edge_->settings.header_bytes_max + read_body_bytes)
                fail(http::error::bad_chunk_extension); // a chunk line or trailer without end
            else
                read();
            return false;
        }
        if (error) {
            fail(error);
            return false;
        }
    }
    if (sink_)
        hand_over();
    return !sink_;
}

/// Takes what the body may need from the budget of all. False: it is used up, and this body has to wait in the socket.
bool http_connection::take_credit() {
    const auto limit = route_ && route_->body ? route_->body->bytes_max : limits::body_bytes_max;
    const auto bytes = parser_->is_done() ? 0 : parser_->content_length().value_or(limit);
    if (bytes > free_body_bytes) {
        if (!edge_->bodies.take(bytes))
            return false;
        credit_ = bytes;
    }
    wants_credit_ = false;
    return true;
}

void http_connection::give_back() { edge_->bodies.give_back(std::exchange(credit_, 0)); }

void http_connection::on_header() {
    began_us_ = now_us();
    request_ = {};
    route_ = nullptr;
    method_ = method_name(parser_->get().method());
    sink_.reset();
    is_head_ = is_socket_ = wants_stream_ = unread_ = false;
    close_after_ = !parser_->keep_alive();
    take_headers();
    take_ids();
    early_ = judge();
    wants_credit_ = !early_;
    enter(phase::body, edge_->settings.body_time_out_ms);
    parser_->eager(true);
    if (parser_->is_done())
        return;
    const bool waits = has_token(request_.header("expect").value_or(""), "100-continue") && buffer_.size() == 0;
    if (early_) {
        const auto length = parser_->content_length();
        if (waits || !length || *length > refused_body_bytes) {
            close_after_ = unread_ = true;
            write(std::move(*early_));
        }
        return;
    }
    if (!waits)
        return;
    static constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    // The body cannot come before the client has this; a failed write shows in the read.
    asio::async_write(socket_, asio::buffer(go_on), [c = self()](error_code, std::size_t) {});
}

void http_connection::take_headers() {
    for (const auto& field : parser_->get()) {
        const auto name = field.name_string();
        const auto value = field.value();
        auto [at, fresh] = request_.headers.try_emplace(lower_case({name.data(), name.size()}));
        if (!fresh)
            at->second += ", ";
        at->second.append(value.data(), value.size());
    }
}

void http_connection::take_ids() {
    trace_ = continue_trace(request_.header("traceparent"), request_.header("tracestate"));
    if (trace_.parent_id.empty() && edge_->hooks.sample && !edge_->hooks.sample(trace_.trace_id))
        trace_.flags = "00";
    const auto given = request_.header("x-request-id");
    request_.id = given && is_request_id(*given) ? std::string(*given) : trace_.trace_id;
    request_.trace = to_traceparent(trace_);
}

void http_connection::fail(error_code error) {
    const auto sent = unread_text();
    const std::string reason = error.message();
    if (error == http::error::header_limit)
        return fail({code::payload_too_large, "The request line and headers are over the limit of " +
                                                  std::to_string(edge_->settings.header_bytes_max) +
                                                  " bytes: send fewer or shorter ones."},
                    431);
    if (error == http::error::body_limit)
        return fail({code::payload_too_large,
                     "The body is over the limit of this route (" +
                         std::to_string(route_ && route_->body ? route_->body->bytes_max : limits::body_bytes_max) +
                         " bytes): send less, or upload it as a file."});
    if (error == http::error::bad_version && sent.substr(0, sent.find('\n')).find(" HTTP/") != std::string_view::npos) {
        const auto line = sent.substr(0, sent.find('\n'));
        const auto version = line.substr(line.find(" HTTP/") + 6, 3);
        if (version != "1.1" && version != "1.0")
            return fail({code::malformed_http, "This port speaks HTTP/1.1 only: ask your client for that version."},
                        505);
    }
    if (error == http::error::bad_method && sent.starts_with('\x16'))
        return fail({code::malformed_http, "This port speaks plain HTTP and got a TLS handshake: use http://."});
    fail({code::malformed_http, "The bytes are not an HTTP/1.1 request (" + reason + "): check the client."});
}

/// Answers and closes: what follows on this connection cannot be understood.
void http_connection::fail(const problem& p, int status) {
    if (request_.id.empty() || phase_ == phase::header) {
        request_ = {};
        route_ = nullptr;
        method_ = method_name(http::verb::unknown);
        is_head_ = false;
        began_us_ = now_us();
        take_ids();
    }
    close_after_ = unread_ = true;
    auto r = to_response(p, request_);
    log().debug("request {} refused: {}", request_.id, p.detail);
    write(status != 0 ? with_status(std::move(r), status) : std::move(r));
}

// ---- answering

void http_connection::dispatch() {
    ++number_;
    if (early_)
        return write(std::move(*early_));
    if (is_socket_)
        return upgrade();
    request_.body = std::move(parser_->get().body());
    request_.received = std::move(sink_);
    if (route_->body && route_->body->check) {
        if (request_.body.empty())
            request_.body = "{}"; // nothing is said
        if (auto valid = route_->body->check(request_.body); !valid)
            return write(to_response(valid.error(), request_));
    }
    enter(phase::handling, allowed_ms_);
    request_.deadline_ms = deadline_ms_;
    wants_stream_ ? run_stream() : run_handler();
}

void http_connection::run_handler() {
    // A copy for the answers that the edge itself may have to give.
    request stub;
    stub.id = request_.id;
    auto promise = std::make_shared<promised<response>>(
        io_.shared_from_this(),
        [c = std::weak_ptr(self()), n = number_](response r) {
            if (const auto live = c.lock())
                live->answer(n, std::move(r));
        },
        [stub] {
            return to_response(
                {code::unavailable, "The part that serves this request has ended without an answer.", {}, 1}, stub);
        });
    request handed = std::move(request_);
    request_ = std::move(stub);
    request_.trace = handed.trace;
    request_.path = handed.path;
    try {
        route_->run(std::move(handed), [promise](response r) { promise->give(std::move(r)); });
    } catch (const std::exception& e) {
        promise->give(to_response(defect(*route_, e), request_));
    }
}

void http_connection::run_stream() {
    // The cursor of the list at the same path: passed over in silence, its reader would miss what it asked for.
    if (request_.query_value("after"))
        return write(to_response({code::invalid_request,
                                  "A stream takes no `after`: give `since` (a cursor, or \"start\") or Last-Event-ID.",
                                  {{"after", "is for pages; a stream takes `since`"}}},
                                 request_));
    auto promise = std::make_shared<promised<expected<stream_spec>>>(
        io_.shared_from_this(),
        [c = std::weak_ptr(self()), n = number_](expected<stream_spec> spec) {
            if (const auto live = c.lock())
                live->answer_stream(n, std::move(spec));
        },
        [] {
            return expected<stream_spec>(
                problem{code::unavailable, "The part that serves this stream has ended without an answer.", {}, 1});
        });
    try {
        route_->stream(request_, [promise](expected<stream_spec> spec) { promise->give(std::move(spec)); });
    } catch (const std::exception& e) {
        promise->give(defect(*route_, e));
    }
}

void http_connection::answer(std::uint64_t number, response r) {
    if (phase_ == phase::handling && number == number_ && !hold_back(r))
        write(std::move(r));
}

/// A client that is refused at once repeats itself at once, and the node does nothing but refuse: so it comes late.
bool http_connection::hold_back(response& r) {
    const auto about_ms = edge_->settings.refusal_ms;
    const bool later =
        r.status == 503 && std::ranges::any_of(r.headers, [](const auto& h) { return h.first == "Retry-After"; });
    if (!later || about_ms == 0 || edge_->draining)
        return false;
    thread_local std::minstd_rand random(std::random_device{}());
    const auto jittered_ms = about_ms / 2 + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(about_ms));
    const auto wait_ms = std::min(jittered_ms, deadline_ms_ - monotonic_ms());
    if (wait_ms <= 0)
        return false;
    give_back();
    early_ = std::move(r);
    enter(phase::held_back, wait_ms);
    return true;
}

void http_connection::answer_stream(std::uint64_t number, expected<stream_spec> spec) {
    if (phase_ != phase::handling || number != number_)
        return;
    if (!spec)
        return write(to_response(spec.error(), request_));
    if (spec->since.empty())
        spec->since = request_.header("last-event-id").value_or(request_.query_value("since").value_or(""));
    auto stream = event_stream::open(edge_, io_, request_.who, *spec);
    if (!stream)
        return write(to_response(stream.error(), request_));
    response r;
    r.content_type = "text/event-stream";
    r.headers.emplace_back("X-Accel-Buffering", "no");
    close_after_ = true;
    auto head = head_of(r, true);
    report(r.status);
    phase_ = phase::closed;
    (*stream)->start(std::move(socket_), std::move(head));
    io_.remove(this);
}

std::string http_connection::head_of(const response& r, bool without_length) const {
    std::string out;
    out.reserve(512 + (r.body.size() <= joined_body_bytes ? r.body.size() : 0));
    append_head(out, r,
                {.request_id = request_.id,
                 .traceparent = request_.trace,
                 .server = edge_->server_name,
                 .date_line = io_.date_line(),
                 .deprecation = route_ && !route_->deprecated_since.empty() ? deprecation_lines(*route_) : "",
                 .close = close_after_,
                 .without_length = without_length});
    return out;
}

void http_connection::report(int status) const {
    const auto took_us = now_us() - began_us_;
    const auto operation = route_ ? std::string_view(route_->operation) : std::string_view();
    log().debug("{} {} {} {} us, request {}", operation, request_.path, status, took_us, request_.id);
    if (edge_->hooks.on_request)
        edge_->hooks.on_request({.to = route_,
                                 .method = method_,
                                 .path = request_.path,
                                 .id = request_.id,
                                 .trace = trace_,
                                 .status = status,
                                 .microseconds = took_us});
}

void http_connection::write(response r) {
    close_after_ = close_after_ || edge_->draining;
    give_back();
    enter(phase::writing, edge_->settings.write_time_out_ms);
    report(r.status);
    head_ = head_of(r, false);
    body_.clear();
    const auto done = [c = self()](error_code error, std::size_t) {
        if (c->phase_ == phase::writing)
            error ? c->close() : c->on_written();
    };
    source_.reset();
    if (r.source && *r.source->bytes > 0 && !is_head_) {
        source_ = std::make_shared<body_source>(std::move(*r.source));
        source_left_ = *source_->bytes;
        return send_piece();
    }
    if (is_head_ || r.body.empty() || r.status == 204 || r.status == 304) {
        asio::async_write(socket_, asio::buffer(head_), done);
    } else if (r.body.size() <= joined_body_bytes) {
        head_ += r.body;
        asio::async_write(socket_, asio::buffer(head_), done);
    } else {
        body_ = std::move(r.body);
        asio::async_write(socket_,
                          std::array{asio::const_buffer(asio::buffer(head_)), asio::const_buffer(asio::buffer(body_))},
                          done);
    }
}

void http_connection::on_written() {
    body_ = {};
    if (unread_)
        return linger();
    if (close_after_)
        return close();
    parser_.reset();
    phase_ = phase::header;
    advance();
}

/// Says that no more comes and waits for the client to notice.
void http_connection::linger() {
    error_code error;
    socket_.shutdown(tcp_socket::shutdown_send, error);
    if (error)
        return close();
    enter(phase::lingering, linger_ms);
    read();
}

void http_connection::upgrade() {
    auto live = self(); // `remove` below may drop the last other reference
    phase_ = phase::closed;
    report(101);
    socket_upgrade handed{std::move(socket_), parser_->release(), std::move(request_), route_};
    serve_live_socket(edge_, io_, std::move(handed));
    io_.remove(this);
}

void http_connection::tick(std::int64_t now_ms) {
    if (phase_ == phase::body && wants_credit_ && !reading_)
        advance();
    if (now_ms < deadline_ms_)
        return;
    switch (phase_) {
    case phase::header:
        if (!parser_)
            return close(); // idle
        return fail({code::deadline_exceeded, "The request's header did not arrive in time."}, 408);
    case phase::body:
        if (wants_credit_)
            return fail({code::overloaded, "The node has as many bodies in hand as it may: try again later.", {}, 2});
        return fail({code::deadline_exceeded, "The request's body did not arrive in time."}, 408);
    case phase::storing:
    case phase::handling:
        if (phase_ == phase::storing) // what is still to come of the body is not read
            close_after_ = unread_ = true;
        return write(to_response({code::deadline_exceeded,
                                  "The request was not answered in the time allowed. It may still take effect: look "
                                  "before you repeat it, or repeat it with the same Idempotency-Key."},
                                 request_));
    case phase::held_back:
        return write(std::move(*early_));
    case phase::writing:
        log().warn("connection closed: the client does not read its answer");
        return abort();
    case phase::lingering:
        return close();
    case phase::closed:
        return;
    }
}

void http_connection::drain() {
    if (phase_ == phase::header && !parser_)
        close();
    if (phase_ == phase::held_back)
        write(std::move(*early_));
    // Else the answer carries `Connection: close`.
}

void http_connection::abort() { close(); }

void http_connection::close() {
    if (phase_ == phase::closed)
        return;
    phase_ = phase::closed;
    sink_.reset();
    error_code ignored; // the peer may be gone already
    socket_.shutdown(tcp_socket::shutdown_both, ignored);
    socket_.close(ignored);
    io_.remove(this);
}

} // namespace troupe::net
