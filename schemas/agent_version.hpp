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

} // namespace troupe
