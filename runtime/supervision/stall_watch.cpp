#include "runtime/supervision/stall_watch.hpp"

#include "runtime/supervision/tree.hpp"
#include "schemas/base/duration.hpp"
#include "schemas/base/log.hpp"

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <utility>

namespace troupe::runtime {

namespace {
constexpr std::int64_t tick_ms = 500;
} // namespace

void watched_thread::begin(const stall_subject& subject) {
    const std::lock_guard lock(mutex_);
    subject_ = &subject;
    turn_.fetch_add(1, std::memory_order_relaxed);
}

void watched_thread::end() {
    const std::lock_guard lock(mutex_); // the watch may be asking the subject
    turn_.fetch_add(1, std::memory_order_relaxed);
    subject_ = nullptr;
}

std::uint64_t stall_watch::next_id() {
    static std::atomic<std::uint64_t> ids{0};
    return ++ids;
}

watched_thread& stall_watch::this_thread(const char* name) {
    struct mine {
        std::uint64_t watch = 0;
        std::shared_ptr<watched_thread> thread;
    };
    thread_local mine here;
    if (here.watch != id_) {
        std::uint64_t number = 0;
        {
            const std::lock_guard lock(mutex_);
            number = ++made_;
        }
        here.thread = add(std::string(name) + "-" + std::to_string(number));
        here.watch = id_;
    }
    return *here.thread;
}

std::shared_ptr<watched_thread> stall_watch::add(std::string name) {
    auto made = std::make_shared<watched_thread>(std::move(name));
    const std::lock_guard lock(mutex_);
    threads_.push_back(made);
    return made;
}

stall_watch::findings stall_watch::tick(std::int64_t passed_ms) {
    findings out;
    const std::lock_guard lock(mutex_);
    std::erase_if(threads_, [](const auto& t) { return t.expired(); });
    for (const auto& weak : threads_) {
        if (const auto t = weak.lock()) {
            look_at(*t, passed_ms, out);
        }
    }
    return out;
}

void stall_watch::look_at(watched_thread& t, std::int64_t passed_ms, findings& out) const {
    const auto turn = t.turn_.load(std::memory_order_relaxed);
    const bool same = turn % 2 == 1 && turn == t.seen_;
    t.seen_ = turn;
    if (!same) {
        if (!t.stalled_.empty()) {
            out.ended.push_back({t.name_, std::exchange(t.stalled_, {}), t.same_ms_, false});
        }
        t.same_ms_ = 0;
        t.over_ = false;
        return;
    }
    t.same_ms_ += passed_ms;
    if (t.same_ms_ < settings_.stall_ms) {
        return;
    }
    const std::lock_guard lock(t.mutex_);
    if (t.turn_.load(std::memory_order_relaxed) != turn || !t.subject_) {
        return; // it ended just now
    }
    stall found{t.name_, t.subject_->stall_path(), t.same_ms_, t.subject_->is_core()};
    if (t.stalled_.empty()) {
        t.stalled_ = found.path;
        out.begun.push_back(found);
    }
    if (found.core && settings_.end_ms > 0 && t.same_ms_ >= settings_.end_ms && !std::exchange(t.over_, true)) {
        out.overdue.push_back(std::move(found));
    }
}

std::size_t stall_watch::threads() const {
    const std::lock_guard lock(mutex_);
    return threads_.size();
}

struct watchdog::impl {
    stall_watch& watch;
    supervision_tree& tree;
    std::function<void(const std::string&)> end_process;
    std::jthread thread; ///< The last member: it uses the others.

    void tell(const stall_watch::findings& found) const {
        for (const auto& s : found.begun) {
            log_for("supervision")
                .error("{} has not got on for {}, on thread {}", s.path, span_text(s.for_ms), s.thread);
            tree.set_stalled(s.path, true);
        }
        for (const auto& s : found.ended) {
            log_for("supervision").warn("{} goes on after {}, on thread {}", s.path, span_text(s.for_ms), s.thread);
            tree.set_stalled(s.path, false);
        }
        for (const auto& s : found.overdue) {
            end_process(s.path + " has not got on for " + span_text(s.for_ms) + ", on thread " + s.thread);
        }
    }
};

watchdog::watchdog(stall_watch& watch, supervision_tree& tree, std::function<void(const std::string&)> end_process)
    : impl_(std::make_unique<impl>(impl{watch, tree, std::move(end_process), {}})) {
    impl_->thread = std::jthread([me = impl_.get()](const std::stop_token& stop) {
        std::mutex mutex;
        std::condition_variable_any wakes;
        std::unique_lock lock(mutex);
        while (!wakes.wait_for(lock, stop, std::chrono::milliseconds(tick_ms), [&] { return stop.stop_requested(); })) {
            me->tell(me->watch.tick(tick_ms));
        }
    });
}

watchdog::~watchdog() = default;

deadline_watchdog::deadline_watchdog(std::int64_t time_ms, std::function<std::string()> what_is_left,
                                     std::function<void(const std::string&)> end_process)
    : thread_([time_ms, left = std::move(what_is_left), end = std::move(end_process)](const std::stop_token& stop) {
          std::mutex mutex;
          std::condition_variable_any wakes;
          std::unique_lock lock(mutex);
          if (!wakes.wait_for(lock, stop, std::chrono::milliseconds(time_ms), [&] { return stop.stop_requested(); })) {
              end(left());
          }
      }) {}

void end_by_watchdog(const std::string& why) {
    auto& log = log_for("supervision");
    log.critical("{}; the watchdog ends the process (exit code {}). All that was answered is on disk", why,
                 watchdog_exit_code);
    log.flush();
    std::_Exit(watchdog_exit_code);
}

} // namespace troupe::runtime
