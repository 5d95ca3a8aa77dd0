#include "bin/runner/confined_stage.hpp"

#include "bin/runner/proxy.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace troupe::runner {

namespace {

constexpr rlim_t open_files = 4096;

void set_limit(__rlimit_resource resource, rlim_t value) {
    rlimit now{};
    ::getrlimit(resource, &now);
    const auto bounded = now.rlim_max == RLIM_INFINITY ? value : std::min(value, now.rlim_max);
    const rlimit wanted{bounded, bounded};
    ::setrlimit(resource, &wanted);
}

/// Does not return.
[[noreturn]] void become(const std::vector<char*>& argv) {
    ::execvp(argv[0], argv.data());
    const int why = errno;
    // Without stdio and exit handlers: this is no end of the runner.
    const std::string_view pieces[] = {argv[0], ": ", std::strerror(why), "\n"};
    for (const auto& piece : pieces) {
        if (::write(STDERR_FILENO, piece.data(), piece.size()) < 0) {
            break; // nobody reads it
        }
    }
    ::_exit(why == ENOENT ? 127 : 126); // As a shell reports it.
}

} // namespace

int run_stage(std::string_view word, const std::vector<std::string>& arguments) {
    constexpr std::size_t limits_count = 3;
    if (arguments.size() <= limits_count) {
        return EXIT_FAILURE;
    }
    const bool confined = word == stage_word::confined;
    const auto limit = [&](std::size_t i) { return std::strtoull(arguments[i].c_str(), nullptr, 10); };
    std::vector<char*> argv;
    for (auto i = limits_count; i < arguments.size(); ++i) {
        argv.push_back(const_cast<char*>(arguments[i].c_str()));
    }
    argv.push_back(nullptr);
    if (confined && limit(2) > 0) {
        if (const auto failed = hand_out_listener()) {
            std::fprintf(stderr, "%s\n", failed->c_str());
            return EXIT_FAILURE;
        }
    }
    if (confined) {
        // Inside a user namespace of its own the processes are counted from zero. Outside, the limit would count all of
        // the user's processes and the command could be refused for what others do.
        set_limit(RLIMIT_NPROC, limit(1));
    }
    // No bound on memory here (RLIMIT_DATA, RLIMIT_AS): sanitizers and run-times such as V8 and the JVM reserve far
    // more addresses than they use. Control groups and the runner count what is used.
    set_limit(RLIMIT_FSIZE, limit(0));
    set_limit(RLIMIT_CORE, 0);
    set_limit(RLIMIT_NOFILE, open_files);
    if (::write(ready_fd, "r", 1) != 1) {
        return EXIT_FAILURE;
    }
    ::close(ready_fd);
    become(argv);
}

} // namespace troupe::runner
