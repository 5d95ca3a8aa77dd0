#pragma once

#include "net/mcp/messages.hpp"
#include "schemas/base/problem.hpp"

#include <cstddef>
#include <filesystem>
#include <map>
#include <string>

namespace troupe::actors {

/// What servers said of their tools when these were first seen, or last accepted, kept in a file of the node. A server
/// that later says something else of a tool (a rug pull) is not believed before a person has looked. Not thread-safe.
class mcp_pins {
public:
    /// A file that cannot be read is an empty one: it is logged, and all tools are new.
    explicit mcp_pins(std::filesystem::path file);

    /// Whether the tool is as it was; one that is new is noted. `save` keeps what was noted.
    [[nodiscard]] bool is_known(const std::string& id, const net::mcp::tool& declared);
    void accept(const std::string& id, const net::mcp::tool& declared);
    expected<void> save();

    static constexpr std::size_t tools_max = 20'000; ///< Beyond them nothing new is believed.

private:
    const std::filesystem::path file_;
    std::map<std::string, std::string> marks_; ///< By tool, as agents call it.
    bool changed_ = false;
};

} // namespace troupe::actors
