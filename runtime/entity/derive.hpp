#pragma once

#include "runtime/entity/kind.hpp"
#include "storage/committer.hpp"
#include "storage/sealing.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// From states to rows of the derived tables: what changes between two versions of an entity. Pure.
namespace troupe::runtime {

/// The host's own event: a command was set aside because it crashed the entity again and again.
inline constexpr std::string_view poisoned_event = "$poisoned";

/// Effects whose outcome or timer was poison: the model cannot have heard of it, so it names them for ever, and the
/// host passes over them. By `set_aside_name`. Part of what the host makes from the history, beside the state.
using set_aside_effects = std::set<std::string, std::less<>>;

/// How an effect stands in that set: its key; of a timer also its time, as one that is set anew is another one.
std::string set_aside_name(const effect& e);
/// The effect that ends with this command of the host to `self`, in the same form; empty: none.
std::string effect_behind(const command& c);
/// The payload of `$poisoned`.
std::string poisoned_payload(const command& c, std::string_view cause);
/// Notes what an event of the host sets aside; passes over all others.
void note_set_aside(const storage::record& r, set_aside_effects& into);

/// The records of what a command became, after `version`. Shard, seq and epoch are the committer's.
std::vector<storage::record> make_records(const entity_address& self, std::uint64_t version, const command& c,
                                          std::vector<encoded_event> events, timestamp now);

/// Ids of the commands that the host makes: the same for each attempt, so that receivers recognise repeats.
std::string timer_command_id(std::string_view key, timestamp due);
std::string effect_command_id(const entity_address& owner, std::string_view key);

/// The rows that follow from an entity's state: kept by its host to find the difference to the next.
struct derived_rows {
    bool exists = false;
    std::vector<index_key> keys;
    std::map<std::string, timestamp> timers; ///< key -> due
    bool owes = false;
    std::vector<storage::blob_hash> blobs; ///< In order.
    std::vector<usage_amount> holds;       ///< What is counted of the state for its organization.
    std::vector<effect> owed;              ///< As `resume` gave it, timers too, without what is set aside.
    set_aside_effects set_aside;
    storage::index_names names; ///< Under which the keys stand.
};

/// What the tables hold for this state.
derived_rows rows_of(const entity_instance& e, const view_context& ctx, set_aside_effects set_aside,
                     storage::index_names names, std::string* document);

/// Changes from `before` to the instance's present state, which becomes `before`. Takes the instance's items.
storage::derived_changes derive(entity_instance& e, std::uint32_t shard, const entity_address& a, std::uint64_t version,
                                derived_rows& before);

/// What a snapshot holds: the state as these features have it (null: all), and what was set aside.
stored_form snapshot_of(const entity_instance& e, const set_aside_effects& set_aside, const feature_set* on);
/// Adds a snapshot at `version`, and removes `drop` (the one before the one before; 0: none).
void add_snapshot(storage::derived_changes& to, stored_form state, std::uint32_t shard, const entity_address& a,
                  std::uint64_t version, std::uint64_t drop);
/// Takes up a snapshot; a failure leaves the instance as it was.
expected<set_aside_effects> restore_snapshot(entity_instance& e, std::uint16_t state_version, std::string_view state);

} // namespace troupe::runtime
