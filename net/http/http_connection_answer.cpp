// How a request is answered: by the edge itself, by its handler, or by a stream.
#include "net/http/access_log.hpp"
#include "net/http/compression.hpp"
#include "net/http/deprecation.hpp"
#include "net/http/event_stream.hpp"
#include "net/http/failure.hpp"
#include "net/http/http_connection.hpp"
#include "net/http/reply_text.hpp"
#include "net/http/stream_query.hpp"
#include "net/websocket/live_socket.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/base/log.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <array>
#include <exception>
#include <random>
#include <utility>

namespace troupe::net {

namespace {

namespace asio = boost::asio;
using boost::system::error_code;

/// A body up to here travels in one buffer with its header.
constexpr std::size_t joined_body_bytes = 16 * limits::kib;

spdlog::logger& log() {
    static auto& logger = log_for("edge");
    return logger;
}

/// Calls the handler of a route. `stub` is what the edge knows of the request.
void serve(const route& r, request handed, const request& stub, const std::shared_ptr<promised<response>>& promise) {
    const log_scope about(stub.id, stub.trace);
    try {
        r.run(std::move(handed), [promise](response answer) { promise->give(std::move(answer)); });
    } catch (const std::exception& e) {
        promise->give(to_response(defect("the handler of " + r.operation, e), stub));
    }
}

} // namespace

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
    if (route_->streams)
        wants_stream_ = route_->streams(request_);
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
    request_.address = handed.address;
    request_.who = handed.who;
    if (route_->blocks && route_->blocks()) {
        edge_->workers->post([route = route_, handed = std::move(handed), promise, stub = request_]() mutable {
            serve(*route, std::move(handed), stub, promise);
        });
        return;
    }
    serve(*route_, std::move(handed), request_, promise);
}

void http_connection::run_stream() {
    if (auto valid = check_stream_query(request_); !valid)
        return write(to_response(valid.error(), request_));
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
    const auto begin = [route = route_, promise](const request& r) {
        const log_scope about(r.id, r.trace);
        try {
            route->stream(r, [promise](expected<stream_spec> spec) { promise->give(std::move(spec)); });
        } catch (const std::exception& e) {
            promise->give(defect("the handler of " + route->operation, e));
        }
    };
    if (route_->blocks && route_->blocks()) {
        edge_->workers->post([begin, handed = request_] { begin(handed); });
        return;
    }
    begin(request_);
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
    if (spec)
        spec = complete(std::move(*spec), request_);
    if (!spec)
        return write(to_response(spec.error(), request_));
    if (spec->instead)
        return hold_back(*spec->instead) ? void() : write(std::move(*spec->instead));
    auto stream = event_stream::open(edge_, io_, request_, *spec);
    if (!stream)
        return write(to_response(stream.error(), request_));
    response r;
    r.content_type = "text/event-stream";
    r.headers = spec->headers;
    r.headers.emplace_back("X-Accel-Buffering", "no");
    close_after_ = true;
    auto head = head_of(r, true);
    report(r.status, 0);
    phase_ = phase::closed;
    (*stream)->start(std::move(socket_), std::move(head));
    io_.remove(this);
    if (spec->opened)
        spec->opened();
}

std::string http_connection::head_of(const response& r, bool without_length) const {
    std::string more = more_lines_;
    if (route_ && !route_->deprecated_since.empty())
        more += deprecation_lines(*route_);
    std::string out;
    out.reserve(512 + (r.body.size() <= joined_body_bytes ? r.body.size() : 0));
    append_head(out, r,
                {.request_id = request_.id,
                 .traceparent = request_.trace,
                 .server = edge_->server_name,
                 .date_line = io_.date_line(),
                 .more_lines = more,
                 .close = close_after_,
                 .keep_alive = is_old_ && !close_after_,
                 .without_length = without_length});
    return out;
}

void http_connection::report(int status, std::uint64_t bytes) {
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
    if (!edge_->logs_accesses || entry_.method.empty())
        return;
    entry_.status = status;
    entry_.bytes = bytes;
    entry_.microseconds = took_us;
    entry_.request_id = request_.id;
    entry_.traceparent = request_.trace;
    entry_.address = request_.address;
    entry_.principal = request_.who.name;
    entry_.user_agent = program_;
    static auto& accesses = log_for("access");
    accesses.info("{}", access_line(entry_));
}

void http_connection::report_refusal(const response& r) {
    if ((r.status == 401 || r.status == 403) && edge_->hooks.on_refused)
        edge_->hooks.on_refused({.to = route_,
                                 .method = method_,
                                 .path = request_.path,
                                 .id = request_.id,
                                 .status = r.status,
                                 .why = r.refusal,
                                 .caller = request_.who,
                                 .client = {request_.address, program_, request_.who.organization}});
}

void http_connection::report_failure(const response& r) {
    if (r.status < 500 || !edge_->hooks.on_failed_request)
        return;
    if (r.status == 504 && allowed_ms_ < edge_->settings.request_time_out_ms)
        return; // the client allowed less time than the node does
    if (const auto detail = untold_failure(r))
        edge_->hooks.on_failed_request({.to = route_,
                                        .method = method_,
                                        .id = request_.id,
                                        .trace = request_.trace,
                                        .status = r.status,
                                        .why = r.refusal,
                                        .detail = *detail});
}

void http_connection::write(response r) {
    close_after_ = close_after_ || edge_->draining;
    give_back();
    enter(phase::writing, edge_->settings.write_time_out_ms);
    report_failure(r);
    if (is_compressible(r)) {
        r.headers.emplace_back("Vary", "Accept-Encoding");
        if (takes_gzip_)
            compress(r);
    } else if (r.status == 304) {
        r.headers.emplace_back("Vary", "Accept-Encoding");
        if (knows_gzip_)
            tag_as_compressed(r);
    }
    report_refusal(r);
    report(r.status, is_head_ ? 0 : r.source ? *r.source->bytes : r.body.size());
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

void http_connection::upgrade() {
    auto live = self(); // `remove` below may drop the last other reference
    phase_ = phase::closed;
    report(101, 0);
    socket_upgrade handed{std::move(socket_), std::move(request_), route_};
    serve_live_socket(edge_, io_, std::move(handed));
    io_.remove(this);
}

} // namespace troupe::net
