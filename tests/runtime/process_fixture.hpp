#pragma once

#include "runtime/process/sandbox.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/unique_fd.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

namespace troupe::runtime::test {

namespace fs = std::filesystem;

/// The runner that was built beside this test.
inline fs::path runner_path() { return fs::read_symlink("/proc/self/exe").parent_path() / "troupe-runner"; }

/// tests/escape/attempts.cpp, built beside this test.
inline fs::path attempts_path() { return runner_path().parent_path() / "escape_attempts"; }

/// Waits until `done` holds; false after a bound that only a failure reaches.
template <class Condition>
bool eventually(Condition done) {
    for (int attempt = 0; attempt < 6000; ++attempt) {
        if (done()) {
            return true;
        }
        ::poll(nullptr, 0, 5);
    }
    return false;
}

/// A folder of its own with a project and a state folder; removed at the end.
struct workplace {
    fs::path root;
    fs::path project = root / "project";
    fs::path state = root / "state";

    explicit workplace(const fs::path& parent = fs::temp_directory_path())
        : root(parent / ("troupe-process-" + to_string(make_uuid()))) {
        fs::create_directories(project);
    }
    ~workplace() {
        std::error_code ignored;
        fs::remove_all(root, ignored);
    }
    workplace(const workplace&) = delete;
    workplace& operator=(const workplace&) = delete;

    [[nodiscard]] std::unique_ptr<sandbox> open(sandbox_mode mode = sandbox_mode::bubblewrap) const {
        return make_sandbox(mode, state, runner_path());
    }
    [[nodiscard]] command_spec shell(std::string line) const {
        command_spec spec;
        spec.argv = {"sh", "-c", std::move(line)};
        spec.project = project;
        return spec;
    }
    [[nodiscard]] std::string read(const std::string& name) const {
        std::ifstream file(project / name);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    [[nodiscard]] bool has(const std::string& name) const { return fs::exists(project / name); }
    void write(const std::string& name, const std::string& text) const { std::ofstream(project / name) << text; }

    /// Whether a process holds a lock (flock) on the file: a lock dies with the last of those that hold it.
    [[nodiscard]] bool is_held(const std::string& name) const {
        const unique_fd fd(::open((project / name).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
        return ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0;
    }
    [[nodiscard]] fs::path folder_of(const std::string& key) const {
        const auto hash = sha256(key);
        return state / to_hex({reinterpret_cast<const char*>(hash.data()), hash.size()});
    }
    [[nodiscard]] pid_t runner_of(const std::string& key) const {
        pid_t pid = 0;
        std::ifstream(folder_of(key) / "lock") >> pid;
        return pid;
    }
};

} // namespace troupe::runtime::test
