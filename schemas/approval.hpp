#pragma once

#include "schemas/base/described.hpp"
#include "schemas/run.hpp"

/// Approvals: what waits for a person. Durable, may wait for weeks.
namespace troupe {

BOOST_DEFINE_ENUM_CLASS(approval_status, pending, approved, denied, answered, withdrawn, expired)
/// approve, deny: of a tool call. answer: of a question. retry, skip: of a step whose outcome is unknown.
BOOST_DEFINE_ENUM_CLASS(decision, approve, deny, answer, retry, skip)
/// For how long a decision is a rule for calls of its kind: in this run, or in all later runs of its agent, too.
BOOST_DEFINE_ENUM_CLASS(remember_scope, run, agent)

/// Who decided what nobody decided in time.
inline constexpr std::string_view expired_by = "expiry";

/// POST /approvals/{id}/decide
struct decide_approval_body {
    troupe::decision decision = troupe::decision::approve;
    std::string answer;                 ///< Of a question; or the reason of a denial, which the model reads.
    std::optional<json::raw> arguments; ///< Edit and continue: the tool's arguments to use instead.
    std::optional<remember_scope> remember = {};
    std::string pattern = {}; ///< With `remember`: of the calls that are meant; empty: calls like this one.
    static constexpr field_rule rules[] = {
        {.name = "decision",
         .required = true,
         .doc = "approve or deny a call, answer a question, retry or skip an unknown step.",
         .example = "\"answer\""},
        {.name = "answer", .max = 100000, .doc = "The answer, or the reason.", .example = "\"Blue.\""},
        {.name = "arguments", .doc = "Arguments to use instead of those that the model gave."},
        {.name = "remember",
         .doc = "With approve or deny: later calls like this one are allowed or denied without asking, in this run, or "
                "in all runs of its agent."},
        {.name = "pattern",
         .max = 1000,
         .doc = "With remember: the calls that are meant, as in the policies of tools: \"git *\" makes the rule "
                "\"run_command(git *)\". Left out: this command, path or address, or these arguments.",
         .example = "\"git *\""}};
};
BOOST_DESCRIBE_STRUCT(decide_approval_body, (), (decision, answer, arguments, remember, pattern))

/// POST /approvals/{id}/delegate
struct delegate_approval_body {
    uuid to;
    static constexpr field_rule rules[] = {
        {.name = "to", .required = true, .doc = "The member who is to decide. Others still may."}};
};
BOOST_DESCRIBE_STRUCT(delegate_approval_body, (), (to))

/// GET /approvals/{id}; GET /approvals?status=pending&run_id=…
struct approval_document {
    uuid id;
    uuid run_id;
    std::string step_key;
    wait_reason reason = wait_reason::approval;
    approval_status status = approval_status::pending;
    std::string text;
    std::string tool;
    json::raw arguments;
    std::optional<std::string> answer;
    std::optional<std::string> decided_by;
    timestamp created_at;
    std::optional<timestamp> decided_at;
    std::optional<uuid> agent_id = {};           ///< Whose run asks.
    std::optional<timestamp> expires_at = {};    ///< When it is decided without a person.
    std::optional<uuid> assigned_to = {};        ///< The member who is to decide.
    std::optional<remember_scope> remember = {}; ///< Of the decision.
    std::optional<std::string> rule = {};        ///< That is remembered, as in the policies of tools.
};
BOOST_DESCRIBE_STRUCT(approval_document, (),
                      (id, run_id, step_key, reason, status, text, tool, arguments, answer, decided_by, created_at,
                       decided_at, agent_id, expires_at, assigned_to, remember, rule))

} // namespace troupe
