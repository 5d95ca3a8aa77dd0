#include "storage/committer.hpp"

#include "schemas/base/clock.hpp"
#include "storage/bytes.hpp"
#include "storage/keys.hpp"
#include "storage/log_reader.hpp"
#include "storage/rocks.hpp"
#include "storage/tables.hpp"

#include <rocksdb/write_batch.h>

#include <set>

namespace troupe::storage {

namespace {

constexpr std::int64_t space_check_interval_ms = 500;
/// The applied mark of a shard moves in steps: it only bounds what the next start reads of the log, and shows that an
/// end of the log is lost. Log and tables are one write.
constexpr std::uint64_t applied_mark_step = 64;
/// Much less than what is to stay free.
constexpr std::size_t space_check_bytes = 2 << 20;

} // namespace

struct committer::writer {
    rocksdb::WriteBatch batch;
    std::set<std::uint32_t> touched; ///< Shards whose applied mark moves.
    std::vector<std::pair<std::string, std::string>> usage;
};

committer::committer(store& s, shard_logs logs, std::uint64_t free_bytes_min)
    : store_(s), writer_(std::make_unique<writer>()), logs_(std::move(logs)), free_bytes_min_(free_bytes_min) {
    for (std::uint32_t shard = 0; shard < s.who().shards; ++shard) {
        applied_.push_back(applied_seq(s, shard));
    }
}

expected<std::unique_ptr<committer>> committer::open(store& s, std::uint64_t free_bytes_min) {
    auto logs = shard_logs::open(s);
    if (!logs) {
        return logs.error();
    }
    s.usage().reset();
    return std::unique_ptr<committer>(new committer(s, std::move(*logs), free_bytes_min));
}

committer::~committer() = default;

expected<activation> committer::activate(const entity_address& a) {
    const auto version = read_version(store_, a);
    if (!version) {
        return version.error();
    }
    const active now{next_activation_++, *version};
    active_[a] = now;
    return activation{now.activation, now.version};
}

void committer::release(const entity_address& a, std::uint64_t activation_id) {
    const auto found = active_.find(a);
    if (found != active_.end() && found->second.activation == activation_id) {
        active_.erase(found);
    }
}

bool committer::space_left() {
    const auto now = monotonic_ms();
    if (now - space_checked_ms_ >= space_check_interval_ms || unchecked_bytes_ >= space_check_bytes) {
        space_checked_ms_ = now;
        unchecked_bytes_ = 0;
        space_left_ = store_.check_space(free_bytes_min_).has_value();
    }
    return space_left_;
}

expected<void> committer::accept(const append& a, shared_key& key) {
    const auto found = active_.find(a.entity);
    if (found == active_.end() || found->second.activation != a.activation) {
        return problem{code::conflict, "this activation of " + to_string(a.entity) + " was replaced; ask again"};
    }
    if (found->second.version != a.expected_version) {
        return problem{code::conflict, to_string(a.entity) + " is at version " + std::to_string(found->second.version) +
                                           ", not " + std::to_string(a.expected_version) + "; ask again"};
    }
    if (!space_left()) {
        // Seldom asked, so space may be there again: then the append is accepted as any other.
        if (auto space = store_.check_space(free_bytes_min_); !space) {
            return space;
        }
    }
    auto sealing = sealing_key(store_, a.subject, a.entity.organization);
    if (!sealing) {
        return sealing.error();
    }
    key = std::move(*sealing);
    found->second.version += a.records.size();
    return {};
}

expected<appended> committer::write(append& a, const payload_key* key) {
    auto& batch = writer_->batch;
    auto& db = store_.db();
    const auto shard = store_.shard_of(a.entity);
    replication::position at{logs_.last_seq(shard) + 1, 0};
    if (!a.records.empty()) {
        auto first = logs_.propose(shard, a.records.size(), a.records.front().time, batch);
        if (!first) {
            return first.error();
        }
        at = *first;
    }
    for (auto& r : a.records) {
        r.shard = shard;
        r.seq = at.seq++;
        r.epoch = at.epoch;
        const auto value = encode_sealed(store_, r, key);
        batch.Put(db.log, keys::log(shard, r.seq), value);
        std::string history;
        put_fixed(history, r.seq);
        history += value;
        batch.Put(db.derived, keys::numbered(shard, keys::table::history, a.entity, r.entity_seq), history);
        if (r.index_in_batch == 0 && is_remembered(r.command_id)) {
            batch.Put(db.derived, keys::command(shard, a.entity, r.command_id),
                      encode_command_row({r.request_hash, r.entity_seq, r.batch_size, r.time}));
        }
    }
    for (const auto& row : a.derived.deletes) {
        batch.Delete(db.derived, row);
    }
    seal_rows(key, a.derived.puts);
    for (const auto& [row, value] : a.derived.puts) {
        batch.Put(db.derived, row, value);
    }
    if (!a.used.empty() || !a.derived.held.empty()) {
        const auto time = a.records.empty() ? timestamp{} : a.records.front().time;
        writer_->usage.clear();
        if (auto counted = store_.usage().count(shard, a.entity.organization, time, a.used, a.derived.held, a.claim,
                                                writer_->usage);
            !counted) {
            return counted.error();
        }
        for (const auto& [row, value] : writer_->usage) {
            batch.Put(db.derived, row, value);
        }
    }
    writer_->touched.insert(shard);
    return appended{at.seq - 1};
}

void committer::mark_applied(std::uint32_t shard) {
    const auto last = logs_.last_seq(shard);
    if (last < applied_[shard] + applied_mark_step) {
        return;
    }
    applied_[shard] = last;
    std::string mark;
    put_big_endian(mark, last);
    writer_->batch.Put(store_.db().derived, keys::shard_table(shard, keys::table::applied), mark);
}

expected<void> committer::commit(std::span<append> batch, std::vector<expected<appended>>& results) {
    results.clear();
    writer_->batch.Clear();
    writer_->touched.clear();
    store_.usage().begin_write();
    for (auto& a : batch) {
        shared_key key;
        if (auto accepted = accept(a, key); !accepted) {
            results.emplace_back(accepted.error());
            continue;
        }
        auto written = write(a, key.get());
        if (!written) {
            return written.error();
        }
        results.emplace_back(*written);
    }
    if (writer_->touched.empty()) {
        return {};
    }
    for (const auto shard : writer_->touched) {
        mark_applied(shard);
    }
    rocksdb::WriteOptions options;
    options.sync = true;
    const auto status = store_.db().db->Write(options, &writer_->batch);
    unchecked_bytes_ += writer_->batch.GetDataSize();
    return status.ok() ? logs_.persisted() : expected<void>(to_problem(status, "cannot write the journal"));
}

expected<void> committer::trim(std::uint32_t shard, const log_base& to) {
    rocksdb::WriteBatch batch;
    rocksdb::WriteOptions options;
    options.sync = true;
    if (to.at.seq > logs_.commit(shard)) { // nobody has written to the shard since the start
        if (auto settled = logs_.settle(shard, to.time, batch); !settled) {
            return settled;
        }
        if (const auto status = store_.db().db->Write(options, &batch); !status.ok()) {
            return to_problem(status, "cannot begin an epoch");
        }
        if (auto committed = logs_.persisted(); !committed) {
            return committed;
        }
        batch.Clear();
    }
    if (auto possible = logs_.trim(shard, to.at.seq, to.time, batch); !possible) {
        return possible;
    }
    // One tombstone for all of them: readers begin behind it.
    batch.DeleteRange(store_.db().log, keys::log_begin(shard), keys::log(shard, to.at.seq + 1));
    const auto status = store_.db().db->Write(options, &batch);
    return status.ok() ? expected<void>() : expected<void>(to_problem(status, "cannot trim a log"));
}

} // namespace troupe::storage
