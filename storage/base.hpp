#pragma once

#include "schemas/base/problem.hpp"
#include "storage/committer.hpp"
#include "storage/store.hpp"
#include "storage/tables.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

/// Where the kept history of an entity begins, when its oldest events were cut by retention: the state after the last
/// event that was cut, and the items as they were then. Together with the events after it, it is the truth: snapshots
/// and views follow from it.
///
/// The row of the last event that was cut stays in the history: the newest row of an entity is its version, whatever is
/// cut and taken back.
///
/// An item of the base that was not changed since has the value of the item in the views, so that it is not stored
/// twice; the commit that changes it puts the value aside first (`keep_base_items`).
namespace troupe::storage {

/// The state after the last event that was cut.
struct history_base : base_mark {
    std::uint16_t state_version = 1;
    std::string state; ///< JSON.
};

/// Cheap. `journal_damaged` when it cannot be read. Thread-safe, as all below.
expected<base_mark> read_base_mark(const store& s, const entity_address& a);

/// The base of an entity, or nothing when its history is whole. `journal_damaged` when it cannot be read.
expected<std::optional<history_base>> read_base(const store& s, const entity_address& a);

/// Adds the rows that make this the base, in place of that of version `before`; 0: there was none.
void put_base(const store& s, const entity_address& a, const history_base& base, std::uint64_t before,
              derived_changes& to);

/// Documents of the items that the base has, by collection + 0 + key. `journal_damaged` when one is lost.
expected<std::map<std::string, std::string>> read_base_items(const store& s, const entity_address& a);

/// The documents of some items by their whole keys (`keys::item`) after the events that are to be cut; empty: deleted.
using item_documents = std::map<std::string, std::string>;
/// Adds the rows that make these the items of the base; other items of it stay. Nothing else may change the entity's
/// items until it is committed.
expected<void> move_base_items(const store& s, const item_documents& items, derived_changes& to);

/// Adds what keeps the base as it is although `to` changes items. For entities that have a base.
expected<void> keep_base_items(const store& s, derived_changes& to);

} // namespace troupe::storage
