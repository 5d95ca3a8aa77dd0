#include "actors/application/serve.hpp"

#include "runtime/config/config.hpp"
#include "runtime/supervision/stall_watch.hpp"
#include "schemas/base/log.hpp"

#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <utility>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

namespace troupe::actors {

namespace {

/// Beyond `edge.drain_ms`, from the request to stop to the watchdog's end of the process.
constexpr std::int64_t shutdown_grace_ms = 15'000;

constexpr std::string_view usage =
    R"(Usage: troupe serve [--config FILE] [--data DIR] [--listen ADDR:PORT] [--PROPERTY VALUE]...

Starts a node. On its first start it makes keys and an administrator's API key in DIR/admin.key.
When it serves it prints one line: troupe ready http://ADDR:PORT. SIGTERM and Ctrl-C drain it.
SIGHUP, or another content of the configuration file, makes it read the configuration and the TLS certificate again:
what can change in a running node does at once, the log names what takes a restart.

Exit codes: 0 stopped, 1 could not start, 2 wrong configuration, 70 the journal's disk failed, 71 the watchdog ended
a node that did not stop 15 s after edge.drain_ms, or whose core stood still for watchdog.end_ms. Start it again: all
that was answered is on disk.

Examples:
  troupe serve                                  data in ./.troupe, on 127.0.0.1:7117
  troupe serve --data /var/lib/troupe --listen 0.0.0.0:7117
  troupe serve --listen 127.0.0.1:0             picks a free port
  troupe serve --config cluster-configs/single-node.yaml --log.level debug

`troupe config show` lists every property with its value and source.
)";

int fail(const problem& p) {
    const bool is_one = p.errors.size() == 1 && p.errors.front().message == p.detail;
    std::cerr << "error: " << (is_one ? p.errors.front().pointer + ": " : "") << p.detail << "\n";
    for (const auto& e : p.errors) {
        const auto place = e.pointer + ": " + e.message;
        if (!is_one && p.detail.find(place) == std::string::npos) { // else it stands there already
            std::cerr << "  " << place << "\n";
        }
    }
    return p.code == code::config_invalid ? 2 : 1;
}

log_settings logging(const runtime::config& c) {
    log_settings out;
    out.level = c.log_level;
    out.modules = c.log_modules;
    out.file = c.log_file;
    out.json = c.log_json;
    out.file_bytes_max = static_cast<std::size_t>(c.log_file_bytes_max);
    out.files_max = static_cast<std::size_t>(c.log_files_max);
    return out;
}

/// On SIGHUP, and when the file has changed: a bad configuration changes nothing. Whether `running` is another one.
bool reload(const runtime::config_sources& sources, runtime::config& running, bool asked) {
    auto& log = log_for("config");
    const auto fresh = runtime::load_config(sources);
    if (!fresh) {
        log.error("not reloaded: {}", fresh.error().detail);
        for (const auto& e : fresh.error().errors) {
            log.error("not reloaded: {}: {}", e.pointer, e.message);
        }
        return asked; // the certificate is read again all the same
    }
    const auto changes = runtime::config_changes(running, fresh->values);
    if (changes.empty() && !asked) {
        return false; // the file was touched, nothing more
    }
    running = runtime::reloaded_config(running, fresh->values);
    auto levels = set_log_levels(running.log_level);
    if (levels && !running.log_modules.empty()) {
        levels = set_log_levels(running.log_modules);
    }
    if (!levels) {
        log.error("log levels stay as they are: {}", levels.error().detail);
    }
    for (const auto& c : changes) {
        log.warn("{} was \"{}\" and is \"{}\"{}", c.name, c.from, c.to,
                 c.reloadable ? "" : " after a restart: it cannot change in a running node");
    }
    log.warn("reloaded: {} changed", changes.size());
    return true;
}

/// What changes when somebody writes the file, or puts another one in its place.
struct file_stamp {
    std::int64_t written_ns = 0;
    std::uint64_t bytes = 0;
    std::uint64_t inode = 0;
    bool operator==(const file_stamp&) const = default;
};

file_stamp stamp_of(const runtime::config_sources& sources) {
    struct stat found {};
    if (!sources.file || ::stat(sources.file->c_str(), &found) != 0) {
        return {}; // one that is away for a moment, while an editor saves, is read when it is back
    }
    return {found.st_mtim.tv_sec * 1'000'000'000 + found.st_mtim.tv_nsec, static_cast<std::uint64_t>(found.st_size),
            found.st_ino};
}

/// 0: none came for a second.
int next_signal(const sigset_t& signals) {
    const timespec second{1, 0};
    const int signal = ::sigtimedwait(&signals, nullptr, &second);
    return signal > 0 ? signal : 0;
}

} // namespace

int serve(const std::vector<std::string>& args, const std::filesystem::path& runner, extensions own) {
    for (const auto& arg : args) {
        if (arg == "--help" || arg == "-h") {
            std::cout << usage;
            return 0;
        }
    }
    auto sources = runtime::parse_config_arguments(args);
    if (!sources) {
        return fail(sources.error());
    }
    sources->environment = runtime::config_environment();
    ::unsetenv("TROUPE_SECRETS_KEY"); // no program that the node starts has to know it
    auto loaded = runtime::load_config(*sources);
    if (!loaded) {
        return fail(loaded.error());
    }
    if (auto logs = configure_logging(logging(loaded->values)); !logs) {
        return fail(logs.error());
    }
    for (const auto& warning : loaded->warnings) {
        log_for("config").warn("{}", warning);
    }

    // Before any thread starts, so that every thread inherits it: signals are taken by sigwait below.
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    std::signal(SIGPIPE, SIG_IGN);

    auto node = application::start(loaded->values, runner, std::move(own));
    if (!node) {
        return fail(node.error());
    }
    // At every start: one that failed after it made the key said nothing.
    std::cerr << "The administrator's API key is in " << (*node)->key_file().string() << " (mode 600).\n";
    std::cerr << "Model: " << (*node)->model() << ". Sandbox: " << (*node)->sandbox() << ".\n";
    std::cout << "troupe ready " << (*node)->url() << std::endl;

    auto running = loaded->values;
    auto taken = stamp_of(*sources);
    auto before = taken;
    int signal = 0;
    while ((signal = next_signal(signals)) == 0 || signal == SIGHUP) {
        const auto stamp = stamp_of(*sources);
        const bool settled = stamp == std::exchange(before, stamp); // nobody is writing it just now
        const bool changed = settled && stamp != taken && stamp != file_stamp{};
        if (signal != SIGHUP && !changed) {
            continue;
        }
        taken = stamp;
        if (reload(*sources, running, signal == SIGHUP)) {
            (*node)->reload(running);
        }
    }
    log_for("runtime").info("{}: draining", signal == SIGTERM ? "SIGTERM" : "interrupted");
    pthread_sigmask(SIG_UNBLOCK, &signals, nullptr); // a second one ends the process at once
    const runtime::deadline_watchdog watchdog(
        running.edge_drain_ms + shutdown_grace_ms, [&] { return (*node)->still_running(); }, runtime::end_by_watchdog);
    (*node)->stop(running.edge_drain_ms);
    log_for("runtime").info("stopped");
    log_for("runtime").flush();
    std::cout.flush();
    // Threads of performers may still wait for a model or a command: what they owe is journaled and goes on with the
    // next start, so nobody waits for them here.
#ifdef __SANITIZE_ADDRESS__
    __lsan_do_leak_check(); // _Exit leaves it out
#endif
    std::_Exit(0);
}

} // namespace troupe::actors
