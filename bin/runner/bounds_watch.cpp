#include "bin/runner/bounds_watch.hpp"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <vector>

namespace troupe::runner {

namespace fs = std::filesystem;

namespace {

struct tree {
    std::vector<std::string> processes; ///< Their numbers.
    std::uint32_t tasks = 0;            ///< With their threads.
};

/// All below this process but the other, as far as `tasks_max` and not further. It is the sub-reaper: what loses its
/// parent is below it still.
tree tree_below_this(std::uint32_t tasks_max, const std::string& other) {
    tree found;
    std::vector<std::string> waiting;
    const auto look_at = [&](const std::string& process) {
        std::uint32_t threads = 0;
        std::error_code gone; // It may end while it is looked at.
        for (fs::directory_iterator task("/proc/" + process + "/task", gone), end; !gone && task != end;
             task.increment(gone)) {
            ++threads;
            std::ifstream children(task->path() / "children");
            for (std::string child; children >> child;) {
                waiting.push_back(child);
            }
        }
        return threads;
    };
    look_at("self");
    while (!waiting.empty() && found.tasks <= tasks_max) {
        const auto process = std::move(waiting.back());
        waiting.pop_back();
        if (process != other) {
            found.tasks += look_at(process);
            found.processes.push_back(process);
        }
    }
    return found;
}

/// Memory of their own. What processes share after a fork counts for each.
std::uint64_t roughly_used(const tree& t) {
    const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    std::uint64_t bytes = 0;
    for (const auto& process : t.processes) {
        std::ifstream file("/proc/" + process + "/statm");
        std::uint64_t size = 0, resident = 0, shared = 0;
        if (file >> size >> resident >> shared) {
            bytes += (resident - std::min(resident, shared)) * page;
        }
    }
    return bytes;
}

/// What processes share counts once. Takes the kernel a walk through all pages.
std::uint64_t exactly_used(const tree& t) {
    std::uint64_t kib = 0;
    for (const auto& process : t.processes) {
        std::ifstream file("/proc/" + process + "/smaps_rollup");
        for (std::string line; std::getline(file, line);) {
            if (line.starts_with("Pss_Anon:")) {
                kib += std::strtoull(line.c_str() + line.find(':') + 1, nullptr, 10);
            }
        }
    }
    return kib << 10;
}

const std::string all_ended = "ended with all its processes: ";

std::string mib(std::uint64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

} // namespace

bounds_watch::bounds_watch(const std::string& project, const runtime::command_limits& limits,
                           std::uint32_t own_processes, pid_t other)
    : project_(::open(project.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)),
      limits_(limits),
      own_processes_(own_processes),
      other_(std::to_string(other)) {}

std::optional<std::string> bounds_watch::broken(std::int64_t now_ms) {
    if (now_ms < next_ms_) {
        return std::nullopt;
    }
    next_ms_ = now_ms + every_ms;
    if (struct statvfs space{}; limits_.free_bytes_min > 0 && ::fstatvfs(project_.get(), &space) == 0) {
        if (const auto free = std::uint64_t{space.f_bavail} * space.f_frsize; free < limits_.free_bytes_min) {
            return all_ended + "the project's disk has " + mib(free) + " left, less than the " +
                   mib(limits_.free_bytes_min) + " that have to stay free";
        }
    }
    const auto processes_max = limits_.processes + own_processes_;
    const auto below = tree_below_this(processes_max, other_);
    if (below.tasks > processes_max) {
        return all_ended + "more than " + std::to_string(limits_.processes) + " processes and threads";
    }
    if (roughly_used(below) > limits_.memory_bytes && exactly_used(below) > limits_.memory_bytes) {
        return all_ended + "more than " + mib(limits_.memory_bytes) + " of memory";
    }
    return std::nullopt;
}

} // namespace troupe::runner
