#pragma once

#include "actors/chat/chat_model.hpp"
#include "actors/compliance/compliance_model.hpp"
#include "actors/erasure/erasure_model.hpp"
#include "actors/goal/goal_model.hpp"
#include "actors/mcp/installation_model.hpp"
#include "actors/mcp/mcp_usage_model.hpp"
#include "actors/notification/inbox_model.hpp"
#include "actors/run/run_model.hpp"
#include "actors/secret/keyring_model.hpp"
#include "actors/task/task_model.hpp"
#include "runtime/entity/kind.hpp"
#include "runtime/services.hpp"

namespace troupe::actors {

/// What kinds do outside of their entities. Without (for rebuilds of views) they do nothing.
struct kind_performers {
    runtime::performer_of<run_model> run = {};
    runtime::performer_of<keyring_model> keyring = {};
    runtime::performer_of<compliance_model> compliance = {};
    runtime::performer_of<erasure_model> erasure = {};
    runtime::performer_of<task_model> task = {};
    runtime::performer_of<goal_model> goal = {};
    runtime::performer_of<installation_model> installation = {};
    runtime::performer_of<inbox_model> inbox = {};
    runtime::performer_of<chat_model> chat = {};
};

/// Every entity kind of the product.
runtime::kind_registry entity_kinds(kind_performers perform);

/// What has to be done with stored contents before a node starts: rows of older versions are sealed, and what a kill or
/// a restore left of an erasure goes.
expected<void> prepare_contents(const runtime::services& s, const runtime::kind_registry& kinds);

} // namespace troupe::actors
