#pragma once

#include "schemas/base/ids.hpp"
#include "storage/keys.hpp"
#include "storage/log_reader.hpp"
#include "storage/record.hpp"
#include "storage/replication/messages.hpp"
#include "storage/rocks.hpp"
#include "storage/store.hpp"
#include "storage/written_log.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// What the simulations of replicas have in common.
namespace troupe::test {

inline void require(bool holds, std::string_view claim) {
    if (!holds) {
        throw std::runtime_error(std::string(claim));
    }
}

inline storage::replication::replica_id id_of(std::size_t index) {
    storage::replication::replica_id id;
    id.bytes[15] = static_cast<std::uint8_t>(index + 1);
    return id;
}
inline std::size_t index_of(const storage::replication::replica_id& id) { return id.bytes[15] - 1U; }

/// A whole shard, with what waits.
inline std::vector<storage::record> log_of(const storage::store& s, std::uint32_t shard) {
    std::vector<storage::record> out;
    const auto base = storage::read_log_base(s, shard);
    require(base.has_value(), "where a log begins can be read");
    const auto read = storage::read_written_log(s, shard, base->at.seq, [&](storage::record&& r, std::string_view) {
        out.push_back(std::move(r));
        return true;
    });
    require(read.has_value(), "a log can be read: " + (read ? "" : read.error().detail));
    return out;
}

/// All rows that replicas have in common beside the log.
inline std::map<std::string, std::string> rows_of(const storage::store& s, std::uint32_t shard) {
    std::map<std::string, std::string> out;
    storage::prefix_scan rows(*s.db().db, s.db().derived, storage::keys::log_begin(shard));
    for (; rows.valid(); rows.next()) {
        if (storage::keys::is_shared(shard, rows.key())) {
            out.emplace(rows.key(), rows.value());
        }
    }
    return out;
}

inline void require_histories(const std::vector<storage::record>& log) {
    std::map<std::string, std::uint64_t> versions;
    std::set<std::string> seen;
    for (const auto& r : log) {
        if (r.entity_seq > 0) {
            require(r.entity_seq == ++versions[to_string(r.entity)], "histories have no gap and no fork");
            require(r.index_in_batch > 0 || seen.insert(r.command_id).second, "a command is committed once");
        }
    }
}

} // namespace troupe::test
