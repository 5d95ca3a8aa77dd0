#include "runtime/process/sandbox.hpp"

#include "runtime/process/runner_files.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/base/described.hpp"
#include "schemas/base/durable_file.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/log.hpp"
#include "schemas/base/unique_fd.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <mutex>
#include <optional>
#include <sstream>

namespace troupe::runtime {

namespace fs = std::filesystem;

namespace {

/// Beyond a command's own time limit: for killing its tree and writing the result. Then the runner itself is killed.
constexpr std::int64_t runner_grace_ms = 30'000;
constexpr std::int64_t lock_poll_ms = 10;
constexpr std::size_t small_file_bytes_max = 4 << 20;
/// Both halves of the output and the marker between them; far above what a spec may ask for.
constexpr std::size_t stream_bytes_max = 256 << 20;
constexpr std::size_t argument_bytes_max = 128 * 1024; ///< MAX_ARG_STRLEN of Linux: a longer one cannot be exec'ed.

struct channel {
    unique_fd read;
    unique_fd write;
};

/// A socket pair, because writing to a reader that has gone must not raise SIGPIPE.
expected<channel> make_channel() {
    int raw[2] = {-1, -1};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, raw) != 0) {
        return file_problem("create", "a socket pair", errno);
    }
    return channel{unique_fd(raw[0]), unique_fd(raw[1])};
}

/// A running runner program: its pid and our ends of its standard input and output.
struct runner_process {
    pid_t pid = 0;
    unique_fd orders;
    unique_fd frames;
};

expected<runner_process> start_runner(const fs::path& runner, const fs::path& folder) {
    auto orders = make_channel(), frames = make_channel();
    if (!orders || !frames) {
        return orders ? frames.error() : orders.error();
    }
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, orders->read.get(), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, frames->write.get(), STDOUT_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    // A session of its own: a Ctrl-C for the node must not end the command without a result.
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    sigset_t signals;
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&attributes, &signals);
    sigfillset(&signals);
    posix_spawnattr_setsigdefault(&attributes, &signals);

    std::string program = runner.native(), argument = folder.native();
    char* argv[] = {program.data(), argument.data(), nullptr};
    runner_process started{0, std::move(orders->write), std::move(frames->read)};
    const int failed = ::posix_spawn(&started.pid, program.c_str(), &actions, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (failed != 0) {
        return problem{code::sandbox_unavailable,
                       fmt::format("cannot start the runner program {}: {}; it belongs beside the troupe program",
                                   program, std::generic_category().message(failed))};
    }
    return started;
}

/// How a runner program ended, as far as the node saw it.
struct runner_end {
    int status = 0; ///< Of waitpid.
    std::optional<std::string> failure;
};

runner_end follow(runner_process& runner, std::int64_t time_ms, const std::stop_token& stop,
                  const std::function<void(bool, std::string_view)>& on_output) {
    const unique_fd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    const std::stop_callback on_stop(stop, [&] { ::eventfd_write(wake.get(), 1); });
    const auto deadline_ms = monotonic_ms() + time_ms + runner_grace_ms;
    runner_end end;
    std::string bytes;
    std::array<char, 64 * 1024> piece{};
    bool ordered = false;
    for (bool open = true; open;) {
        const auto left_ms = deadline_ms - monotonic_ms();
        if (left_ms <= 0) {
            log_for("process").error("the runner {} did not end in time and is killed", runner.pid);
            ::kill(runner.pid, SIGKILL);
            break;
        }
        pollfd waits[] = {{runner.frames.get(), POLLIN, 0}, {ordered ? -1 : wake.get(), POLLIN, 0}};
        ::poll(waits, std::size(waits), static_cast<int>(std::min<std::int64_t>(left_ms, 60'000)));
        if (!ordered && stop.stop_requested()) {
            ordered = true;
            // A runner that has just ended does not read any more; its result decides.
            [[maybe_unused]] const auto told = ::send(runner.orders.get(), &runner_cancel, 1, MSG_NOSIGNAL);
        }
        if ((waits[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
            const auto got = ::read(runner.frames.get(), piece.data(), piece.size());
            open = got > 0 || (got < 0 && errno == EINTR);
            bytes.append(piece.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
            if (auto failure = take_frames(bytes, on_output)) {
                end.failure = std::move(failure);
            }
        }
    }
    while (::waitpid(runner.pid, &end.status, 0) < 0 && errno == EINTR) {
    }
    return end;
}

/// Ends what is left of a command whose runner was killed, as far as it is in control groups, and removes these.
/// Otherwise an unknown outcome could still be going on.
void end_leftovers(const fs::path& folder) {
    const auto groups = read_whole_file(folder / runner_file::groups, small_file_bytes_max);
    std::istringstream lines(groups ? *groups : std::string());
    for (std::string group; std::getline(lines, group);) {
        constexpr int attempts_max = 500;
        for (int attempt = 0; attempt < attempts_max && ::rmdir(group.c_str()) != 0 && errno == EBUSY; ++attempt) {
            std::ifstream members(group + "/cgroup.procs");
            for (pid_t pid = 0; members >> pid;) {
                ::kill(pid, SIGKILL);
            }
            ::poll(nullptr, 0, 2);
        }
    }
}

/// The words of bubblewrap, and what to do about them.
problem no_sandbox(const std::string& words) {
    const bool forbidden = words.find("namespace") != std::string::npos || words.find("ermi") != std::string::npos;
    const auto text = words.substr(0, words.find_last_not_of('\n') + 1);
    return {code::sandbox_unavailable,
            fmt::format("commands cannot be confined here: {}.{} `sandbox: none` in the configuration runs them "
                        "without confinement.",
                        text.empty() ? "the sandbox ended without a word" : text,
                        forbidden ? " Allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1, "
                                    "user.max_user_namespaces, or the container's security profile)."
                                  : "")};
}

class runner_sandbox final : public sandbox {
public:
    runner_sandbox(sandbox_mode mode, fs::path state_dir, fs::path runner, std::vector<std::string> hosts)
        : mode_(mode),
          state_dir_(fs::absolute(state_dir)),
          runner_(runner.empty() ? runner : fs::absolute(runner)),
          hosts_(std::move(hosts)) {}

    expected<void> probe() override {
        const std::lock_guard held(probe_mutex_);
        if (!probed_) {
            probed_ = probe_once();
        }
        return *probed_;
    }

    expected<attempt_state> state_of(std::string_view key) override {
        const auto folder = folder_of(key);
        if (auto free = wait_for_runner(folder, {}); !free) {
            return free.error();
        }
        return look_at(folder);
    }

    expected<command_result> result_of(std::string_view key) override {
        const auto folder = folder_of(key);
        const auto text = read_whole_file(folder / runner_file::result, small_file_bytes_max);
        if (!text) {
            return text.error();
        }
        auto result = from_json<command_result>(*text, strictness::stored);
        auto out = read_whole_file(folder / runner_file::out, stream_bytes_max);
        auto err = read_whole_file(folder / runner_file::err, stream_bytes_max);
        if (!result || !out || !err) {
            return problem{code::storage_failed, fmt::format("the stored result in {} is damaged", folder.native())};
        }
        result->out = std::move(*out);
        result->err = std::move(*err);
        return result;
    }

    expected<command_result> run(std::string_view key, const command_spec& spec, std::stop_token stop,
                                 const std::function<void(bool, std::string_view)>& on_output) override {
        // Twice: a caller with the same key may win between the look and the runner's lock; then its result is ours.
        for (int attempt = 0; attempt < 2; ++attempt) {
            const auto folder = folder_of(key);
            if (auto free = wait_for_runner(folder, stop); !free) {
                return unsure(free.error());
            }
            const auto state = look_at(folder);
            if (!state) {
                return unsure(state.error());
            }
            if (*state == attempt_state::finished) {
                return stored_result(key);
            }
            if (*state == attempt_state::unknown) {
                return problem{code::unknown_outcome, "the command was started before and left no result"};
            }
            if (stop.stop_requested()) {
                return problem{code::cancelled, "ended before the command was started"};
            }
            if (auto prepared = prepare(folder, key, spec); !prepared) {
                return prepared.error();
            }
            auto runner = start_runner(runner_, folder);
            if (!runner) {
                return runner.error();
            }
            const auto end = follow(*runner, spec.limits.time_ms, stop, on_output);
            if (end.failure) {
                return no_result(key, *end.failure);
            }
            const bool not_first = WIFEXITED(end.status) && WEXITSTATUS(end.status) == runner_exit::not_first;
            if (!not_first) {
                return fs::exists(folder / runner_file::result) ? stored_result(key)
                                                                : no_result(key, "the runner was killed");
            }
        }
        return unsure({code::conflict, "another runner holds this command's key"});
    }

    expected<command_result> end(std::string_view key) override {
        const auto folder = folder_of(key);
        std::stop_source told;
        told.request_stop();
        if (auto free = wait_for_runner(folder, told.get_token()); !free) {
            return unsure(free.error());
        }
        if (auto void_now = keep_from_starting(folder); !void_now) {
            return unsure(void_now.error());
        }
        const auto state = look_at(folder);
        if (!state || *state != attempt_state::finished) {
            return state ? problem{code::unknown_outcome, "the command was started and left no result"}
                         : unsure(state.error());
        }
        return stored_result(key);
    }

    void forget(std::string_view key) override {
        const auto folder = folder_of(key);
        auto dead = folder;
        dead += ".forgotten"; // In one step, so that a crash leaves no half of the key.
        std::error_code failed;
        fs::rename(folder, dead, failed);
        fs::remove_all(dead, failed);
        if (failed) {
            log_for("process").warn("cannot remove {}: {}", dead.native(), failed.message());
        }
    }

    /// A runner outlives its node until its command ends. Waits for that, as long as the command may take; a stop ends
    /// the command, as one of our own.
    static expected<void> wait_for_runner(const fs::path& folder, const std::stop_token& stop) {
        const unique_fd fd(::open((folder / runner_file::lock).c_str(), O_RDWR | O_CLOEXEC));
        if (!fd && errno == ENOENT) {
            return {}; // No runner ever came to its lock.
        }
        if (!fd) {
            return file_problem("open", (folder / runner_file::lock).native(), errno);
        }
        std::optional<std::int64_t> deadline_ms;
        for (bool told = false;;) {
            struct flock whole = {};
            whole.l_type = F_WRLCK;
            if (::fcntl(fd.get(), F_OFD_GETLK, &whole) != 0) {
                return file_problem("look at", (folder / runner_file::lock).native(), errno);
            }
            if (whole.l_type == F_UNLCK) {
                return {};
            }
            if (stop.stop_requested() && !told) {
                pid_t pid = 0; // Alive, because it holds the lock.
                std::ifstream lock(folder / runner_file::lock);
                told = lock >> pid && pid > 0 && ::kill(pid, SIGTERM) == 0;
            }
            if (!deadline_ms) {
                deadline_ms = monotonic_ms() + time_limit_of(folder) + runner_grace_ms;
            }
            if (monotonic_ms() >= *deadline_ms) {
                return problem{code::deadline_exceeded,
                               fmt::format("a runner from before still holds {}; end it by hand", folder.native())};
            }
            ::poll(nullptr, 0, lock_poll_ms);
        }
    }

private:
    [[nodiscard]] fs::path folder_of(std::string_view key) const {
        const auto hash = sha256(key);
        return state_dir_ / to_hex({reinterpret_cast<const char*>(hash.data()), hash.size()});
    }

    /// Whatever kept us from seeing it: the command may have run, or may still do.
    static problem unsure(const problem& why) {
        return {code::unknown_outcome, "it is not known what became of the command: " + why.detail};
    }

    expected<command_result> stored_result(std::string_view key) {
        auto result = result_of(key);
        return result ? std::move(result) : expected<command_result>(unsure(result.error()));
    }

    expected<void> probe_once() {
        const std::string key = "probe/" + to_string(make_uuid());
        const auto project = state_dir_ / "probe";
        std::error_code failed;
        fs::create_directories(project, failed);
        if (failed) {
            return file_problem("create", project.native(), failed.value());
        }
        command_spec spec;
        spec.argv = {"true"};
        spec.project = project;
        const auto result = run(key, spec, {}, {});
        forget(key);
        if (!result) {
            return result.error();
        }
        if (result->exit_code != 0) {
            return no_sandbox(result->err);
        }
        return {};
    }

    /// Nothing was written: what the mark says then.
    expected<command_result> no_result(std::string_view key, const std::string& why) {
        const auto state = state_of(key);
        if (state && *state == attempt_state::never_started) {
            return mode_ == sandbox_mode::bubblewrap ? no_sandbox(why) : problem{code::unavailable, why};
        }
        return problem{code::unknown_outcome, fmt::format("the command was started and left no result: {}", why)};
    }

    static expected<attempt_state> look_at(const fs::path& folder) {
        std::error_code failed;
        if (fs::exists(folder / runner_file::result, failed)) {
            return attempt_state::finished;
        }
        if (failed) {
            return file_problem("look at", folder.native(), failed.value());
        }
        if (fs::exists(folder / runner_file::started, failed)) {
            end_leftovers(folder);
            return attempt_state::unknown;
        }
        return attempt_state::never_started;
    }

    /// By the mark that a runner would have to make first. Nothing happens where it is there.
    static expected<void> keep_from_starting(const fs::path& folder) {
        std::error_code failed;
        fs::create_directories(folder, failed);
        if (failed) {
            return file_problem("create", folder.native(), failed.value());
        }
        const auto mark = folder / runner_file::started;
        const unique_fd fd(::open(mark.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
        if (!fd) {
            return errno == EEXIST ? expected<void>() : file_problem("create", mark.native(), errno);
        }
        command_result never;
        never.cancelled = true;
        for (const auto& [name, text] : {std::pair(runner_file::out, std::string()),
                                         {runner_file::err, std::string()},
                                         {runner_file::result, to_json(never)}}) {
            if (auto written = replace_file(folder / name, text, 0600); !written) {
                return written;
            }
        }
        return {};
    }

    static std::int64_t time_limit_of(const fs::path& folder) {
        const auto text = read_whole_file(folder / runner_file::spec, small_file_bytes_max);
        const auto spec =
            text ? from_json<runner_spec>(*text, strictness::stored) : expected<runner_spec>(text.error());
        return spec ? spec->limits.time_ms : command_limits{}.time_ms;
    }

    /// Checks the command and writes its spec.
    expected<void> prepare(const fs::path& folder, std::string_view key, const command_spec& spec) const {
        if (spec.argv.empty() || spec.argv.front().empty()) {
            return problem{code::invalid_request, "the command is empty"};
        }
        for (const auto& word : spec.argv) {
            if (word.find('\0') != std::string::npos || word.size() >= argument_bytes_max) {
                return problem{code::invalid_request, "an argument holds a NUL byte or is longer than 128 KiB"};
            }
        }
        std::error_code failed;
        const auto project = fs::canonical(spec.project, failed);
        if (failed || !fs::is_directory(project)) {
            return problem{code::not_found, fmt::format("the project folder {} does not exist", spec.project.native())};
        }
        const auto inside = fs::canonical(project / spec.working_directory, failed);
        if (failed || !fs::is_directory(inside)) {
            return problem{code::not_found,
                           fmt::format("there is no folder {} in the project", spec.working_directory)};
        }
        const auto relative = inside.lexically_relative(project);
        if (*relative.begin() == "..") {
            return problem{code::path_outside_project,
                           fmt::format("the working directory {} is outside the project", spec.working_directory)};
        }
        fs::create_directories(folder, failed);
        if (failed) {
            return file_problem("create", folder.native(), failed.value());
        }
        fs::permissions(folder, fs::perms::owner_all, failed);
        // Its name gets durable with the mark of the runner.
        return write_file(folder / runner_file::spec,
                          to_json(runner_spec{.key = std::string(key),
                                              .mode = mode_,
                                              .project = project.string(),
                                              .working_directory = relative == "." ? "" : relative.string(),
                                              .argv = spec.argv,
                                              .environment = spec.environment,
                                              .network = spec.network,
                                              .hosts = spec.network ? std::vector<std::string>() : hosts_,
                                              .ends_with_node = spec.ends_with_node,
                                              .input = spec.input.string(),
                                              .limits = spec.limits}),
                          kept::with_fsync, 0600);
    }

    sandbox_mode mode_;
    fs::path state_dir_;
    fs::path runner_;
    std::vector<std::string> hosts_;
    std::mutex probe_mutex_;
    std::optional<expected<void>> probed_;
};

} // namespace

std::optional<std::string> take_frames(std::string& bytes,
                                       const std::function<void(bool, std::string_view)>& on_output) {
    std::optional<std::string> failure;
    std::size_t at = 0;
    while (bytes.size() - at >= runner_frame::header_bytes) {
        std::uint32_t size = 0;
        for (std::size_t i = 0; i < 4; ++i) {
            size |= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[at + 1 + i])) << (8 * i);
        }
        if (bytes.size() - at - runner_frame::header_bytes < size) {
            break;
        }
        const auto text = std::string_view(bytes).substr(at + runner_frame::header_bytes, size);
        if (bytes[at] == runner_frame::failed) {
            failure = std::string(text);
        } else if (on_output) {
            on_output(bytes[at] == runner_frame::err, text);
        }
        at += runner_frame::header_bytes + size;
    }
    bytes.erase(0, at);
    return failure;
}

namespace {

/// Whose files a folder of the state has. A folder without its spec began nothing, nor did one whose spec a loss of
/// power took before the mark.
expected<std::optional<std::string>> key_of(const fs::path& folder) {
    std::error_code unseen;
    if (!fs::exists(folder / runner_file::spec, unseen)) {
        return std::optional<std::string>();
    }
    const auto text = read_whole_file(folder / runner_file::spec, small_file_bytes_max);
    auto spec = text ? from_json<runner_spec>(*text, strictness::stored) : expected<runner_spec>(text.error());
    if (!spec && !fs::exists(folder / runner_file::started, unseen)) {
        return std::optional<std::string>();
    }
    return spec ? expected<std::optional<std::string>>(std::move(spec->key)) : spec.error();
}

} // namespace

expected<void> forget_commands(const fs::path& state_dir,
                               const std::function<expected<bool>(std::string_view key)>& theirs) {
    std::stop_source at_once;
    at_once.request_stop();
    std::error_code failed;
    for (fs::directory_iterator at(state_dir, failed); !failed && at != fs::directory_iterator();
         at.increment(failed)) {
        const auto& folder = at->path();
        const auto key = key_of(folder);
        const auto mine = !key ? expected<bool>(key.error()) : *key ? theirs(**key) : expected<bool>(false);
        if (!mine) {
            return mine.error();
        }
        if (!*mine) {
            continue;
        }
        if (auto ended = runner_sandbox::wait_for_runner(folder, at_once.get_token()); !ended) {
            return ended;
        }
        std::error_code left;
        fs::remove_all(folder, left);
        if (left) {
            return file_problem("remove", folder.native(), left.value());
        }
    }
    const bool none = failed == std::errc::no_such_file_or_directory; // no command ever ran
    return failed && !none ? expected<void>(file_problem("look into", state_dir.native(), failed.value()))
                           : expected<void>();
}

std::unique_ptr<sandbox> make_sandbox(sandbox_mode mode, fs::path state_dir, fs::path runner,
                                      std::vector<std::string> hosts) {
    return std::make_unique<runner_sandbox>(mode, std::move(state_dir), std::move(runner), std::move(hosts));
}

} // namespace troupe::runtime
