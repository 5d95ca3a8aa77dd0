#include "storage/shard_logs.hpp"

#include "storage/epochs.hpp"
#include "storage/keys.hpp"
#include "storage/log_reader.hpp"
#include "storage/rocks.hpp"

#include <rocksdb/write_batch.h>

#include <algorithm>
#include <string>
#include <utility>

namespace troupe::storage {

namespace {

constexpr std::string_view epoch_started = "$epoch_started";

std::string epoch_record(const store& s, std::uint32_t shard, replication::position at, timestamp when) {
    record r;
    r.shard = shard;
    r.seq = at.seq;
    r.epoch = at.epoch;
    r.type = epoch_started;
    r.time = std::max(when, last_time(s, shard));
    r.principal = "node";
    r.payload = "{}";
    return encode_record(r);
}

problem defect(std::string_view what) {
    return {code::internal, "the replication core of a single node " + std::string(what) + "; please report this"};
}

} // namespace

std::string shard_logs::log::row() const {
    return encode_epochs(core.promise(), {core.log().base(), base_time}, core.log().runs());
}

expected<void> shard_logs::recover(std::uint32_t shard) {
    auto row = read_epochs(*store_, shard);
    if (!row) {
        return row.error();
    }
    const auto last = storage::last_seq(*store_, shard);
    replication::recovered_replica disk{store_->who().replica, row->promise, replication::log_outline(row->base.at),
                                        std::max(applied_seq(*store_, shard), row->base.at.seq)};
    if (row->runs.empty() && row->base.at.seq > 0 && last > row->base.at.seq) {
        // All was trimmed while the epoch went on: what came after it is of the same epoch, and wrote no new row.
        row->runs.push_back({row->base.at.epoch, row->base.at.seq + 1});
    }
    for (std::size_t i = 0; i < row->runs.size(); ++i) {
        const auto end = i + 1 < row->runs.size() ? row->runs[i + 1].first_seq - 1 : last;
        if (row->runs[i].first_seq != disk.log.last().seq + 1 || end < row->runs[i].first_seq) {
            return problem{code::journal_damaged,
                           "the epochs of shard " + std::to_string(shard) + " do not fit its log; restore a backup"};
        }
        disk.log.append(row->runs[i].epoch, end - disk.log.last().seq);
    }
    if (disk.log.last().seq != last) {
        return problem{code::journal_damaged, "the log of shard " + std::to_string(shard) +
                                                  " has records of no known epoch; restore a backup"};
    }
    auto core = replication::replica::recover(std::move(disk));
    if (!core) {
        return core.error();
    }
    logs_.push_back({std::move(*core), row->promise + 1, 0, row->base.time});
    return {};
}

expected<shard_logs> shard_logs::open(store& s) {
    shard_logs out(s);
    for (std::uint32_t shard = 0; shard < s.who().shards; ++shard) {
        if (auto recovered = out.recover(shard); !recovered) {
            return recovered.error();
        }
    }
    if (auto sealed = out.seal_all(); !sealed) {
        return sealed.error();
    }
    return out;
}

expected<void> shard_logs::seal_all() {
    rocksdb::WriteBatch batch;
    for (std::uint32_t shard = 0; shard < logs_.size(); ++shard) {
        auto& l = logs_[shard];
        actions_.clear();
        l.core.on_seal(l.core.self(), {l.epoch}, actions_);
        if (auto noted = note_actions(l); !noted) {
            return noted;
        }
        unsynced_.push_back(shard);
        batch.Put(store_->db().derived, keys::shard_table(shard, keys::table::epochs), l.row());
    }
    rocksdb::WriteOptions options;
    options.sync = true;
    if (const auto status = store_->db().db->Write(options, &batch); !status.ok()) {
        return to_problem(status, "cannot write the epochs");
    }
    return persisted();
}

/// Remembers which write has to be fsynced. Anything that only a cluster asks for is a defect here.
expected<void> shard_logs::note_actions(log& l) {
    for (const auto& action : actions_) {
        if (const auto* write = std::get_if<replication::persist>(&action)) {
            l.write = write->write;
        } else if (std::holds_alternative<replication::halt>(action)) {
            return defect("halted: " + std::get<replication::halt>(action).reason);
        } else if (!std::holds_alternative<replication::committed>(action) &&
                   !std::holds_alternative<replication::send_sealed>(action)) {
            return defect("wants to send to others");
        }
    }
    return {};
}

expected<void> shard_logs::lead(std::uint32_t shard, timestamp when, rocksdb::WriteBatch& batch) {
    auto& l = logs_[shard];
    actions_.clear();
    const auto self = l.core.self();
    if (auto leading = l.core.lead({l.epoch, self, {self}, {}}, l.core.log().last(), actions_); !leading) {
        return leading;
    }
    batch.Put(store_->db().log, keys::log(shard, l.core.log().last().seq),
              epoch_record(*store_, shard, l.core.log().last(), when));
    batch.Put(store_->db().derived, keys::shard_table(shard, keys::table::epochs), l.row());
    return note_actions(l);
}

expected<replication::position> shard_logs::propose(std::uint32_t shard, std::uint64_t count, timestamp when,
                                                    rocksdb::WriteBatch& batch) {
    auto& l = logs_[shard];
    if (l.core.role() != replication::replica_role::leader) {
        if (auto leading = lead(shard, when, batch); !leading) {
            return leading.error();
        }
    }
    actions_.clear();
    auto first = l.core.propose(count, actions_);
    if (auto noted = note_actions(l); !noted) {
        return noted.error();
    }
    unsynced_.push_back(shard);
    return first;
}

expected<void> shard_logs::settle(std::uint32_t shard, timestamp when, rocksdb::WriteBatch& batch) {
    if (logs_[shard].core.role() == replication::replica_role::leader) {
        return {};
    }
    unsynced_.push_back(shard);
    return lead(shard, when, batch);
}

expected<void> shard_logs::persisted() {
    for (const auto shard : std::exchange(unsynced_, {})) {
        auto& l = logs_[shard];
        if (l.write == 0) {
            continue; // proposed more than once in this batch
        }
        actions_.clear();
        l.core.persisted(std::exchange(l.write, 0), actions_);
        if (auto noted = note_actions(l); !noted) {
            return noted;
        }
        if (l.core.role() == replication::replica_role::leader && l.core.commit() != l.core.log().last().seq) {
            return defect("did not commit what it has fsynced");
        }
    }
    return {};
}

expected<void> shard_logs::trim(std::uint32_t shard, std::uint64_t to, timestamp time, rocksdb::WriteBatch& batch) {
    auto& l = logs_[shard];
    if (to <= l.core.log().base().seq) {
        return problem{code::conflict, "the log of shard " + std::to_string(shard) + " is trimmed up to record " +
                                           std::to_string(l.core.log().base().seq) + " already"};
    }
    if (to > l.core.commit() || !l.core.trim(to)) {
        return problem{code::conflict,
                       "record " + std::to_string(to) + " of shard " + std::to_string(shard) + " is not committed"};
    }
    l.base_time = time;
    batch.Put(store_->db().derived, keys::shard_table(shard, keys::table::epochs), l.row());
    return {};
}

expected<void> cut_epochs(const store& s, std::uint32_t shard, std::uint64_t last_seq, rocksdb::WriteBatch& batch) {
    auto row = read_epochs(s, shard);
    if (!row) {
        return row.error();
    }
    std::erase_if(row->runs, [&](const auto& run) { return run.first_seq > last_seq; });
    batch.Put(s.db().derived, keys::shard_table(shard, keys::table::epochs),
              encode_epochs(row->promise, row->base, row->runs));
    return {};
}

} // namespace troupe::storage
