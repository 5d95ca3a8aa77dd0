#pragma once

#include "runtime/cluster/serial_worker.hpp"
#include "runtime/node.hpp"
#include "runtime/process/sandbox.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/problem.hpp"

#include <atomic>
#include <cstdint>
#include <string>

/// Commands of runs that went to another node: that one asks the node which had the run what became of them.
namespace troupe::actors {

class moved_commands {
public:
    /// Both outlive it.
    moved_commands(runtime::node& node, runtime::sandbox& commands) : node_(node), commands_(commands) {}

    /// From now on other nodes are answered. Once, when the node has started; at a node alone nothing happens.
    void answer_others();

    /// See `run_services::end_elsewhere`. From any thread that may block.
    expected<runtime::command_result> end_at(const uuid& replica, const std::string& key);

    /// When others have just taken over what this node had: until nobody has asked for a moment. Blocks, at most so
    /// long.
    void wait_for_questions(std::int64_t time_ms) const;

private:
    runtime::node& node_;
    runtime::sandbox& commands_;
    std::atomic<std::int64_t> asked_ms_{0};  ///< When somebody asked last, and was answered; monotonic.
    runtime::cluster::serial_worker worker_; ///< A command may take a moment to end.
};

} // namespace troupe::actors
