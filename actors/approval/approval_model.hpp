#pragma once

#include "actors/approval/approval_v1.hpp"
#include "actors/common/debts.hpp"
#include "actors/common/upcast.hpp"
#include "runtime/entity/entity.hpp"
#include "schemas/approval_messages.hpp"
#include "schemas/base/described.hpp"

#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// An approval: opened by a run, decided once by a person, or by its terms when nobody did in time; told to the run
/// until it has heard. Pure.
namespace troupe::actors {

/// Command of a person; the body of POST /approvals/{id}/decide.
struct decide_approval : decide_approval_body {
    static constexpr int version = 2;
};
BOOST_DESCRIBE_STRUCT(decide_approval, (decide_approval_body), ())

/// Command of a person; the body of POST /approvals/{id}/delegate. Whoever it is has to be a member: the route sees to
/// it.
struct delegate_approval : delegate_approval_body {};
BOOST_DESCRIBE_STRUCT(delegate_approval, (delegate_approval_body), ())

/// Timer: nobody decided in time.
struct expire_approval {};
BOOST_DESCRIBE_STRUCT(expire_approval, (), ())

struct approval_opened {
    static constexpr int version = 2;
    using previous = v1::approval_opened;
    uuid organization;
    open_approval request;
};
BOOST_DESCRIBE_STRUCT(approval_opened, (), (organization, request))

struct approval_decided {
    static constexpr int version = 2;
    using previous = v1::approval_decided;
    troupe::decision decision = troupe::decision::approve;
    std::string answer;
    std::optional<json::raw> arguments;
    std::string by;
    std::optional<remember_scope> remember;
    std::string rule; ///< That is remembered.
};
BOOST_DESCRIBE_STRUCT(approval_decided, (), (decision, answer, arguments, by, remember, rule))

struct approval_delegated {
    uuid to;
    std::string by;
};
BOOST_DESCRIBE_STRUCT(approval_delegated, (), (to, by))

/// What the terms say is done without a person.
struct approval_expired {
    troupe::decision decision = troupe::decision::deny;
    std::string answer; ///< What the model reads.
};
BOOST_DESCRIBE_STRUCT(approval_expired, (), (decision, answer))

struct approval_withdrawn {
    std::string reason;
};
BOOST_DESCRIBE_STRUCT(approval_withdrawn, (), (reason))

struct approval_state {
    static constexpr int version = 2;
    using previous = v1::approval_state;
    uuid id;
    uuid organization;
    open_approval request;
    approval_status status = approval_status::pending;
    std::optional<approval_decided> decision;
    timestamp created_at;
    std::optional<timestamp> decided_at; ///< Also of a withdrawal.
    debts owed;
    std::optional<uuid> assigned_to;
};
BOOST_DESCRIBE_STRUCT(approval_state, (),
                      (id, organization, request, status, decision, created_at, decided_at, owed, assigned_to))

namespace v1 {

inline auto upcast(const approval_opened& old) { return with_defaults<troupe::actors::approval_opened>(old); }
inline auto upcast(const approval_decided& old) { return with_defaults<troupe::actors::approval_decided>(old); }
inline auto upcast(const approval_state& old) { return with_defaults<troupe::actors::approval_state>(old); }

} // namespace v1

} // namespace troupe::actors

TROUPE_NAMED(troupe::actors::decide_approval)
TROUPE_NAMED(troupe::actors::delegate_approval)
TROUPE_NAMED(troupe::actors::expire_approval)
TROUPE_NAMED(troupe::actors::approval_delegated)
TROUPE_NAMED(troupe::actors::approval_expired)
TROUPE_NAMED(troupe::actors::approval_opened)
TROUPE_NAMED(troupe::actors::approval_decided)
TROUPE_NAMED(troupe::actors::approval_withdrawn)

namespace troupe::actors {

struct approval_model {
    static constexpr std::string_view kind = "approval";
    using state = approval_state;
    using command = std::variant<open_approval, decide_approval, delegate_approval, expire_approval, withdraw_approval,
                                 debt_settled>;
    using event = std::variant<approval_opened, approval_decided, approval_delegated, approval_expired,
                               approval_withdrawn, debt_cleared>;

    static expected<std::vector<event>> decide(const state&, const command&, const runtime::context&);
    static state apply(state, const event&, const runtime::event_context&);
    static std::vector<runtime::effect> resume(const state&);
    static runtime::entity_view view(const state&, const runtime::view_context&);
};

} // namespace troupe::actors
