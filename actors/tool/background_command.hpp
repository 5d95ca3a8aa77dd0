#pragma once

#include "runtime/process/sandbox.hpp"
#include "schemas/base/problem.hpp"
#include "schemas/base/unique_fd.hpp"

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace troupe::actors {

/// A command of the sandbox that is at work beside its owner. It ends with its owner, and with the node.
class background_command {
public:
    struct listener {
        std::function<void(bool is_stderr, std::string_view)> on_output;
        std::function<void(std::string how)> on_end; ///< Once, in words. It may never have begun.
    };

    /// The listener is called from a thread of its own. With a folder for it, the command reads what `write` gives;
    /// else it reads nothing.
    static expected<std::unique_ptr<background_command>> start(runtime::sandbox& commands, std::string key,
                                                               runtime::command_spec spec, listener l,
                                                               const std::filesystem::path& input_folder = {});

    /// Ends it with all its processes; nothing is left of it, here or on the disk, when this returns. One that reads
    /// has two seconds to go by itself (bin/runner: `farewell`).
    ~background_command();
    background_command(const background_command&) = delete;

    /// How many bytes of it were taken; 0: the command does not read now. What is no longer than PIPE_BUF is taken as a
    /// whole or not at all. From any thread.
    expected<std::size_t> write(std::string_view text);

private:
    background_command(runtime::sandbox& commands, std::string key) : commands_(commands), key_(std::move(key)) {}

    runtime::sandbox& commands_;
    const std::string key_;
    std::filesystem::path pipe_;
    unique_fd input_; ///< Both ends of it: what is written waits until it is read.
    std::jthread thread_;
};

} // namespace troupe::actors
