// Children that run at one node of a cluster, whichever: README.md says how to start it. Each collector notes its work
// in a file that all nodes share; kill, stop or drain its node, and it goes on at another one.
//
//     ./collectors FILE COUNT --data DIRECTORY …    the rest is the configuration of a node
#include "actors/application/serve.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <thread>

using namespace troupe;

class collector {
public:
    collector(std::string file, std::string id, runtime::placed_lease lease, runtime::part_failed failed)
        : file_(std::move(file)), id_(std::move(id)), lease_(std::move(lease)) {
        note("started");
        thread_ = std::thread([this, failed = std::move(failed)] { work(failed); });
    }
    ~collector() {
        ends_ = true;
        thread_.join();
        note("stopped");
    }
    collector(const collector&) = delete;
    collector& operator=(const collector&) = delete;

private:
    void work(const runtime::part_failed& failed) {
        while (!ends_) {
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
            if (std::filesystem::exists(file_ + ".fail-" + id_)) {
                failed("somebody wants it to fail");
                return;
            }
            if (lease_.holds()) { // it may have stood still until another node began it
                note("works");
            }
        }
    }
    /// One line with one call, so that those of several processes do not mix.
    void note(const std::string& what) {
        const auto now = std::chrono::steady_clock::now().time_since_epoch();
        const auto ms = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
        const auto line = std::to_string(ms) + " " + std::to_string(getpid()) + " " + std::to_string(lease_.term) +
                          " " + id_ + " " + what + "\n";
        const int out = open(file_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        if (out < 0 || write(out, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
            std::cerr << "cannot write " << file_ << std::endl;
        }
        close(out);
    }

    std::string file_;
    std::string id_;
    runtime::placed_lease lease_;
    std::atomic<bool> ends_{false};
    std::thread thread_;
};

int main(int argc, char** argv) {
    if (argc < 3) {
        std::cerr << "Usage: collectors FILE COUNT [the configuration of a node]\n";
        return 2;
    }
    runtime::placed_supervisor collectors{.name = "collectors", .restarts_max = 2, .window_ms = 60'000, .children = {}};
    for (int i = 1; i <= std::atoi(argv[2]); ++i) {
        const auto id = "c" + std::to_string(i);
        collectors.children.push_back(
            {.id = id,
             .label = "collector",
             .cost = 1,
             .start = [file = std::string(argv[1]), id](
                          runtime::placed_lease lease, runtime::part_failed failed) -> expected<std::shared_ptr<void>> {
                 return std::shared_ptr<void>(
                     std::make_shared<collector>(file, id, std::move(lease), std::move(failed)));
             }});
    }
    return actors::serve({argv + 3, argv + argc}, TROUPE_RUNNER, {.placed = {std::move(collectors)}});
}
