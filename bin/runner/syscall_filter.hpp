#pragma once

#include <optional>
#include <string>

namespace troupe::runner {

/// Takes the system calls from this process, and from all that it becomes or starts, that no command needs and that
/// reach far into the kernel: mounts, namespaces, keys, bpf, io_uring, other families of sockets, and more. Everything
/// else is allowed. Sets `no_new_privs`. There is no way back. What went wrong, if something did.
std::optional<std::string> install_syscall_filter();

} // namespace troupe::runner
