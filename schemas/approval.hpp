#pragma once

#include "schemas/base/described.hpp"
#include "schemas/run.hpp"

/// Approvals: what waits for a person. Durable, may wait for weeks.
namespace troupe {

BOOST_DEFINE_ENUM_CLASS(approval_status, pending, approved, denied, answered, withdrawn)
/// approve, deny: of a tool call. answer: of a question. retry, skip: of a step whose outcome is unknown.
BOOST_DEFINE_ENUM_CLASS(decision, approve, deny, answer, retry, skip)

/// POST /approvals/{id}/decide
struct decide_approval_body {
    troupe::decision decision = troupe::decision::approve;
    std::string answer;                 ///< Of a question; or the reason of a denial, which the model reads.
    std::optional<json::raw> arguments; ///< Edit and continue: the tool's arguments to use instead.
    static constexpr field_rule rules[] = {
        {.name = "decision",
         .required = true,
         .doc = "approve or deny a call, answer a question, retry or skip an unknown step.",
         .example = "\"answer\""},
        {.name = "answer", .max = 100000, .doc = "The answer, or the reason.", .example = "\"Blue.\""},
        {.name = "arguments", .doc = "Arguments to use instead of those that the model gave."}};
};
BOOST_DESCRIBE_STRUCT(decide_approval_body, (), (decision, answer, arguments))

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
};
BOOST_DESCRIBE_STRUCT(approval_document, (),
                      (id, run_id, step_key, reason, status, text, tool, arguments, answer, decided_by, created_at,
                       decided_at))

} // namespace troupe
