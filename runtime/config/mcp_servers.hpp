#pragma once

#include "schemas/base/problem.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::runtime {

/// A server of the Model Context Protocol that the node starts or is connected to, as `mcp.servers` lists it.
struct mcp_server {
    std::string name;                                ///< [a-z0-9_-]+; tools are mcp_NAME_TOOL.
    std::vector<std::string> command;                ///< Speaks the protocol on its standard input and output.
    std::map<std::string, std::string> environment;  ///< A value may be "secret:NAME".
    std::vector<std::string> idempotent;             ///< Tools that may be called again after a crash. "*": all.
    bool sandbox = true;                             ///< False: with the node's own rights, files and network.
    bool network = false;                            ///< In the sandbox.
    std::uint32_t time_out_ms = time_out_ms_default; ///< Of one call.
    std::string url = {};                            ///< In place of a command: over Streamable HTTP.
    std::map<std::string, std::string> headers = {}; ///< With the URL. A value may be "secret:NAME".
    /// Of a client that was registered beforehand; empty: the node registers itself where it has to.
    std::string client_id = {};
    std::string client_secret = {};       ///< May be "secret:NAME".
    std::vector<std::string> scopes = {}; ///< Beside those that the server asks for.
    /// Folders that the server is told it may work on (`roots/list`), as it sees them; none: it is told nothing, and
    /// goes by its own arguments.
    std::vector<std::string> roots = {};
    static constexpr std::uint32_t time_out_ms_default = 60'000;
};

/// Reads a JSON list of them; an empty text is an empty list. Numbers may be given as text. `config_invalid` has all
/// that is wrong, by JSON pointers.
expected<std::vector<mcp_server>> parse_mcp_servers(std::string_view text);

// What is wrong with the text of the configuration, or nothing; see `property::check`.
std::optional<std::string> check_mcp_servers(std::string_view text);
std::vector<field_error> check_mcp_server_list(std::string_view text);

} // namespace troupe::runtime
