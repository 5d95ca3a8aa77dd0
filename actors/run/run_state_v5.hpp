#pragma once

#include "actors/run/create_run_v3.hpp"
#include "actors/run/run_parts.hpp"
#include "actors/run/run_state_v4.hpp"

#include <map>

/// The state of a run as it was stored in version 5. Never changes.
namespace troupe::actors::v5 {

struct run_progress {
    uuid id;
    uuid organization;
    v3::create_run request;
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

    std::optional<json::raw> output;
    bool unverified = false;
    std::map<std::string, tool_policy> allowed;
    std::uint64_t tokens_permille = 1000;
    std::uint64_t folded = 0;
    std::map<std::string, tool_policy> organization_rules;
};
BOOST_DESCRIBE_STRUCT(run_progress, (),
                      (id, organization, request, forked_from, fork_message, status, model, limits, used, price,
                       version_before, step, attempt, replied, model_call, failures, invalid_replies, retry_at, trouble,
                       trouble_code, step_started_at, last_finish, answer, continuations, continuing, calls,
                       context_bytes, owed, result, error, working_since, created_at, started_at, finished_at,
                       updated_at, output, unverified, allowed, tokens_permille, folded, organization_rules))

struct run_state {
    static constexpr int version = 5;
    using previous = v4::run_state;
    run_progress progress;
    std::vector<v2::context_message> messages;
};
BOOST_DESCRIBE_STRUCT(run_state, (), (progress, messages))

} // namespace troupe::actors::v5

namespace troupe::actors::v4 {

/// No run started another one then.
v5::run_state upcast(const run_state& old);

} // namespace troupe::actors::v4
