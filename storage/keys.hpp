#pragma once

#include "schemas/base/clock.hpp"
#include "schemas/base/ids.hpp"

#include <cstdint>
#include <string>
#include <string_view>

/// Every key that Troupe writes, in one place. Prefixes are never reused for another meaning.
///
/// Column families: `log` (the journal), `derived` (all that follows from it), `blobs`.
///   log      shard:2 seq:8                                           -> record
///   derived  shard:2 table:1 …                                       big-endian numbers, so that bytes order as
///   numbers
///     'a'                                                            -> a seq up to which at least was applied
///     'e'                                                            -> promise, and the epochs of the log
///     'h' organization:16 id:16 kind 0 entity_seq:8                  -> record (history)
///     's' organization:16 id:16 kind 0 entity_seq:8                  -> snapshot
///     'c' organization:16 id:16 kind 0 command id                    -> de-duplication
///     'd' organization:16 id:16 kind                                 -> document
///     'm' organization:16 id:16 kind 0 collection 0 key              -> item (items.hpp)
///     'i' organization:16 kind 0 filter 0 sort 0 id:16               -> empty
///     't' due:8 organization:16 id:16 kind 0 key                     -> timer's command
///     'o' organization:16 id:16 kind                                 -> empty: this entity owes effects
///     'p' organization:16 time:8 id:16 kind 0 entity_seq:8           -> a command that was set aside (poison.hpp)
///     'b' organization:16 id:16 kind                                 -> where the kept history begins (base.hpp)
///     'b' organization:16 id:16 kind 0 entity_seq:8                  -> state there
///     'n' organization:16 id:16 kind 0 collection 0 key              -> an item there
///     'r' organization:16 sha256:32 id:16 kind                       -> empty: this entity's state names the blob
///     'u' organization:16 time:8 seq:8                                -> a line of the audit log (audit.hpp)
///     'w'                                                            -> a seq up to which the audit log reaches
///     'k' kind                                                       -> empty: all references of the kind are kept
///     'q' organization:16 day:4 form:1 what                          -> amount (usage.hpp)
///     'g' kind                                                       -> empty: all that entities of the kind hold
///     counts 'v' was used before the first release
///     'x' seq:8                                                      -> what the group of records that ends there
///     changes in other tables (entry_group.hpp)
///   blobs    organization:16 sha256:32 0 piece:4                     -> bytes; piece 0 of a blob is its head, the last
///   possible number its mark: since when nobody was seen to name it
namespace troupe::storage::keys {

enum class table : char {
    applied = 'a',
    epochs = 'e',
    history = 'h',
    snapshot = 's',
    command = 'c',
    document = 'd',
    item = 'm',
    index = 'i',
    timer = 't',
    owed = 'o',
    poison = 'p',
    base = 'b',
    base_item = 'n',
    reference = 'r',
    reference_kind = 'k',
    audit = 'u',
    audited = 'w',
    usage = 'q',
    usage_kind = 'g',
    changes = 'x',
};

/// What a row of usage says. Of day 0 there is only what is held in all.
enum class usage_form : char {
    held = 'h',   ///< In total.
    used = 'u',   ///< In the day.
    change = 'c', ///< Of what is held, in the day.
    most = 'm',   ///< What the organization held at most, as this shard saw it.
};

/// All keys of an entity in a per-entity table start with these 35 bytes: the fixed prefix of the bloom filter.
inline constexpr std::size_t entity_prefix_bytes = 35;

/// Whether a row of `derived` is one of that shard, and the same at all its replicas: those that say how far one is are
/// its own.
bool is_shared(std::uint32_t shard, std::string_view key);

std::string log(std::uint32_t shard, std::uint64_t seq);
/// Of a group of records.
std::string changes(std::uint32_t shard, std::uint64_t last_seq);
/// Before all records of a shard's log, and no record's key.
std::string log_begin(std::uint32_t shard);
/// The prefix of a table in a shard.
std::string shard_table(std::uint32_t shard, table t);
/// shard, table, organization, id, kind: the whole key of document and owed.
std::string entity(std::uint32_t shard, table t, const entity_address& a);
/// entity + 0: the prefix of the entity's rows in history, snapshot, command and item.
std::string entity_rows(std::uint32_t shard, table t, const entity_address& a);
std::string numbered(std::uint32_t shard, table t, const entity_address& a, std::uint64_t number);
std::string command(std::uint32_t shard, const entity_address& a, std::string_view command_id);
std::string collection(std::uint32_t shard, const entity_address& a, std::string_view collection);
std::string item(std::uint32_t shard, const entity_address& a, std::string_view collection, std::string_view key);
std::string index_prefix(std::uint32_t shard, const uuid& organization, std::string_view kind, std::string_view filter);
std::string index(std::uint32_t shard, const entity_address& a, std::string_view filter, std::string_view sort);
std::string timer(std::uint32_t shard, timestamp due, const entity_address& a, std::string_view key);
std::string poison_prefix(std::uint32_t shard, const uuid& organization);
std::string poison(std::uint32_t shard, timestamp at, const entity_address& a, std::uint64_t entity_seq);
/// Whether what follows the prefix in such a key names that entity.
bool poison_is_of(std::string_view rest, const entity_address& a);
std::string reference(std::uint32_t shard, std::string_view sha256, const entity_address& a);
std::string audit_prefix(std::uint32_t shard, const uuid& organization);
std::string audit(std::uint32_t shard, const uuid& organization, timestamp at, std::uint64_t seq);
std::string reference_kind(std::uint32_t shard, std::string_view kind);
std::string usage_prefix(std::uint32_t shard, const uuid& organization);
std::string usage(std::uint32_t shard, const uuid& organization, std::uint32_t day, usage_form form,
                  std::string_view what);
std::string usage_kind(std::uint32_t shard, std::string_view kind);
/// What reference rows and blobs order by.
std::string blob_name(const uuid& organization, std::string_view sha256);
std::string blob_prefix(const uuid& organization, std::string_view sha256);
std::string blob_piece(const uuid& organization, std::string_view sha256, std::uint32_t piece);

/// The smallest key after all keys with that prefix.
std::string after_prefix(std::string prefix);

} // namespace troupe::storage::keys
