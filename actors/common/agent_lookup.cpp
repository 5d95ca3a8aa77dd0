#include "actors/common/agent_lookup.hpp"

#include "actors/common/stored.hpp"
#include "schemas/name_messages.hpp"

#include <fmt/format.h>

#include <optional>
#include <utility>
#include <vector>

namespace troupe::actors {
namespace {

/// Names that an answer lists.
constexpr std::size_t named_max = 50;

bool works(const agent_document& agent) { return agent.status != agent_status::offline && !agent.paused; }

expected<std::vector<agent_document>> agents_under(const storage::store& s, const uuid& organization,
                                                   std::string filter, std::size_t limit) {
    storage::list_query query;
    query.organization = organization;
    query.kind = "agent";
    query.filter = std::move(filter);
    query.limit = limit;
    const auto found = storage::read_list(s, query);
    if (!found) {
        return found.error();
    }
    std::vector<agent_document> out;
    for (const auto& item : found->items) {
        auto agent = from_json<agent_document>(item.json, strictness::stored);
        if (!agent) {
            return agent.error();
        }
        out.push_back(std::move(*agent));
    }
    return out;
}

expected<std::optional<agent_document>> find_agent(const storage::store& s, const uuid& organization,
                                                   const std::string& name) {
    if (const auto id = parse_uuid(name)) {
        return read_stored<agent_document>(s, {organization, "agent", *id});
    }
    for (const auto& each : {name, fold_name(name)}) {
        auto found = agents_under(s, organization, "name=" + each, 1);
        if (!found || !found->empty()) {
            return found ? expected<std::optional<agent_document>>(std::move(found->front())) : found.error();
        }
    }
    return std::optional<agent_document>();
}

} // namespace

expected<agent_document> find_working_agent(const storage::store& s, const uuid& organization,
                                            const std::string& name) {
    auto found = find_agent(s, organization, name);
    if (!found) {
        return found.error();
    }
    if (*found && works(**found)) {
        return std::move(**found);
    }
    const auto all = agents_under(s, organization, "", named_max);
    if (!all) {
        return all.error();
    }
    std::string names;
    for (const auto& agent : *all) {
        names += works(agent) ? (names.empty() ? "" : ", ") + agent.settings.name : "";
    }
    return problem{code::not_found,
                   fmt::format("{} '{}'. {}", *found ? "There is nobody at work as" : "There is no agent", name,
                               names.empty() ? "There are none." : "There are: " + names + ".")};
}

} // namespace troupe::actors
