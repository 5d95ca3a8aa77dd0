#pragma once

#include "actors/common/debts.hpp"
#include "actors/common/upcast.hpp"
#include "actors/run/run_commands.hpp"
#include "actors/run/run_created_versions.hpp"
#include "actors/run/run_parts.hpp"
#include "schemas/agent_messages.hpp"
#include "schemas/approval.hpp"
#include "schemas/base/described.hpp"
#include "schemas/run.hpp"
#include "schemas/run_messages.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

/// The history of a run, as it is stored and as it is shown live. Each event holds only what it adds: the context of a
/// model call is never written, so that a run of many calls grows linearly.
namespace troupe::actors {

struct run_created : create_run {
    static constexpr int version = 4;
    using previous = v3::run_created;
    uuid organization;
};
BOOST_DESCRIBE_STRUCT(run_created, (create_run), (organization))

namespace v3 {

inline auto upcast(const run_created& old) { return with_defaults<troupe::actors::run_created>(old); }

} // namespace v3

/// Beside `run_created`: where its past comes from.
struct run_forked {
    uuid run_id;
    std::uint32_t step = 0;
    std::string message;
};
BOOST_DESCRIBE_STRUCT(run_forked, (), (run_id, step, message))

namespace v1 {

struct context_given {
    std::uint32_t step = 0;
    std::vector<v2::context_message> messages;
};
BOOST_DESCRIBE_STRUCT(context_given, (), (step, messages))

} // namespace v1

/// A part of that past: messages that the model is given before its own first reply.
struct context_given {
    static constexpr int version = 2;
    using previous = v1::context_given;
    std::uint32_t step = 0; ///< After which the run goes on.
    std::vector<context_message> messages;
};
BOOST_DESCRIBE_STRUCT(context_given, (), (step, messages))

namespace v1 {

inline auto upcast(const context_given& old) { return with_defaults<troupe::actors::context_given>(old); }

struct run_started {
    std::string model;
    std::uint64_t version_before = 0;
    budget limits;
    model_price price;
};
BOOST_DESCRIBE_STRUCT(run_started, (), (model, version_before, limits, price))

} // namespace v1

struct run_started {
    static constexpr int version = 2;
    using previous = v1::run_started;
    std::string model;
    std::uint64_t version_before = 0;
    budget limits; ///< In force; 0: no limit.
    model_price price;
    std::map<std::string, tool_policy> tool_rules = {}; ///< Of the organization, as they were.
};
BOOST_DESCRIBE_STRUCT(run_started, (), (model, version_before, limits, price, tool_rules))

namespace v1 {

inline auto upcast(const run_started& old) { return with_defaults<troupe::actors::run_started>(old); }

} // namespace v1

/// Intent. Tokens and money are reserved from here until the outcome.
struct model_call_started {
    std::uint32_t step = 0;
    std::uint32_t attempt = 0;
    std::uint64_t reserved_tokens = 0; ///< `output_tokens_max` is part of it.
    std::uint32_t output_tokens_max = 0;
    std::int64_t reserved_cost_micros = 0;
};
BOOST_DESCRIBE_STRUCT(model_call_started, (), (step, attempt, reserved_tokens, output_tokens_max, reserved_cost_micros))

/// The request is about to leave: from here on it may have been charged.
struct model_call_sent {
    std::uint32_t step = 0;
    std::uint32_t attempt = 0;
};
BOOST_DESCRIBE_STRUCT(model_call_sent, (), (step, attempt))

namespace v1 {

struct model_call_finished {
    std::uint32_t step = 0;
    std::uint32_t attempt = 0;
    std::string content;
    std::string reasoning;
    std::vector<asked_call> tool_calls;
    std::uint64_t input_tokens = 0;
    std::uint64_t output_tokens = 0;
    std::int64_t cost_micros = 0;
    reply_end finish = reply_end::stop;
    std::string model;
};
BOOST_DESCRIBE_STRUCT(model_call_finished, (),
                      (step, attempt, content, reasoning, tool_calls, input_tokens, output_tokens, cost_micros, finish,
                       model))

} // namespace v1

namespace v2 {

struct model_call_finished {
    static constexpr int version = 2;
    using previous = v1::model_call_finished;
    std::uint32_t step = 0;
    std::uint32_t attempt = 0;
    std::string content;
    std::string reasoning;
    std::vector<asked_call> tool_calls;
    std::uint64_t input_tokens = 0;
    std::uint64_t output_tokens = 0;
    std::int64_t cost_micros = 0;
    reply_end finish = reply_end::stop;
    std::string model;
    std::string reasoning_state = {};
    std::string provider = {};
    std::uint64_t cached_tokens = 0;
    std::uint64_t reasoning_tokens = 0;
};
BOOST_DESCRIBE_STRUCT(model_call_finished, (),
                      (step, attempt, content, reasoning, tool_calls, input_tokens, output_tokens, cost_micros, finish,
                       model, reasoning_state, provider, cached_tokens, reasoning_tokens))

} // namespace v2

struct model_call_finished {
    static constexpr int version = 3;
    using previous = v2::model_call_finished;
    std::uint32_t step = 0;
    std::uint32_t attempt = 0;
    std::string content;
    std::string reasoning;
    std::vector<asked_call> tool_calls;
    std::uint64_t input_tokens = 0;
    std::uint64_t output_tokens = 0;
    std::int64_t cost_micros = 0;
    reply_end finish = reply_end::stop;
    std::string model;
    std::string reasoning_state = {};      ///< For the same provider, unchanged.
    std::string provider = {};             ///< Whose it is; empty: a rehearsal or a program's own model.
    std::uint64_t cached_tokens = 0;       ///< Of the input.
    std::uint64_t reasoning_tokens = 0;    ///< Of the output.
    std::optional<model_price> price = {}; ///< Of the one that answered, where it is not the run's.
    json::raw route = {};                  ///< A `route_choice`, where a route chose the model.
};
BOOST_DESCRIBE_STRUCT(model_call_finished, (),
                      (step, attempt, content, reasoning, tool_calls, input_tokens, output_tokens, cost_micros, finish,
                       model, reasoning_state, provider, cached_tokens, reasoning_tokens, price, route))

namespace v1 {

inline v2::model_call_finished upcast(model_call_finished old) {
    return {old.step,
            old.attempt,
            std::move(old.content),
            std::move(old.reasoning),
            std::move(old.tool_calls),
            old.input_tokens,
            old.output_tokens,
            old.cost_micros,
            old.finish,
            std::move(old.model)};
}

} // namespace v1

namespace v2 {

inline troupe::actors::model_call_finished upcast(model_call_finished old) {
    return {old.step,
            old.attempt,
            std::move(old.content),
            std::move(old.reasoning),
            std::move(old.tool_calls),
            old.input_tokens,
            old.output_tokens,
            old.cost_micros,
            old.finish,
            std::move(old.model),
            std::move(old.reasoning_state),
            std::move(old.provider),
            old.cached_tokens,
            old.reasoning_tokens,
            {},
            {}};
}

} // namespace v2

struct model_call_failed {
    std::uint32_t step = 0;
    std::uint32_t attempt = 0;
    std::string code;
    std::string detail;
    std::uint64_t spent_tokens = 0; ///< Counted as used: the reservation, where the provider may have done work.
    std::int64_t spent_cost_micros = 0;
    std::optional<timestamp> retry_at; ///< Of the next attempt, after a back-off.
};
BOOST_DESCRIBE_STRUCT(model_call_failed, (), (step, attempt, code, detail, spent_tokens, spent_cost_micros, retry_at))

/// The call was too long for its model, and never left: parts of the context were shortened, see
/// actors/run/context_fold.
struct context_folded : fold_context {};
BOOST_DESCRIBE_STRUCT(context_folded, (fold_context), ())

/// The answer was cut at the output limit; the model is asked to go on.
struct continuation_asked {
    std::uint32_t step = 0;
    std::string text;
};
BOOST_DESCRIBE_STRUCT(continuation_asked, (), (step, text))

namespace v1 {

struct tool_call_started {
    std::uint32_t step = 0;
    std::uint32_t call = 0;
    std::uint32_t attempt = 0;
    std::string tool;
    json::raw arguments;
};
BOOST_DESCRIBE_STRUCT(tool_call_started, (), (step, call, attempt, tool, arguments))

} // namespace v1

namespace v2 {

struct tool_call_started {
    static constexpr int version = 2;
    using previous = v1::tool_call_started;
    std::uint32_t step = 0;
    std::uint32_t call = 0;
    std::uint32_t attempt = 0;
    std::string tool;
    json::raw arguments;
    uuid node;
};
BOOST_DESCRIBE_STRUCT(tool_call_started, (), (step, call, attempt, tool, arguments, node))

} // namespace v2

/// Intent.
struct tool_call_started {
    static constexpr int version = 3;
    using previous = v2::tool_call_started;
    std::uint32_t step = 0;
    std::uint32_t call = 0;
    std::uint32_t attempt = 0;
    std::string tool;
    json::raw arguments;
    uuid node;             ///< The replica that performs it. Nil: nobody noted it.
    std::string rule = {}; ///< That a person had remembered, and that allowed it.
};
BOOST_DESCRIBE_STRUCT(tool_call_started, (), (step, call, attempt, tool, arguments, node, rule))

namespace v1 {

inline v2::tool_call_started upcast(tool_call_started old) {
    return {old.step, old.call, old.attempt, std::move(old.tool), std::move(old.arguments), {}};
}

} // namespace v1

namespace v2 {

inline auto upcast(const tool_call_started& old) { return with_defaults<troupe::actors::tool_call_started>(old); }

} // namespace v2

namespace v1 {

struct child_started {
    std::uint32_t step = 0;
    std::uint32_t call = 0;
    uuid run_id;
    v3::create_run wish;
    std::string rule;
};
BOOST_DESCRIBE_STRUCT(child_started, (), (step, call, run_id, wish, rule))

} // namespace v1

/// Intent of a call that another run does. What its limits are is taken from this one's until it has ended.
struct child_started {
    static constexpr int version = 2;
    using previous = v1::child_started;
    std::uint32_t step = 0;
    std::uint32_t call = 0;
    uuid run_id;
    create_run wish;
    std::string rule; ///< That a person had remembered, and that allowed it.
};
BOOST_DESCRIBE_STRUCT(child_started, (), (step, call, run_id, wish, rule))

namespace v1 {

inline auto upcast(const child_started& old) { return with_defaults<troupe::actors::child_started>(old); }

} // namespace v1

/// What it used counts as used by this run. What the model reads of it is in the `tool_call_finished` that follows.
struct child_ended {
    std::uint32_t step = 0;
    std::uint32_t call = 0;
    run_ended end;
};
BOOST_DESCRIBE_STRUCT(child_ended, (), (step, call, end))

/// The run does nothing until then.
struct wait_started {
    std::uint32_t step = 0;
    std::uint32_t call = 0;
    timestamp due_at;
    std::string rule; ///< That a person had remembered, and that allowed it.
};
BOOST_DESCRIBE_STRUCT(wait_started, (), (step, call, due_at, rule))

namespace v1 {

struct handed_off {
    std::uint32_t step = 0;
    std::uint32_t call = 0;
    uuid run_id;
    v3::fork_run fork;
};
BOOST_DESCRIBE_STRUCT(handed_off, (), (step, call, run_id, fork))

} // namespace v1

/// The run ends here, and another agent's goes on from its last step.
struct handed_off {
    static constexpr int version = 2;
    using previous = v1::handed_off;
    std::uint32_t step = 0;
    std::uint32_t call = 0;
    uuid run_id;
    fork_run fork;
};
BOOST_DESCRIBE_STRUCT(handed_off, (), (step, call, run_id, fork))

namespace v1 {

inline auto upcast(const handed_off& old) { return with_defaults<troupe::actors::handed_off>(old); }

} // namespace v1

/// `content` is what the model reads. Attempt 0: nothing was performed (a bad call, or an answered question).
struct tool_call_finished {
    std::uint32_t step = 0;
    std::uint32_t call = 0;
    std::uint32_t attempt = 0;
    std::string tool;
    std::string content;
    bool is_error = false;
    json::raw details;
};
BOOST_DESCRIBE_STRUCT(tool_call_finished, (), (step, call, attempt, tool, content, is_error, details))

/// Nobody knows whether it happened.
struct tool_call_unknown {
    std::uint32_t step = 0;
    std::uint32_t call = 0;
    std::uint32_t attempt = 0;
    std::string tool;
};
BOOST_DESCRIBE_STRUCT(tool_call_unknown, (), (step, call, attempt, tool))

/// By a policy or a person. `content` is what the model reads.
struct tool_call_denied {
    std::uint32_t step = 0;
    std::uint32_t call = 0;
    std::string tool;
    std::string content;
};
BOOST_DESCRIBE_STRUCT(tool_call_denied, (), (step, call, tool, content))

/// An unknown call that is not to be repeated. `content` is what the model reads.
struct tool_call_skipped {
    std::uint32_t step = 0;
    std::uint32_t call = 0;
    std::string tool;
    std::string content;
};
BOOST_DESCRIBE_STRUCT(tool_call_skipped, (), (step, call, tool, content))

namespace v1 {

struct approval_requested {
    uuid approval_id;
    std::uint32_t step = 0;
    std::uint32_t call = 0;
    wait_reason reason = wait_reason::approval;
    std::string text;
    std::string tool;
    json::raw arguments;
};
BOOST_DESCRIBE_STRUCT(approval_requested, (), (approval_id, step, call, reason, text, tool, arguments))

struct approval_resolved {
    uuid approval_id;
    std::uint32_t step = 0;
    std::uint32_t call = 0;
    troupe::decision decision = troupe::decision::approve;
    std::string answer;
    std::optional<json::raw> arguments;
    std::string decided_by;
};
BOOST_DESCRIBE_STRUCT(approval_resolved, (), (approval_id, step, call, decision, answer, arguments, decided_by))

} // namespace v1

struct approval_requested {
    static constexpr int version = 2;
    using previous = v1::approval_requested;
    uuid approval_id;
    std::uint32_t step = 0;
    std::uint32_t call = 0;
    wait_reason reason = wait_reason::approval;
    std::string text;
    std::string tool;
    json::raw arguments;
    std::optional<timestamp> expires_at = {}; ///< Absent: it waits for as long as it takes.
};
BOOST_DESCRIBE_STRUCT(approval_requested, (), (approval_id, step, call, reason, text, tool, arguments, expires_at))

struct approval_resolved {
    static constexpr int version = 2;
    using previous = v1::approval_resolved;
    uuid approval_id;
    std::uint32_t step = 0;
    std::uint32_t call = 0;
    troupe::decision decision = troupe::decision::approve;
    std::string answer;
    std::optional<json::raw> arguments; ///< Instead of the model's.
    std::string decided_by;
    std::optional<remember_scope> remember = {};
    std::string rule = {}; ///< What is remembered.
};
BOOST_DESCRIBE_STRUCT(approval_resolved, (),
                      (approval_id, step, call, decision, answer, arguments, decided_by, remember, rule))

namespace v1 {

inline auto upcast(const approval_requested& old) { return with_defaults<troupe::actors::approval_requested>(old); }
inline auto upcast(const approval_resolved& old) { return with_defaults<troupe::actors::approval_resolved>(old); }

} // namespace v1

namespace v1 {

struct run_finished {
    std::string result;
};
BOOST_DESCRIBE_STRUCT(run_finished, (), (result))

struct run_failed {
    std::string code;
    std::string detail;
};
BOOST_DESCRIBE_STRUCT(run_failed, (), (code, detail))

} // namespace v1

struct run_finished {
    static constexpr int version = 2;
    using previous = v1::run_finished;
    std::string result;
    std::optional<json::raw> output = {}; ///< Fits the run's result schema, if it has one.
};
BOOST_DESCRIBE_STRUCT(run_finished, (), (result, output))

struct run_failed {
    static constexpr int version = 2;
    using previous = v1::run_failed;
    std::string code;
    std::string detail;
    std::optional<json::raw> output = {}; ///< What was found all the same; nothing checked it.
};
BOOST_DESCRIBE_STRUCT(run_failed, (), (code, detail, output))

namespace v1 {

inline auto upcast(const run_finished& old) { return with_defaults<troupe::actors::run_finished>(old); }
inline auto upcast(const run_failed& old) { return with_defaults<troupe::actors::run_failed>(old); }

} // namespace v1

struct run_cancelled {
    std::string reason;
};
BOOST_DESCRIBE_STRUCT(run_cancelled, (), (reason))

/// Working time is counted from this moment on, since the node was away, asleep, or its clock was set in between.
struct work_time_moved {
    timestamp since;
};
BOOST_DESCRIBE_STRUCT(work_time_moved, (), (since))

/// After the end: nothing that the run's tools had started is left.
struct run_cleaned_up {};
BOOST_DESCRIBE_STRUCT(run_cleaned_up, (), ())

} // namespace troupe::actors

TROUPE_NAMED(troupe::actors::run_created)
TROUPE_NAMED(troupe::actors::run_forked)
TROUPE_NAMED(troupe::actors::context_given)
TROUPE_NAMED(troupe::actors::run_started)
TROUPE_NAMED(troupe::actors::model_call_started)
TROUPE_NAMED(troupe::actors::model_call_sent)
TROUPE_NAMED(troupe::actors::model_call_finished)
TROUPE_NAMED(troupe::actors::model_call_failed)
TROUPE_NAMED(troupe::actors::context_folded)
TROUPE_NAMED(troupe::actors::continuation_asked)
TROUPE_NAMED(troupe::actors::tool_call_started)
TROUPE_NAMED(troupe::actors::wait_started)
TROUPE_NAMED(troupe::actors::child_started)
TROUPE_NAMED(troupe::actors::child_ended)
TROUPE_NAMED(troupe::actors::handed_off)
TROUPE_NAMED(troupe::actors::tool_call_finished)
TROUPE_NAMED(troupe::actors::tool_call_unknown)
TROUPE_NAMED(troupe::actors::tool_call_denied)
TROUPE_NAMED(troupe::actors::tool_call_skipped)
TROUPE_NAMED(troupe::actors::approval_requested)
TROUPE_NAMED(troupe::actors::approval_resolved)
TROUPE_NAMED(troupe::actors::run_finished)
TROUPE_NAMED(troupe::actors::run_failed)
TROUPE_NAMED(troupe::actors::run_cancelled)
TROUPE_NAMED(troupe::actors::work_time_moved)
TROUPE_NAMED(troupe::actors::run_cleaned_up)

namespace troupe::actors {

using run_event =
    std::variant<run_created, run_forked, context_given, run_started, model_call_started, model_call_sent,
                 model_call_finished, model_call_failed, context_folded, continuation_asked, tool_call_started,
                 wait_started, child_started, child_ended, handed_off, tool_call_finished, tool_call_unknown,
                 tool_call_denied, tool_call_skipped, approval_requested, approval_resolved, run_finished, run_failed,
                 run_cancelled, work_time_moved, run_cleaned_up, debt_cleared>;

} // namespace troupe::actors
