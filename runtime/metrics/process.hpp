#pragma once

#include <cstdint>

namespace troupe::runtime {

/// What the system says of this process, from /proc. A figure that cannot be read is 0.
struct process_figures {
    std::uint64_t resident_bytes = 0;
    std::uint64_t virtual_bytes = 0;
    double cpu_seconds = 0; ///< User and system, all threads.
    std::uint64_t threads = 0;
    std::uint64_t open_fds = 0;
    std::uint64_t max_fds = 0;
    double start_time_s = 0; ///< Unix time.
    double uptime_s = 0;
};

/// Reads /proc: some 50 µs.
process_figures read_process();

} // namespace troupe::runtime
