#pragma once

#include "schemas/base/described.hpp"

/// Agents: who works. Configuration, and a durable queue of tasks.
namespace troupe {

BOOST_DEFINE_ENUM_CLASS(agent_status, idle, busy, blocked, error, offline)
BOOST_DEFINE_ENUM_CLASS(tool_policy, allow, ask, deny)
/// What a run does with a step of which nobody knows whether it happened.
BOOST_DEFINE_ENUM_CLASS(unknown_policy, ask, retry, skip)
BOOST_DEFINE_ENUM_CLASS(task_priority, low, medium, high, urgent)

/// How `tools` are written, wherever they are.
inline constexpr std::string_view tool_rules_doc =
    "By tool (\"run_command\"), permission (\"execute\") or \"*\", for some calls with a pattern (\"run_command(git "
    "*)\", \"write(src/**)\"): allow, ask or deny. The most specific one decides, of two alike the stricter.";

/// What a run may use up; 0: the default of the node.
struct budget {
    std::uint32_t steps = 0;      ///< Model calls.
    std::uint64_t tokens = 0;     ///< Input and output.
    std::int64_t cost_micros = 0; ///< Micro-units of the currency of the price table.
    std::int64_t time_ms = 0;     ///< From start to end, without waits for people.
    static constexpr field_rule rules[] = {{.name = "steps", .max = 10000, .doc = "Model calls."},
                                           {.name = "tokens", .doc = "Input and output tokens."},
                                           {.name = "cost_micros", .min = 0, .doc = "Millionths of the currency unit."},
                                           {.name = "time_ms", .min = 0, .doc = "Working time in milliseconds."}};
};
BOOST_DESCRIBE_STRUCT(budget, (), (steps, tokens, cost_micros, time_ms))

/// What becomes of an approval that nobody decided in time. approve: only of a call that may be made; else as deny.
BOOST_DEFINE_ENUM_CLASS(expiry_action, deny, approve, fail)

/// How long people may take to decide or answer.
struct approval_terms {
    std::int64_t expires_after_ms = 0; ///< 0: it waits for as long as it takes.
    expiry_action on_expiry = expiry_action::deny;
    static constexpr field_rule rules[] = {
        {.name = "expires_after_ms",
         .min = 0,
         .doc = "Milliseconds; 0: for as long as it takes.",
         .example = "86400000"},
        {.name = "on_expiry",
         .doc = "deny: the model is told that nobody decided, and goes on. approve: the call is made. fail: the run "
                "ends."}};
};
BOOST_DESCRIBE_STRUCT(approval_terms, (), (expires_after_ms, on_expiry))

/// What the runs of an agent may use up in a day (UTC), all together; 0: no limit.
struct daily_limits {
    std::uint64_t tokens = 0;     ///< Input and output.
    std::int64_t cost_micros = 0; ///< As of a `budget`.
    static constexpr field_rule rules[] = {
        {.name = "tokens", .doc = "Input and output tokens. 0: no limit."},
        {.name = "cost_micros", .min = 0, .doc = "Millionths of the currency unit. 0: no limit."}};
};
BOOST_DESCRIBE_STRUCT(daily_limits, (), (tokens, cost_micros))

/// When an agent has to show that it is there.
struct heartbeat_terms {
    std::int64_t interval_ms = 0;  ///< 0: never.
    bool external = false;         ///< Who works for it outside beats: POST /agents/{id}/heartbeat. Else the node does.
    std::uint32_t missed_max = 3;  ///< So many in a row, and it is in error: what waits for it goes to others.
    std::string instructions = {}; ///< What it does at each, as a run of its own. Empty: only what is in its queue.
    static constexpr field_rule rules[] = {
        {.name = "interval_ms",
         .min = 0,
         .max = 7LL * 24 * 3600 * 1000,
         .doc = "Milliseconds, 1000 or more; 0: never.",
         .example = "30000"},
        {.name = "external",
         .doc =
             "Its program beats with POST /agents/{id}/heartbeat, and missed beats are noticed. Else the node does."},
        {.name = "missed_max", .min = 1, .max = 1000, .doc = "So many missed in a row put it in error."},
        {.name = "instructions",
         .max = 10000,
         .doc = "What it does at each heartbeat while it has nothing else to do. Empty: only what is in its queue.",
         .example = "\"Look whether a task waits for an answer, and say what holds you up.\""}};
};
BOOST_DESCRIBE_STRUCT(heartbeat_terms, (), (interval_ms, external, missed_max, instructions))

/// How often a task that fails is tried again by its agent.
struct retry_terms {
    std::uint32_t attempts = 1;       ///< All together.
    std::int64_t backoff_ms = 10'000; ///< Before the second; doubled for each further one, up to an hour.
    static constexpr field_rule rules[] = {
        {.name = "attempts", .min = 1, .max = 20, .doc = "How often it is tried, all together.", .example = "3"},
        {.name = "backoff_ms",
         .min = 0,
         .max = 3600LL * 1000,
         .doc = "Milliseconds before the second attempt; doubled for each further one, up to an hour."}};
};
BOOST_DESCRIBE_STRUCT(retry_terms, (), (attempts, backoff_ms))

/// Of `queue_timeout_ms`, wherever it stands.
inline constexpr field_rule queue_timeout_rule{
    .name = "queue_timeout_ms",
    .min = 0,
    .max = 30LL * 24 * 3600 * 1000,
    .doc = "A task that waited so long in its queue goes to another agent that can do it, else to the inbox. 0: it "
           "waits for as long as it takes.",
    .example = "3600000"};

/// How an agent works. The same members in bodies, events and documents.
struct agent_settings {
    std::string name;
    std::string kind = "custom";
    std::string role;
    std::vector<std::string> capabilities;
    std::string instructions;
    std::string model; ///< "" = the node's default; "rehearsal", "rehearsal:FILE", "openai/gpt-…".
    std::map<std::string, tool_policy> tools; ///< By tool name; what is not named is allowed, except as the node says.
    budget limits;
    std::uint32_t max_concurrent_tasks = 1;
    unknown_policy on_unknown = unknown_policy::ask;
    json::raw custom_parameters;
    std::optional<approval_terms> approvals;
    std::optional<daily_limits> limits_per_day; ///< Of runs that begin from now on.
    std::optional<heartbeat_terms> heartbeat = {};
    std::optional<retry_terms> retry = {};
    std::optional<std::int64_t> queue_timeout_ms = {};
    static constexpr field_rule rules[] = {
        queue_timeout_rule,
        {.name = "name",
         .required = true,
         .min = 1,
         .max = 100,
         .doc = "Unique in the organization.",
         .example = "\"scout\""},
        {.name = "kind", .min = 1, .max = 64, .doc = "Agent kind: one of GET /agent-kinds, or any other name."},
        {.name = "role", .max = 100, .doc = "Role, as in the session key agent:<role>:<instance>."},
        {.name = "capabilities", .max = 100, .doc = "What it can do, for assignment.", .example = "[\"python\"]"},
        {.name = "instructions",
         .max = 100000,
         .doc = "System prompt.",
         .example = "\"Work in small steps and run the tests after each.\""},
        {.name = "model", .max = 200, .doc = "Model to use; empty for the node's default."},
        {.name = "tools", .max = 100, .doc = tool_rules_doc},
        {.name = "max_concurrent_tasks", .min = 1, .max = 100, .doc = "Tasks at the same time."},
        {.name = "on_unknown", .doc = "What to do with a step that may or may not have happened."},
        {.name = "limits_per_day",
         .doc = "What its runs may use in a day (UTC), all together. Counts for runs that begin from then on.",
         .example = R"({"cost_micros":2000000})"}};
};
BOOST_DESCRIBE_STRUCT(agent_settings, (),
                      (name, kind, role, capabilities, instructions, model, tools, limits, max_concurrent_tasks,
                       on_unknown, custom_parameters, approvals, limits_per_day, heartbeat, retry, queue_timeout_ms))

/// PUT and PATCH /agents/{id}: what is given is replaced.
struct update_agent_body {
    std::optional<std::string> name;
    std::optional<std::string> kind;
    std::optional<std::string> role;
    std::optional<std::vector<std::string>> capabilities;
    std::optional<std::string> instructions;
    std::optional<std::string> model;
    std::optional<std::map<std::string, tool_policy>> tools;
    std::optional<budget> limits;
    std::optional<std::uint32_t> max_concurrent_tasks;
    std::optional<unknown_policy> on_unknown;
    std::optional<json::raw> custom_parameters;
    std::optional<approval_terms> approvals;
    std::optional<daily_limits> limits_per_day; ///< Of runs that begin from now on.
    std::optional<heartbeat_terms> heartbeat = {};
    std::optional<retry_terms> retry = {};
    std::optional<std::int64_t> queue_timeout_ms = {};
    static constexpr field_rule rules[] = {
        queue_timeout_rule,
        {.name = "name", .min = 1, .max = 100, .doc = "Unique in the organization."},
        {.name = "kind", .min = 1, .max = 64, .doc = "Agent kind."},
        {.name = "role",
         .max = 100,
         .doc = "Role, as in the session key agent:<role>:<instance>.",
         .example = "\"reviewer\""},
        {.name = "capabilities", .doc = "What it can do, for assignment."},
        {.name = "instructions", .max = 100000, .doc = "System prompt."},
        {.name = "model", .max = 200, .doc = "Model to use; empty for the node's default."},
        {.name = "tools", .doc = tool_rules_doc},
        {.name = "max_concurrent_tasks", .min = 1, .max = 100, .doc = "Tasks at the same time."},
        {.name = "on_unknown", .doc = "What to do with a step that may or may not have happened."},
        {.name = "limits_per_day",
         .doc = "What its runs may use in a day (UTC), all together. Counts for runs that begin from then on.",
         .example = R"({"cost_micros":2000000})"}};
};
BOOST_DESCRIBE_STRUCT(update_agent_body, (),
                      (name, kind, role, capabilities, instructions, model, tools, limits, max_concurrent_tasks,
                       on_unknown, custom_parameters, approvals, limits_per_day, heartbeat, retry, queue_timeout_ms))

/// An item of GET /agent-kinds.
struct agent_kind_document {
    std::string name;
    std::string description;
    std::string instructions;                   ///< What its model is told before the agent's own.
    std::vector<std::string> tools;             ///< That other kinds do not have by themselves.
    std::optional<json::raw> parameters_schema; ///< Of a task's or a run's parameters. Absent: any object.
    std::optional<json::raw> result_schema;     ///< Of the output. Absent: any object, or none.
    std::vector<std::string> verified_by;       ///< Tools of which one has to verify what was changed.
    bool rehearsal = false;                     ///< It does something without a language model, too.
};
BOOST_DESCRIBE_STRUCT(agent_kind_document, (),
                      (name, description, instructions, tools, parameters_schema, result_schema, verified_by,
                       rehearsal))

/// GET /agents/{id}
struct agent_document {
    uuid id;
    std::string session_key;
    agent_settings settings;
    agent_status status = agent_status::idle;
    bool paused = false;
    std::vector<uuid> running; ///< Tasks in work.
    std::vector<uuid> queued;  ///< Tasks that wait, in the order in which they will start.
    std::uint64_t completed = 0;
    std::uint64_t failed = 0;
    std::string created_by;
    timestamp created_at;
    timestamp updated_at;
    std::optional<timestamp> heartbeat_at;
    std::optional<std::string> error;                    ///< Why the status is `error`, and what to do.
    std::optional<timestamp> heartbeat_due = {};         ///< The next one, where it has an interval.
    std::optional<std::uint64_t> heartbeats = {};        ///< So far.
    std::optional<std::uint32_t> heartbeats_missed = {}; ///< In a row.
};
BOOST_DESCRIBE_STRUCT(agent_document, (),
                      (id, session_key, settings, status, paused, running, queued, completed, failed, created_by,
                       created_at, updated_at, heartbeat_at, error, heartbeat_due, heartbeats, heartbeats_missed))

} // namespace troupe
