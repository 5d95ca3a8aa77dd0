#pragma once

#include "actors/run/run_parts.hpp"
#include "actors/run/run_state_v2.hpp"

/// The state of a run as it was stored in version 3. Never changes.
namespace troupe::actors::v3 {

struct call_state {
    std::string id;
    std::string tool;
    std::string arguments;
    call_phase phase = call_phase::pending;
    std::uint32_t attempt = 0;
    bool is_error = false;
    wait_reason reason = wait_reason::approval;
    std::optional<uuid> approval_id;
    std::string text;
    std::optional<troupe::decision> decision;
    std::string answer;
    std::string decided_by;
    std::optional<timestamp> started_at;
    std::optional<timestamp> intent_at;
    uuid intent_node;
};
BOOST_DESCRIBE_STRUCT(call_state, (),
                      (id, tool, arguments, phase, attempt, is_error, reason, approval_id, text, decision, answer,
                       decided_by, started_at, intent_at, intent_node))

struct run_progress {
    uuid id;
    uuid organization;
    v1::create_run request;
    std::optional<fork_source> forked_from;
    std::string fork_message;
    run_status status = run_status::queued;
    std::string model;
    budget limits;
    budget used;
    model_price price;
    std::uint64_t version_before = 0;

    std::uint32_t step = 0;
    std::uint32_t attempt = 0;
    bool replied = true;
    std::optional<open_model_call> model_call;
    std::uint32_t failures = 0;
    std::uint32_t invalid_replies = 0;
    std::optional<timestamp> retry_at;
    std::string trouble;
    std::string trouble_code;
    std::optional<timestamp> step_started_at;
    reply_end last_finish = reply_end::stop;
    std::string answer;
    std::uint32_t continuations = 0;
    bool continuing = false;
    std::vector<call_state> calls;

    std::uint64_t context_bytes = 0;
    debts owed;
    std::optional<std::string> result;
    std::optional<std::string> error;
    std::optional<timestamp> working_since;
    timestamp created_at;
    std::optional<timestamp> started_at;
    std::optional<timestamp> finished_at;
    timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(run_progress, (),
                      (id, organization, request, forked_from, fork_message, status, model, limits, used, price,
                       version_before, step, attempt, replied, model_call, failures, invalid_replies, retry_at, trouble,
                       trouble_code, step_started_at, last_finish, answer, continuations, continuing, calls,
                       context_bytes, owed, result, error, working_since, created_at, started_at, finished_at,
                       updated_at))

struct run_state {
    static constexpr int version = 3;
    using previous = v2::run_state;
    run_progress progress;
    std::vector<v2::context_message> messages;
};
BOOST_DESCRIBE_STRUCT(run_state, (), (progress, messages))

} // namespace troupe::actors::v3

namespace troupe::actors::v2 {

/// Providers' reasoning was not kept then, and no run began with the past of another one.
v3::run_state upcast(const run_state& old);

} // namespace troupe::actors::v2
