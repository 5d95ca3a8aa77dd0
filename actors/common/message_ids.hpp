#pragma once

#include "schemas/base/ids.hpp"

#include <cstdint>
#include <optional>
#include <string>

/// Ids of messages say where the message is: a mark of what it was said on, under which that stands in an index, and
/// the message's number there. So a message is found by its id without a table of its own. Pure.
namespace troupe::actors {

/// UUIDv8: 60 bits of a hash of `said_on`, 62 bits of the number (from 1).
uuid message_id(const uuid& said_on, std::uint64_t number);

/// The filter of the index key that leads to what messages were said on: "messages=0f3c…".
std::string message_filter(const uuid& said_on);

struct message_place {
    std::string filter; ///< As `message_filter` of what it was said on.
    std::uint64_t number = 0;
};
/// Nothing for ids of another sort.
std::optional<message_place> place_of_message(const uuid& message);

/// The key of its item in the collection of messages.
std::string message_key(std::uint64_t number);

} // namespace troupe::actors
