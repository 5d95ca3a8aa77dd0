#include "actors/run/agent_wish.hpp"

#include "actors/tool/policies.hpp"

#include <type_traits>

namespace troupe::actors {

void fill_from_agent(create_run& c, const agent_settings& from) {
    const auto fill = [](auto& value, const auto& other) {
        if (value == std::remove_cvref_t<decltype(value)>{}) {
            value = other;
        }
    };
    fill(c.instructions, from.instructions);
    fill(c.model, from.model);
    fill(c.limits.steps, from.limits.steps);
    fill(c.limits.tokens, from.limits.tokens);
    fill(c.limits.cost_micros, from.limits.cost_micros);
    fill(c.limits.time_ms, from.limits.time_ms);
    const auto approvals = from.approvals.value_or(approval_terms{});
    fill(c.approvals.expires_after_ms, approvals.expires_after_ms);
    fill(c.approvals.on_expiry, approvals.on_expiry);
    c.limits_per_day = from.limits_per_day;
    c.kind = from.kind;
    add_policies(c.tools, from.tools);
}

} // namespace troupe::actors
