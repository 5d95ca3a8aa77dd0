#pragma once

#include "actors/common/debts.hpp"
#include "runtime/entity/entity.hpp"
#include "schemas/approval_messages.hpp"
#include "schemas/base/described.hpp"

#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// An approval: opened by a run, decided once by a person, told to the run until it has heard. Pure.
namespace troupe::actors {

/// Command of a person; the body of POST /approvals/{id}/decide.
struct decide_approval : decide_approval_body {};
BOOST_DESCRIBE_STRUCT(decide_approval, (decide_approval_body), ())

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

struct approval_withdrawn {
    std::string reason;
};
BOOST_DESCRIBE_STRUCT(approval_withdrawn, (), (reason))

struct approval_state {
    static constexpr int version = 1;
    uuid id;
    uuid organization;
    open_approval request;
    approval_status status = approval_status::pending;
    std::optional<approval_decided> decision;
    timestamp created_at;
    std::optional<timestamp> decided_at; ///< Also of a withdrawal.
    debts owed;
};
BOOST_DESCRIBE_STRUCT(approval_state, (), (id, organization, request, status, decision, created_at, decided_at, owed))

} // namespace troupe::actors

TROUPE_NAMED(troupe::actors::decide_approval)
TROUPE_NAMED(troupe::actors::approval_opened)
TROUPE_NAMED(troupe::actors::approval_decided)
TROUPE_NAMED(troupe::actors::approval_withdrawn)

namespace troupe::actors {

struct approval_model {
    static constexpr std::string_view kind = "approval";
    using state = approval_state;
    using command = std::variant<open_approval, decide_approval, withdraw_approval, debt_settled>;
    using event = std::variant<approval_opened, approval_decided, approval_withdrawn, debt_cleared>;

    static expected<std::vector<event>> decide(const state&, const command&, const runtime::context&);
    static state apply(state, const event&, const runtime::event_context&);
    static std::vector<runtime::effect> resume(const state&);
    static runtime::entity_view view(const state&, const runtime::view_context&);
};

} // namespace troupe::actors
