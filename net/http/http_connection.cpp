#include "net/http/http_connection.hpp"

#include "net/http/client_address.hpp"
#include "net/http/compression.hpp"
#include "net/http/message_check.hpp"
#include "net/http/reply_text.hpp"
#include "net/http/text.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/base/log.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/error.hpp>

#include <algorithm>
#include <chrono>
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
/// After a refusal, what the client still sends is read away for so long and so far, else a reset could take the
/// answer from it.
constexpr std::int64_t linger_ms = 2'000;
constexpr std::size_t linger_bytes = 4 * limits::mib;
/// A body up to here costs no more than its header did.
constexpr std::uint64_t free_body_bytes = read_header_bytes;
/// The rest of a refused body up to here is read, and the connection kept.
constexpr std::uint64_t refused_body_bytes = 64 * limits::kib;
/// What the extensions of a body's chunks may take together: nobody needs them.
constexpr std::size_t extension_bytes_max = 4 * limits::kib;
/// The first byte of a TLS connection.
constexpr char tls_handshake = '\x16';

spdlog::logger& log() {
    static auto& logger = log_for("edge");
    return logger;
}

problem malformed(std::string_view why) {
    return {code::malformed_http,
            "The bytes are not an HTTP/1.1 request (" + std::string(why) + "): check the client."};
}

} // namespace

http_connection::http_connection(std::shared_ptr<edge> e, io_thread& io, edge_socket socket, entrance way,
                                 std::string address)
    : connection(std::move(e)), io_(io), socket_(std::move(socket)), way_(way), address_(std::move(address)) {}

std::int64_t http_connection::now_us() {
    return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

std::shared_ptr<http_connection> http_connection::self() {
    return std::static_pointer_cast<http_connection>(shared_from_this());
}

void http_connection::enter(phase p, std::int64_t time_out_ms) {
    phase_ = p;
    deadline_ms_ = monotonic_ms() + time_out_ms;
}

void http_connection::start() {
    error_code ignored; // a socket that is gone already shows in the first read
    socket_.plain().set_option(asio::ip::tcp::no_delay(true), ignored);
    from_proxy_ = edge_->proxies.contains(std::string_view(address_));
    io_.add(shared_from_this());
    if (way_ != entrance::tls)
        return begin();
    enter(phase::handshake, edge_->settings.header_time_out_ms);
    socket_.plain().native_non_blocking(true, ignored);
    await_hello();
}

void http_connection::refuse(problem why, int status) {
    refusal_.emplace(std::move(why), status);
    start();
}

void http_connection::begin() {
    phase_ = phase::header;
    if (refusal_)
        return fail(refusal_->first, refusal_->second);
    advance();
}

// ---- TLS

/// Nothing is allocated for TLS before the client says something.
void http_connection::await_hello() {
    socket_.plain().async_wait(tcp_socket::wait_read, [c = self()](error_code error) {
        if (c->phase_ != phase::handshake)
            return;
        error ? c->close() : c->on_hello();
    });
}

void http_connection::on_hello() {
    char first = 0;
    error_code error;
    socket_.plain().receive(asio::buffer(&first, 1), asio::socket_base::message_peek, error);
    if (error)
        return close();
    if (first != tls_handshake) {
        misdirected_ = true;
        return begin();
    }
    auto session = edge_->identity->begin(socket_.plain().native_handle());
    if (!session)
        return close();
    socket_.secure(std::move(session));
    shake_hands();
}

void http_connection::shake_hands() {
    const auto step = socket_.session().shake_hands();
    if (step.error) {
        log().debug("TLS handshake with {} failed: {}", address_, step.error.message());
        return close();
    }
    if (step.wants == tls_step::want::nothing)
        return begin();
    const auto what = step.wants == tls_step::want::read ? tcp_socket::wait_read : tcp_socket::wait_write;
    socket_.plain().async_wait(what, [c = self()](error_code failed) {
        if (c->phase_ != phase::handshake)
            return;
        failed ? c->close() : c->shake_hands();
    });
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
        if (header_bytes_ == 0 && (part > 0 ? part : buffer_.size() + 1) > edge_->settings.target_bytes_max)
            return refuse_target();
        if (header_bytes_ + (part > 0 ? part : buffer_.size() + 1) > edge_->settings.header_bytes_max) {
            error = http::error::header_limit;
        } else if (part == 0) {
            read();
            return false;
        } else if (const auto flaw = flaw_in_lines(unread_text().substr(0, part), header_bytes_ == 0); !flaw.empty()) {
            fail(malformed(flaw));
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

void http_connection::chunk_watch::operator()(std::uint64_t, boost::beast::string_view extensions, error_code& error) {
    if (extensions.size() > left)
        error = http::error::bad_chunk_extension;
    left -= std::min(left, extensions.size());
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
    is_old_ = parser_->get().version() < 11;
    chunks_.left = extension_bytes_max;
    take_headers();
    take_ids();
    take_client();
    if (!edge_->hooks.wait_to_read)
        return on_judged(judge());
    // Whoever asks may be known by what another node answered a moment ago.
    enter(phase::catching_up, edge_->settings.request_time_out_ms);
    const auto target = parser_->get().target();
    edge_->hooks.wait_to_read({target.data(), target.size()},
                              [io = io_.shared_from_this(), c = self(), n = ++number_](const expected<void>& what) {
                                  io->post([c, n, what] {
                                      if (c->number_ == n && c->phase_ == phase::catching_up)
                                          c->on_caught_up(what);
                                  });
                              });
}

void http_connection::on_caught_up(const expected<void>& what) {
    on_judged(what ? judge() : to_response(what.error(), request_));
    if (phase_ == phase::body && read_body())
        dispatch();
}

void http_connection::on_judged(std::optional<response> refusal) {
    early_ = std::move(refusal);
    wants_credit_ = !early_;
    enter(phase::body, edge_->settings.body_time_out_ms);
    parser_->eager(true);
    if (parser_->is_done())
        return;
    parser_->on_chunk_header(chunks_);
    const bool waits = !is_old_ && request_.header("expect") && buffer_.size() == 0;
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
    repeated_ = {};
    for (const auto& field : parser_->get()) {
        const auto name = field.name_string();
        const auto value = field.value();
        auto [at, fresh] = request_.headers.try_emplace(lower_case({name.data(), name.size()}));
        if (!fresh && is_single(at->first))
            repeated_ = at->first;
        if (!fresh)
            at->second += at->first == "cookie" ? "; " : ", ";
        at->second.append(value.data(), value.size());
    }
    takes_gzip_ = accepts_gzip(request_.header("accept-encoding").value_or(""));
    knows_gzip_ = false;
    for (const auto* name : {"if-match", "if-none-match"}) {
        const auto found = request_.headers.find(name);
        if (found == request_.headers.end())
            continue;
        if (auto plain = without_gzip_suffixes(found->second)) {
            found->second = std::move(*plain);
            knows_gzip_ = true;
        }
    }
}

/// Where the request comes from, and what every answer to it has to say about that.
void http_connection::take_client() {
    request_.address = address_;
    request_.secure = socket_.is_secure();
    if (from_proxy_) {
        auto client = forwarded_client(request_, address_, edge_->proxies);
        request_.address = std::move(client.address);
        request_.secure = request_.secure || client.secure;
    }
    more_lines_.clear();
    edge_->origins.append_lines(more_lines_, request_.header("origin").value_or(""));
    if (socket_.is_secure())
        more_lines_ += edge_->tls_line;
    program_ = request_.user_agent().substr(0, limits::user_agent_bytes_max);
    entry_ = {};
    if (edge_->logs_accesses && parser_ && parser_->is_header_done()) {
        const auto& message = parser_->get();
        const auto target = message.target();
        entry_.method = message.method_string();
        entry_.path = target.substr(0, target.find('?'));
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
    fail(malformed(reason));
}

/// False, as `read_header` says it.
bool http_connection::refuse_target() {
    fail({code::payload_too_large, "The request line is over the limit of " +
                                       std::to_string(edge_->settings.target_bytes_max) +
                                       " bytes: say less in the URL."},
         414);
    return false;
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
        take_client();
    }
    close_after_ = unread_ = true;
    auto r = to_response(p, request_);
    log().debug("request {} refused: {}", request_.id, p.detail);
    write(status != 0 ? with_status(std::move(r), status) : std::move(r));
}

/// Says that no more comes and waits for the client to notice.
void http_connection::linger() {
    error_code error;
    socket_.shutdown_send(error);
    if (error)
        return close();
    enter(phase::lingering, linger_ms);
    read();
}

void http_connection::tick(std::int64_t now_ms) {
    if (phase_ == phase::body && wants_credit_ && !reading_)
        advance();
    if (now_ms < deadline_ms_)
        return;
    switch (phase_) {
    case phase::handshake:
        return close();
    case phase::header:
        if (!parser_)
            return close(); // idle
        return fail({code::deadline_exceeded, "The request's header did not arrive in time."}, 408);
    case phase::body:
        if (wants_credit_)
            return fail({code::overloaded, "The node has as many bodies in hand as it may: try again later.", {}, 2});
        return fail({code::deadline_exceeded, "The request's body did not arrive in time."}, 408);
    case phase::catching_up:
        return fail({code::unavailable, "The node could not find out in time what the others have: try again.", {}, 1});
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
    if (phase_ == phase::handshake || (phase_ == phase::header && !parser_))
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
    socket_.close();
    io_.remove(this);
}

} // namespace troupe::net
