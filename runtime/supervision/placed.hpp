#pragma once

#include "runtime/supervision/part.hpp"
#include "schemas/base/problem.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

/// Children that run at one node of a cluster, whichever: placed by capacity, and begun elsewhere when their node is
/// lost or drained.
namespace troupe::runtime {

/// What a child knows of its place. Copies are good for as long as they are kept.
struct placed_lease {
    /// Greater than that of all runs at other nodes before: whoever takes what the child sends can refuse an older one.
    std::uint64_t term = 0;
    /// Whether nobody else can have begun the child. Asked before each act that may be done once only: a process that
    /// stood still has to find out. Any thread.
    std::function<bool()> holds;
};

struct placed_child {
    std::string id;    ///< A path element, unique below its supervisor.
    std::string label; ///< What the tree shows as its kind: "mcp_server".
    double cost = 1;   ///< How much of a node it takes, in relation to others; more than 0.
    /// As of `supervised_part`. What it returned has to end within a quarter of a second: the lease of a node that is
    /// cut off ends, and the process is ended when the child still runs then.
    std::function<expected<std::shared_ptr<void>>(placed_lease lease, part_failed failed)> start;
};

/// A supervisor whose children are spread over all nodes that have it. All of them give the same one.
struct placed_supervisor {
    std::string name;             ///< A path element, unique in the cluster.
    std::size_t restarts_max = 5; ///< A child that fails more often within the window is given up, for another node.
    std::int64_t window_ms = 60'000;
    std::vector<placed_child> children;
};

} // namespace troupe::runtime
