#pragma once

#include <optional>
#include <string>

namespace troupe::runner {

/// Writes the filter of system calls for `bwrap --seccomp` to the file: it takes from the command what none needs and
/// what reaches far into the kernel (mounts, namespaces, keys, bpf, io_uring, other families of sockets, and more).
/// Everything else is allowed. What went wrong, if something did.
std::optional<std::string> write_syscall_filter(int file);

} // namespace troupe::runner
