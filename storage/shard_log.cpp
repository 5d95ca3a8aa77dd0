#include "storage/shard_log.hpp"

#include "storage/bytes.hpp"
#include "storage/epochs.hpp"
#include "storage/keys.hpp"
#include "storage/rocks.hpp"
#include "storage/written_log.hpp"

#include <rocksdb/write_batch.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace troupe::storage {

namespace {

constexpr std::string_view epoch_started = "$epoch_started";
constexpr std::string_view tables_changed = "$tables_changed";

/// So much more is kept for a replica that gets a checkpoint.
constexpr std::size_t wanted_factor = 32;

problem damaged(std::uint32_t shard, std::string_view what) {
    return {code::journal_damaged, "the log of shard " + std::to_string(shard) + " " + std::string(what) +
                                       "; restore a backup, or this replica from another one"};
}

} // namespace

expected<shard_log> shard_log::recover(const store& s, std::uint32_t shard, bool patient) {
    auto row = read_epochs(s, shard);
    if (!row) {
        return row.error();
    }
    const auto last = written_seq(s, shard);
    const auto mark = applied_mark(s, shard);
    const auto applied = find_applied(s, shard);
    if (!applied) {
        return applied.error();
    }
    auto outline = outline_of(*row, last);
    if (!outline) {
        return damaged(shard, "does not fit its epochs");
    }
    replication::recovered_replica disk{s.who().replica, row->promise, std::move(*outline),
                                        std::max(mark, row->base.at.seq)};
    auto core = replication::replica::recover(std::move(disk));
    if (!core) {
        return core.error();
    }
    shard_log out(replication::member(std::move(*core), patient));
    out.shard = shard;
    out.base_time = row->base.time;
    out.last_time = time_of(s, shard, last);
    out.marked = mark;
    out.applied = *applied;
    if (auto groups = out.recover_groups(s); !groups) {
        return groups.error();
    }
    return out;
}

expected<void> shard_log::recover_installed(const store& s, replication::actions& out) {
    auto fresh = recover(s, shard, false);
    if (!fresh) {
        return fresh.error();
    }
    const auto& disk = fresh->self.core();
    if (auto done = self.install(disk.promise(), disk.log(), out); !done) {
        return done;
    }
    fresh->self = std::move(self);
    *this = std::move(*fresh);
    return {};
}

/// Groups behind the mark wait; records behind it that belong to no group were merged with the tables.
expected<void> shard_log::recover_groups(const store& s) {
    auto all = each_kept(s, shard);
    if (!all) {
        return all.error();
    }
    for (const auto& k : *all) {
        kept_.push_back(k);
        kept_bytes_ += k.bytes;
        if (k.last <= marked) {
            continue;
        }
        auto group = load_group(s, shard, k.first);
        if (!group) {
            return group.error();
        }
        if (!*group || (*group)->last != k.last || (!tail_.empty() && tail_.back()->last + 1 != k.first)) {
            return damaged(shard, "has changes without their records");
        }
        tail_bytes_ += (*group)->bytes();
        tail_.push_back(std::move(*group));
    }
    return {};
}

bool shard_log::merges() const {
    const auto& set = self.set();
    return set.voters.size() == 1 && set.learners.empty() && (tail_.empty() || tail_.back()->last <= applied);
}

shared_group shard_log::epoch_start(std::uint64_t seq, timestamp when) const {
    return own_record(epoch_started, seq, when, encode_changes({}, {}));
}

shared_group shard_log::changed_tables(std::uint64_t seq, std::string changes) const {
    return own_record(tables_changed, seq, {}, std::move(changes));
}

shared_group shard_log::own_record(std::string_view type, std::uint64_t seq, timestamp when,
                                   std::string changes) const {
    record r;
    r.shard = shard;
    r.seq = seq;
    r.epoch = self.core().promise();
    r.type = type;
    r.time = std::max(when, last_time);
    r.principal = "node";
    r.payload = "{}";
    auto group = std::make_shared<entry_group>();
    group->first = group->last = seq;
    group->records.push_back(encode_record(r));
    group->changes = std::move(changes);
    group->time = r.time;
    return group;
}

void shard_log::append(const store& s, shared_group group, rocksdb::WriteBatch& batch) {
    write_group(s, shard, *group, batch);
    if (!tail_.empty() && tail_.back()->last + 1 != group->first) { // merged ones came in between
        tail_.clear();
        tail_bytes_ = 0;
    }
    last_time = std::max(last_time, group->time);
    tail_bytes_ += group->bytes();
    kept_.push_back({group->first, group->last, group->changes.size()});
    kept_bytes_ += group->changes.size();
    tail_.push_back(std::move(group));
}

expected<void> shard_log::truncate(const store& s, std::uint64_t from, rocksdb::WriteBatch& batch) {
    while (!tail_.empty() && tail_.back()->first >= from && tail_.back()->first > applied) {
        drop_group(s, shard, *tail_.back(), batch);
        tail_bytes_ -= tail_.back()->bytes();
        tail_.pop_back();
        kept_bytes_ -= kept_.back().bytes;
        kept_.pop_back();
    }
    if (applied >= from || (!tail_.empty() && tail_.back()->last >= from)) {
        return problem{code::internal, "shard " + std::to_string(shard) + " was asked to drop record " +
                                           std::to_string(from) + ", which is applied or not the first of its group"};
    }
    return {};
}

expected<bool> shard_log::apply(const store& s, rocksdb::WriteBatch& batch) {
    const auto commit = self.core().commit();
    const auto first = std::ranges::find_if(tail_, [&](const auto& g) { return g->first > applied; });
    bool changed = false;
    for (auto g = first; g != tail_.end() && (*g)->last <= commit; ++g) {
        if (auto done = apply_group(s, shard, **g, batch); !done) {
            return done.error();
        }
        applied = (*g)->last;
        changed = true;
    }
    if (changed) {
        put_mark(s, batch);
    } else if (first == tail_.end()) {
        applied = std::max(applied, commit);
    }
    return changed;
}

void shard_log::forget(const store& s, std::size_t tail_max, std::size_t changes_max, rocksdb::WriteBatch& batch) {
    while (tail_.size() > 1 && tail_bytes_ > tail_max && tail_.front()->last <= applied) {
        tail_bytes_ -= tail_.front()->bytes();
        tail_.pop_front();
    }
    while (!kept_.empty() && kept_bytes_ > changes_max && kept_.front().last <= applied &&
           (kept_.front().last <= wanted_after || kept_bytes_ > wanted_factor * changes_max)) {
        drop_oldest_kept(s, batch);
    }
}

void shard_log::drop_oldest_kept(const store& s, rocksdb::WriteBatch& batch) {
    drop_changes(s, shard, kept_.front().last, batch);
    kept_bytes_ -= kept_.front().bytes;
    kept_.pop_front();
}

void shard_log::drop_kept(const store& s, std::uint64_t to, rocksdb::WriteBatch& batch) {
    while (!kept_.empty() && kept_.front().first <= to) {
        drop_oldest_kept(s, batch);
    }
    while (!tail_.empty() && tail_.front()->first <= to) {
        tail_bytes_ -= tail_.front()->bytes();
        tail_.pop_front();
    }
}

void shard_log::put_epochs(const store& s, rocksdb::WriteBatch& batch) const {
    const auto& log = self.core().log();
    batch.Put(s.db().derived, keys::shard_table(shard, keys::table::epochs),
              encode_epochs(self.core().promise(), {log.base(), base_time}, log.runs()));
}

void shard_log::put_mark(const store& s, rocksdb::WriteBatch& batch) {
    marked = applied;
    std::string mark;
    put_big_endian(mark, marked);
    batch.Put(s.db().derived, keys::shard_table(shard, keys::table::applied), mark);
}

expected<shared_group> shard_log::find(const store& s, std::uint64_t first) const {
    if (!tail_.empty() && first >= tail_.front()->first) {
        const auto at = std::ranges::lower_bound(tail_, first, {}, [](const auto& g) { return g->first; });
        return at != tail_.end() && (*at)->first == first ? *at : shared_group();
    }
    return load_group(s, shard, first);
}

std::uint64_t shard_log::begin_of(const store& s, std::uint64_t seq) const {
    if (tail_.empty() || seq < tail_.front()->first) {
        const auto kept = kept_at(s, shard, seq);
        return kept && *kept && (*kept)->first <= seq ? (*kept)->first : seq; // what cannot be read is not sent
    }
    const auto after = std::ranges::upper_bound(tail_, seq, {}, [](const auto& g) { return g->first; });
    return (*std::prev(after))->first;
}

std::uint64_t shard_log::kept_from() const {
    const auto in_memory = tail_.empty() ? self.core().log().last().seq + 1 : tail_.front()->first;
    return kept_.empty() ? in_memory : std::min(kept_.front().first, in_memory);
}

} // namespace troupe::storage
