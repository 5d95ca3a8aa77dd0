#pragma once

#include "schemas/base/problem.hpp"
#include "schemas/task.hpp"
#include "storage/store.hpp"

#include <string>
#include <string_view>
#include <vector>

/// The people of an organization, as other features have to know them. Reads only; thread-safe.
namespace troupe::actors {

/// Whether this person belongs to the organization.
expected<bool> is_member(const storage::store& s, const uuid& organization, const uuid& user);

/// `invalid_request` at `pointer` for the first that is no member.
expected<void> check_members(const storage::store& s, const uuid& organization, const std::vector<uuid>& users,
                             std::string_view pointer);

/// The names behind "@" in a text, each once, in their order: not in code, and not in e-mail addresses. Pure.
std::vector<std::string> names_mentioned(std::string_view text);

/// Whom they name: agents by name or session key, people by e-mail address, by what stands before its "@", or by their
/// name with hyphens for blanks. Case does not matter. Names of nobody are left out.
expected<std::vector<mention>> find_mentioned(const storage::store& s, const uuid& organization, std::string_view text);

} // namespace troupe::actors
