#pragma once

#include "tests/storage/simulated_disk.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace rocksdb {
class Env;
}

namespace troupe::test {

/// RocksDB on a simulated disk, without threads: its background work (flushes, compactions) waits until the simulation
/// runs it, its clock is the simulation's, its own log goes nowhere. Not thread-safe.
class simulated_env {
public:
    /// Both outlive it, and it the database. The time is in milliseconds since 1970.
    simulated_env(simulated_disk& disk, const std::atomic<std::int64_t>& now_ms);
    simulated_env(const simulated_env&) = delete;
    ~simulated_env();

    [[nodiscard]] rocksdb::Env* env() const;
    /// Work that waits.
    [[nodiscard]] std::size_t jobs() const;
    /// Does one job of those that wait; there has to be one.
    void run_job(std::size_t which);

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

} // namespace troupe::test
