#pragma once

#include "schemas/run.hpp"

/// Going back in a run: what its model saw, other ways from any step, two runs side by side, and the proof that its
/// history makes it again.
namespace troupe {

/// POST /runs/{id}/fork
struct fork_run_body {
    std::uint32_t step = 0;
    std::string message;
    std::optional<std::string> goal;
    std::optional<std::string> instructions;
    std::optional<std::string> model;
    std::optional<uuid> project_id;
    std::map<std::string, tool_policy> tools;
    budget limits;
    static constexpr field_rule rules[] = {
        {.name = "step",
         .required = true,
         .doc = "The last step that the new run has in common with this one; 0: none, it begins anew.",
         .example = "2"},
        {.name = "message",
         .max = 100000,
         .doc = "What the model is told then.",
         .example = "\"Do it without changing the tests\""},
        {.name = "goal", .min = 1, .max = 100000, .doc = "Instead of this run's."},
        {.name = "instructions", .max = 100000, .doc = "Instead of this run's."},
        {.name = "model", .max = 200, .doc = "Instead of this run's."},
        {.name = "project_id", .doc = "Instead of this run's: for files as they were then, bring them in a copy."},
        {.name = "tools", .doc = "Policies beside this run's, or instead of those of the same name."},
        {.name = "limits", .doc = "Of the new run alone; those that are left out are this run's."}};
};
BOOST_DESCRIBE_STRUCT(fork_run_body, (), (step, message, goal, instructions, model, project_id, tools, limits))

/// A message of what a model was given.
struct context_entry {
    std::string role; ///< system, user, assistant or tool.
    std::string content;
    std::string reasoning;
    std::vector<json::raw> tool_calls;                   ///< {id, name, arguments}
    std::string tool_name;                               ///< Of a tool's result.
    bool is_error = false;                               ///< Likewise.
    std::optional<std::vector<std::string>> images = {}; ///< Of a user: their media types.
};
BOOST_DESCRIBE_STRUCT(context_entry, (), (role, content, reasoning, tool_calls, tool_name, is_error, images))

/// GET /runs/{id}/steps/{step}/context
struct context_document {
    uuid run_id;
    std::uint32_t step = 0;
    std::string model;
    std::uint32_t output_tokens_max = 0;
    std::vector<context_entry> messages;
    std::vector<std::string> tools; ///< That it could call.
};
BOOST_DESCRIBE_STRUCT(context_document, (), (run_id, step, model, output_tokens_max, messages, tools))

/// same: both did it with the same result; changed: both have it, and differ; shared: the fork began after it.
enum class step_comparison : std::uint8_t { same, changed, left_only, right_only, shared };
BOOST_DESCRIBE_ENUM(step_comparison, same, changed, left_only, right_only, shared)

struct compared_step {
    std::string key;
    step_comparison comparison = step_comparison::same;
    std::vector<std::string> differs; ///< Of a changed one: tool, arguments, content, status.
    std::optional<step_document> left;
    std::optional<step_document> right;
};
BOOST_DESCRIBE_STRUCT(compared_step, (), (key, comparison, differs, left, right))

/// GET /runs/{id}/compare
struct run_comparison {
    run_document left;
    run_document right;
    std::optional<std::string> first_difference; ///< The key of the first step that is not the same.
    std::vector<compared_step> steps;            ///< By key, a page of them.
    std::optional<std::string> next_after;       ///< `after` of the next page.
};
BOOST_DESCRIBE_STRUCT(run_comparison, (), (left, right, first_difference, steps, next_after))

/// Where deciding again gave something else than what is in the journal.
struct replay_divergence {
    std::uint64_t event = 0; ///< Its number in the run's history.
    std::string type;
    json::raw recorded;
    std::string replayed_type; ///< Empty: nothing.
    json::raw replayed;
};
BOOST_DESCRIBE_STRUCT(replay_divergence, (), (event, type, recorded, replayed_type, replayed))

/// GET /runs/{id}/replay: the run was decided again from what models, tools and people had said, without asking any.
struct replay_document {
    uuid run_id;
    bool identical = false; ///< Byte for byte, to its end or to where it is now.
    std::uint64_t events = 0;
    std::uint64_t commands = 0; ///< Decisions that were made again.
    std::uint32_t model_calls = 0;
    std::uint32_t tool_calls = 0;
    std::optional<replay_divergence> divergence;
};
BOOST_DESCRIBE_STRUCT(replay_document, (), (run_id, identical, events, commands, model_calls, tool_calls, divergence))

} // namespace troupe
