#include "net/cluster/link_stream.hpp"

#include "net/cluster/link_tls.hpp"
#include "schemas/base/log.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>

#include <fmt/format.h>

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <exception>
#include <utility>

namespace troupe::net {

namespace {

namespace asio = boost::asio;
using boost::system::error_code;

/// A thread reads up to this much of a connection at once.
constexpr std::size_t buffer_bytes = 256 << 10;
/// After so many reads or writes in a row the other connections of the thread have their turn.
constexpr int turns_max = 8;
/// One write gathers up to this many pieces; a frame has two.
constexpr std::size_t pieces_max = 64;
/// Ticks in which the peer may read why it was refused. A closed socket would take the sentence back.
constexpr int linger_ticks = 4;

} // namespace

std::int64_t link_now_us() {
    return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

// ---- the loop

link_loop::link_loop(std::int64_t tick_ms) : tick_ms_(tick_ms), buffer_(buffer_bytes) {}

link_loop::~link_loop() { stop({}); }

void link_loop::start() {
    tick();
    thread_ = std::thread([this] { run(); });
}

void link_loop::run() {
    // OpenSSL writes to sockets whose peer may be gone: that is an error, and no reason to end the process.
    sigset_t broken_pipe;
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
    for (;;) {
        try {
            io_.run();
            return;
        } catch (const std::exception& e) {
            log_for("cluster").error("a connection between nodes failed: {}", e.what());
        }
    }
}

void link_loop::tick() {
    ticker_.expires_after(std::chrono::milliseconds(tick_ms_));
    ticker_.async_wait([this](const error_code& error) {
        if (error)
            return;
        tick(); // first, so that a stream that throws does not end them
        const auto now_us = link_now_us();
        const std::vector<std::shared_ptr<link_stream>> all(streams_.begin(), streams_.end()); // some will go
        for (const auto& stream : all)
            stream->on_tick(now_us);
    });
}

void link_loop::stop(const std::function<void(link_stream&)>& goodbye) {
    if (thread_.joinable()) {
        post([this, &goodbye] {
            const std::vector<std::shared_ptr<link_stream>> all(streams_.begin(), streams_.end());
            for (const auto& stream : all)
                if (goodbye)
                    goodbye(*stream);
            ticker_.cancel();
            io_.stop();
        });
        thread_.join();
    }
    streams_.clear();
}

// ---- a stream

void link_stream::prepare() {
    error_code ignored; // a socket that is gone already shows in the first read
    socket_->plain().native_non_blocking(true, ignored);
    socket_->plain().set_option(asio::ip::tcp::no_delay(true), ignored);
}

void link_stream::shake_hands(std::function<void()> then) {
    if (ended_)
        return;
    const auto step = socket_->session().shake_hands();
    if (step.error)
        return lost(step.error);
    if (step.wants == tls_step::want::nothing)
        return then();
    socket_->wait_for(step.wants, [s = self(), then = std::move(then)](const error_code& error) mutable {
        if (!s->ended_)
            error ? s->lost(error) : s->shake_hands(std::move(then));
    });
}

void link_stream::begin() {
    begun_ = true;
    {
        const std::lock_guard lock(mutex_);
        flushing_ = true;
    }
    flush();
    read();
}

void link_stream::read() {
    auto& buffer = loop_->buffer();
    for (int turn = 0; turn < turns_max; ++turn) {
        if (ended_)
            return;
        auto step = socket_->read_now(asio::buffer(buffer));
        if (step.error)
            return lost(step.error);
        if (step.bytes > 0) {
            auto* const loop = loop_;
            take({buffer.data(), step.bytes});
            if (loop != loop_) // another thread goes on
                return;
            bool write = false;
            bool closed = false;
            {
                const std::lock_guard lock(mutex_);
                closed = session().is_closed();
                write = !closed && !session().out().empty() && wants_flush();
            }
            if (closed)
                return fail({});
            if (write)
                flush();
            if (ended_ || socket_->is_secure() || step.bytes == buffer.size())
                continue;
            step.wants = tls_step::want::read; // that was all
        }
        socket_->wait_for(step.wants, [s = self()](const error_code& error) {
            if (!s->ended_)
                error ? s->lost(error) : s->read();
        });
        return;
    }
    loop_->post([s = self()] { s->read(); });
}

void link_stream::flush() {
    for (int turn = 0; turn < turns_max && begun_ && !ended_; ++turn) {
        std::array<std::string_view, pieces_max> pieces;
        std::size_t count = 0;
        {
            const std::lock_guard lock(mutex_);
            count = session().out().gather(pieces);
            flushing_ = count > 0;
        }
        if (count == 0)
            return;
        std::array<asio::const_buffer, pieces_max> buffers; // others only add to the outbox meanwhile
        for (std::size_t i = 0; i < count; ++i)
            buffers[i] = asio::buffer(pieces[i].data(), pieces[i].size());
        const auto step = socket_->write_now({buffers.data(), count});
        if (step.bytes > 0) {
            const std::lock_guard lock(mutex_);
            session().out().written(step.bytes);
        }
        if (step.error)
            return lost_writing(step.error);
        if (step.wants != tls_step::want::nothing)
            return socket_->wait_for(step.wants, [s = self()](const error_code& error) {
                if (!s->ended_)
                    error ? s->lost(error) : s->flush();
            });
    }
    if (begun_ && !ended_)
        loop_->post([s = self()] { s->flush(); });
}

void link_stream::on_tick(std::int64_t now_us) {
    if (ended_) {
        if (++lingered_ > linger_ticks)
            close();
        return;
    }
    bool closed = false;
    bool write = false;
    {
        const std::lock_guard lock(mutex_);
        look(now_us);
        closed = session().is_closed();
        write = !closed && begun_ && !session().out().empty() && wants_flush();
    }
    if (closed)
        fail({});
    else if (write)
        flush();
}

void link_stream::lost(const error_code& error) {
    std::string why;
    if (socket_ && socket_->is_secure() && error != asio::error::eof)
        why = tls_failure(socket_->session(), error);
    else
        why = error == asio::error::eof ? "it closed the connection" : error.message();
    fail({code::connection_failed, std::move(why)});
}

/// The peer may have said why before it closed.
void link_stream::lost_writing(const error_code& error) {
    if (const auto step = socket_->read_now(asio::buffer(loop_->buffer())); step.bytes > 0)
        take({loop_->buffer().data(), step.bytes});
    lost(error);
}

void link_stream::end(problem why) { fail(std::move(why)); }

void link_stream::fail(problem why) {
    if (std::exchange(ended_, true))
        return;
    {
        const std::lock_guard lock(mutex_);
        session().close(std::move(why));
    }
    if (socket_ && socket_->is_open()) {
        write_rest();
        error_code ignored;
        socket_->shutdown_send(ignored);
        linger();
    } else {
        close();
    }
    on_end();
}

void link_stream::end_now(problem why) {
    fail(std::move(why));
    close();
}

/// One attempt.
void link_stream::write_rest() {
    const std::lock_guard lock(mutex_);
    auto& out = session().out();
    if (socket_->is_secure() && !begun_) // a handshake that failed: nothing can be said
        return;
    for (int turn = 0; turn < turns_max; ++turn) {
        std::array<std::string_view, pieces_max> pieces;
        const auto count = out.gather(pieces);
        if (count == 0)
            return;
        std::array<asio::const_buffer, pieces_max> buffers;
        for (std::size_t i = 0; i < count; ++i)
            buffers[i] = asio::buffer(pieces[i].data(), pieces[i].size());
        const auto step = socket_->write_now({buffers.data(), count});
        if (step.error || step.bytes == 0)
            return;
        out.written(step.bytes);
    }
}

/// Drops what still comes, until the peer has closed as well.
void link_stream::linger() {
    if (gone_)
        return;
    std::array<char, 4096> dropped;
    for (int turn = 0; turn < turns_max; ++turn) {
        const auto got = ::recv(socket_->plain().native_handle(), dropped.data(), dropped.size(), MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
            return close();
        if (got < 0)
            break;
    }
    socket_->wait_for(tls_step::want::read, [s = self()](const error_code& error) {
        if (!s->gone_)
            error ? s->close() : s->linger();
    });
}

void link_stream::close() {
    if (std::exchange(gone_, true))
        return;
    if (socket_ && socket_->is_open()) {
        error_code ignored;
        socket_->plain().close(ignored);
    }
    on_gone();
    loop_->remove(self());
}

void link_stream::move_to(link_loop& loop) {
    error_code error;
    const auto local = socket_->plain().local_endpoint(error);
    auto tls = socket_->take_session();
    const auto number = socket_->plain().release(error);
    tcp_socket moved(loop.io());
    if (!error)
        moved.assign(local.protocol(), number, error);
    if (error && number >= 0)
        ::close(number);
    loop_->remove(self());
    socket_.emplace(std::move(moved));
    if (tls)
        socket_->secure(std::move(tls));
    loop_ = &loop;
    loop.post([s = self(), error] {
        s->loop_->add(s);
        error ? s->lost(error) : s->begin();
    });
}

} // namespace troupe::net
