#pragma once

#include "schemas/base/clock.hpp"
#include "schemas/base/described.hpp"
#include "schemas/model.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// What the API tells of models and their providers.
namespace troupe {

/// degraded: it fails, is slow, or asked to slow down; others are asked first. open: nothing is sent to it for a while.
BOOST_DEFINE_ENUM_CLASS(provider_status, healthy, degraded, open)

struct provider_failure {
    std::string code; ///< Of the problem, as "model_unavailable".
    std::string detail;
    timestamp at;
};
BOOST_DESCRIBE_STRUCT(provider_failure, (), (code, detail, at))

/// How a provider does, as this node has seen it since its start. Learned from real calls: there are no others.
struct provider_health {
    provider_status status = provider_status::healthy;
    std::string reason;                ///< Why it is not healthy.
    std::optional<timestamp> retry_at; ///< Until then nothing is sent to it.
    std::uint32_t calls_at_work = 0;
    std::uint32_t calls_waiting = 0;
    std::uint32_t calls_max = 0;                ///< At once; 0: no limit.
    std::uint32_t failures_in_row = 0;          ///< Since the last success.
    double failure_share = 0;                   ///< Of the last calls.
    std::optional<std::int64_t> first_token_ms; ///< Moving averages.
    std::optional<std::int64_t> call_ms;
    std::optional<provider_failure> last_failure;
};
BOOST_DESCRIBE_STRUCT(provider_health, (),
                      (status, reason, retry_at, calls_at_work, calls_waiting, calls_max, failures_in_row,
                       failure_share, first_token_ms, call_ms, last_failure))

/// An item of GET /providers. The key itself is never told.
struct provider_document {
    std::string name;
    model_wire wire = model_wire::openai;
    std::string base_url;
    bool has_key = false;             ///< One is configured; whether the provider takes it shows when it is called.
    std::optional<std::string> model; ///< What the name alone means.
    std::vector<std::string> models;  ///< Those that the configuration describes; others may be used, too.
    bool is_default = false;          ///< Of runs that name no model.
    provider_health health;
};
BOOST_DESCRIBE_STRUCT(provider_document, (), (name, wire, base_url, has_key, model, models, is_default, health))

/// A model that a route may choose.
struct route_candidate_document {
    std::string model;
    std::uint32_t weight = 1; ///< For the policy weighted.
};
BOOST_DESCRIBE_STRUCT(route_candidate_document, (), (model, weight))

/// An item of GET /models.
struct model_document {
    std::string name; ///< What agents and runs write.
    std::string description;
    bool is_default = false;
    std::optional<std::string> provider; ///< Absent: a rehearsal, or a program's own model.
    std::optional<std::string> model;    ///< As the provider calls it.
    // What the configuration says of it.
    std::optional<std::uint32_t> context_tokens;
    std::optional<std::uint32_t> output_tokens;
    std::optional<std::int64_t> input_micros; ///< Of a million tokens, in millionths of the currency unit.
    std::optional<std::int64_t> output_micros;
    std::vector<model_capability> capabilities;
    std::optional<route_policy> policy; ///< Of a route.
    std::vector<route_candidate_document> candidates;
    static constexpr field_rule rules[] = {{.name = "capabilities", .example = R"(["tools","images"])"}};
};
BOOST_DESCRIBE_STRUCT(model_document, (),
                      (name, description, is_default, provider, model, context_tokens, output_tokens, input_micros,
                       output_micros, capabilities, policy, candidates))

} // namespace troupe
