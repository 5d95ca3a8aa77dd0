#pragma once

#include "actors/task/working_text.hpp"
#include "runtime/services.hpp"

/// The board as WORKING.md shows it, now and as it was. Thread-safe; blocks on reads of the tables.
namespace troupe::actors {

/// What is there, with the agents and what happened last. Its time lies a moment back: whatever was committed by then
/// is in it, so that an edit is never held against a state that nobody saw.
expected<working_state> read_working(const runtime::services& s, const uuid& organization);

/// The tasks that it shows now as they were then, without agents and what happened; no longer than history is kept.
expected<working_state> read_working_past(const runtime::services& s, const uuid& organization, timestamp at);

/// A task of now, and where it is.
struct placed_task {
    uuid id;
    std::uint64_t version = 0; ///< Of its entity.
    working_task task;
};

/// All tasks that an edited text could speak of, by key.
struct working_sides {
    std::map<std::string, placed_task> now;
    /// As they were at the text's time; those that came later as they came. Those that the text does not name are here
    /// only if it must have had them.
    std::map<std::string, working_task> base;
};
expected<working_sides> read_sides(const runtime::services& s, const uuid& organization, const working_text& edited);

} // namespace troupe::actors
