#pragma once

#include "runtime/supervision/tree.hpp"
#include "schemas/base/problem.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

/// A part of a node without a thread: an actor calls it when somebody nudges it, and when its time has come.
namespace troupe::runtime {

struct supervised_child;

/// Wakes the part's actor, from any thread; several before it looks count as one. Does nothing once the actor has
/// ended.
using nudge = std::function<void()>;

struct nudged_part {
    std::string id;    ///< A path element, unique below its supervisor.
    std::string label; ///< What the tree shows as its kind.
    std::shared_ptr<const actor_figures> figures;
    /// Looks what is to be done, does it without blocking, and says after how many milliseconds it wants to look again
    /// at the latest; none: when it is nudged. It is the actor's own thread of the moment. May throw: then the actor
    /// fails.
    using look = std::function<std::optional<std::int64_t>()>;
    /// For each start of the actor, in its thread. What it returned ends with the actor, and is called once at once.
    std::function<look(nudge)> start;
};

/// As a permanent child of a supervisor.
supervised_child nudged_child(nudged_part part);

} // namespace troupe::runtime
