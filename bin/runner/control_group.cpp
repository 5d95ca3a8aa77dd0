#include "bin/runner/control_group.hpp"

#include "bin/runner/confinement.hpp"
#include "schemas/base/unique_fd.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace troupe::runner {

namespace fs = std::filesystem;

namespace {

const fs::path root = "/sys/fs/cgroup";

bool put(const fs::path& file, const std::string& text) {
    const unique_fd fd(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
    return fd && ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

/// "0::/a/b" or "4:memory:/a/b" of /proc/self/cgroup: the controllers, comma-separated, and the group's path.
struct membership {
    std::string controllers;
    std::string path;
};

std::vector<membership> memberships() {
    std::vector<membership> all;
    std::ifstream file("/proc/self/cgroup");
    for (std::string line; std::getline(file, line);) {
        std::istringstream parts(line);
        std::string number;
        membership m;
        if (std::getline(parts, number, ':') && std::getline(parts, m.controllers, ':') &&
            std::getline(parts, m.path)) {
            all.push_back(std::move(m));
        }
    }
    return all;
}

} // namespace

control_group::control_group(const std::string& name, const runtime::command_limits& limits) {
    const auto memory = std::to_string(limits.memory_bytes);
    const auto processes = std::to_string(std::uint64_t{limits.processes} + own_processes); // these are in it as well
    for (const auto& m : memberships()) {
        if (m.controllers == "memory") {
            add(root / "memory" / fs::path(m.path).relative_path(), name, {{"memory.limit_in_bytes", memory}});
        } else if (m.controllers == "pids") {
            add(root / "pids" / fs::path(m.path).relative_path(), name, {{"pids.max", processes}});
        } else if (m.controllers.empty() && fs::exists(root / "cgroup.controllers")) {
            add(root / fs::path(m.path).relative_path(), name,
                {{"memory.max", memory}, {"memory.swap.max", "0"}, {"pids.max", processes}});
        }
    }
}

void control_group::add(const fs::path& parent, const std::string& name, const std::vector<bound>& bounds) {
    std::error_code failed;
    const auto folder = parent / name;
    if (!fs::create_directory(folder, failed)) {
        return;
    }
    const auto set =
        std::count_if(bounds.begin(), bounds.end(), [&](const bound& b) { return put(folder / b.file, b.value); });
    if (set == 0) {
        ::rmdir(folder.c_str()); // No controller is delegated here.
        return;
    }
    folders_.push_back(folder);
}

void control_group::enter() const {
    for (const auto& folder : folders_) {
        put(folder / "cgroup.procs", "0");
    }
}

bool control_group::ran_out_of_memory() const {
    for (const auto& folder : folders_) {
        for (const char* name : {"memory.events", "memory.oom_control"}) { // version 2, version 1
            std::ifstream file(folder / name);
            std::uint64_t count = 0;
            for (std::string word; file >> word >> count;) {
                if (word == "oom_kill" && count > 0) {
                    return true;
                }
            }
        }
    }
    return false;
}

std::string control_group::listing() const {
    std::string all;
    for (const auto& folder : folders_) {
        all += folder.native() + "\n";
    }
    return all;
}

control_group::~control_group() {
    for (const auto& folder : folders_) {
        // The kernel detaches the dead a moment after they are reaped; the wait is bounded.
        for (int attempt = 0; attempt < 100 && ::rmdir(folder.c_str()) != 0 && errno == EBUSY; ++attempt) {
            ::poll(nullptr, 0, 2);
        }
    }
}

} // namespace troupe::runner
