#pragma once

#include "schemas/agent.hpp"
#include "schemas/base/described.hpp"

/// How an agent was configured before.
namespace troupe {

/// GET /agents/{id}/versions/{n}
struct agent_version_document {
    std::uint64_t number = 0; ///< The agent's version (its ETag) that the change made: they grow, with gaps.
    timestamp at;
    std::string by;
    agent_settings settings;
};
BOOST_DESCRIBE_STRUCT(agent_version_document, (), (number, at, by, settings))

/// One member of the settings that differs.
struct settings_change {
    std::string member;
    json::raw from;
    json::raw to;
};
BOOST_DESCRIBE_STRUCT(settings_change, (), (member, from, to))

/// GET /agents/{id}/versions/{n}/diff
struct agent_diff_document {
    std::uint64_t from = 0; ///< Numbers of versions.
    std::uint64_t to = 0;
    std::vector<settings_change> changes; ///< Empty: they are the same.
};
BOOST_DESCRIBE_STRUCT(agent_diff_document, (), (from, to, changes))

} // namespace troupe
