#include "storage/replication/outline.hpp"

#include <algorithm>
#include <cassert>
#include <cstddef>

namespace troupe::storage::replication {

std::size_t log_outline::run_of(std::uint64_t seq) const {
    assert(seq > base_.seq && seq <= last_.seq);
    // Nearly every question is about the end of the log.
    auto run = runs_.size() - 1;
    while (runs_[run].first_seq > seq) {
        --run;
    }
    return run;
}

std::uint64_t log_outline::epoch_at(std::uint64_t seq) const {
    if (seq == last_.seq) {
        return last_.epoch;
    }
    return seq == base_.seq ? base_.epoch : runs_[run_of(seq)].epoch;
}

bool log_outline::contains(position p) const {
    return p.seq >= base_.seq && p.seq <= last_.seq && epoch_at(p.seq) == p.epoch;
}

std::uint64_t log_outline::run_end(std::uint64_t seq) const {
    const auto run = run_of(seq);
    return run + 1 == runs_.size() ? last_.seq : runs_[run + 1].first_seq - 1;
}

position log_outline::backtrack(position p) const {
    auto seq = std::min(p.seq, last_.seq);
    while (seq > base_.seq) {
        const auto& run = runs_[run_of(seq)];
        if (run.epoch <= p.epoch) {
            return {seq, run.epoch};
        }
        seq = run.first_seq - 1;
    }
    return base_;
}

void log_outline::append(std::uint64_t epoch, std::uint64_t count) {
    assert(epoch >= last_.epoch);
    if (count == 0) {
        return;
    }
    if (runs_.empty() || runs_.back().epoch != epoch) {
        runs_.push_back({epoch, last_.seq + 1});
    }
    last_ = {last_.seq + count, epoch};
}

void log_outline::truncate(std::uint64_t from) {
    assert(from > base_.seq);
    if (from > last_.seq) {
        return;
    }
    last_ = at(from - 1);
    while (!runs_.empty() && runs_.back().first_seq >= from) {
        runs_.pop_back();
    }
}

void log_outline::trim(std::uint64_t to) {
    assert(to <= last_.seq);
    if (to <= base_.seq) {
        return;
    }
    base_ = at(to);
    const auto keeps =
        std::find_if(runs_.begin(), runs_.end(), [&](const epoch_run& r) { return r.first_seq > to + 1; });
    if (to == last_.seq) {
        runs_.clear();
    } else {
        runs_.erase(runs_.begin(), std::prev(keeps));
        runs_.front().first_seq = to + 1;
    }
}

} // namespace troupe::storage::replication
