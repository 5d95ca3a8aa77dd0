#pragma once

#include "actors/common/debts.hpp"
#include "schemas/approval.hpp"

#include <optional>
#include <string>

/// What approvals stored once: without an end, rules and delegation. Never changes.
namespace troupe::actors::v1 {

BOOST_DEFINE_ENUM_CLASS(approval_status, pending, approved, denied, answered, withdrawn)

struct open_approval {
    uuid run_id;
    std::string step_key;
    wait_reason reason = wait_reason::approval;
    std::string text;
    std::string tool;
    json::raw arguments;
};
BOOST_DESCRIBE_STRUCT(open_approval, (), (run_id, step_key, reason, text, tool, arguments))

struct approval_opened {
    uuid organization;
    open_approval request;
};
BOOST_DESCRIBE_STRUCT(approval_opened, (), (organization, request))

struct approval_decided {
    troupe::decision decision = troupe::decision::approve;
    std::string answer;
    std::optional<json::raw> arguments;
    std::string by;
};
BOOST_DESCRIBE_STRUCT(approval_decided, (), (decision, answer, arguments, by))

struct approval_state {
    static constexpr int version = 1;
    uuid id;
    uuid organization;
    open_approval request;
    approval_status status = approval_status::pending;
    std::optional<approval_decided> decision;
    timestamp created_at;
    std::optional<timestamp> decided_at;
    debts owed;
};
BOOST_DESCRIBE_STRUCT(approval_state, (), (id, organization, request, status, decision, created_at, decided_at, owed))

} // namespace troupe::actors::v1
