#pragma once

#include "runtime/process/sandbox.hpp"
#include "schemas/base/unique_fd.hpp"

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

namespace troupe::runner {

/// Bounds that the kernel enforces nowhere, or only where control groups are, looked at every so often: the free space
/// of the project's file system, the number of processes (rlimits do not bind root) and the memory of all together.
class bounds_watch {
public:
    /// `other`: a child of this process that is no part of the command; 0: none.
    bounds_watch(const std::string& project, const runtime::command_limits& limits, std::uint32_t own_processes,
                 pid_t other);

    /// Why the command has to end, as a sentence. Looks at most every `every_ms`; between that it costs nothing.
    std::optional<std::string> broken(std::int64_t now_ms);

    static constexpr std::int64_t every_ms = 100; ///< A fork bomb makes some hundred processes in it.

private:
    unique_fd project_;
    runtime::command_limits limits_;
    std::uint32_t own_processes_; ///< Of the sandbox, not of the command.
    std::string other_;
    std::int64_t next_ms_ = 0;
};

} // namespace troupe::runner
