#pragma once

#include "schemas/approval.hpp"
#include "schemas/base/described.hpp"

/// Commands to an approval (kind "approval") from a run, which chooses its id.
namespace troupe {

/// Asks a person. The decision comes back as `resolve_approval`. Repeated: nothing changes.
struct open_approval {
    static constexpr int version = 2;
    uuid run_id;
    std::string step_key;
    wait_reason reason = wait_reason::approval; ///< approval, question or unknown_step.
    std::string text;                           ///< For people: the question, the command.
    std::string tool;
    json::raw arguments;
    std::optional<uuid> agent_id = {};        ///< Of the run, if it is one of the product.
    std::optional<timestamp> expires_at = {}; ///< Absent: it waits for as long as it takes.
    expiry_action on_expiry = expiry_action::deny;
};
BOOST_DESCRIBE_STRUCT(open_approval, (),
                      (run_id, step_key, reason, text, tool, arguments, agent_id, expires_at, on_expiry))

/// The run ended: there is nothing left to decide. After a decision: nothing changes.
struct withdraw_approval {
    std::string reason;
};
BOOST_DESCRIBE_STRUCT(withdraw_approval, (), (reason))

} // namespace troupe

TROUPE_NAMED(troupe::open_approval)
TROUPE_NAMED(troupe::withdraw_approval)
