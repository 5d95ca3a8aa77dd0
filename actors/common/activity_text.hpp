#pragma once

#include "schemas/activity.hpp"

#include <functional>
#include <string>
#include <string_view>

/// Events as lines that people read. Pure.
namespace troupe::actors {

struct activity_event {
    entity_address entity;
    std::uint64_t number = 0; ///< In its entity.
    timestamp at;
    std::string type;
    std::string principal;
    std::string payload; ///< JSON; empty: it is not kept any more, or nobody may see it.
};

/// How an entity is called: "TASK-017 Fix the sums". Empty: it is not there any more.
using name_finder = std::function<std::string(std::string_view kind, std::string_view id)>;

/// Whether it is about people's work, and not about the machinery below it.
bool is_activity(std::string_view kind, std::string_view event_type);

activity_document activity_of(const activity_event& e, const name_finder& name_of);

} // namespace troupe::actors
