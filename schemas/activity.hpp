#pragma once

#include "schemas/base/clock.hpp"
#include "schemas/base/described.hpp"
#include "schemas/base/ids.hpp"

#include <optional>
#include <string>

/// What happens in an organization, as lines that people read.
namespace troupe {

/// agent_execution: an agent works. workflow_start: a workflow began. user_action: a person or a key did it.
/// system_event: everything else.
BOOST_DEFINE_ENUM_CLASS(activity_type, agent_execution, workflow_start, user_action, system_event)
BOOST_DEFINE_ENUM_CLASS(activity_severity, info, warning, error)

/// An item of GET /activities.
struct activity_document {
    std::string id; ///< "task/018f…/7": its entity, and the number of the event there.
    timestamp at;
    activity_type type = activity_type::system_event;
    std::string event_type; ///< "task_moved"
    activity_severity severity = activity_severity::info;
    std::string text;  ///< "ada moved TASK-017 Fix the sums from inbox to done"
    std::string actor; ///< `user/…`, `key/…`, `agent/…`, `run/…`, `node`.
    std::string kind;  ///< Of the entity to which it happened.
    uuid entity_id;
    std::optional<uuid> task_id;
    std::optional<uuid> agent_id;
    std::optional<json::raw> metadata; ///< The event itself, while its history is kept.
};
BOOST_DESCRIBE_STRUCT(activity_document, (),
                      (id, at, type, event_type, severity, text, actor, kind, entity_id, task_id, agent_id, metadata))

} // namespace troupe
