#include "storage/cut.hpp"

#include "storage/audit.hpp"
#include "storage/base.hpp"
#include "storage/bytes.hpp"
#include "storage/entry_group.hpp"
#include "storage/keys.hpp"
#include "storage/log_reader.hpp"
#include "storage/rocks.hpp"
#include "storage/shard_logs.hpp"
#include "storage/tables.hpp"
#include "storage/written_log.hpp"

#include <rocksdb/write_batch.h>

#include <algorithm>
#include <string>
#include <unordered_map>
#include <vector>

namespace troupe::storage {

namespace {

constexpr std::size_t batch_bytes_max = 4 << 20;

/// The last record of the last whole command before the first record that is too late.
expected<std::uint64_t> find_cut(const store& s, std::uint32_t shard, timestamp until,
                                 const std::function<void()>& on_record) {
    const auto base = read_log_base(s, shard);
    if (!base) {
        return base.error();
    }
    if (base->time > until) {
        return problem{code::conflict, "there is no way back to " + to_string(until) + ": the log of shard " +
                                           std::to_string(shard) + " begins after " + to_string(base->time) +
                                           ", what is older was trimmed (retention.log_ms); choose a later moment, or "
                                           "a backup that was made before"};
    }
    auto cut = base->at.seq;
    auto read = read_log(s, shard, cut, [&](record&& r) {
        on_record();
        if (r.time > until) {
            return false;
        }
        if (r.index_in_batch + 1 == r.batch_size) {
            cut = r.seq;
        }
        return true;
    });
    return read ? expected<std::uint64_t>(cut) : expected<std::uint64_t>(read.error());
}

/// The rows that say how far a shard is: it ends with record `last`, and nothing waits.
expected<void> put_end(const store& s, std::uint32_t shard, std::uint64_t last, rocksdb::WriteBatch& batch) {
    std::string mark;
    put_big_endian(mark, last);
    batch.Put(s.db().derived, keys::shard_table(shard, keys::table::applied), mark);
    const auto kept = each_kept(s, shard);
    if (!kept) {
        return kept.error();
    }
    for (const auto& group : *kept) {
        if (group.last > last) {
            drop_changes(s, shard, group.last, batch);
        }
    }
    return cut_epochs(s, shard, last, batch);
}

/// Takes the end of one shard away.
class shard_cut {
public:
    shard_cut(store& s, std::uint32_t shard, timestamp until) : store_(s), shard_(shard), until_(until) {}

    expected<std::uint64_t> after(std::uint64_t last_kept) {
        std::uint64_t records = 0;
        expected<void> done;
        const auto read = read_log(store_, shard_, last_kept, [&](record&& r) {
            ++records;
            done = take_away(r);
            return done.has_value();
        });
        if (!read || !done) {
            return read ? done.error() : read.error();
        }
        for (const auto& [entity, version] : versions_) {
            if (done = set_back(entity, version); !done) {
                return done.error();
            }
        }
        if (done = cut_audit(last_kept); !done) {
            return done.error();
        }
        if (done = take_usage_away(); done) {
            done = put_end(store_, shard_, last_kept, batch_);
        }
        if (done) {
            done = write();
        }
        if (done) {
            db_.heads->touch(shard_);
            store_.set_applied(shard_, last_kept);
        }
        return done ? expected<std::uint64_t>(records) : expected<std::uint64_t>(done.error());
    }

private:
    expected<void> take_away(const record& r) {
        batch_.Delete(db_.log, keys::log(shard_, r.seq));
        if (r.entity_seq > 0) { // else the start of an epoch, which is nobody's
            batch_.Delete(db_.derived, keys::numbered(shard_, keys::table::history, r.entity, r.entity_seq));
            const auto before = r.entity_seq - 1;
            auto& version = versions_.try_emplace(r.entity, before).first->second;
            version = std::min(version, before);
            if (r.index_in_batch == 0 && !r.command_id.empty()) {
                batch_.Delete(db_.derived, keys::command(shard_, r.entity, r.command_id));
            }
        }
        return batch_.GetDataSize() < batch_bytes_max ? expected<void>() : write();
    }

    /// No snapshot later than that version.
    expected<void> set_back(const entity_address& a, std::uint64_t version) {
        const auto base = read_base_mark(store_, a);
        if (!base || base->version > version) {
            return base ? problem{code::conflict, "there is no way back to that moment: the history of " +
                                                      to_string(a) + " begins after " + to_string(base->time) +
                                                      ", what is older was cut (retention.history_ms); choose a later "
                                                      "moment, or a backup that was made before"}
                        : base.error();
        }
        prefix_scan snapshots(*db_.db, db_.derived, keys::entity_rows(shard_, keys::table::snapshot, a));
        for (; snapshots.valid(); snapshots.next()) {
            if (get_big_endian<std::uint64_t>(snapshots.rest()) > version) {
                batch_.Delete(db_.derived, std::string(snapshots.key()));
            }
        }
        if (!snapshots.status().ok()) {
            return to_problem(snapshots.status(), "cannot read the snapshots of " + to_string(a));
        }
        return batch_.GetDataSize() < batch_bytes_max ? expected<void>() : write();
    }

    /// Lines of what is cut go, too; those of what was written in the meantime are made anew.
    expected<void> cut_audit(std::uint64_t last_kept) {
        auto dropped = drop_audit_lines(store_, shard_, last_kept,
                                        [&](const std::string& key) { batch_.Delete(db_.derived, key); });
        const auto mark = dropped ? read_audit_mark(store_, shard_) : expected<audit_mark>(dropped.error());
        if (!mark || mark->seq <= last_kept) {
            return mark ? expected<void>() : expected<void>(mark.error());
        }
        batch_.Put(db_.derived, keys::shard_table(shard_, keys::table::audited),
                   encode_audit_mark({last_kept, mark->time}));
        return {};
    }

    /// What was used on later days, and what is held, which the next start counts anew. What was used earlier on the
    /// day of the cut, and what is cut of it, stay together: only their sum is kept.
    expected<void> take_usage_away() {
        prefix_scan rows(*db_.db, db_.derived, keys::shard_table(shard_, keys::table::usage));
        for (; rows.valid(); rows.next()) {
            constexpr std::size_t organization_bytes = 16;
            const auto day = get_big_endian<std::uint32_t>(rows.rest().substr(organization_bytes));
            if (day == 0 || day > day_of(until_)) {
                batch_.Delete(db_.derived, std::string(rows.key()));
            }
        }
        prefix_scan kinds(*db_.db, db_.derived, keys::shard_table(shard_, keys::table::usage_kind));
        for (; kinds.valid(); kinds.next()) {
            batch_.Delete(db_.derived, std::string(kinds.key()));
        }
        const bool read = rows.status().ok() && kinds.status().ok();
        return read ? expected<void>()
                    : to_problem(rows.status().ok() ? kinds.status() : rows.status(), "cannot read the usage");
    }

    expected<void> write() {
        const auto status = db_.db->Write({}, &batch_);
        batch_.Clear();
        return status.ok() ? expected<void>() : expected<void>(to_problem(status, "cannot cut the journal"));
    }

    store& store_;
    std::uint32_t shard_;
    timestamp until_;
    rocks& db_ = store_.db();
    rocksdb::WriteBatch batch_;
    std::unordered_map<entity_address, std::uint64_t> versions_; ///< That are left.
};

/// Of one shard, whose log is written up to `last`. The changes of groups go, too: they were for the other replicas,
/// and hold rows that were erased since.
expected<void> drop_waiting(store& s, std::uint32_t shard, std::uint64_t last, const std::vector<kept_changes>& kept) {
    const auto applied = s.applied(shard);
    rocksdb::WriteBatch batch;
    for (const auto& group : kept) {
        drop_changes(s, shard, group.last, batch);
    }
    for (auto seq = applied + 1; seq <= last; ++seq) {
        batch.Delete(s.db().log, keys::log(shard, seq));
    }
    if (auto ended = put_end(s, shard, applied, batch); !ended) {
        return ended;
    }
    const auto status = s.db().db->Write({}, &batch);
    return status.ok() ? expected<void>() : expected<void>(to_problem(status, "cannot drop what is not committed"));
}

} // namespace

expected<std::uint64_t> drop_unapplied(store& s) {
    std::uint64_t dropped = 0;
    for (std::uint32_t shard = 0; shard < s.who().shards; ++shard) {
        const auto last = written_seq(s, shard);
        const auto waiting = last - s.applied(shard);
        const auto kept = each_kept(s, shard);
        auto done = kept ? expected<void>() : expected<void>(kept.error());
        if (done && (waiting > 0 || !kept->empty())) {
            done = drop_waiting(s, shard, last, *kept);
        }
        if (!done) {
            return done.error();
        }
        dropped += waiting;
    }
    auto flushed = dropped > 0 ? s.flush() : expected<void>();
    return flushed ? expected<std::uint64_t>(dropped) : expected<std::uint64_t>(flushed.error());
}

expected<cut_result> cut_journal(store& s, timestamp until, const std::function<void(std::uint64_t)>& progress) {
    cut_result out;
    std::uint64_t seen = 0;
    for (std::uint32_t shard = 0; shard < s.who().shards; ++shard) {
        const auto cut = find_cut(s, shard, until, [&] {
            if (++seen % 100'000 == 0) {
                progress(seen);
            }
        });
        if (!cut) {
            return cut.error();
        }
        const auto base = read_log_base(s, shard);
        out.records_kept += *cut - (base ? base->at.seq : 0);
        if (*cut == s.applied(shard)) {
            continue;
        }
        const auto records = shard_cut(s, shard, until).after(*cut);
        if (!records) {
            return records.error();
        }
        out.records_cut += *records;
        ++out.shards_cut;
    }
    auto flushed = s.flush();
    return flushed ? expected<cut_result>(out) : expected<cut_result>(flushed.error());
}

} // namespace troupe::storage
