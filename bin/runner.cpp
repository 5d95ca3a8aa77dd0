/// troupe-runner FOLDER: runs the command of FOLDER/spec.json once, and leaves on the disk that it started and how it
/// ended. runtime/process/README.md tells why. One thread; plain POSIX.

#include "bin/runner/confined_stage.hpp"
#include "bin/runner/control_group.hpp"
#include "bin/runner/supervise.hpp"
#include "runtime/process/runner_files.hpp"
#include "schemas/base/described.hpp"
#include "schemas/base/durable_file.hpp"
#include "schemas/base/unique_fd.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace troupe;
namespace fs = std::filesystem;
namespace file = runtime::runner_file;

constexpr std::size_t spec_bytes_max = 4 << 20;
constexpr int last_frames_wait_ms = 2'000;

/// Held as long as this process lives. Empty when another runner has it.
unique_fd lock(const fs::path& folder) {
    unique_fd fd(::open((folder / file::lock).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    struct flock whole = {};
    whole.l_type = F_WRLCK;
    if (!fd || ::fcntl(fd.get(), F_OFD_SETLK, &whole) != 0) {
        return {};
    }
    const auto pid = std::to_string(::getpid()) + "\n";
    if (::ftruncate(fd.get(), 0) != 0 || !write_whole(fd.get(), pid, file::lock)) {
        return {};
    }
    return fd;
}

/// False when the mark is there already.
expected<bool> mark_started(const fs::path& folder) {
    const unique_fd fd(::open((folder / file::started).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!fd && errno == EEXIST) {
        return false;
    }
    if (!fd || ::fsync(fd.get()) != 0) {
        return file_problem("write", (folder / file::started).native(), errno);
    }
    for (const auto& f : {folder, folder.parent_path()}) {
        if (auto synced = sync_folder(f); !synced) {
            return synced.error();
        }
    }
    return true;
}

/// The streams, then the result, which makes their names durable with its own.
expected<void> keep_result(const fs::path& folder, const runtime::command_result& result) {
    for (const auto& [name, text] : {std::pair(file::out, &result.out), std::pair(file::err, &result.err)}) {
        const auto how = text->empty() ? kept::without_fsync : kept::with_fsync;
        if (auto written = write_file(folder / name, *text, how, 0600); !written) {
            return written;
        }
    }
    return replace_file(folder / file::result, to_json(result), 0600);
}

int fail(runner::node_link& node, const std::string& why) {
    node.send(runtime::runner_frame::failed, why);
    node.flush(last_frames_wait_ms);
    return runtime::runner_exit::failed;
}

int run(const fs::path& folder) {
    const auto signals = runner::watch_signals();
    runner::node_link node;
    const auto text = read_whole_file(folder / file::spec, spec_bytes_max);
    if (!text) {
        return fail(node, text.error().detail);
    }
    const auto spec = from_json<runtime::runner_spec>(*text, strictness::stored);
    if (!spec) {
        return fail(node, spec.error().detail);
    }
    const auto held = lock(folder);
    if (!held) {
        return runtime::runner_exit::not_first;
    }
    // Nobody waits any more, and a restarted node may find the key without a mark: it must stay so.
    if (node.node_is_gone()) {
        return runtime::runner_exit::failed;
    }
    const auto self = fs::read_symlink("/proc/self/exe").string();
    const runner::control_group group("troupe-" + folder.filename().string().substr(0, 16), spec->limits);
    // After a loss of power there is nothing left to clean up.
    if (auto noted = write_file(folder / file::groups, group.listing(), kept::without_fsync, 0600); !noted) {
        return fail(node, noted.error().detail);
    }
    const auto first = mark_started(folder);
    if (!first) {
        return fail(node, first.error().detail);
    }
    if (!*first) {
        return runtime::runner_exit::not_first;
    }
    const auto ended = runner::supervise(*spec, self, group, signals, node);
    if (!ended.started) {
        ::unlink((folder / file::started).c_str()); // Certain: the command was not reached. It may be tried again.
        return fail(node, ended.why_not);
    }
    if (auto kept = keep_result(folder, ended.result); !kept) {
        return fail(node, kept.error().detail);
    }
    node.flush(last_frames_wait_ms);
    return runtime::runner_exit::done;
}

} // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    try {
        if (arguments.size() > 1 &&
            (arguments[0] == runner::stage_word::confined || arguments[0] == runner::stage_word::limited)) {
            return runner::run_stage(arguments[0], {arguments.begin() + 1, arguments.end()});
        }
        if (arguments.size() == 1) {
            return run(arguments[0]);
        }
    } catch (const std::exception& e) {
        std::fprintf(stderr, "troupe-runner: %s\n", e.what());
        return runtime::runner_exit::failed;
    }
    std::fprintf(stderr, "troupe-runner FOLDER: started by the troupe node, not by hand\n");
    return runtime::runner_exit::failed;
}
