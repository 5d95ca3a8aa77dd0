#pragma once

#include "runtime/process/runner_files.hpp"
#include "schemas/base/unique_fd.hpp"

#include <string>

namespace troupe::runner {

class control_group;

/// What became of a command.
struct outcome {
    bool started = false; ///< The command itself was reached; else `why_not`.
    std::string why_not;
    runtime::command_result result; ///< With both streams.
};

/// The pipes to the node: what it orders, and what it sees live. Never blocks; when the node reads too slowly,
/// live frames are left out (the kept output is complete within its limit), unless who sends them heeds `is_behind`.
class node_link {
public:
    node_link();

    /// Whether the node's end of the order pipe is closed.
    [[nodiscard]] bool node_is_gone();
    /// True once the node ordered the end. Reads what has come.
    [[nodiscard]] bool cancel_ordered();

    void send(char kind, std::string_view bytes);
    /// The node reads too slowly: what is sent now may be left out.
    [[nodiscard]] bool is_behind() const;
    /// Writes what is pending; waits up to `wait_ms` for it.
    void flush(int wait_ms);

    [[nodiscard]] int order_fd() const { return open_ ? 0 : -1; }
    [[nodiscard]] int frame_fd() const { return pending_.empty() ? -1 : 1; }

private:
    void read_orders();

    bool open_ = true;
    bool cancelled_ = false;
    std::string pending_;
};

/// Blocks SIGCHLD and the signals that ask this process to end, and returns where they arrive. Call it first: from then
/// on being told to end leaves a result.
unique_fd watch_signals();

/// Runs the command to its end: by itself, by its time limit, or by order. When it returns, no process of its tree is
/// left.
outcome supervise(const runtime::runner_spec& spec, const std::string& self, const control_group& group,
                  const unique_fd& signals, node_link& node);

} // namespace troupe::runner
