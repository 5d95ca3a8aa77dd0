#pragma once

#include "schemas/base/client.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/problem.hpp"
#include "storage/store.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

/// The audit log: a line for every committed record, chained by SHA-256 per (organization, shard), so that a line that
/// was changed, taken out or put in shows. A projection of the logs, made soon after the commit and before a log may be
/// trimmed; from then on it stands by itself and is never made again.
///
/// A line belongs to the organization in which its author acted, else to that of its entity: so the owners of an
/// organization see who changed its members and keys, which are entities of `system`.
namespace troupe::storage {

using audit_digest = std::array<std::uint8_t, 32>;

/// A line: what a record says of who did what, when, and from where.
struct audit_line {
    uuid organization; ///< Whose log it is in.
    std::uint32_t shard = 0;
    std::uint64_t seq = 0;    ///< Of the record in its shard's log.
    timestamp time;           ///< Of the record; never before that of the shard's line before.
    std::uint64_t number = 0; ///< In its chain, from 1, without gaps.
    entity_address entity;
    std::uint64_t entity_seq = 0;
    std::string type; ///< Of the event.
    std::string principal;
    std::string cause;
    std::string correlation;
    client_info client;
    audit_digest record{}; ///< SHA-256 of the record's bytes in the log.
    audit_digest chain{};  ///< SHA-256 of the chain before, the line's key and all of the line before this.
};
std::string encode_audit_line(const audit_line& line);
/// Nothing when it cannot be read. Organization, shard, time and seq come from the key.
std::optional<audit_line> decode_audit_line(std::uint32_t shard, std::string_view key, std::string_view value);

/// The end of a chain.
struct audit_head {
    uuid organization;
    std::uint32_t shard = 0;
    std::uint64_t number = 0;
    audit_digest chain{};
};

/// Up to where something went in a shard's log.
struct audit_mark {
    std::uint64_t seq = 0;
    timestamp time; ///< Of the line.
};
std::string encode_audit_mark(const audit_mark& mark);

/// Writes the lines of a shard's next records, at most `records_max`, and returns how many were read; 0: it is up to
/// date. One caller at a time for a shard. A crash leaves it as it was, or done.
expected<std::size_t> write_audit_lines(store& s, std::uint32_t shard, std::size_t records_max);
/// The last record of a shard's log that has its line.
expected<audit_mark> read_audit_mark(const store& s, std::uint32_t shard);

struct audit_query {
    uuid organization;
    std::optional<timestamp> from = {};  ///< This or later.
    std::optional<timestamp> until = {}; ///< Before.
    bool descending = true;
    std::size_t limit = 50;
    std::string cursor = {};                          ///< From the page before.
    std::function<bool(const audit_line&)> keep = {}; ///< At most `scanned_max` are looked at per page.
};
struct audit_page {
    std::vector<audit_line> lines; ///< By time, then shard and seq.
    std::optional<std::string> next_cursor;
};
/// Thread-safe. `invalid_request` when the cursor is none.
expected<audit_page> read_audit(const store& s, const audit_query& query);
/// One line by its place, or nothing. Thread-safe.
expected<std::optional<audit_line>> read_audit_line(const store& s, std::uint32_t shard, const uuid& organization,
                                                    timestamp time, std::uint64_t seq);
/// Lines of one shard after another one, of all organizations, in the order of the log: for those who pass them on.
/// Thread-safe.
expected<std::vector<audit_line>> read_audit_after(const store& s, std::uint32_t shard, const audit_mark& after,
                                                   std::size_t limit);
/// The record that a line is about, as JSON of its payload; nothing when it is not kept any more.
expected<std::optional<std::string>> read_audit_details(const store& s, const audit_line& line);

/// The ends of all chains of an organization; of all organizations without one.
expected<std::vector<audit_head>> read_audit_heads(const store& s, const std::optional<uuid>& organization);

/// What `verify_audit` found.
struct audit_verification {
    std::uint64_t lines = 0;
    std::uint64_t chains = 0;
    std::uint64_t compared = 0;   ///< Lines whose record is still in the log and is the one that the line names.
    std::uint64_t pending = 0;    ///< Records that have no line yet.
    std::uint64_t anchored = 0;   ///< Known ends that were looked for.
    std::vector<std::string> bad; ///< The first ones, each with its place.
    std::uint64_t bad_count = 0;
    bool complete = true; ///< False: it was stopped.
};
/// Reads every line: the chains are whole, each record in the log is the one of its line, each has one, and the heads
/// given (of an earlier time) are part of their chains. Thread-safe.
audit_verification verify_audit(const store& s, const std::optional<uuid>& organization,
                                const std::vector<audit_head>& known,
                                const std::function<void(std::uint64_t lines)>& progress, std::stop_token stop = {});

/// Takes the lines after a record away with it: for `cut_journal`. Keys to delete are given to `drop`.
expected<void> drop_audit_lines(const store& s, std::uint32_t shard, std::uint64_t after_seq,
                                const std::function<void(std::string key)>& drop);

} // namespace troupe::storage
