#pragma once

#include "schemas/base/described.hpp"

#include <cstdint>
#include <string>
#include <string_view>

/// Commands to a name (kind "name"): the entity that keeps a value unique in its organization.
/// Reserve, create the owner, confirm by the owner's outbox; what is not confirmed in time expires.
namespace troupe {

/// Kept for `owner` until it is confirmed or expires. `already_exists` when somebody else has it.
struct reserve_name {
    std::string kind; ///< Of the owner: "agent".
    std::string name;
    uuid owner;
};
BOOST_DESCRIBE_STRUCT(reserve_name, (), (kind, name, owner))

/// For good. Also works when the reservation expired and nobody else took the name meanwhile.
struct confirm_name {
    std::string kind;
    std::string name;
    uuid owner;
    std::uint64_t claim = 0; ///< The version of the owner that took the name.
};
BOOST_DESCRIBE_STRUCT(confirm_name, (), (kind, name, owner, claim))

/// Free again, when `owner` has it and did not take it anew since; otherwise nothing changes.
struct release_name {
    uuid owner;
    std::uint64_t claim = 0; ///< The version of the owner that gave the name up; 0 gives up no more than a reservation.
};
BOOST_DESCRIBE_STRUCT(release_name, (), (owner, claim))

/// Names that differ in the case of ASCII letters only are the same.
std::string fold_name(std::string_view name);

/// The id of the name's entity: the same for all spellings that `fold_name` makes equal.
uuid name_id(const uuid& organization, std::string_view kind, std::string_view name);

} // namespace troupe

TROUPE_NAMED(troupe::reserve_name)
TROUPE_NAMED(troupe::confirm_name)
TROUPE_NAMED(troupe::release_name)
