#pragma once

#include "runtime/process/sandbox.hpp"
#include "schemas/base/problem.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>

namespace troupe::actors {

/// A Chromium without a window, as a command of the sandbox: its profile is the only folder it may write to, and it
/// ends with the node. Its network is the machine's, but all that it asks for goes to the proxy.
class browser_process {
public:
    /// Blocks until it can be driven. `key` is the command's; `folder` is made, and removed at the end. `unavailable`
    /// says what is missing.
    static expected<std::unique_ptr<browser_process>> start(runtime::sandbox& commands, std::string key,
                                                            std::filesystem::path folder, std::uint16_t proxy_port,
                                                            const std::stop_token& stop);

    /// Ends it with all its processes, and returns when nothing is left.
    ~browser_process();

    /// Where it is driven: "ws://127.0.0.1:PORT/…".
    [[nodiscard]] const std::string& url() const;

private:
    struct impl;
    explicit browser_process(std::unique_ptr<impl> i);
    std::unique_ptr<impl> impl_;
};

} // namespace troupe::actors
