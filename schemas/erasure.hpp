#pragma once

#include "schemas/base/described.hpp"

#include <cstdint>
#include <optional>
#include <string>

/// Erasing a person or an organization: the key that its contents are sealed with is destroyed.
namespace troupe {

BOOST_DEFINE_ENUM_CLASS(erasure_subject, user, organization)
/// `requested`: it is being closed. `closing`: others are told. `destroying`: the key is about to go, in the copies
/// beside backups too. `removing`: nothing can be read any more, and rows and files go. `refused`: nothing was erased.
BOOST_DEFINE_ENUM_CLASS(erasure_status, requested, closing, destroying, removing, done, refused)

/// GET /system/erasures/{id}: what is left of who was erased. Holds nothing about it but its id.
struct erasure_document {
    uuid id; ///< Of the person or organization.
    erasure_subject subject = erasure_subject::user;
    erasure_status status = erasure_status::requested;
    std::string requested_by;
    timestamp requested_at;
    std::optional<timestamp> erased_at;   ///< From then on nobody can read it.
    std::optional<timestamp> finished_at; ///< And from then on nothing is left to find.
    std::uint64_t entities = 0;           ///< Whose rows were removed.
    std::uint64_t contents = 0;           ///< Of files, that were removed.
    std::string reason;                   ///< Of a refusal.
};
BOOST_DESCRIBE_STRUCT(erasure_document, (),
                      (id, subject, status, requested_by, requested_at, erased_at, finished_at, entities, contents,
                       reason))

} // namespace troupe
