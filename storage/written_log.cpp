#include "storage/written_log.hpp"

#include "storage/bytes.hpp"
#include "storage/entry_group.hpp"
#include "storage/keys.hpp"
#include "storage/log_reader.hpp"
#include "storage/rocks.hpp"

#include <algorithm>
#include <string>

namespace troupe::storage {

namespace {

problem gap(std::uint32_t shard, std::uint64_t wanted, std::uint64_t found) {
    return {code::journal_damaged,
            "the log of shard " + std::to_string(shard) + " has a gap: record " + std::to_string(wanted) +
                " is missing, record " + std::to_string(found) +
                " follows; restore a backup, or ask `troupe journal verify` for all that is damaged"};
}

problem trimmed(std::uint32_t shard, const log_base& base) {
    return {code::not_found, "the log of shard " + std::to_string(shard) + " begins after record " +
                                 std::to_string(base.at.seq) + ", of " + to_string(base.time) +
                                 ": what is older is not kept"};
}

} // namespace

expected<void> read_written_log(const store& s, std::uint32_t shard, std::uint64_t after_seq,
                                const std::function<bool(record&&, std::string_view bytes)>& visit) {
    std::string prefix;
    put_big_endian(prefix, static_cast<std::uint16_t>(shard));
    std::string from;
    put_big_endian(from, after_seq + 1);
    prefix_scan scan(*s.db().db, s.db().log, prefix, from);
    auto wanted = after_seq + 1;
    if (!scan.valid() || get_big_endian<std::uint64_t>(scan.rest()) != wanted) {
        // After the scan began: what it does not see was trimmed before this.
        const auto base = read_log_base(s, shard);
        if (!base || base->at.seq > after_seq) {
            return base ? trimmed(shard, *base) : base.error();
        }
    }
    for (; scan.valid(); scan.next(), ++wanted) {
        const auto seq = get_big_endian<std::uint64_t>(scan.rest());
        if (seq != wanted) {
            return gap(shard, wanted, seq);
        }
        auto r = decode_record(shard, seq, scan.value());
        if (!r) {
            return r.error();
        }
        if (!visit(std::move(*r), scan.value())) {
            return {};
        }
    }
    if (!scan.status().ok()) {
        return to_problem(scan.status(), "cannot read the log of shard " + std::to_string(shard));
    }
    return {};
}

std::uint64_t written_seq(const store& s, std::uint32_t shard) {
    std::string prefix;
    put_big_endian(prefix, static_cast<std::uint16_t>(shard));
    prefix_scan scan(*s.db().db, s.db().log, prefix, "\xff");
    scan.seek_last();
    if (scan.valid()) {
        return get_big_endian<std::uint64_t>(scan.rest());
    }
    const auto base = read_log_base(s, shard); // damage shows when the log is opened
    return base ? base->at.seq : 0;
}

timestamp time_of(const store& s, std::uint32_t shard, std::uint64_t seq) {
    const auto base = read_log_base(s, shard);
    auto out = base ? base->time : timestamp{};
    if (seq > 0) {
        (void)read_written_log(s, shard, seq - 1, [&](const record& r, std::string_view) {
            out = r.time;
            return false;
        }); // damage of the record shows when its entity is loaded
    }
    return out;
}

std::uint64_t applied_mark(const store& s, std::uint32_t shard) {
    std::string value;
    const auto status = s.db().db->Get({}, s.db().derived, keys::shard_table(shard, keys::table::applied), &value);
    return status.ok() && value.size() == sizeof(std::uint64_t) ? get_big_endian<std::uint64_t>(value) : 0;
}

expected<std::uint64_t> find_applied(const store& s, std::uint32_t shard) {
    const auto waiting = kept_at(s, shard, applied_mark(s, shard) + 1);
    if (!waiting) {
        return waiting.error();
    }
    return *waiting ? (*waiting)->first - 1 : written_seq(s, shard);
}

expected<void> check_tails(const store& s) {
    for (std::uint32_t shard = 0; shard < s.who().shards; ++shard) {
        const auto base = read_log_base(s, shard);
        if (!base) {
            return base.error();
        }
        const auto applied = std::max(applied_mark(s, shard), base->at.seq); // only what is applied is trimmed
        const auto last = written_seq(s, shard);
        if (last < applied) {
            return problem{code::journal_damaged,
                           "the log of shard " + std::to_string(shard) + " ends at record " + std::to_string(last) +
                               ", but record " + std::to_string(applied) +
                               " was applied before: the end of the log is lost; restore a backup"};
        }
        if (last > applied) {
            if (auto whole = read_written_log(s, shard, applied, [](record&&, std::string_view) { return true; });
                !whole) {
                return whole;
            }
        }
    }
    return {};
}

} // namespace troupe::storage
