#include "bin/runner/supervise.hpp"

#include "bin/runner/bounds_watch.hpp"
#include "bin/runner/confined_stage.hpp"
#include "bin/runner/confinement.hpp"
#include "bin/runner/control_group.hpp"
#include "bin/runner/proxy.hpp"
#include "bin/runner/syscall_filter.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/base/unique_fd.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <limits>
#include <optional>
#include <string_view>

namespace troupe::runner {

namespace {

/// Live output that waits for a slow node; beyond it frames are left out.
constexpr std::size_t pending_bytes_max = 4 << 20;
constexpr std::size_t pieces_a_turn = 16;
constexpr std::size_t piece_bytes = 64 << 10;
/// From here on a command that is talked with has to wait. Both streams of a turn fit on top of it.
constexpr std::size_t behind_bytes = pending_bytes_max - 2 * (pieces_a_turn + 1) * piece_bytes;

struct pipe_ends {
    unique_fd read;
    unique_fd write;
};

/// Above the descriptors that a child gets, so that dup2 never hits it.
unique_fd raised(int fd) {
    constexpr int first_fd = 16;
    const unique_fd low(fd);
    return unique_fd(::fcntl(fd, F_DUPFD_CLOEXEC, first_fd));
}

pipe_ends make_pipe() {
    int raw[2] = {-1, -1};
    if (::pipe2(raw, O_CLOEXEC) != 0) {
        return {};
    }
    return {raised(raw[0]), raised(raw[1])};
}

/// One stream of the command: the first and the last half of what fits, and a count.
class capture {
public:
    capture(char kind, std::size_t bytes_max) : kind_(kind), half_(bytes_max / 2) {}

    /// Reads until the pipe is empty, `pieces_max` at most; closes at its end.
    void drain(unique_fd& fd, node_link& node, std::size_t pieces_max) {
        char piece[piece_bytes];
        for (; fd && pieces_max > 0; --pieces_max) {
            const auto got = ::read(fd.get(), piece, sizeof piece);
            if (got > 0) {
                const std::string_view bytes(piece, static_cast<std::size_t>(got));
                keep(bytes);
                node.send(kind_, bytes);
            } else if (got < 0 && errno == EINTR) {
                continue;
            } else if (got < 0 && errno == EAGAIN) {
                return;
            } else {
                fd.reset();
            }
        }
    }

    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

    [[nodiscard]] std::string text() const {
        const auto tail = std::string_view(tail_).substr(tail_.size() - std::min(tail_.size(), half_));
        const auto left_out = bytes_ - head_.size() - tail.size();
        auto all = head_;
        if (left_out > 0) {
            all += "\n[… " + std::to_string(left_out) + " bytes left out …]\n";
        }
        return all.append(tail);
    }

private:
    void keep(std::string_view bytes) {
        bytes_ += bytes.size();
        const auto first = bytes.substr(0, half_ - head_.size());
        head_ += first;
        tail_ += bytes.substr(first.size());
        if (tail_.size() > 2 * half_ + sizeof(std::size_t)) { // Cut rarely, so that keeping stays linear.
            tail_.erase(0, tail_.size() - half_);
        }
    }

    char kind_;
    std::size_t half_;
    std::uint64_t bytes_ = 0;
    std::string head_;
    std::string tail_;
};

std::vector<char*> pointers(std::vector<std::string>& words) {
    std::vector<char*> all;
    for (auto& word : words) {
        all.push_back(word.data());
    }
    all.push_back(nullptr);
    return all;
}

struct child_plan {
    std::vector<std::string> argv;
    std::vector<std::string> environment;
    std::string folder; ///< Where it starts; bubblewrap changes the folder by itself.
    bool own_session = false;
    unique_fd input;              ///< What it reads.
    unique_fd input_keeper;       ///< Stays here: as long as it is open, what it reads has no end.
    unique_fd filter;             ///< Of system calls; none without bubblewrap.
    unique_fd names;              ///< What is /etc/hosts in a network of its own.
    std::optional<proxy> way_out; ///< None where no host is granted.
};

/// The child's side of the fork. Ends in exec; a failure is said on standard error, which the parent reads.
[[noreturn]] void become(child_plan& plan, const control_group& group, int out, int err, int ready) {
    group.enter();
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (plan.own_session) {
        ::setsid();
    }
    std::signal(SIGPIPE, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC); // Whoever started this program may have left some open.
    auto argv = pointers(plan.argv);
    auto environment = pointers(plan.environment);
    const bool ok = ::dup2(plan.input.get(), 0) >= 0 && ::dup2(out, 1) >= 0 && ::dup2(err, 2) >= 0 &&
                    ::dup2(ready, ready_fd) >= 0 && (!plan.filter || ::dup2(plan.filter.get(), filter_fd) >= 0) &&
                    (!plan.names || ::dup2(plan.names.get(), names_fd) >= 0) &&
                    (!plan.way_out || ::dup2(plan.way_out->handover().get(), handover_fd) >= 0) &&
                    (plan.folder.empty() || ::chdir(plan.folder.c_str()) == 0);
    if (ok) {
        ::execvpe(argv[0], argv.data(), environment.data());
    }
    const bool missing = ok && errno == ENOENT && std::strcmp(argv[0], "bwrap") == 0;
    ::dprintf(2, missing ? "bubblewrap is not installed (Debian: apt-get install bubblewrap)\n" : "cannot run %s: %s\n",
              argv[0], std::strerror(errno));
    ::_exit(127);
}

/// What bubblewrap is to read: `write` fills it, and says what went wrong.
template <class Write>
expected<unique_fd> memory_file(Write write) {
    auto file = raised(::memfd_create("troupe", MFD_CLOEXEC));
    if (!file) {
        return problem{code::unavailable, std::string("cannot make a file in memory: ") + std::strerror(errno)};
    }
    if (const std::optional<std::string> failed = write(file.get())) {
        return problem{code::unavailable, *failed};
    }
    ::lseek(file.get(), 0, SEEK_SET);
    return file;
}

std::optional<std::string> write_names(int file) {
    constexpr std::string_view names = "127.0.0.1 localhost troupe\n"; // the second is the name of the machine inside
    const bool written = ::write(file, names.data(), names.size()) == static_cast<ssize_t>(names.size());
    return written ? std::nullopt : std::optional<std::string>("cannot write /etc/hosts");
}

expected<proxy> start_proxy(const runtime::runner_spec& spec) {
    std::vector<runtime::allowed_host> hosts;
    for (const auto& text : spec.hosts) {
        auto host = runtime::parse_allowed_host(text);
        if (!host) {
            return host.error();
        }
        hosts.push_back(std::move(*host));
    }
    return proxy::start(std::move(hosts));
}

/// A pipe is opened for writing, too: it waits for nobody, and has no end when others come to it and leave again.
expected<void> open_input(child_plan& plan, const std::string& pipe) {
    if (!pipe.empty()) {
        plan.input_keeper = unique_fd(::open(pipe.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
    }
    plan.input =
        unique_fd(::open(pipe.empty() ? "/dev/null" : pipe.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!plan.input || (!pipe.empty() && !plan.input_keeper)) {
        return problem{code::unavailable, "cannot open " + pipe + ": " + std::strerror(errno)};
    }
    ::fcntl(plan.input.get(), F_SETFL, ::fcntl(plan.input.get(), F_GETFL) & ~O_NONBLOCK);
    return {};
}

/// What the child is to hold, beside its pipes. The problem means: not started.
expected<void> equip(child_plan& plan, const runtime::runner_spec& spec) {
    if (auto opened = open_input(plan, spec.input); !opened) {
        return opened;
    }
    if (spec.mode != runtime::sandbox_mode::bubblewrap) {
        return {};
    }
    auto filter = memory_file(write_syscall_filter);
    auto names = memory_file(write_names);
    if (!filter || !names) {
        return filter ? names.error() : filter.error();
    }
    plan.filter = std::move(*filter);
    plan.names = std::move(*names);
    if (has_proxy(spec)) {
        auto started = start_proxy(spec);
        if (!started) {
            return started.error();
        }
        plan.way_out = std::move(*started);
    }
    return {};
}

std::vector<pid_t> children() {
    const auto self = std::to_string(::getpid());
    std::ifstream file("/proc/self/task/" + self + "/children");
    std::vector<pid_t> all;
    for (pid_t child = 0; file >> child;) {
        all.push_back(child);
    }
    return all;
}

/// Ends every process below this one: as their sub-reaper it becomes the parent of all that lose theirs, and killing
/// the first process of bubblewrap's namespace ends all in it before that can be reaped.
void end_descendants(pid_t leader) {
    for (;;) {
        ::kill(-leader, SIGKILL);
        for (const auto child : children()) {
            ::kill(child, SIGKILL);
        }
        pid_t reaped = 0;
        while ((reaped = ::waitpid(-1, nullptr, WNOHANG)) > 0) {
        }
        if (reaped < 0 && errno == ECHILD) {
            return;
        }
        ::poll(nullptr, 0, 1);
    }
}

/// Reaps what has ended. The wait status of `leader` once it is among them.
std::optional<int> reap(pid_t leader) {
    std::optional<int> ended;
    int status = 0;
    for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
        if (pid == leader) {
            ended = status;
        }
    }
    return ended;
}

/// Whether one of the signals that came asks this process to end.
bool told_to_end(const unique_fd& signals) {
    bool told = false;
    for (signalfd_siginfo came{}; ::read(signals.get(), &came, sizeof came) == sizeof came;) {
        told = told || came.ssi_signo != SIGCHLD;
    }
    return told;
}

struct streams {
    unique_fd out;
    unique_fd err;
    capture kept_out;
    capture kept_err;

    void drain(node_link& node, std::size_t pieces_max) {
        kept_out.drain(out, node, pieces_max);
        kept_err.drain(err, node, pieces_max);
    }
};

/// How a command that is told to end and reads what the node says gets to go by itself: its input ends, then it gets
/// SIGTERM (in bubblewrap nothing reaches it), then it has had its time. Any other command has none.
class farewell {
public:
    farewell(unique_fd input_keeper, pid_t leader) : input_keeper_(std::move(input_keeper)), leader_(leader) {}

    [[nodiscard]] bool has_begun() const { return began_ms_.has_value(); }

    /// Told at each turn once it is to end.
    bool is_over(std::int64_t now_ms) {
        if (!input_keeper_ && !began_ms_) {
            return true;
        }
        if (!began_ms_) {
            began_ms_ = now_ms;
            input_keeper_.reset();
        }
        if (!terminated_ && now_ms - *began_ms_ >= step_ms) {
            terminated_ = true;
            ::kill(-leader_, SIGTERM);
        }
        return now_ms - *began_ms_ >= 2 * step_ms;
    }

private:
    static constexpr std::int64_t step_ms = 1000;
    unique_fd input_keeper_;
    pid_t leader_;
    std::optional<std::int64_t> began_ms_;
    bool terminated_ = false;
};

/// Until the leader ends, or has to. The wait status, and the reason in `result`.
int watch(pid_t leader, farewell& last, std::int64_t deadline_ms, bounds_watch& bounds, const unique_fd& signals,
          streams& s, node_link& node, const runtime::runner_spec& spec, runtime::command_result& result) {
    bool ordered = false;
    for (;;) {
        const auto now_ms = monotonic_ms();
        const auto left = deadline_ms - now_ms;
        result.timed_out = left <= 0;
        ordered = told_to_end(signals) || node.cancel_ordered() || ordered;
        result.cancelled =
            !result.timed_out && ((ordered && last.is_over(now_ms)) || (spec.ends_with_node && node.node_is_gone()));
        if (const auto status = reap(leader)) {
            result.timed_out = false;
            result.cancelled = last.has_begun();
            return *status;
        }
        if (!result.timed_out && !result.cancelled) {
            result.over_limit = bounds.broken(now_ms).value_or("");
        }
        if (result.timed_out || result.cancelled || !result.over_limit.empty()) {
            return SIGKILL; // As a wait status: ended by that signal.
        }
        // Who talks with a command misses nothing of it: it waits, as at any pipe.
        const bool held = !spec.input.empty() && node.is_behind();
        pollfd waits[] = {{signals.get(), POLLIN, 0},
                          {node.order_fd(), POLLIN, 0},
                          {node.frame_fd(), POLLOUT, 0},
                          {held ? -1 : s.out.get(), POLLIN, 0},
                          {held ? -1 : s.err.get(), POLLIN, 0}};
        ::poll(waits, std::size(waits), static_cast<int>(std::min(left, bounds_watch::every_ms)));
        node.flush(0);
        s.drain(node,
                held ? 0
                     : pieces_a_turn); // Bounded: a command that never stops writing must not outrun its time limit.
    }
}

} // namespace

unique_fd watch_signals() {
    sigset_t watched;
    sigemptyset(&watched);
    for (const int s : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) {
        sigaddset(&watched, s);
    }
    ::sigprocmask(SIG_BLOCK, &watched, nullptr);
    return unique_fd(::signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK));
}

node_link::node_link() {
    std::signal(SIGPIPE, SIG_IGN);
    for (const int fd : {0, 1}) {
        ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
    }
}

void node_link::read_orders() {
    char order = 0;
    while (open_) {
        const auto got = ::read(0, &order, 1);
        if (got == 1) {
            cancelled_ = cancelled_ || order == runtime::runner_cancel;
        } else if (got == 0) {
            open_ = false; // The node is gone: the command goes on to its end, for whoever asks later.
        } else {
            return;
        }
    }
}

bool node_link::node_is_gone() {
    read_orders();
    return !open_;
}

bool node_link::cancel_ordered() {
    read_orders();
    return cancelled_;
}

void node_link::send(char kind, std::string_view bytes) {
    if (pending_.size() + bytes.size() > pending_bytes_max) {
        return;
    }
    const auto size = static_cast<std::uint32_t>(bytes.size());
    pending_ += kind;
    for (int shift = 0; shift < 32; shift += 8) {
        pending_ += static_cast<char>(size >> shift & 0xff);
    }
    pending_ += bytes;
    flush(0);
}

bool node_link::is_behind() const { return pending_.size() > behind_bytes; }

void node_link::flush(int wait_ms) {
    const auto deadline_ms = monotonic_ms() + wait_ms;
    while (!pending_.empty()) {
        const auto written = ::write(1, pending_.data(), pending_.size());
        if (written > 0) {
            pending_.erase(0, static_cast<std::size_t>(written));
            continue;
        }
        if (errno != EAGAIN && errno != EINTR) {
            pending_.clear(); // Nobody reads any more.
            return;
        }
        const auto left = deadline_ms - monotonic_ms();
        if (left <= 0) {
            return;
        }
        pollfd wait = {1, POLLOUT, 0};
        ::poll(&wait, 1, static_cast<int>(left));
    }
}

outcome supervise(const runtime::runner_spec& spec, const std::string& self, const control_group& group,
                  const unique_fd& signals, node_link& node) {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    auto out = make_pipe(), err = make_pipe(), ready = make_pipe();
    if (!out.write || !err.write || !ready.write) {
        return {.why_not = "no descriptors are left", .result = {}};
    }
    const bool wrapped = spec.mode == runtime::sandbox_mode::bubblewrap;
    child_plan plan{.argv = confined_arguments(spec, self),
                    .environment = command_environment(spec),
                    .folder = wrapped ? "" : spec.project + "/" + spec.working_directory,
                    .own_session = !wrapped,
                    .input = {},
                    .input_keeper = {},
                    .filter = {},
                    .names = {},
                    .way_out = {}};
    if (auto equipped = equip(plan, spec); !equipped) {
        return {.why_not = equipped.error().detail, .result = {}};
    }
    const auto began_ms = monotonic_ms();
    const auto leader = ::fork();
    if (leader == 0) {
        become(plan, group, out.write.get(), err.write.get(), ready.write.get());
    }
    out.write.reset(), err.write.reset(), ready.write.reset();
    if (plan.way_out) {
        plan.way_out->close_handover();
    }
    if (leader < 0) {
        return {.why_not = std::string("cannot fork: ") + std::strerror(errno), .result = {}};
    }
    streams s{std::move(out.read), std::move(err.read), capture(runtime::runner_frame::out, spec.limits.output_bytes),
              capture(runtime::runner_frame::err, spec.limits.output_bytes)};
    for (const int fd : {s.out.get(), s.err.get(), ready.read.get()}) {
        ::fcntl(fd, F_SETFL, O_NONBLOCK);
    }
    outcome o;
    bounds_watch bounds(spec.project, spec.limits, wrapped ? own_processes : 0, plan.way_out ? plan.way_out->pid() : 0);
    farewell last(std::move(plan.input_keeper), leader);
    const auto status = watch(leader, last, began_ms + spec.limits.time_ms, bounds, signals, s, node, spec, o.result);
    end_descendants(leader);
    s.drain(node, std::numeric_limits<std::size_t>::max()); // Nobody is left to write.
    o.result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (o.result.over_limit.empty() && group.ran_out_of_memory()) {
        o.result.over_limit =
            "a process was ended: more than " + std::to_string(spec.limits.memory_bytes >> 20) + " MiB of memory";
    }
    o.result.duration_ms = monotonic_ms() - began_ms;
    o.result.connections_refused = plan.way_out ? plan.way_out->refused() : 0;
    o.result.out = s.kept_out.text();
    o.result.err = s.kept_err.text();
    o.result.out_bytes = s.kept_out.bytes();
    o.result.err_bytes = s.kept_err.bytes();
    char reached = 0;
    // Ended by order, time or another bound before the command was reached is a result as well: it did nothing.
    o.started = ::read(ready.read.get(), &reached, 1) == 1 || o.result.timed_out || o.result.cancelled ||
                !o.result.over_limit.empty();
    o.why_not = o.started ? "" : o.result.err;
    return o;
}

} // namespace troupe::runner
