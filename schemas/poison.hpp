#pragma once

#include "schemas/base/described.hpp"

/// Commands that crashed their entity again and again and were set aside.
namespace troupe {

/// An item of GET /poison, the newest first. The command's payload stands in the entity's `$poisoned` event.
struct poisoned_command {
    timestamp at;
    std::string kind; ///< Of the entity.
    uuid id;          ///< Of the entity.
    std::string command;
    std::string command_id;
    std::string cause;
    std::string principal;
    std::string effect;        ///< What the entity owed and does no more, when the command was its end; else empty.
    std::uint64_t version = 0; ///< The `$poisoned` event's number in its entity.
};
BOOST_DESCRIBE_STRUCT(poisoned_command, (), (at, kind, id, command, command_id, cause, principal, effect, version))

} // namespace troupe
