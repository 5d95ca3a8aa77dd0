#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

/// Sees that work which has to be short comes to an end: handlers of actors, tasks of threads.
namespace troupe::runtime {

/// Who is at work. Asked for its path only while it is.
class stall_subject {
public:
    virtual ~stall_subject() = default;
    /// In the supervision tree.
    [[nodiscard]] virtual std::string stall_path() const = 0;
    /// Whether the node cannot go on without it.
    [[nodiscard]] virtual bool is_core() const = 0;
};

/// One thread, as the watch sees it. `begin` and `end` belong to that thread and cost some 20 ns together; no clock is
/// read.
class watched_thread {
public:
    explicit watched_thread(std::string name) : name_(std::move(name)) {}

    /// Work begins, in the name of `subject`, which lives until `end`.
    void begin(const stall_subject& subject);
    void end();
    /// In work that goes on: it does go on.
    void beat() { turn_.fetch_add(2, std::memory_order_relaxed); }

private:
    friend class stall_watch;
    const std::string name_;
    std::atomic<std::uint64_t> turn_{0}; ///< Odd: at work.
    std::mutex mutex_;
    const stall_subject* subject_ = nullptr;
    // Of the watch:
    std::uint64_t seen_ = 0;
    std::int64_t same_ms_ = 0;
    std::string stalled_; ///< The path that was told.
    bool over_ = false;   ///< It was told as overdue.
};

/// What the watch found.
struct stall {
    std::string thread;
    std::string path;
    std::int64_t for_ms = 0;
    bool core = false;
};

/// Counts in its own ticks for how long each thread has been at the same work: a process that was stopped, or a machine
/// that slept, stalls nobody.
class stall_watch {
public:
    struct settings {
        std::int64_t stall_ms = 5000;
        std::int64_t end_ms = 60'000; ///< Of core work; 0: never.
    };
    struct findings {
        std::vector<stall> begun;
        std::vector<stall> ended;
        std::vector<stall> overdue; ///< Core work that stalls for `end_ms`.
    };

    explicit stall_watch(settings s) : settings_(s) {}

    /// The entry of the calling thread, made at its first call and gone with the thread. "scheduler-1", "committer-1".
    watched_thread& this_thread(const char* name);
    /// One that whoever asks keeps.
    std::shared_ptr<watched_thread> add(std::string name);

    /// `tick_ms` have passed since the last call.
    findings tick(std::int64_t tick_ms);
    [[nodiscard]] std::size_t threads() const;

private:
    void look_at(watched_thread& t, std::int64_t tick_ms, findings& out) const;

    const settings settings_;
    const std::uint64_t id_ = next_id();
    static std::uint64_t next_id();
    mutable std::mutex mutex_;
    std::vector<std::weak_ptr<watched_thread>> threads_;
    std::uint64_t made_ = 0;
};

/// Between its making and its end, work goes on in this thread. `watch` may be null.
class watched_work {
public:
    watched_work(stall_watch* watch, const char* thread, const stall_subject& subject)
        : thread_(watch ? &watch->this_thread(thread) : nullptr) {
        if (thread_) {
            thread_->begin(subject);
        }
    }
    ~watched_work() {
        if (thread_) {
            thread_->end();
        }
    }
    watched_work(const watched_work&) = delete;
    watched_work& operator=(const watched_work&) = delete;

private:
    watched_thread* thread_;
};

class supervision_tree;

/// A thread that ticks a watch: logs what stalls, shows it in the tree, and ends the process for overdue core work.
class watchdog {
public:
    /// `end_process` is called with a sentence. All outlive the watchdog.
    watchdog(stall_watch& watch, supervision_tree& tree, std::function<void(const std::string&)> end_process);
    ~watchdog();

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

/// Ends the process with `watchdog_exit_code` unless it is destroyed within the time: for a shutdown that hangs.
class deadline_watchdog {
public:
    /// `what_is_left` is asked when the time is over, for the log.
    deadline_watchdog(std::int64_t time_ms, std::function<std::string()> what_is_left,
                      std::function<void(const std::string&)> end_process);

private:
    std::jthread thread_;
};

/// Of a process that a watchdog ended.
inline constexpr int watchdog_exit_code = 71;
/// Logs, flushes and ends the process with it.
[[noreturn]] void end_by_watchdog(const std::string& why);

} // namespace troupe::runtime
