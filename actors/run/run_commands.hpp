#pragma once

#include "actors/common/debts.hpp"
#include "schemas/agent_messages.hpp"
#include "schemas/base/described.hpp"
#include "schemas/run.hpp"
#include "schemas/run_messages.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

/// Commands to a run from its own performer and timers; those of others stand in schemas/run_messages.hpp.
/// All of them name what they are about: late and repeated ones change nothing.
namespace troupe::actors {

/// One tool call as a model wrote it.
struct asked_call {
    std::string id; ///< The provider's.
    std::string name;
    std::string arguments; ///< As written: may be no JSON.
};
BOOST_DESCRIBE_STRUCT(asked_call, (), (id, name, arguments))

/// A message of the context after the instructions and the goal.
struct context_message {
    std::string role; ///< "user", "assistant" or "tool".
    std::string content;
    std::string reasoning;
    std::vector<asked_call> tool_calls;
    std::string tool_call_id;
    std::string tool_name;
    bool is_error = false;
    std::string reasoning_state = {}; ///< Goes back unchanged, as `reasoning` does, to the same provider only.
    std::string provider = {};        ///< Whose reply it is; empty: nobody noted it.
    std::optional<std::vector<run_image>> images = {}; ///< Of a user.
};
BOOST_DESCRIBE_STRUCT(context_message, (),
                      (role, content, reasoning, tool_calls, tool_call_id, tool_name, is_error, reasoning_state,
                       provider, images))

namespace v2 {

/// Before there were pictures. Never changes.
struct context_message {
    std::string role;
    std::string content;
    std::string reasoning;
    std::vector<asked_call> tool_calls;
    std::string tool_call_id;
    std::string tool_name;
    bool is_error = false;
    std::string reasoning_state = {};
    std::string provider = {};
};
BOOST_DESCRIBE_STRUCT(context_message, (),
                      (role, content, reasoning, tool_calls, tool_call_id, tool_name, is_error, reasoning_state,
                       provider))

} // namespace v2

/// Micro-units of money per million tokens; 0: free, or not known.
struct model_price {
    std::int64_t input_micros = 0;
    std::int64_t output_micros = 0;
};
BOOST_DESCRIBE_STRUCT(model_price, (), (input_micros, output_micros))

/// A run whose goal is the first word of a conversation: what was said since is its past.
struct begin_conversation {
    static constexpr int version = 4;
    create_run run;
    std::vector<context_message> messages; ///< After the goal.
};
BOOST_DESCRIBE_STRUCT(begin_conversation, (), (run, messages))

/// Of a fork, before it begins: the past that it goes on from.
struct give_context {
    static constexpr int version = 2;
    std::vector<context_message> messages;
};
BOOST_DESCRIBE_STRUCT(give_context, (), (messages))

/// Everything that the run needs is there.
struct begin_run {
    static constexpr int version = 2;
    std::string model; ///< The name it resolved to.
    std::uint64_t version_before = 0;
    budget defaults; ///< For the limits that were not given; 0: no limit.
    model_price price;
    std::map<std::string, tool_policy> tool_rules = {}; ///< Of the organization, for such a run.
};
BOOST_DESCRIBE_STRUCT(begin_run, (), (model, version_before, defaults, price, tool_rules))

/// The run cannot begin.
struct record_start_failure {
    std::string code;
    std::string detail;
};
BOOST_DESCRIBE_STRUCT(record_start_failure, (), (code, detail))

/// A request is about to leave. Accepted once per attempt, refused with `conflict` afterwards.
struct mark_model_call {
    std::uint32_t step = 0;
    std::uint32_t attempt = 0;
};
BOOST_DESCRIBE_STRUCT(mark_model_call, (), (step, attempt))

BOOST_DEFINE_ENUM_CLASS(reply_end, stop, tool_calls, length, content_filter)

namespace v1 {

struct record_model_reply {
    std::uint32_t step = 0;
    std::uint32_t attempt = 0;
    std::string content;
    std::string reasoning;
    std::vector<asked_call> tool_calls;
    std::uint64_t input_tokens = 0;
    std::uint64_t output_tokens = 0;
    reply_end finish = reply_end::stop;
    std::string model;
};
BOOST_DESCRIBE_STRUCT(record_model_reply, (),
                      (step, attempt, content, reasoning, tool_calls, input_tokens, output_tokens, finish, model))

} // namespace v1

namespace v2 {

struct record_model_reply {
    static constexpr int version = 2;
    using previous = v1::record_model_reply;
    std::uint32_t step = 0;
    std::uint32_t attempt = 0;
    std::string content;
    std::string reasoning;
    std::vector<asked_call> tool_calls;
    std::uint64_t input_tokens = 0;
    std::uint64_t output_tokens = 0;
    reply_end finish = reply_end::stop;
    std::string model;
    std::string reasoning_state = {};
    std::string provider = {};
    std::uint64_t cached_tokens = 0;
    std::uint64_t reasoning_tokens = 0;
};
BOOST_DESCRIBE_STRUCT(record_model_reply, (),
                      (step, attempt, content, reasoning, tool_calls, input_tokens, output_tokens, finish, model,
                       reasoning_state, provider, cached_tokens, reasoning_tokens))

} // namespace v2

struct record_model_reply {
    static constexpr int version = 3;
    using previous = v2::record_model_reply;
    std::uint32_t step = 0;
    std::uint32_t attempt = 0;
    std::string content;
    std::string reasoning;
    std::vector<asked_call> tool_calls;
    std::uint64_t input_tokens = 0;
    std::uint64_t output_tokens = 0;
    reply_end finish = reply_end::stop;
    std::string model;                     ///< As the provider named it.
    std::string reasoning_state = {};      ///< For the same provider, unchanged.
    std::string provider = {};             ///< Whose it is; empty: a rehearsal or a program's own model.
    std::uint64_t cached_tokens = 0;       ///< Of the input.
    std::uint64_t reasoning_tokens = 0;    ///< Of the output.
    std::optional<model_price> price = {}; ///< Of the one that answered, where it is not the run's.
    json::raw route = {};                  ///< A `route_choice`, where a route chose the model.
};
BOOST_DESCRIBE_STRUCT(record_model_reply, (),
                      (step, attempt, content, reasoning, tool_calls, input_tokens, output_tokens, finish, model,
                       reasoning_state, provider, cached_tokens, reasoning_tokens, price, route))

namespace v1 {

inline v2::record_model_reply upcast(record_model_reply old) {
    return {old.step,
            old.attempt,
            std::move(old.content),
            std::move(old.reasoning),
            std::move(old.tool_calls),
            old.input_tokens,
            old.output_tokens,
            old.finish,
            std::move(old.model)};
}

} // namespace v1

namespace v2 {

inline troupe::actors::record_model_reply upcast(record_model_reply old) {
    return {old.step,
            old.attempt,
            std::move(old.content),
            std::move(old.reasoning),
            std::move(old.tool_calls),
            old.input_tokens,
            old.output_tokens,
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

struct record_model_failure {
    std::uint32_t step = 0;
    std::uint32_t attempt = 0;
    std::string code; ///< Of the problem; `unknown_outcome` when an earlier request was lost.
    std::string detail;
    std::optional<std::uint32_t> retry_after_s;
    bool streamed = false; ///< Some of the reply had come: the provider has done work.
};
BOOST_DESCRIBE_STRUCT(record_model_failure, (), (step, attempt, code, detail, retry_after_s, streamed))

struct record_tool_result {
    std::uint32_t step = 0;
    std::uint32_t call = 0;
    std::uint32_t attempt = 0;
    std::string content;
    bool is_error = false;
    bool unknown = false; ///< It may have happened.
    json::raw details;
};
BOOST_DESCRIBE_STRUCT(record_tool_result, (), (step, call, attempt, content, is_error, unknown, details))

/// In place of a message's text and of the arguments of its calls, to make room.
struct folded_message {
    std::uint32_t message = 0; ///< Its place in the context, from 0.
    std::string content;
    std::vector<std::string> arguments; ///< Of its calls, in their order.
};
BOOST_DESCRIBE_STRUCT(folded_message, (), (message, content, arguments))

/// The open call is too long for its model: it never left. The next attempt has a shorter context.
struct fold_context {
    std::uint32_t step = 0;
    std::uint32_t attempt = 0;
    std::vector<folded_message> messages;
    std::uint64_t freed_bytes = 0;
};
BOOST_DESCRIBE_STRUCT(fold_context, (), (step, attempt, messages, freed_bytes))

/// Timer: the time of a wait has come.
struct end_wait {
    std::uint32_t step = 0;
    std::uint32_t call = 0;
};
BOOST_DESCRIBE_STRUCT(end_wait, (), (step, call))

/// The agent that a call names was found: the run that it would do, with the agent's own limits.
struct record_agent {
    static constexpr int version = 2;
    std::uint32_t step = 0;
    std::uint32_t call = 0;
    std::uint32_t attempt = 0;
    create_run wish;
};
BOOST_DESCRIBE_STRUCT(record_agent, (), (step, call, attempt, wish))

/// Timer: the failed attempt may be followed by the next one.
struct end_back_off {
    std::uint32_t step = 0;
    std::uint32_t attempt = 0;
};
BOOST_DESCRIBE_STRUCT(end_back_off, (), (step, attempt))

/// Timer: the working time may be used up.
struct check_time {};
BOOST_DESCRIBE_STRUCT(check_time, (), ())

/// The run has ended, and so has all that its tools had started.
struct record_clean_up {};
BOOST_DESCRIBE_STRUCT(record_clean_up, (), ())

} // namespace troupe::actors

TROUPE_NAMED(troupe::actors::begin_conversation)
TROUPE_NAMED(troupe::actors::give_context)
TROUPE_NAMED(troupe::actors::begin_run)
TROUPE_NAMED(troupe::actors::record_start_failure)
TROUPE_NAMED(troupe::actors::mark_model_call)
TROUPE_NAMED(troupe::actors::record_model_reply)
TROUPE_NAMED(troupe::actors::record_model_failure)
TROUPE_NAMED(troupe::actors::fold_context)
TROUPE_NAMED(troupe::actors::record_tool_result)
TROUPE_NAMED(troupe::actors::record_agent)
TROUPE_NAMED(troupe::actors::end_back_off)
TROUPE_NAMED(troupe::actors::end_wait)
TROUPE_NAMED(troupe::actors::check_time)
TROUPE_NAMED(troupe::actors::record_clean_up)

namespace troupe::actors {

using run_command = std::variant<create_run, fork_run, begin_conversation, give_context, begin_run,
                                 record_start_failure, mark_model_call, record_model_reply, record_model_failure,
                                 fold_context, record_tool_result, record_agent, run_ended, resolve_approval,
                                 cancel_run, end_back_off, end_wait, check_time, record_clean_up, debt_settled>;

} // namespace troupe::actors
