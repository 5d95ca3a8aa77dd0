#pragma once

#include "schemas/base/problem.hpp"
#include "storage/store.hpp"

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string_view>
#include <utility>

/// Writes the audit log (storage/audit.hpp) of a node after what is committed. Thread-safe.
namespace troupe::runtime {

class audit_log {
public:
    /// The store outlives it. `end_process`: a write has failed, and nobody knows what of it is on disk; it returns in
    /// simulations only.
    audit_log(storage::store& s, std::function<void(std::string_view why)> end_process)
        : store_(s), end_process_(std::move(end_process)) {}

    /// Something was committed: wakes the writer, unless it is awake.
    void committed();

    /// Writes what is missing, at most about `records_max` lines. True: all that was committed before the call has its
    /// line. A shard that fails does not keep the others from theirs: the problem is the first one. Waits for another
    /// call at most `wait_ms`, then it is false. `storage_full` while there is no room: nothing is written then.
    expected<bool> catch_up(std::size_t records_max, std::int64_t wait_ms = 60'000);

    /// Called when there is work, until the next call of this; from any thread.
    void on_work(std::function<void()> wake);
    /// The writer has seen it.
    void seen() { awake_.store(false); }

private:
    class turn;
    expected<bool> write(std::size_t records_max);

    storage::store& store_;
    std::function<void(std::string_view why)> end_process_;
    std::atomic<bool> awake_{false};
    std::mutex waking_;
    std::function<void()> wake_;
    // No timed_mutex: ThreadSanitizer does not see how it is locked.
    std::mutex turns_;
    std::condition_variable turn_ended_;
    bool writing_ = false;    ///< One call at a time; of it is what follows.
    bool ended_ = false;      ///< A write has failed.
    std::uint32_t shard_ = 0; ///< Where the last call stopped.
};

} // namespace troupe::runtime
