#pragma once

#include "actors/tool/tool.hpp"
#include "schemas/base/problem.hpp"

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

/// Agents elsewhere, which those of this node may ask by the A2A protocol.
namespace troupe::actors {

/// One that the operator named.
struct remote_agent {
    std::string name;
    std::string url;         ///< Its card is at `.well-known/agent-card.json` below, as the protocol has it.
    std::string key;         ///< For `Authorization: Bearer`, or `secret:NAME`; empty: none is sent.
    std::string description; ///< What models read of it.
    std::string ca_file;     ///< Empty: the system's certificates.
};

/// The operator's `agents.json`: `{"agents":[{"name":…,"url":…}]}`. `config_invalid` names the place.
expected<std::vector<remote_agent>> parse_remote_agents(std::string_view text);

/// A tool for each of that file, `ask_NAME`; without the file none. A message goes out under an id that follows from
/// the call, is never sent twice without a person's word, and its task is awaited for `remote_wait_ms_max` at most.
expected<std::vector<custom_tool>>
remote_agent_tools(const std::filesystem::path& file,
                   std::function<expected<std::string>(std::string_view name)> find_secret);

} // namespace troupe::actors
