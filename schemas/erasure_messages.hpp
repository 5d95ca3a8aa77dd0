#pragma once

#include "schemas/base/described.hpp"
#include "schemas/erasure.hpp"

#include <string_view>

/// What an erasure (kind "erasure", in the organization `system`, under the id of who is erased) and its subject tell
/// each other: request → close → the subject gives up what others know of it → begin → the key is destroyed.
namespace troupe {

inline constexpr std::string_view erasure_kind = "erasure";

/// To the erasure. Asked again it changes nothing; after a refusal it begins anew.
struct request_erasure {
    erasure_subject subject = erasure_subject::user;
};
BOOST_DESCRIBE_STRUCT(request_erasure, (), (subject))

/// To the person or organization: nobody gets in any more; it gives up its names and memberships, and then says
/// `begin_erasure`. Repeated it changes nothing.
struct close_for_erasure {};
BOOST_DESCRIBE_STRUCT(close_for_erasure, (), ())

/// From there, to the erasure.
struct begin_erasure {};
BOOST_DESCRIBE_STRUCT(begin_erasure, (), ())

/// The erasure of that person or organization.
inline entity_address erasure_address(const uuid& id) { return {system_organization, std::string(erasure_kind), id}; }

} // namespace troupe

TROUPE_NAMED(troupe::request_erasure)
TROUPE_NAMED(troupe::close_for_erasure)
TROUPE_NAMED(troupe::begin_erasure)
