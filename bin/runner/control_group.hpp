#pragma once

#include "runtime/process/sandbox.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace troupe::runner {

/// Bounds the memory and the processes of a command's whole tree, where this process may make control groups
/// (version 1 or 2). Elsewhere it does nothing: the rlimits of `confinement.hpp` remain.
class control_group {
public:
    control_group(const std::string& name, const runtime::command_limits& limits);
    control_group(const control_group&) = delete;
    control_group& operator=(const control_group&) = delete;
    /// Removes the groups; the tree has to be dead.
    ~control_group();

    /// Moves the calling process in; between fork and exec.
    void enter() const;

    /// Whether the kernel ended a process because all together reached their limit of memory.
    [[nodiscard]] bool ran_out_of_memory() const;

    /// The folders under /sys/fs/cgroup, one a line: what is left to remove when this process is killed.
    [[nodiscard]] std::string listing() const;

private:
    struct bound {
        const char* file;
        std::string value;
    };
    void add(const std::filesystem::path& parent, const std::string& name, const std::vector<bound>& bounds);

    std::vector<std::filesystem::path> folders_;
};

} // namespace troupe::runner
