#pragma once

#include "net/mcp/messages.hpp"
#include "schemas/base/described.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace troupe::actors {

/// What a server offered to agents when it was last asked. It is on disk, so that a run that goes on after a restart
/// has the tools it had; what is called before the server is connected waits for it.
struct kept_offers {
    std::vector<net::mcp::tool> tools;
    bool has_resources = false;
};
BOOST_DESCRIBE_STRUCT(kept_offers, (), (tools, has_resources))

/// The file of a server below the folder of all servers.
std::filesystem::path kept_offers_file(const std::filesystem::path& folder, const std::string& server);
/// Nothing: there is none that can be read.
std::optional<kept_offers> read_kept_offers(const std::filesystem::path& folder, const std::string& server);

} // namespace troupe::actors
