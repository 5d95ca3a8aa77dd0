#pragma once

#include "schemas/base/clock.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The values of the derived tables (their keys: storage/keys.hpp). All start with a format byte.
namespace troupe::storage {

/// What a repeated command is answered with.
enum class repeat_answer : std::uint8_t {
    made_again, ///< The first answer, made from its events.
    document,   ///< Its events were cut: the document as it is now.
    kept,       ///< Its events were cut: the first answer, which was no document.
    poison,     ///< Its events were cut: it had been set aside.
};

/// De-duplication: what a repeated command needs to get the same answer.
struct command_row {
    std::uint64_t request_hash = 0;
    std::uint64_t first_version = 0; ///< The entity's version of its first event.
    std::uint32_t events = 0;
    timestamp time;
    repeat_answer answer = repeat_answer::made_again;
    std::string kept = {}; ///< JSON.
};
std::string encode_command_row(const command_row& row);
std::optional<command_row> decode_command_row(std::string_view bytes);

/// A snapshot: checksummed, so that a damaged one falls back to the one before.
struct snapshot_row {
    std::uint64_t version = 0;
    std::uint16_t state_version = 1; ///< Of the state's type.
    std::string state;               ///< JSON.
};
std::string encode_snapshot_row(const snapshot_row& row);
/// Nothing when the bytes are damaged. `version` comes from the key.
std::optional<snapshot_row> decode_snapshot_row(std::uint64_t version, std::string_view bytes);

/// The last event that was cut from an entity's history (storage/base.hpp). Checksummed.
struct base_mark {
    std::uint64_t version = 0; ///< 0: the history is whole.
    std::uint64_t seq = 0;     ///< In the shard's log.
    timestamp time;
};
std::string encode_base_mark(const base_mark& mark);
/// Nothing when the bytes are damaged.
std::optional<base_mark> decode_base_mark(std::string_view bytes);

/// A public document with the index keys under which it stands, so that a rebuild or delete finds them.
struct document_row {
    std::uint64_t version = 0;
    std::string json;
    std::vector<std::pair<std::string, std::string>> keys; ///< (filter, sort)
};
std::string encode_document_row(const document_row& row);
std::optional<document_row> decode_document_row(std::string_view bytes);

} // namespace troupe::storage
