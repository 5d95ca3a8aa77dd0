#pragma once

#include "actors/run/run_parts.hpp"
#include "actors/run/run_state_v5.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace troupe::actors {

/// Where the loop stands: everything but the context's messages, so that a decision can try events on a copy.
struct run_progress {
    uuid id;
    uuid organization;
    create_run request;
    std::optional<fork_source> forked_from; ///< Whose past it begins with.
    std::string fork_message;               ///< What the model is told after it; until it was given.
    run_status status = run_status::queued; ///< queued, running or an end; waits follow from the rest.
    std::string model;
    budget limits; ///< In force; 0: no limit.
    budget used;   ///< Settled; what is reserved is in `model_call`.
    model_price price;
    std::uint64_t version_before = 0;

    std::uint32_t step = 0;    ///< Of the current or last model call.
    std::uint32_t attempt = 0; ///< Of that step's model call.
    bool replied = true;       ///< The step has its reply.
    std::optional<open_model_call> model_call;
    std::uint32_t failures = 0;        ///< Of the provider, in this step.
    std::uint32_t invalid_replies = 0; ///< In this step.
    std::optional<timestamp> retry_at; ///< A back-off is on.
    std::string trouble;               ///< Why.
    std::string trouble_code;          ///< Of the problem.
    std::optional<timestamp> step_started_at;
    reply_end last_finish = reply_end::stop;
    std::string answer;              ///< Of the last reply, with the parts that were cut before it.
    std::uint32_t continuations = 0; ///< Of this answer.
    bool continuing = false;         ///< The model was asked to go on with it.
    std::vector<call_state> calls;   ///< Of the current step, in the model's order.

    std::uint64_t context_bytes = 0;
    debts owed;
    std::optional<std::string> result;
    std::optional<std::string> error;
    std::optional<timestamp>
        working_since; ///< Working time is settled up to here; empty while only people are waited for.
    timestamp created_at;
    std::optional<timestamp> started_at;
    std::optional<timestamp> finished_at;
    timestamp updated_at;

    std::optional<json::raw> output; ///< The structured part of the result.
    bool unverified = false;         ///< The project changed since a tool of the kind's `verified_by` verified it.
    std::map<std::string, tool_policy> allowed; ///< Rules that people had it remember, beside `request.tools`.
    std::uint64_t tokens_permille = 1000; ///< Of what four bytes a token would be, as the model's provider counted.
    std::uint64_t folded = 0;             ///< Messages that were shortened to make room.
    std::map<std::string, tool_policy> organization_rules; ///< As they were when it started.
};
BOOST_DESCRIBE_STRUCT(run_progress, (),
                      (id, organization, request, forked_from, fork_message, status, model, limits, used, price,
                       version_before, step, attempt, replied, model_call, failures, invalid_replies, retry_at, trouble,
                       trouble_code, step_started_at, last_finish, answer, continuations, continuing, calls,
                       context_bytes, owed, result, error, working_since, created_at, started_at, finished_at,
                       updated_at, output, unverified, allowed, tokens_permille, folded, organization_rules))

struct run_state {
    static constexpr int version = 6;
    using previous = v5::run_state;
    run_progress progress;
    std::vector<context_message> messages;
};
BOOST_DESCRIBE_STRUCT(run_state, (), (progress, messages))

namespace v5 {

/// No run looked at pictures then.
troupe::actors::run_state upcast(const run_state& old);

} // namespace v5

inline bool exists(const run_progress& p) { return !p.id.is_nil(); }

inline bool has_ended(const run_progress& p) {
    return p.status == run_status::succeeded || p.status == run_status::failed || p.status == run_status::cancelled;
}

/// An ended run whose last calls may have left something: a command that goes on without its node, files of commands.
inline bool owes_clean_up(const run_progress& p) {
    return has_ended(p) && std::ranges::any_of(p.calls, [](const call_state& call) { return call.attempt > 0; });
}

/// The agent whose use by the day is counted by itself, if one's is.
inline std::optional<uuid> agent_with_limits(const run_progress& p) {
    return p.request.agent_kind == "agent" ? p.request.agent_id : std::nullopt;
}

/// "00003.001"; a model call is call 0.
std::string step_key(std::uint32_t step, std::uint32_t call);

/// The call that waits for this approval, or null.
const call_state* find_asked(const run_progress& p, const uuid& approval_id);

} // namespace troupe::actors
