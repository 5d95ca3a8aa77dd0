#pragma once

#include "runtime/services.hpp"
#include "schemas/agent.hpp"
#include "schemas/task.hpp"

#include <string>
#include <vector>

/// Who gets a task.
namespace troupe::actors {

/// All agents for work that needs these capabilities, the best first: those that can come before those that cannot,
/// then the higher score, then the name. The same agents in the same state always give the same order. Pure.
///
/// The score has three parts: free places (50; less for what waits in the queue), what became of earlier tasks (40,
/// with one success and one failure added, so that a newcomer stands in the middle), and doing nothing just now (10).
std::vector<assignment_candidate> rank_candidates(const std::vector<agent_document>& agents,
                                                  const std::vector<std::string>& capabilities);

/// The same for the agents of an organization. Reads only; thread-safe.
expected<std::vector<assignment_candidate>> find_candidates(const runtime::services& s, const uuid& organization,
                                                            const std::vector<std::string>& capabilities);

/// The best of them. `conflict` when nobody can, with what each is missing.
expected<assignment_candidate> choose_agent(const runtime::services& s, const uuid& organization,
                                            const std::vector<std::string>& capabilities);

/// "Given to scout (score 95): has python; 2 of 2 places free; …"
std::string explain(const assignment_candidate& chosen);

} // namespace troupe::actors
