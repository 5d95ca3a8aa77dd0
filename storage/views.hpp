#pragma once

#include "schemas/base/ids.hpp"
#include "schemas/base/problem.hpp"
#include "storage/blob_hash.hpp"
#include "storage/store.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Reads of documents, lists and items. They never wake an entity. All thread-safe.
namespace troupe::storage {

struct stored_document {
    uuid id;
    std::uint64_t version = 0; ///< The entity's version: its ETag.
    std::string json;
};

/// The document of an entity, or nothing when it does not exist (or was deleted).
expected<std::optional<stored_document>> read_document(const store& s, const entity_address& a);

/// A page of a list: all documents of a kind under one index filter, ordered by (sort, id).
struct list_query {
    uuid organization;
    std::string kind;
    std::string filter; ///< "" or "status=inbox": see `runtime::index_key`.
    bool descending = true;
    std::size_t limit = 50;
    std::string cursor; ///< From the page before; empty: from the start.
    /// Without a cursor: behind that place, (sort, id).
    std::optional<std::pair<std::string, uuid>> behind = {};
    /// Further conditions on a document; those that fail are skipped. At most `scanned_max` are looked at per page.
    std::function<bool(const stored_document&)> keep;
    std::string kept; ///< What `keep` keeps, as text: a cursor is refused by a list with other conditions.
};
inline constexpr std::size_t scanned_max = 5000;

struct list_page {
    std::vector<stored_document> items;
    std::optional<std::string> next_cursor; ///< Set when more may follow.
};
/// `invalid_request` when the cursor is none, or of another list.
expected<list_page> read_list(const store& s, const list_query& query);

/// A page of a collection inside an entity, ordered by key. One of a private collection (storage/items.hpp) reads all
/// of it.
struct item_query {
    entity_address entity;
    std::string collection;
    bool descending = false;
    std::size_t limit = 50;
    std::string cursor;
};
struct item_page {
    std::vector<std::string> items; ///< JSON documents.
    std::optional<std::string> next_cursor;
};
expected<item_page> read_items(const store& s, const item_query& query);

/// One item by its key, or nothing.
expected<std::optional<std::string>> read_item(const store& s, const entity_address& a, std::string_view collection,
                                               std::string_view key);

/// A timer that is due, and the command that it sends.
struct due_timer {
    entity_address entity;
    std::string key;
    timestamp due;
    std::string type;
    std::string payload;
    std::string row; ///< Its whole key.
};
/// The value of a timer row.
std::string encode_timer_row(std::string_view type, std::string_view payload);
/// Timers of a shard that are due at `now`, oldest first, at most `limit`; `next_due` is set to that of the first that
/// is not.
std::vector<due_timer> read_timers(const store& s, std::uint32_t shard, timestamp now, std::size_t limit,
                                   std::optional<timestamp>& next_due);

/// The timers of one entity, the next one first. Of its shard at most the `scanned_max` next ones are looked at.
std::vector<due_timer> read_timers_of(const store& s, const entity_address& a, std::size_t limit);

/// The entities of a shard that owe effects.
std::vector<entity_address> read_owed(const store& s, std::uint32_t shard);

/// Every entity with a head in a shard: for rebuilds and statistics.
expected<void> each_entity(const store& s, std::uint32_t shard,
                           const std::function<bool(const entity_address&)>& visit);

/// What the states of a shard name.
expected<void> each_reference(const store& s, std::uint32_t shard,
                              const std::function<bool(const entity_address&, const blob_hash&)>& visit);
/// Kinds of which every entity's references are in that shard's tables. Without it nothing may be collected.
expected<bool> keeps_references(const store& s, std::uint32_t shard, std::string_view kind);

/// Rows of the view tables (document, index, item, timer, owed, poison, reference), for rebuilds. Those that are
/// visited are opened where that is possible; those that are written have to be sealed.
struct view_rows {
    std::vector<std::pair<std::string, std::string>> puts;
    std::vector<std::string> deletes;
};
void each_view_row(const store& s, std::uint32_t shard,
                   const std::function<void(std::string_view key, std::string_view value, bool sealed)>& visit);
/// Written in one batch with fsync.
expected<void> write_view_rows(store& s, const view_rows& rows);
/// Organization, id and kind of the entity that a view row belongs to, as `owner_text` gives them; nothing for a
/// foreign key. Entities of several kinds may have one id: a person and its erasure.
std::optional<std::string> owner_of_view_row(std::string_view key);
std::string owner_text(const entity_address& a);

/// Opaque text for cursors.
std::string encode_cursor(std::string_view bytes);
std::optional<std::string> decode_cursor(std::string_view text);

} // namespace troupe::storage
