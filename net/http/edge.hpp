#pragma once

#include "net/http/connection_places.hpp"
#include "net/http/cors.hpp"
#include "net/http/rate_limit.hpp"
#include "net/http/router.hpp"
#include "net/http/server.hpp"
#include "net/http/tls.hpp"
#include "net/http/worker_threads.hpp"
#include "runtime/supervision/stall_watch.hpp"
#include "schemas/base/network.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

/// What the connections of a server share. Private to net/http and net/websocket: it knows Asio.
namespace troupe::net {

/// What a listener is for.
enum class entrance : std::uint8_t { plain, tls, redirect };

/// Counts the open connections, so that `stop` can wait for the last.
class connection_count {
public:
    void add() { ++count_; }
    void remove();
    [[nodiscard]] std::size_t now() const { return count_; }
    /// False: some are left after the deadline.
    bool wait_until_none(std::int64_t deadline_ms);

private:
    std::atomic<std::size_t> count_ = 0;
    std::mutex mutex_;
    std::condition_variable changed_;
};

/// What all request bodies in hand may take together: a credit is taken before a body is read.
class body_budget {
public:
    explicit body_budget(std::size_t bytes_max) : left_(static_cast<std::int64_t>(bytes_max)) {}
    /// False: nothing was taken; ask again later.
    bool take(std::size_t bytes);
    void give_back(std::size_t bytes) { left_ += static_cast<std::int64_t>(bytes); }

private:
    std::atomic<std::int64_t> left_;
};

/// Immutable while the server runs, except for the counts.
struct edge {
    edge(server_settings s, server_hooks h, net::router r)
        : settings(std::move(s)),
          hooks(std::move(h)),
          router(std::move(r)),
          origins(settings.cors_origins),
          by_address(settings.address_rate),
          by_caller(settings.caller_rate),
          by_organization(settings.organization_rate),
          bodies(settings.body_bytes_max) {}

    server_settings settings;
    server_hooks hooks;
    net::router router;
    std::string server_name;                          ///< The `Server` header.
    std::unique_ptr<tls_identity> identity = nullptr; ///< None: plain HTTP.
    std::uint16_t tls_port = 0;                       ///< Where the redirecting listener sends to.
    std::string tls_line = {};                        ///< HSTS, with its CRLF.
    origin_policy origins;
    network_list proxies = {}; ///< Trusted ones.
    rate_limiter by_address;
    rate_limiter by_caller;
    rate_limiter by_organization;
    std::atomic<bool> logs_accesses{settings.access_log};
    std::shared_ptr<connection_places> places = std::make_shared<connection_places>();
    connection_count connections;
    body_budget bodies;
    std::atomic<bool> draining = false;
    std::unique_ptr<worker_threads> workers = nullptr; ///< For bodies in pieces.

    /// False: the stream that this request opened has to end. `who` is brought up to date.
    [[nodiscard]] bool still_may(const request& asked, principal& who) const {
        if (!hooks.revalidate)
            return true;
        auto now = hooks.revalidate(asked, who);
        if (now && *now)
            who = std::move(**now);
        return now.has_value();
    }

    void tell_lost(std::size_t events) const {
        if (events > 0 && hooks.on_lost)
            hooks.on_lost(events);
    }
};

/// Something that holds a socket. Lives on one io thread; all its functions are called there.
class connection : public std::enable_shared_from_this<connection> {
public:
    explicit connection(std::shared_ptr<edge> e) : edge_(std::move(e)) { edge_->connections.add(); }
    virtual ~connection() { edge_->connections.remove(); }
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;

    /// Called about ten times a second: the place for all time-outs, so that none costs a timer.
    virtual void tick(std::int64_t now_ms) = 0;
    /// Ends as soon as that is polite.
    virtual void drain() = 0;
    /// Ends now.
    virtual void abort() = 0;
    /// `io_thread::wake` was called.
    virtual void woken() {}

protected:
    std::shared_ptr<edge> edge_;
};

/// A thread with an io_context and the connections that live on it.
class io_thread : public std::enable_shared_from_this<io_thread>, private runtime::stall_subject {
public:
    io_thread();
    ~io_thread() override;
    /// Before `start`: from then on the watch sees whether it gets on, while it has connections.
    void watch_by(runtime::stall_watch& watch, std::string path);
    void start();
    /// Ends the loop and joins. Connections that are left die with their pending operations.
    void stop();

    /// Runs `task` on this thread. From any thread; many calls before the thread wakes cost one wake-up.
    void post(std::function<void()> task);
    /// Calls `woken` of a connection, if it is still there: a `post` that costs nothing but its place in a list.
    void wake(std::weak_ptr<connection> c);
    [[nodiscard]] bool is_current() const;

    void add(std::shared_ptr<connection> c);
    void remove(const connection* c);
    void drain_all();
    void abort_all();

    boost::asio::io_context& context() { return context_; }
    /// "Date: Sat, 21 Nov 2026 07:14:41 GMT\r\n", renewed each second.
    const std::string& date_line();

private:
    static constexpr std::int64_t tick_ms = 100;
    [[nodiscard]] std::string stall_path() const override { return path_; }
    [[nodiscard]] bool is_core() const override { return true; }
    void run_inbox();
    void schedule_tick();
    template <class Visit>
    void for_each(Visit visit);

    boost::asio::io_context context_{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_{context_.get_executor()};
    boost::asio::basic_waitable_timer<std::chrono::steady_clock, boost::asio::wait_traits<std::chrono::steady_clock>,
                                      boost::asio::io_context::executor_type>
        timer_{context_};
    bool ticking_ = false;
    std::mutex mutex_;
    std::vector<std::function<void()>> inbox_;
    std::vector<std::weak_ptr<connection>> woken_;
    bool stopped_ = false;
    std::unordered_map<const connection*, std::shared_ptr<connection>> connections_;
    std::string path_;
    std::shared_ptr<runtime::watched_thread> pulse_; // null: nobody watches
    bool in_pulse_ = false;
    std::int64_t date_second_ = 0;
    std::string date_line_;
    std::thread thread_;
    /// Set by the thread itself: it serves, and others ask, while `thread_` is still being assigned, or joined.
    std::atomic<std::thread::id> runs_on_;
};

/// Says to its one asker what came out, exactly once, from any thread; an answer that is never given is given by
/// its destructor. The state behind a `responder`.
template <class Answer>
class promised {
public:
    /// `deliver` runs on the io thread.
    promised(std::shared_ptr<io_thread> io, std::function<void(Answer)> deliver, std::function<Answer()> forgotten)
        : io_(std::move(io)), deliver_(std::move(deliver)), forgotten_(std::move(forgotten)) {}
    ~promised() {
        if (!given_)
            give(forgotten_());
    }
    promised(const promised&) = delete;
    promised& operator=(const promised&) = delete;

    void give(Answer answer) {
        if (given_.exchange(true))
            return;
        if (io_->is_current())
            deliver_(std::move(answer));
        else
            io_->post([deliver = std::move(deliver_), a = std::move(answer)]() mutable { deliver(std::move(a)); });
    }

private:
    std::shared_ptr<io_thread> io_;
    std::function<void(Answer)> deliver_;
    std::function<Answer()> forgotten_;
    std::atomic<bool> given_ = false;
};

} // namespace troupe::net
