#pragma once

#include "schemas/base/described.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/memory.hpp"

#include <string>

/// Commands to what an agent remembers (kind "agent_memory"), which lives under the agent's id.
namespace troupe {

/// In place of the note of that key, if there is one. `conflict` when there is no room for one more.
struct put_note {
    std::string key;
    std::string text;
};
BOOST_DESCRIBE_STRUCT(put_note, (), (key, text))

/// `not_found` when there is none.
struct remove_note {
    std::string key;
};
BOOST_DESCRIBE_STRUCT(remove_note, (), (key))

inline constexpr std::string_view memory_kind = "agent_memory";

inline entity_address memory_address(const uuid& organization, const uuid& agent) {
    return {organization, std::string(memory_kind), agent};
}

} // namespace troupe

TROUPE_NAMED(troupe::put_note)
TROUPE_NAMED(troupe::remove_note)
