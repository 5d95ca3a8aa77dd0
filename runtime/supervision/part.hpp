#pragma once

#include "schemas/base/problem.hpp"

#include <functional>
#include <memory>
#include <string>

/// A part of a node that has threads of its own, or is used by those of others, under the node's supervision all the
/// same: an actor owns it, ends when the part says that it cannot go on, and its supervisor starts both anew.
namespace troupe::runtime {

struct supervised_child;

/// What a part says, once, from any thread but not within its start or end: why it cannot go on. Later calls, and those
/// of a part that was replaced, do nothing.
using part_failed = std::function<void(std::string why)>;

struct supervised_part {
    std::string id;    ///< A path element, unique below its supervisor: "edge".
    std::string label; ///< What the tree shows as its kind: "edge_listener".
    /// Starts the part, at first and for each restart, on the actor's own thread; may block. The part ends with what it
    /// returned, before it is started again.
    std::function<expected<std::shared_ptr<void>>(part_failed failed)> start;
};

/// As a permanent child of a supervisor.
supervised_child part_child(supervised_part part);

} // namespace troupe::runtime
