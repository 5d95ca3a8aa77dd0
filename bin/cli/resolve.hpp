#pragma once

#include "bin/cli/api.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/problem.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

/// Finds what a person means: a whole id, the beginning of one, or a name.
namespace troupe::cli {

/// An entity that a word may mean.
struct candidate {
    uuid id;
    std::string name; ///< Empty: it has none.
};

inline constexpr std::size_t prefix_min = 4;

/// The one candidate whose name is `word`, if need be in another case, or whose id starts with it (at least
/// `prefix_min` characters). `not_found`, or `conflict` with the candidates when several fit. `what` is "run", "task",
/// … for the sentence. Pure.
expected<uuid> choose(std::string_view what, std::string_view word, const std::vector<candidate>& candidates);

/// How many characters of each id are needed to tell them apart: 13 (the time of a UUIDv7) or more.
std::size_t short_length(const std::vector<uuid>& ids);
std::string short_id(const uuid& id, std::size_t length = 13);

expected<uuid> resolve_run(api& node, std::string_view word);
expected<uuid> resolve_task(api& node, std::string_view word);
expected<uuid> resolve_document(api& node, std::string_view word);
expected<uuid> resolve_goal(api& node, std::string_view word);
expected<uuid> resolve_chat(api& node, std::string_view word);
expected<uuid> resolve_agent(api& node, std::string_view word);
expected<uuid> resolve_project(api& node, std::string_view word);
expected<uuid> resolve_approval(api& node, std::string_view word);
/// By e-mail address or id; for administrators of the node.
expected<uuid> resolve_user(api& node, std::string_view word);
expected<uuid> resolve_key(api& node, std::string_view word);
expected<uuid> resolve_session(api& node, std::string_view word);
/// Of the organization at that path, by e-mail address or id.
expected<uuid> resolve_invitation(api& node, std::string_view organization_path, std::string_view word);

/// By the name of the kind: "run", "task", "agent", "approval" or "project". `invalid_request`: there is no such kind.
expected<uuid> resolve_of_kind(api& node, std::string_view kind, std::string_view word);

struct entity_named {
    std::string kind;
    uuid id;
};
/// The one entity of any kind that the word means; `conflict` names the kinds when several fit.
expected<entity_named> resolve_anything(api& node, std::string_view word);

} // namespace troupe::cli
