#include "actors/common/assignment.hpp"

#include "actors/common/capabilities.hpp"
#include "storage/views.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

namespace troupe::actors {
namespace {

constexpr std::size_t agents_max = 1000; ///< That are looked at.
constexpr std::size_t named_max = 5;     ///< In a refusal.
constexpr std::int64_t places_weight = 50;
constexpr std::int64_t success_weight = 40;
constexpr std::int64_t idle_weight = 10;

/// Why it cannot; empty: it can.
std::string obstacle(const agent_document& a, const std::vector<std::string>& capabilities) {
    std::vector<std::string> missing;
    for (const auto& wanted : capabilities) {
        if (!has_capability(a.settings.capabilities, wanted)) {
            missing.push_back(wanted);
        }
    }
    return !missing.empty()                    ? fmt::format("lacks {}", fmt::join(missing, ", "))
           : a.paused                          ? "is paused"
           : a.status == agent_status::offline ? "is stopped"
           : a.status == agent_status::error   ? "is in error"
                                               : std::string();
}

assignment_candidate judged(const agent_document& a, const std::vector<std::string>& capabilities) {
    assignment_candidate out{a.id, a.settings.name, false, 0, {}};
    if (auto why = obstacle(a, capabilities); !why.empty()) {
        out.reasons.push_back(std::move(why));
        return out;
    }
    out.able = true;
    if (!capabilities.empty()) {
        out.reasons.push_back(fmt::format("has {}", fmt::join(capabilities, ", ")));
    }
    const auto places = static_cast<std::int64_t>(a.settings.max_concurrent_tasks);
    const auto taken = static_cast<std::int64_t>(a.running.size());
    const auto waiting = static_cast<std::int64_t>(a.queued.size());
    const auto free = std::max<std::int64_t>(0, places - taken);
    out.score += waiting > 0 ? 0 : places_weight * free / places;
    out.score -= std::min<std::int64_t>(waiting, places_weight / 2);
    out.reasons.push_back(fmt::format("{} of {} places free, {} waiting", free, places, waiting));
    const auto done = static_cast<std::int64_t>(a.completed);
    const auto failed = static_cast<std::int64_t>(a.failed);
    out.score += success_weight * (done + 1) / (done + failed + 2);
    out.reasons.push_back(done + failed == 0 ? std::string("no earlier tasks")
                                             : fmt::format("{} of {} earlier tasks done", done, done + failed));
    out.score += taken + waiting == 0 ? idle_weight : 0;
    out.score = std::max<std::int64_t>(out.score, 0);
    return out;
}

} // namespace

std::vector<assignment_candidate> rank_candidates(const std::vector<agent_document>& agents,
                                                  const std::vector<std::string>& capabilities) {
    std::vector<assignment_candidate> out;
    for (const auto& a : agents) {
        out.push_back(judged(a, capabilities));
    }
    std::ranges::sort(out, [](const auto& a, const auto& b) {
        return std::tuple(!a.able, -a.score, a.name, a.agent_id) < std::tuple(!b.able, -b.score, b.name, b.agent_id);
    });
    return out;
}

expected<std::vector<assignment_candidate>> find_candidates(const runtime::services& s, const uuid& organization,
                                                            const std::vector<std::string>& capabilities) {
    storage::list_query query;
    query.organization = organization;
    query.kind = "agent";
    query.limit = agents_max;
    const auto page = storage::read_list(*s.store, query);
    if (!page) {
        return page.error();
    }
    std::vector<agent_document> agents;
    for (const auto& item : page->items) {
        auto agent = from_json<agent_document>(item.json, strictness::stored);
        if (!agent) {
            return agent.error();
        }
        agents.push_back(std::move(*agent));
    }
    return rank_candidates(agents, capabilities);
}

expected<assignment_candidate> choose_agent(const runtime::services& s, const uuid& organization,
                                            const std::vector<std::string>& capabilities) {
    auto found = find_candidates(s, organization, capabilities);
    if (!found) {
        return found.error();
    }
    if (!found->empty() && found->front().able) {
        return std::move(found->front());
    }
    std::string why = found->empty() ? "There are no agents." : "No agent can do this:";
    for (std::size_t i = 0; i < std::min(found->size(), named_max); ++i) {
        why += fmt::format("{} {} {}", i == 0 ? "" : ",", found->at(i).name, found->at(i).reasons.front());
    }
    why += found->size() > named_max ? fmt::format(" and {} more.", found->size() - named_max)
           : found->empty()          ? ""
                                     : ".";
    return problem{code::conflict, std::move(why), {{"/capabilities", "no agent that works has them"}}};
}

std::string explain(const assignment_candidate& chosen) {
    return fmt::format("Given to {} (score {}): {}.", chosen.name, chosen.score, fmt::join(chosen.reasons, "; "));
}

} // namespace troupe::actors
