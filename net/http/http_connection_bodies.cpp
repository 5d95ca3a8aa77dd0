// Bodies that come and go in pieces.
#include "net/http/failure.hpp"
#include "net/http/http_connection.hpp"
#include "net/http/reply_text.hpp"
#include "schemas/base/log.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <exception>
#include <utility>

namespace troupe::net {

namespace {

namespace asio = boost::asio;
using boost::system::error_code;

} // namespace

/// Asks the route for the sink of the body to come.
std::optional<response> http_connection::open_sink() {
    const log_scope about(request_.id, request_.trace);
    try {
        auto sink = route_->receive(request_);
        if (!sink)
            return to_response(sink.error(), request_);
        sink_ = std::move(*sink);
        return std::nullopt;
    } catch (const std::exception& e) {
        return to_response(defect("a receiver", e), request_);
    }
}

/// Gives what was read to the sink, and reads on when it has taken it.
void http_connection::hand_over() {
    const bool last = parser_->is_done();
    enter(phase::storing, edge_->settings.request_time_out_ms);
    edge_->workers->post([io = io_.shared_from_this(), c = std::weak_ptr(self()), n = ++number_, sink = sink_,
                          piece = std::exchange(parser_->get().body(), {}), last, id = request_.id,
                          trace = request_.trace]() mutable {
        const log_scope about(id, trace);
        expected<void> taken;
        try {
            taken = piece.empty() ? expected<void>() : sink->take(piece);
            if (taken && last)
                taken = sink->finish();
        } catch (const std::exception& e) {
            taken = defect("the sink of a body", e);
        }
        sink.reset(); // its end may block as well
        io->post([c = std::move(c), n, taken = std::move(taken), last] {
            if (const auto live = c.lock())
                live->on_handed_over(n, taken, last);
        });
    });
}

void http_connection::on_handed_over(std::uint64_t number, const expected<void>& taken, bool last) {
    if (phase_ != phase::storing || number != number_)
        return;
    if (!taken) {
        sink_.reset();
        if (last)
            return write(to_response(taken.error(), request_));
        return fail(taken.error());
    }
    enter(phase::body, edge_->settings.body_time_out_ms);
    if (last)
        return dispatch();
    advance();
}

/// Asks the source for the next piece of the answer.
void http_connection::send_piece() {
    enter(phase::writing, edge_->settings.write_time_out_ms);
    edge_->workers->post([io = io_.shared_from_this(), c = std::weak_ptr(self()), source = source_, id = request_.id,
                          trace = request_.trace] {
        const log_scope about(id, trace);
        expected<std::string> piece = std::string();
        try {
            piece = source->next();
        } catch (const std::exception& e) {
            piece = defect("the source of a body", e);
        }
        io->post([c, piece = std::move(piece)]() mutable {
            if (const auto live = c.lock())
                live->on_piece(std::move(piece));
        });
    });
}

void http_connection::on_piece(expected<std::string> piece) {
    if (phase_ != phase::writing || !source_)
        return;
    if (!piece || piece->empty() || piece->size() > source_left_) {
        const log_scope about(request_.id, request_.trace);
        if (piece || !is_defect(piece.error()))
            log_for("edge").error("an answer ended early: {}",
                                  piece ? "its source has another length than it said" : piece.error().detail);
        return close(); // the only way left to say so
    }
    body_ = std::move(*piece);
    source_left_ -= body_.size();
    enter(phase::writing, edge_->settings.write_time_out_ms);
    asio::async_write(socket_,
                      std::array{asio::const_buffer(asio::buffer(head_)), asio::const_buffer(asio::buffer(body_))},
                      [c = self()](error_code error, std::size_t) {
                          if (c->phase_ != phase::writing)
                              return;
                          if (error)
                              return c->close();
                          c->head_.clear();
                          if (c->source_left_ > 0)
                              return c->send_piece();
                          c->source_.reset();
                          c->on_written();
                      });
}

} // namespace troupe::net
