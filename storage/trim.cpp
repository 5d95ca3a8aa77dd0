#include "storage/trim.hpp"

#include "storage/audit.hpp"
#include "storage/base.hpp"
#include "storage/bytes.hpp"
#include "storage/key_store.hpp"
#include "storage/keys.hpp"
#include "storage/log_reader.hpp"
#include "storage/rocks.hpp"

#include <rocksdb/options.h>

#include <cstring>
#include <optional>
#include <string_view>
#include <unordered_map>

namespace troupe::storage {

namespace {

/// Whether records of the log may go, because entities need them no more.
class second_copies {
public:
    explicit second_copies(const store& s) : store_(s) {}

    expected<void> check(const record& r) {
        const bool is_erased = store_.keys() && store_.keys()->is_erased(r.key_id);
        if (r.entity_seq == 0 || is_erased) { // the start of an epoch, which is nobody's
            return {};
        }
        std::string value;
        const auto& db = store_.db();
        const auto status =
            db.db->Get({}, db.derived, keys::numbered(r.shard, keys::table::history, r.entity, r.entity_seq), &value);
        if (status.ok()) {
            byte_reader in(value);
            const auto seq = in.fixed<std::uint64_t>();
            const auto copy = decode_record(r.shard, seq, in.rest());
            if (copy && *copy == r) {
                return {};
            }
        }
        const auto base = base_of(r.entity);
        if (!base || *base >= r.entity_seq) {
            return base ? expected<void>() : expected<void>(base.error());
        }
        return problem{code::journal_damaged, "event " + std::to_string(r.entity_seq) + " of " + to_string(r.entity) +
                                                  " is good in the log of shard " + std::to_string(r.shard) +
                                                  " (record " + std::to_string(r.seq) +
                                                  ") but not in its history: that log is not trimmed any further"};
    }

private:
    expected<std::uint64_t> base_of(const entity_address& a) {
        const auto known = bases_.find(a);
        if (known != bases_.end()) {
            return known->second;
        }
        const auto base = read_base(store_, a); // with its state: that has to be good
        return base ? expected<std::uint64_t>(bases_.emplace(a, *base ? (*base)->version : 0).first->second)
                    : expected<std::uint64_t>(base.error());
    }

    const store& store_;
    std::unordered_map<entity_address, std::uint64_t> bases_;
};

entity_address address_of(std::string_view rest) {
    entity_address a;
    std::memcpy(a.organization.bytes.data(), rest.data(), 16);
    std::memcpy(a.id.bytes.data(), rest.data() + 16, 16);
    a.kind = rest.substr(32, rest.find('\0', 32) - 32);
    return a;
}

} // namespace

expected<trim_point> find_trim(const store& s, std::uint32_t shard, timestamp until, std::uint64_t records_max) {
    trim_point out;
    const auto base = read_log_base(s, shard);
    if (!base) {
        return base.error();
    }
    const auto audited = read_audit_mark(s, shard);
    if (!audited) {
        return audited.error();
    }
    second_copies copies(s);
    expected<void> good;
    std::uint64_t seen = 0;
    auto read = read_log(s, shard, base->at.seq, [&](record&& r) {
        if (r.time > until || r.seq > audited->seq) { // the audit log reads it first
            return false;
        }
        out.more = ++seen > records_max && out.to.at.seq > 0;
        if (!out.more) {
            good = copies.check(r);
            if (good && r.index_in_batch + 1 == r.batch_size) {
                out.to = {{r.seq, r.epoch}, r.time};
            }
        }
        return good && !out.more;
    });
    if (read && good) {
        return out;
    }
    return read ? good.error() : read.error();
}

namespace {

/// The first event after the base, or nothing. The scan stands at the first row of the entity.
std::optional<record> first_event(const store& s, std::uint32_t shard, const entity_address& a, const std::string& rows,
                                  prefix_scan& scan) {
    const auto mark = read_base_mark(s, a);
    if (mark && mark->version > 0) {
        auto next = rows;
        put_big_endian(next, mark->version + 1);
        scan.seek(next);
    }
    if (!mark || !scan.valid() || !scan.rest().starts_with(rows)) {
        return std::nullopt; // damage shows when the entity is loaded
    }
    byte_reader value(scan.value());
    const auto seq = value.fixed<std::uint64_t>();
    auto r = decode_record(shard, seq, value.rest());
    return r ? std::optional(std::move(*r)) : std::nullopt;
}

} // namespace

expected<old_histories> find_old_histories(const store& s, std::uint32_t shard, const std::string& from,
                                           std::size_t entities_max,
                                           const std::function<std::optional<timestamp>(std::string_view)>& until) {
    old_histories out;
    prefix_scan scan(*s.db().db, s.db().derived, keys::shard_table(shard, keys::table::history));
    std::size_t seen = 0;
    for (scan.seek(from); scan.valid() && seen < entities_max; scan.seek(out.next), ++seen) {
        const auto rows = std::string(scan.rest().substr(0, scan.rest().size() - sizeof(std::uint64_t)));
        const auto a = address_of(rows);
        out.next = keys::after_prefix(rows);
        const auto oldest = until(a.kind);
        const auto first = oldest ? first_event(s, shard, a, rows, scan) : std::nullopt;
        if (first && first->time <= *oldest) {
            auto later = rows; // the newest command is never cut
            put_big_endian(later, first->entity_seq - first->index_in_batch + first->batch_size);
            scan.seek(later);
            if (scan.valid() && scan.rest().starts_with(rows)) {
                out.entities.push_back(a);
            }
        }
    }
    if (!scan.status().ok()) {
        return to_problem(scan.status(), "cannot read the histories of shard " + std::to_string(shard));
    }
    if (!scan.valid()) {
        out.next.clear();
    }
    return out;
}

expected<void> reclaim_logs(const store& s) {
    rocksdb::CompactRangeOptions options;
    options.exclusive_manual_compaction = false;
    const auto status = s.db().db->CompactRange(options, s.db().log, nullptr, nullptr);
    return status.ok() ? expected<void>() : expected<void>(to_problem(status, "cannot compact the logs"));
}

} // namespace troupe::storage
