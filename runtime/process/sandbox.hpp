#pragma once

#include "schemas/base/problem.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::runtime {

/// What a confined command may use. Every bound is enforced; reaching one is reported, not hidden.
struct command_limits {
    std::int64_t time_ms = 120'000;          ///< Wall clock; then the whole process tree is killed.
    std::uint64_t memory_bytes = 2ULL << 30; ///< Of all its processes, and of its files in memory where cgroups are.
    std::uint32_t processes = 256;           ///< And threads, of the whole tree.
    std::uint64_t file_bytes = 1ULL << 30;   ///< Largest file it may write.
    std::uint64_t free_bytes_min = 0;   ///< The command ends when the project's file system has less; 0: not watched.
    std::size_t output_bytes = 1 << 20; ///< Kept of each stream: the first and the last half; the rest is counted.
};

/// A command to run under the runner.
struct command_spec {
    std::vector<std::string>
        argv; ///< argv[0] is looked up in PATH inside the sandbox. A shell line is {"sh","-c",line}.
    std::filesystem::path project;                  ///< The only writable tree; also the working directory's root.
    std::string working_directory;                  ///< Relative to the project; must stay inside.
    std::map<std::string, std::string> environment; ///< In addition to a minimal PATH, HOME, LANG.
    bool network = false;        ///< The machine's; else the hosts that the sandbox was made with, through a proxy.
    bool ends_with_node = false; ///< Cancelled when the node dies; else it goes on to its own end.
    std::filesystem::path input = {}; ///< A named pipe that the command reads; empty: there is nothing to read.
    command_limits limits;
};

/// How a command ended.
struct command_result {
    int exit_code = 0; ///< 128 + signal when killed by a signal.
    bool timed_out = false;
    bool cancelled = false;
    std::string over_limit; ///< Which bound but time it reached, and what came of that, in words; empty: none.
    std::string out;        ///< With a marker line where the middle was left out.
    std::string err;
    std::uint64_t out_bytes = 0; ///< Before shortening.
    std::uint64_t err_bytes = 0;
    std::int64_t duration_ms = 0;
    std::uint64_t connections_refused = 0; ///< By the proxy: to hosts that the sandbox was not made with.
};

/// What the disk says of an earlier attempt under the same key, after a crash of the node.
enum class attempt_state : std::uint8_t {
    never_started, ///< No started-mark: it is safe to run it.
    finished,      ///< A result was written: take it.
    unknown,       ///< Started, no result: it may have done anything.
};

/// Whether and how commands can be confined on this machine.
enum class sandbox_mode : std::uint8_t {
    bubblewrap, ///< The default: refuse when it does not work.
    none,       ///< Operator's choice (`sandbox: none`): limits and process group only.
};

/// Runs commands through the runner program, so that what was done survives the node:
/// the runner fsyncs a started-mark, runs the command in the sandbox, and fsyncs the result under `key`.
/// Thread-safe; `run` blocks its caller.
class sandbox {
public:
    virtual ~sandbox() = default;

    /// Checks once that the sandbox works here. `sandbox_unavailable` says what is missing and how to allow `none`.
    virtual expected<void> probe() = 0;

    /// What the runner left under the key. Waits for a runner that is still alive from before (it ends by itself
    /// when its node dies; its result then counts).
    virtual expected<attempt_state> state_of(std::string_view key) = 0;

    /// The stored result of a finished attempt.
    virtual expected<command_result> result_of(std::string_view key) = 0;

    /// Runs the command under the key, at most once for all time: a key that is finished returns its result,
    /// an unknown one is `unknown_outcome`, and so is whatever keeps the node from seeing what became of it (a damaged
    /// result, a runner of before that does not end). Every other problem means: not started. `on_output(is_stderr,
    /// text)` sees output as it comes.
    virtual expected<command_result> run(std::string_view key, const command_spec& spec, std::stop_token stop,
                                         const std::function<void(bool, std::string_view)>& on_output) = 0;

    /// Ends the command under the key, or sees to it that none ever begins, and says what came of it: a result, which
    /// is `cancelled` when this ended it or came first; `unknown_outcome` as of `run`. Blocks until it has ended.
    virtual expected<command_result> end(std::string_view key) = 0;

    /// Removes the files of a key whose outcome is journaled.
    virtual void forget(std::string_view key) = 0;
};

/// Ends the commands under the keys that `theirs` names, and removes all their files. Blocks for a moment; from any
/// thread. A key that begins meanwhile may be left; a problem leaves the rest for another call.
expected<void> forget_commands(const std::filesystem::path& state_dir,
                               const std::function<expected<bool>(std::string_view key)>& theirs);

/// `state_dir` holds marks and results; `runner` is the path of the runner program; `hosts` are those that commands may
/// reach, as of a `network_grant`: with `none` they reach all.
std::unique_ptr<sandbox> make_sandbox(sandbox_mode mode, std::filesystem::path state_dir, std::filesystem::path runner,
                                      std::vector<std::string> hosts = {});

} // namespace troupe::runtime
