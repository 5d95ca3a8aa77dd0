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

/// The call that writes; false: there was another one all the time.
class audit_log::turn {
public:
    turn(audit_log& log, std::int64_t wait_ms) : log_(log) {
        std::unique_lock lock(log_.turns_);
        came_ = log_.turn_ended_.wait_for(lock, std::chrono::milliseconds(wait_ms), [this] { return !log_.writing_; });
        log_.writing_ = true; // as it was, if not
    }
    ~turn() {
        if (came_) {
            const std::lock_guard lock(log_.turns_);
            log_.writing_ = false;
            log_.turn_ended_.notify_one();
        }
    }
    turn(const turn&) = delete;
    turn& operator=(const turn&) = delete;
    explicit operator bool() const { return came_; }

private:
    audit_log& log_;
    bool came_ = false;
};

expected<bool> audit_log::catch_up(std::size_t records_max, std::int64_t wait_ms) {
    const turn mine(*this, wait_ms);
    return mine ? write(records_max) : expected<bool>(false);
}

expected<bool> audit_log::write(std::size_t records_max) {
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
