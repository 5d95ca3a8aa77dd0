#pragma once

#include "runtime/node.hpp"
#include "schemas/base/described.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

/// What the channels `system_metrics` and `system_alerts` show: looked at from a thread of its own.
namespace troupe::actors {

/// Kind `metrics` of `system_metrics`, every five seconds. Counts are since the node's start.
struct system_figures {
    std::uint64_t resident_bytes = 0;
    double processor_s = 0;
    std::uint64_t connections = 0; ///< Of the edge.
    std::uint64_t subscribers = 0; ///< Live subscriptions.
    std::uint64_t entities_active = 0;
    std::uint64_t entities_in_trouble = 0;
    std::uint64_t commands_accepted = 0;
    std::uint64_t commands_refused = 0;
    std::uint64_t commands_outstanding = 0;
    std::uint64_t commits = 0;
    std::uint64_t effects_performing = 0;
};
BOOST_DESCRIBE_STRUCT(system_figures, (),
                      (resident_bytes, processor_s, connections, subscribers, entities_active, entities_in_trouble,
                       commands_accepted, commands_refused, commands_outstanding, commits, effects_performing))

/// Kind `troubles` of `system_alerts`: the number of entities in trouble has changed.
struct trouble_alert {
    std::uint64_t entities = 0;
    std::string message;
};
BOOST_DESCRIBE_STRUCT(trouble_alert, (), (entities, message))

/// Publishes both until it is destroyed. `node` outlives it.
class live_figures {
public:
    live_figures(runtime::node& node, std::function<std::size_t()> connections);
    ~live_figures();

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

} // namespace troupe::actors
