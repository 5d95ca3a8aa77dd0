#pragma once

#include "actors/run/run_history.hpp"
#include "schemas/run_history.hpp"

#include <optional>

/// Decides a run again from what its journal says that models, tools and people answered. Pure.
namespace troupe::actors {

/// Feeds the recorded commands of one run, oldest first, to the run's model, and compares.
class run_replay {
public:
    explicit run_replay(const uuid& organization, const uuid& run);

    /// False: it came to something else than what is recorded; the rest says nothing any more.
    bool take(const recorded_command& recorded);
    [[nodiscard]] replay_document result() const;

private:
    [[nodiscard]] std::optional<run_command> command_of(const recorded_command& recorded) const;
    void diverge(const recorded_command& recorded, std::size_t at, const run_event* instead);
    void count(const run_event& e);

    entity_address self_;
    run_state state_;
    replay_document result_;
};

} // namespace troupe::actors
