#pragma once

#include "schemas/agent.hpp"
#include "schemas/base/described.hpp"

/// Runs: the durable agent loop. Each step is an intent before and an outcome after it.
namespace troupe {

BOOST_DEFINE_ENUM_CLASS(run_status, queued, running, waiting, succeeded, failed, cancelled)
/// model: a model call. tool: a tool call. Both may need several attempts.
BOOST_DEFINE_ENUM_CLASS(step_type, model, tool)
/// asked: waits for a person. skipped: a person or a policy decided that it is not to be repeated.
BOOST_DEFINE_ENUM_CLASS(step_status, started, succeeded, failed, unknown, asked, denied, skipped)
/// Why a run waits. back_off: until a provider may be asked again.
BOOST_DEFINE_ENUM_CLASS(wait_reason, approval, question, unknown_step, back_off)

/// A picture that a model is given; the bytes are a blob.
struct run_image {
    std::string media_type; ///< "image/png"
    std::string blob;
    std::uint64_t bytes = 0;
};
BOOST_DESCRIBE_STRUCT(run_image, (), (media_type, blob, bytes))

inline constexpr std::size_t run_images_max = 16; ///< Of a run, with those of its conversation.
inline constexpr std::size_t image_bytes_max = 5 << 20;

// ---- API bodies

/// A picture as it is given.
struct image_body {
    std::string data;
    static constexpr field_rule rules[] = {{.name = "data",
                                            .required = true,
                                            .min = 1,
                                            .max = 8'000'000,
                                            .doc = "Base64 of a PNG, JPEG, GIF or WebP of at most 5 MB.",
                                            .example = "\"iVBORw0KGgo=\""}};
};
BOOST_DESCRIBE_STRUCT(image_body, (), (data))

/// POST /runs
struct create_run_body {
    std::string goal;
    std::optional<uuid> project_id;
    std::optional<uuid> agent_id; ///< Takes instructions, model, tools and limits from the agent.
    std::string instructions;     ///< Without an agent.
    std::string model;            ///< Overrides the agent's; empty: the node's default.
    std::map<std::string, tool_policy> tools;
    budget limits;
    std::optional<unknown_policy> on_unknown;
    std::optional<std::string> kind;        ///< Without an agent: what kind of one works on it; "custom" by default.
    std::optional<json::raw> parameters;    ///< As the kind takes them.
    std::optional<json::raw> result_schema; ///< Of the output; otherwise the kind's.
    std::optional<approval_terms> approvals;
    std::optional<std::vector<image_body>> images;
    static constexpr field_rule rules[] = {
        {.name = "goal",
         .required = true,
         .min = 1,
         .max = 100000,
         .doc = "What the run is to reach.",
         .example = "\"Make the tests pass\""},
        {.name = "project_id", .doc = "The project whose files it works on."},
        {.name = "agent_id", .doc = "The agent whose settings apply."},
        {.name = "instructions", .max = 100000, .doc = "System prompt, without an agent."},
        {.name = "tools", .max = 100, .doc = tool_rules_doc, .example = "{\"run_command(git *)\":\"allow\"}"},
        {.name = "model",
         .max = 200,
         .doc = "Model to use: rehearsal, rehearsal:FILE, PROVIDER/NAME, route:NAME or cassette:NAME.",
         .example = "\"rehearsal\""},
        {.name = "kind", .min = 1, .max = 64, .doc = "Kind of agent, without an agent. See GET /agent-kinds."},
        {.name = "parameters", .doc = "An object, as the kind takes it.", .example = "{}"},
        {.name = "result_schema",
         .doc = "JSON Schema of the object that the run has to give as its output, without patterns.",
         .example = R"({"type":"object","properties":{"answer":{"type":"string"}},"required":["answer"]})"},
        {.name = "images", .max = run_images_max, .doc = "What its model is to look at, beside the goal."}};
};
BOOST_DESCRIBE_STRUCT(create_run_body, (),
                      (goal, project_id, agent_id, instructions, model, tools, limits, on_unknown, kind, parameters,
                       result_schema, approvals, images))

/// POST /runs/{id}/cancel
struct cancel_run_body {
    std::string reason;
    static constexpr field_rule rules[] = {
        {.name = "reason", .max = 1000, .doc = "For the history.", .example = "\"no longer needed\""}};
};
BOOST_DESCRIBE_STRUCT(cancel_run_body, (), (reason))

// ---- documents

/// What a run waits for, and who can end it.
struct waiting_for {
    wait_reason reason = wait_reason::approval;
    std::optional<uuid> approval_id; ///< Answer it with POST /approvals/{id}/decide.
    std::string text;                ///< For people: the question, the command to approve, the provider's problem.
    std::optional<timestamp> until;  ///< Of a back-off; of what people do not decide in time.
    std::string code = {};           ///< Of a back-off: the problem's code, as "model_rate_limited".
    std::uint32_t attempt = 0;       ///< Of a back-off: attempts so far.
};
BOOST_DESCRIBE_STRUCT(waiting_for, (), (reason, approval_id, text, until, code, attempt))

/// Where a run began with the past of another one.
struct fork_source {
    uuid run_id;
    std::uint32_t step = 0; ///< The last one that they have in common.
};
BOOST_DESCRIBE_STRUCT(fork_source, (), (run_id, step))

/// GET /runs/{id}
struct run_document {
    uuid id;
    std::string goal;
    run_status status = run_status::queued;
    std::optional<uuid> project_id;
    std::optional<uuid> agent_id;
    std::optional<uuid> task_id;
    std::optional<fork_source> forked_from;
    std::string model;
    std::uint32_t step = 0; ///< Model calls so far; a fork goes on counting where it began.
    budget limits;
    budget used; ///< Its own, and that of the runs that it started and that have ended.
    std::vector<waiting_for> waiting;
    std::optional<std::string> result; ///< The answer (`finish`).
    std::optional<std::string> error;  ///< Why it failed or was cancelled.
    std::uint64_t version_before = 0;  ///< The project's version when the run began: the base of its diff.
    std::string created_by;
    timestamp created_at;
    std::optional<timestamp> started_at;
    std::optional<timestamp> finished_at;
    timestamp updated_at;
    std::optional<std::string> kind;                   ///< Of the agent that works on it. None: custom.
    std::optional<json::raw> parameters = {};          ///< As they were given.
    std::optional<json::raw> result_schema = {};       ///< That the output fits when it succeeded.
    std::optional<json::raw> output = {};              ///< The structured part of the result (`finish`).
    std::optional<uuid> parent_run_id = {};            ///< The run that started it for a part of its work.
    std::optional<std::vector<run_image>> images = {}; ///< Beside the goal.
};
BOOST_DESCRIBE_STRUCT(run_document, (),
                      (id, goal, status, project_id, agent_id, task_id, forked_from, model, step, limits, used, waiting,
                       result, error, version_before, created_by, created_at, started_at, finished_at, updated_at, kind,
                       parameters, result_schema, output, parent_run_id, images))

/// An item of GET /runs/{id}/steps, oldest first. Key: step and call ("00003.001"; a model call is call 0).
struct step_document {
    std::string key;
    std::uint32_t step = 0;
    std::uint32_t call = 0;
    step_type type = step_type::model;
    step_status status = step_status::started;
    std::uint32_t attempt = 1;
    std::string tool;    ///< Of a tool call.
    json::raw arguments; ///< Of a tool call.
    std::string content; ///< The model's text, or the tool's result, shortened for display.
    json::raw details;   ///< exit_code, diff, … of a tool call; `route` (a `route_choice`) of a model call.
    std::uint64_t input_tokens = 0;
    std::uint64_t output_tokens = 0;
    std::optional<std::string> error;
    timestamp started_at;
    std::optional<timestamp> finished_at;
    std::optional<std::string> rule = {};  ///< Of a person, by which a call was allowed without asking.
    std::optional<uuid> child_run_id = {}; ///< The run that does the call.
};
BOOST_DESCRIBE_STRUCT(step_document, (),
                      (key, step, call, type, status, attempt, tool, arguments, content, details, input_tokens,
                       output_tokens, error, started_at, finished_at, rule, child_run_id))

/// Live only, channel runs/{id}, kind "token": text of the model call in flight. `offset` counts bytes, so that a
/// reader can resume; the past of the call in flight is given first to late joiners.
struct token_data {
    std::uint32_t step = 0;
    std::uint32_t attempt = 1;
    std::uint64_t offset = 0;
    std::string text;
};
BOOST_DESCRIBE_STRUCT(token_data, (), (step, attempt, offset, text))

/// Live only, channel runs/{id}, kind "output": what a command prints.
struct output_data {
    std::uint32_t step = 0;
    std::uint32_t call = 0;
    std::string stream; ///< "stdout" or "stderr"
    std::string text;
};
BOOST_DESCRIBE_STRUCT(output_data, (), (step, call, stream, text))

} // namespace troupe
