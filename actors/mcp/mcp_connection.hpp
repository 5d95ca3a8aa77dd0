#pragma once

#include "actors/tool/background_command.hpp"
#include "net/line_splitter.hpp"
#include "net/mcp/transport.hpp"
#include "runtime/supervision/nudged.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::actors {

/// A server as a command of the sandbox, with a message a line. What came waits to be taken; what does not fit into its
/// input yet waits to be sent. Used by one thread, but for what the command's own thread notes.
class mcp_connection final : public net::mcp::transport {
public:
    static constexpr std::size_t line_bytes_max = 10 << 20;
    static constexpr std::size_t waiting_bytes_max = 32 << 20; ///< Of what came; beyond, the connection ends.

    /// `on_change` when something came; `on_error_line` for its standard error. Both from another thread.
    static expected<std::unique_ptr<mcp_connection>> start(runtime::sandbox& commands, std::string key,
                                                           runtime::command_spec spec,
                                                           const std::filesystem::path& input_folder,
                                                           std::function<void()> on_change,
                                                           std::function<void(std::string)> on_error_line);

    /// Ends the process with all that it started. Blocks for a moment.
    ~mcp_connection() override;

    std::vector<std::string> take_lines() override;
    [[nodiscard]] std::optional<std::string> ended() const override;

    void send(std::string_view line) override;
    /// False: something is left, to be tried again in a moment.
    bool flush() override;

private:
    struct shared;
    mcp_connection() = default;

    std::shared_ptr<shared> shared_;
    std::unique_ptr<background_command> command_;
    std::string to_send_;
};

} // namespace troupe::actors
