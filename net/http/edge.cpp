#include "net/http/edge.hpp"

#include "schemas/base/clock.hpp"
#include "schemas/base/log.hpp"

#include <boost/asio/post.hpp>

#include <pthread.h>

#include <csignal>
#include <ctime>
#include <exception>

namespace troupe::net {

namespace {
namespace asio = boost::asio;
spdlog::logger& log() {
    static auto& logger = log_for("edge");
    return logger;
}

/// A hook or a handler let it escape. Its connection is lost, the others go on.
void report(const std::exception& e) {
    log().error("an exception reached the io thread, please report this: {}", e.what());
}
} // namespace

void connection_count::remove() {
    if (--count_ == 0) {
        const std::lock_guard lock(mutex_); // orders the change before a waiter's check
        changed_.notify_all();
    }
}

bool connection_count::wait_until_none(std::int64_t deadline_ms) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::milliseconds(deadline_ms), [&] { return count_ == 0; });
}

bool body_budget::take(std::size_t bytes) {
    const auto wanted = static_cast<std::int64_t>(bytes);
    if (left_.fetch_sub(wanted) >= wanted)
        return true;
    left_ += wanted;
    return false;
}

io_thread::io_thread() = default;

io_thread::~io_thread() {
    if (in_pulse_)
        pulse_->end();
}

void io_thread::watch_by(runtime::stall_watch& watch, std::string path) {
    path_ = std::move(path);
    pulse_ = watch.add(path_.substr(path_.rfind('/') + 1));
}

void io_thread::start() {
    thread_ = std::thread([this] {
        // OpenSSL writes to sockets whose peer may be gone: that is an error, and no reason to end the process.
        sigset_t broken_pipe;
        sigemptyset(&broken_pipe);
        sigaddset(&broken_pipe, SIGPIPE);
        pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
        runs_on_ = std::this_thread::get_id();
        for (;;) {
            try {
                context_.run();
                runs_on_ = std::thread::id(); // which another thread may get
                return;
            } catch (const std::exception& e) {
                report(e);
            }
        }
    });
}

void io_thread::stop() {
    {
        const std::lock_guard lock(mutex_);
        if (std::exchange(stopped_, true))
            return;
        inbox_.clear();
        woken_.clear();
    }
    context_.stop();
    if (thread_.joinable())
        thread_.join();
    if (std::exchange(in_pulse_, false))
        pulse_->end();
    connections_.clear();
}

void io_thread::post(std::function<void()> task) {
    bool first = false;
    {
        const std::lock_guard lock(mutex_);
        if (stopped_)
            return;
        first = inbox_.empty() && woken_.empty();
        inbox_.push_back(std::move(task));
    }
    if (first)
        asio::post(context_, [this] { run_inbox(); });
}

void io_thread::wake(std::weak_ptr<connection> c) {
    bool first = false;
    {
        const std::lock_guard lock(mutex_);
        if (stopped_)
            return;
        first = inbox_.empty() && woken_.empty();
        woken_.push_back(std::move(c));
    }
    if (first)
        asio::post(context_, [this] { run_inbox(); });
}

bool io_thread::is_current() const { return std::this_thread::get_id() == runs_on_.load(); }

void io_thread::run_inbox() {
    std::vector<std::function<void()>> tasks;
    std::vector<std::weak_ptr<connection>> woken;
    {
        const std::lock_guard lock(mutex_);
        tasks.swap(inbox_);
        woken.swap(woken_);
    }
    for (const auto& each : woken) {
        try {
            if (const auto c = each.lock())
                c->woken();
        } catch (const std::exception& e) {
            report(e);
        }
    }
    for (auto& task : tasks) {
        try {
            task();
        } catch (const std::exception& e) { // in here: the tasks behind it are of others
            report(e);
        }
    }
}

void io_thread::add(std::shared_ptr<connection> c) {
    const auto* key = c.get();
    connections_.emplace(key, std::move(c));
    schedule_tick();
}

void io_thread::remove(const connection* c) { connections_.erase(c); }

template <class Visit>
void io_thread::for_each(Visit visit) {
    // A visit may end connections: they are held and the table is not walked meanwhile.
    std::vector<std::shared_ptr<connection>> held;
    held.reserve(connections_.size());
    for (const auto& [key, c] : connections_)
        held.push_back(c);
    for (const auto& c : held)
        visit(*c);
}

void io_thread::drain_all() {
    for_each([](connection& c) { c.drain(); });
}

void io_thread::abort_all() {
    for_each([](connection& c) { c.abort(); });
}

void io_thread::schedule_tick() {
    if (ticking_)
        return;
    if (connections_.empty()) { // an idle node sleeps
        if (std::exchange(in_pulse_, false))
            pulse_->end();
        return;
    }
    ticking_ = true;
    if (in_pulse_) {
        pulse_->beat();
    } else if (pulse_) {
        pulse_->begin(*this);
        in_pulse_ = true;
    }
    timer_.expires_after(std::chrono::milliseconds(tick_ms));
    timer_.async_wait([this](const boost::system::error_code& error) {
        ticking_ = false;
        if (error)
            return;
        const auto now_ms = monotonic_ms();
        for_each([&](connection& c) { c.tick(now_ms); });
        schedule_tick();
    });
}

const std::string& io_thread::date_line() {
    const auto second = system_now().ms / 1000;
    if (second != date_second_) {
        date_second_ = second;
        const auto t = static_cast<std::time_t>(second);
        std::tm parts{};
        gmtime_r(&t, &parts);
        char text[64];
        const auto length = std::strftime(text, sizeof text, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &parts);
        date_line_.assign(text, length);
    }
    return date_line_;
}

} // namespace troupe::net
