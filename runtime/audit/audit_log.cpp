#include "runtime/audit/audit_log.hpp"

#include "storage/audit.hpp"

#include <chrono>
#include <optional>
#include <utility>

namespace troupe::runtime {

void audit_log::committed() {
    if (awake_.load(std::memory_order_relaxed) || awake_.exchange(true)) {
        return;
    }
    const std::lock_guard lock(waking_);
    if (wake_) {
        wake_();
    }
}

void audit_log::on_work(std::function<void()> wake) {
    const std::lock_guard lock(waking_);
    wake_ = std::move(wake);
}

expected<bool> audit_log::catch_up(std::size_t records_max, std::int64_t wait_ms) {
    const std::unique_lock lock(writing_, std::chrono::milliseconds(wait_ms));
    if (!lock) {
        return false;
    }
    if (ended_) {
        return problem{code::storage_failed, "the process ends"};
    }
    if (auto room = store_.check_space(store_.free_bytes_min()); !room) {
        return room.error();
    }
    std::size_t left = records_max;
    std::optional<problem> failed;
    for (std::uint32_t visited = 0; visited < store_.who().shards; ++visited) {
        const auto written = storage::write_audit_lines(store_, shard_, left);
        if (written && *written == left) {
            return false; // there may be more in this shard
        }
        if (written) {
            left -= *written;
        } else if (written.error().code != code::journal_damaged) { // as for the journal: see committer
            ended_ = true;
            end_process_(written.error().detail);
            return problem{code::storage_failed, written.error().detail};
        } else if (!failed) {
            failed = written.error();
        }
        shard_ = (shard_ + 1) % store_.who().shards;
    }
    return failed ? expected<bool>(*failed) : expected<bool>(true);
}

} // namespace troupe::runtime
