#pragma once

#include "schemas/base/described.hpp"
#include "schemas/organization.hpp"

#include <cstdint>
#include <optional>
#include <string>

/// What organizations and people tell each other. All of them live in the organization `system`.
namespace troupe {

/// To a user, from an organization: the membership as it stands after the organization's `version`. Older news change
/// nothing.
struct note_membership {
    uuid organization_id;
    std::uint64_t version = 0;
    std::string role;
    bool active = true;
    bool removed = false;
};
BOOST_DESCRIBE_STRUCT(note_membership, (), (organization_id, version, role, active, removed))

/// To an organization, from a person who is erased: no member any more, whatever its role was.
struct leave_organization {
    uuid user_id;
};
BOOST_DESCRIBE_STRUCT(leave_organization, (), (user_id))

} // namespace troupe

TROUPE_NAMED(troupe::note_membership)
TROUPE_NAMED(troupe::leave_organization)
