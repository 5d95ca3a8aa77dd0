#pragma once

#include "schemas/base/client.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/problem.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace troupe::storage {

/// One event as the journal keeps it. (shard, seq) is its key; everything else its value.
/// The records of one command have one command_id and the indices 0 … batch_size-1; they commit together.
struct record {
    std::uint32_t shard = 0;
    std::uint64_t seq = 0; ///< Position in the shard's log, from 1, without gaps.
    std::uint64_t epoch = 0;
    entity_address entity;
    std::uint64_t entity_seq = 0; ///< Position in the entity's history, from 1, without gaps.
    std::string command_id;
    std::uint64_t request_hash = 0;
    std::uint32_t index_in_batch = 0;
    std::uint32_t batch_size = 1;
    std::string type;          ///< Wire name of the event.
    std::uint16_t version = 1; ///< Of the event's type: upcasters bring old ones up to date on read.
    timestamp time;
    std::string principal;
    std::string cause;
    std::string correlation;
    std::string trace;
    client_info client;       ///< Of whom the command is; empty for those of the node and of entities.
    std::uint32_t key_id = 0; ///< Of the key that seals the payload on disk (storage/sealing.hpp); 0: it is plain.
    std::string payload;      ///< JSON text; sealed as long as `open_record` has not opened it.

    bool operator==(const record&) const = default;
};

/// The id of a command with an `Idempotency-Key`. Keys of one principal mean nothing to another, and what was chosen as
/// a key cannot be read from the id.
std::string caller_command_id(const uuid& organization, std::string_view principal, std::string_view idempotency_key);

/// The format that this version writes. It reads those before, too: 2 is never sealed, 1 has no `client`. Others are
/// refused.
inline constexpr std::uint8_t record_format = 3;

/// The value bytes: {format, flags, version, crc32(key and all that follows), …}. Shard and seq are in the key.
std::string encode_record(const record& r);
/// The same with another payload and client, which are sealed.
std::string encode_record(const record& r, std::string_view payload, const client_info& client);

/// Reads key and value back. `journal_damaged` names shard and seq when the checksum fails; `data_dir_newer` when the
/// format or a flag is unknown.
expected<record> decode_record(std::uint32_t shard, std::uint64_t seq, std::string_view value);

} // namespace troupe::storage
