#pragma once

#include "actors/run/run_model.hpp"
#include "schemas/run_history.hpp"
#include "storage/record.hpp"
#include "storage/store.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

/// A run's past, read from its journal. Blocks on RocksDB; from any thread.
namespace troupe::actors {

/// A history of more than so much text is not taken into memory at once.
inline constexpr std::size_t history_bytes_max = 256 << 20;

/// The events of a run, as today's program reads them, one command after the other.
struct recorded_command {
    std::vector<run_event> events;
    std::vector<storage::record> records; ///< Of the same events.
};

/// Visits all commands of a run. `not_found` when retention has cut its beginning.
expected<void> read_run(const storage::store& s, const entity_address& run,
                        const std::function<expected<void>(recorded_command&&)>& visit);

/// What the run was begun with. `not_found` when that is not kept any more.
expected<create_run> wish_of(const storage::store& s, const entity_address& run);

/// The run when that step had ended, before anything of the next one, and with nothing folded; step 0: before its first
/// one. `not_found` when it has no such step, `conflict` while the step is at work, or when it was never finished.
expected<run_state> state_after(const storage::store& s, const entity_address& run, std::uint32_t step);

/// A message of the run's context as it was before it was folded: its text and its calls. `not_found` where there is
/// none.
expected<std::string> original_message(const storage::store& s, const entity_address& run, std::uint32_t message);

/// What the model was given at a step. `not_found` as above.
expected<context_document> context_at(const storage::store& s, const entity_address& run, std::uint32_t step);

} // namespace troupe::actors
