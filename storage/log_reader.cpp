#include "storage/log_reader.hpp"

#include "storage/base.hpp"
#include "storage/bytes.hpp"
#include "storage/keys.hpp"
#include "storage/rocks.hpp"
#include "storage/sealing.hpp"
#include "storage/views.hpp"
#include "storage/written_log.hpp"

#include <algorithm>

namespace troupe::storage {

namespace {

expected<std::string> get(const store& s, const std::string& key, bool& found) {
    std::string value;
    const auto status = s.db().db->Get({}, s.db().derived, key, &value);
    found = status.ok();
    if (!status.ok() && !status.IsNotFound()) {
        return to_problem(status, "cannot read the derived tables");
    }
    return value;
}

} // namespace

expected<void> read_log(const store& s, std::uint32_t shard, std::uint64_t after_seq,
                        const std::function<bool(record&&)>& visit) {
    return read_log_bytes(s, shard, after_seq, [&](record&& r, std::string_view) { return visit(std::move(r)); });
}

expected<void> read_log_bytes(const store& s, std::uint32_t shard, std::uint64_t after_seq,
                              const std::function<bool(record&&, std::string_view bytes)>& visit) {
    const auto end = s.applied(shard);
    if (after_seq >= end) {
        return {}; // and not trimmed: only what is applied is
    }
    return read_written_log(s, shard, after_seq, [&](record&& r, std::string_view bytes) {
        const bool is_last = r.seq == end;
        return visit(std::move(r), bytes) && !is_last;
    });
}

expected<log_base> read_log_base(const store& s, std::uint32_t shard) {
    const auto row = read_epochs(s, shard);
    return row ? expected<log_base>(row->base) : expected<log_base>(row.error());
}

timestamp last_time(const store& s, std::uint32_t shard) { return time_of(s, shard, s.applied(shard)); }

expected<void> read_history(const store& s, const entity_address& a, std::uint64_t after_version,
                            const std::function<expected<void>(record&&)>& visit, std::uint64_t last_version) {
    return read_sealed_history(
        s, a, after_version,
        [&](record&& r) {
            auto opened = open_record(s, r);
            return opened ? visit(std::move(r)) : opened;
        },
        last_version);
}

expected<void> read_sealed_history(const store& s, const entity_address& a, std::uint64_t after_version,
                                   const std::function<expected<void>(record&&)>& visit, std::uint64_t last_version) {
    const auto shard = s.shard_of(a);
    std::string from;
    put_big_endian(from, after_version + 1);
    prefix_scan scan(*s.db().db, s.db().derived, keys::entity_rows(shard, keys::table::history, a), from);
    for (auto wanted = after_version + 1; scan.valid() && wanted <= last_version; scan.next(), ++wanted) {
        const auto version = get_big_endian<std::uint64_t>(scan.rest());
        byte_reader value(scan.value()); // seq, then the record as it stands in the log
        const auto seq = value.fixed<std::uint64_t>();
        if (version != wanted) {
            const auto base = wanted == after_version + 1 ? read_base_mark(s, a) : expected<base_mark>(base_mark{});
            if (!base) {
                return base.error();
            }
            if (base->version > after_version) {
                return problem{code::not_found, "the history of " + to_string(a) + " begins after event " +
                                                    std::to_string(base->version) + ", of " + to_string(base->time) +
                                                    ": what is older is not kept"};
            }
            return problem{code::journal_damaged,
                           "the history of " + to_string(a) + " lacks event " + std::to_string(wanted)};
        }
        auto r = decode_record(shard, seq, value.rest());
        if (!r) {
            return r.error();
        }
        if (auto visited = visit(std::move(*r)); !visited) {
            return visited;
        }
    }
    return scan.status().ok() ? expected<void>()
                              : expected<void>(to_problem(scan.status(), "cannot read the history of " + to_string(a)));
}

expected<std::uint64_t> read_version(const store& s, const entity_address& a) {
    const auto prefix = keys::entity_rows(s.shard_of(a), keys::table::history, a);
    const rocksdb::Slice lower(prefix);
    rocksdb::ReadOptions options; // not total order: by the bloom filter, since most that are asked for here are new
    options.iterate_lower_bound = &lower;
    const std::unique_ptr<rocksdb::Iterator> rows(s.db().db->NewIterator(options, s.db().derived));
    rows->SeekForPrev(prefix + std::string(sizeof(std::uint64_t), '\xff'));
    if (!rows->status().ok()) {
        return to_problem(rows->status(), "cannot read the history of " + to_string(a));
    }
    if (!rows->Valid() || !rows->key().starts_with(prefix)) {
        return 0;
    }
    return get_big_endian<std::uint64_t>(rows->key().ToStringView().substr(prefix.size()));
}

std::vector<snapshot_row> read_snapshots(const store& s, const entity_address& a, std::size_t count) {
    std::vector<snapshot_row> out;
    prefix_scan scan(*s.db().db, s.db().derived, keys::entity_rows(s.shard_of(a), keys::table::snapshot, a));
    for (scan.seek_last(); scan.valid() && out.size() < count; scan.previous()) {
        const auto value = open_bytes(s, scan.key(), scan.value()); // what does not open is as good as damaged
        auto row = value ? decode_snapshot_row(get_big_endian<std::uint64_t>(scan.rest()), *value) : std::nullopt;
        if (row) {
            out.push_back(std::move(*row));
        }
    }
    return out;
}

expected<std::optional<command_row>> read_command(const store& s, const entity_address& a,
                                                  std::string_view command_id) {
    bool found = false;
    auto value = get(s, keys::command(s.shard_of(a), a, command_id), found);
    if (!value) {
        return value.error();
    }
    if (!found) {
        return std::optional<command_row>();
    }
    auto row = decode_command_row(*value);
    if (!row) {
        return problem{code::journal_damaged, "a de-duplication row of " + to_string(a) + " cannot be read"};
    }
    auto kept = open_bytes(s, keys::command(s.shard_of(a), a, command_id), row->kept);
    if (!kept) {
        return kept.error();
    }
    row->kept = std::move(*kept);
    return row;
}

namespace {

/// Checks that the records of each command stand together and are complete.
class batch_checker {
public:
    std::optional<problem> next(const record& r) {
        if (r.index_in_batch != expected_index_ || (expected_index_ > 0 && r.command_id != command_id_)) {
            return problem{code::journal_damaged, "record " + std::to_string(r.seq) + " of shard " +
                                                      std::to_string(r.shard) +
                                                      " does not continue the batch of its command"};
        }
        command_id_ = r.command_id;
        expected_index_ = r.index_in_batch + 1 == r.batch_size ? 0 : r.index_in_batch + 1;
        return std::nullopt;
    }
    [[nodiscard]] bool whole() const { return expected_index_ == 0; }

private:
    std::uint32_t expected_index_ = 0;
    std::string command_id_;
};

void verify_shard(const store& s, std::uint32_t shard, verification& out,
                  const std::function<void(std::uint64_t)>& progress) {
    batch_checker batches;
    std::optional<problem> bad;
    const auto before = out.records;
    const auto base = read_log_base(s, shard);
    const auto check = [&](const record& r, std::string_view) {
        bad = batches.next(r);
        ++(r.seq > s.applied(shard) ? out.waiting : out.records);
        if (out.records % 100'000 == 0) {
            progress(out.records);
        }
        return !bad;
    };
    const auto read = base ? read_written_log(s, shard, base->at.seq, check) : expected<void>(base.error());
    out.trimmed += base ? base->at.seq : 0;
    if (!read) {
        bad = read.error();
    } else if (!bad && !batches.whole()) {
        bad = problem{code::journal_damaged,
                      "the log of shard " + std::to_string(shard) + " ends within the batch of a command"};
    }
    out.shards += out.records > before ? 1 : 0;
    if (bad && !out.first_bad) {
        out.first_bad = std::move(bad);
    }
}

/// What was erased is as it should be; without keys nothing sealed is opened, and only its checksums are known.
expected<void> unless_sealed(const store& s, const problem& why) {
    return is_meant_to_be_closed(s, why) ? expected<void>() : expected<void>(why);
}

/// What a load of the entity needs: its events from where its history begins to its newest.
expected<void> verify_history(const store& s, const entity_address& a, verification& out) {
    const auto newest = read_version(s, a);
    const auto base = read_base_mark(s, a);
    if (!newest || !base) {
        return newest ? unless_sealed(s, base.error()) : newest.error();
    }
    auto version = base->version;
    auto read = read_sealed_history(s, a, version, [&](record&& r) -> expected<void> {
        version = r.entity_seq;
        const auto opened = open_record(s, r);
        return opened ? opened : unless_sealed(s, opened.error());
    });
    if (read && version != *newest) {
        read = problem{code::journal_damaged, "the history of " + to_string(a) + " ends at event " +
                                                  std::to_string(version) + " of " + std::to_string(*newest)};
    }
    ++out.histories;
    if (base->version > 0) {
        ++out.histories_cut;
        ++out.snapshots;
        const auto state = read_base(s, a);
        const auto items = state ? read_base_items(s, a) : state.error();
        if (read && !items) {
            read = unless_sealed(s, items.error());
        }
    }
    return read;
}

void verify_histories(const store& s, std::uint32_t shard, verification& out) {
    const auto visited = each_entity(s, shard, [&](const entity_address& a) {
        if (auto whole = verify_history(s, a, out); !whole && !out.first_bad) {
            out.first_bad = whole.error();
        }
        return true;
    });
    if (!visited && !out.first_bad) {
        out.first_bad = visited.error();
    }
}

} // namespace

verification verify_journal(const store& s, const std::function<void(std::uint64_t)>& progress) {
    verification out;
    for (std::uint32_t shard = 0; shard < s.who().shards; ++shard) {
        verify_shard(s, shard, out, progress);
        verify_histories(s, shard, out);
        prefix_scan snapshots(*s.db().db, s.db().derived, keys::shard_table(shard, keys::table::snapshot));
        for (; snapshots.valid(); snapshots.next()) {
            ++out.snapshots;
            const auto value = open_bytes(s, snapshots.key(), snapshots.value());
            const bool good =
                value ? decode_snapshot_row(0, *value).has_value() : unless_sealed(s, value.error()).has_value();
            out.snapshots_damaged += good ? 0 : 1;
        }
        if (!snapshots.status().ok() && !out.first_bad) {
            out.first_bad =
                to_problem(snapshots.status(), "cannot read the snapshots of shard " + std::to_string(shard));
        }
    }
    // What nothing above has read: documents, items, indexes, timers. A start may need any of them.
    if (const auto tables = s.db().db->VerifyChecksum(); !tables.ok() && !out.first_bad) {
        out.first_bad = to_problem(tables, "cannot read a table of documents, lists or timers");
    }
    verify_blobs(s, out, progress);
    return out;
}

} // namespace troupe::storage
