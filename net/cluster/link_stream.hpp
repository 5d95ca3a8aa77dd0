#pragma once

#include "net/cluster/link_loop.hpp"
#include "net/http/edge_socket.hpp"
#include "runtime/cluster/link_session.hpp"
#include "schemas/base/problem.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>

namespace troupe::net {

/// One connection between two nodes: a socket, and the protocol of its end, which the classes above this one have. On
/// the thread of its loop but for what says otherwise.
class link_stream : public std::enable_shared_from_this<link_stream> {
public:
    explicit link_stream(link_loop& loop) : loop_(&loop) {}
    virtual ~link_stream() = default;
    link_stream(const link_stream&) = delete;
    link_stream& operator=(const link_stream&) = delete;

    void on_tick(std::int64_t now_us);
    /// Tells the peer, and is done with it.
    void end(problem why);
    /// The same, and waits for nothing.
    void end_now(problem why);
    [[nodiscard]] bool has_ended() const { return ended_; }

protected:
    using error_code = boost::system::error_code;

    // For the classes above. `mutex_` is held for `session` and `look`, and for the outbox.
    virtual runtime::cluster::link_end& session() = 0;
    virtual void look(std::int64_t now_us) = 0;
    /// What was read; `mutex_` is not held.
    virtual void take(std::string_view bytes) = 0;
    /// It has ended, and `session().why()` says why. Once.
    virtual void on_end() = 0;
    /// Its socket is closed, which may be a while after the end. Once.
    virtual void on_gone() {}

    std::shared_ptr<link_stream> self() { return shared_from_this(); }
    /// Without blocking, and without delay for small frames.
    void prepare();
    void shake_hands(std::function<void()> then);
    /// From now on bytes come and go.
    void begin();
    void read();
    /// Whatever is in the outbox goes out.
    void flush();
    /// From any thread, with `mutex_` held: whether the caller has to see to it that `flush` is called.
    bool wants_flush() { return !std::exchange(flushing_, true); }
    void lost(const error_code& error);
    /// Closes the session for this reason, if it is not closed, and ends.
    void fail(problem why);
    void move_to(link_loop& loop);

    link_loop* loop_;
    std::optional<edge_socket> socket_;
    std::mutex mutex_;

private:
    void lost_writing(const error_code& error);
    void write_rest();
    void linger();
    void close();

    bool begun_ = false;
    bool ended_ = false;
    bool gone_ = false;     // the socket is closed
    bool flushing_ = false; // by `mutex_`: a flush runs, or will
    int lingered_ = 0;      // ticks
};

} // namespace troupe::net
