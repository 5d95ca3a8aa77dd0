#include "runtime/audit/audit_log.hpp"

#include "storage/audit.hpp"

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

expected<bool> audit_log::catch_up(std::size_t records_max) {
    const std::lock_guard lock(writing_);
    std::size_t left = records_max;
    for (std::uint32_t visited = 0; visited < store_.who().shards; ++visited) {
        const auto written = storage::write_audit_lines(store_, shard_, left);
        if (!written) {
            return written.error();
        }
        if (*written == left) {
            return false; // there may be more in this shard
        }
        left -= *written;
        shard_ = (shard_ + 1) % store_.who().shards;
    }
    return true;
}

} // namespace troupe::runtime
