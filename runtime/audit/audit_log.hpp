#pragma once

#include "schemas/base/problem.hpp"
#include "storage/store.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>

/// Writes the audit log (storage/audit.hpp) of a node after what is committed. Thread-safe.
namespace troupe::runtime {

class audit_log {
public:
    /// The store outlives it.
    explicit audit_log(storage::store& s) : store_(s) {}

    /// Something was committed: wakes the writer, unless it is awake.
    void committed();

    /// Writes what is missing, at most about `records_max` lines. True: all that was committed before the call has its
    /// line.
    expected<bool> catch_up(std::size_t records_max);

    /// Called when there is work, until the next call of this; from any thread.
    void on_work(std::function<void()> wake);
    /// The writer has seen it.
    void seen() { awake_.store(false); }

private:
    storage::store& store_;
    std::atomic<bool> awake_{false};
    std::mutex waking_;
    std::function<void()> wake_;
    std::mutex writing_;      ///< One at a time.
    std::uint32_t shard_ = 0; ///< Where the last call stopped.
};

} // namespace troupe::runtime
