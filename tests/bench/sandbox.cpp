// How long a command takes from the call to its result, with a mark and a result on the disk: `true`, alone.
//     bench_sandbox RUNNER [RUNS]
#include "runtime/process/sandbox.hpp"
#include "schemas/base/ids.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <sys/resource.h>

using namespace troupe;
using namespace troupe::runtime;

namespace {

namespace fs = std::filesystem;

std::int64_t now_us() {
    return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

/// Of the runner, of bubblewrap and of the command.
std::int64_t processor_us() {
    rusage used{};
    ::getrusage(RUSAGE_CHILDREN, &used);
    const auto us = [](const timeval& t) { return std::int64_t{t.tv_sec} * 1'000'000 + t.tv_usec; };
    return us(used.ru_utime) + us(used.ru_stime);
}

bool measure(const char* name, sandbox& box, const fs::path& project, int runs) {
    std::vector<std::int64_t> times_us;
    const auto used_before_us = processor_us();
    for (int i = 0; i < runs; ++i) {
        command_spec spec;
        spec.argv = {"true"};
        spec.project = project;
        const auto key = std::string(name) + std::to_string(i);
        const auto began_us = now_us();
        const auto done = box.run(key, spec, {}, {});
        times_us.push_back(now_us() - began_us);
        if (!done || done->exit_code != 0) {
            std::fprintf(stderr, "%s: %s\n", name, done ? done->err.c_str() : done.error().detail.c_str());
            return false;
        }
        box.forget(key);
    }
    std::sort(times_us.begin(), times_us.end());
    const auto ms = [&](std::size_t percent) {
        return static_cast<double>(times_us[times_us.size() * percent / 100]) / 1000;
    };
    const auto used_ms = static_cast<double>(processor_us() - used_before_us) / 1000 / runs;
    std::printf("{\"case\":\"%s\",\"runs\":%d,\"least_ms\":%.2f,\"p50_ms\":%.2f,\"p99_ms\":%.2f,\"cpu_ms\":%.2f}\n",
                name, runs, ms(0), ms(50), ms(99), used_ms);
    return true;
}

} // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        std::fprintf(stderr, "bench_sandbox RUNNER [RUNS]\n");
        return EXIT_FAILURE;
    }
    const fs::path runner = argv[1];
    const int runs = argc > 2 ? std::max(1, std::atoi(argv[2])) : 300;
    const auto root = fs::temp_directory_path() / ("troupe-bench-" + to_string(make_uuid()));
    const auto project = root / "project";
    fs::create_directories(project);
    const auto none = make_sandbox(sandbox_mode::none, root / "state", runner);
    const auto confined = make_sandbox(sandbox_mode::bubblewrap, root / "state", runner);
    const auto proxied = make_sandbox(sandbox_mode::bubblewrap, root / "state", runner, {"example.org"});
    const bool all = measure("sandbox_none", *none, project, runs) && measure("sandbox", *confined, project, runs) &&
                     measure("sandbox_with_hosts", *proxied, project, runs);
    std::error_code left;
    fs::remove_all(root, left);
    return all ? EXIT_SUCCESS : EXIT_FAILURE;
}
