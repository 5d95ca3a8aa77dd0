#pragma once

#include "runtime/process/sandbox.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <thread>

namespace troupe::actors {

/// A command of the sandbox that is at work beside its owner. It ends with its owner, and with the node.
class background_command {
public:
    struct listener {
        std::function<void(bool is_stderr, std::string_view)> on_output;
        std::function<void(std::string how)> on_end; ///< Once, in words. It may never have begun.
    };

    /// The listener is called from a thread of its own.
    background_command(runtime::sandbox& commands, std::string key, runtime::command_spec spec, listener l);

    /// Ends it with all its processes; nothing is left of it, here or on the disk, when this returns.
    ~background_command();
    background_command(const background_command&) = delete;

private:
    runtime::sandbox& commands_;
    const std::string key_;
    std::jthread thread_;
};

} // namespace troupe::actors
