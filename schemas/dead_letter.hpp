#pragma once

#include "schemas/base/described.hpp"

#include <cstdint>
#include <string>

namespace troupe {

/// A message that nobody worked on: an item of GET /dead-letters, and the kind `dead_letter` of the channel
/// `system_alerts`.
struct dead_letter_document {
    std::uint64_t number = 0; ///< Counts all since the start, from 1.
    timestamp at;
    std::string kind;
    std::string to;   ///< Path or address of the receiver.
    std::string type; ///< Of the message.
    std::string reason;
};
BOOST_DESCRIBE_STRUCT(dead_letter_document, (), (number, at, kind, to, type, reason))

} // namespace troupe
