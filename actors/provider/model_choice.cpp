#include "actors/provider/model_choice.hpp"

#include "actors/provider/provider_desk.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

namespace troupe::actors {

namespace {

constexpr double degraded_weight = 0.25;
constexpr double million = 1e6;

/// What it may answer at most: of a small window no more than a quarter.
std::uint64_t output_of(const candidate_facts& c, const call_needs& needs) {
    const auto most = c.output_tokens > 0 ? std::min(c.output_tokens, needs.output_tokens) : needs.output_tokens;
    return c.context_tokens > 0 ? std::min(most, c.context_tokens / 4) : most;
}

bool lacks(const candidate_facts& c, model_capability what) {
    return !c.capabilities.empty() && std::ranges::find(c.capabilities, what) == c.capabilities.end();
}

std::optional<std::string> unfit(const candidate_facts& c, const provider_health& health, const call_needs& needs) {
    if (needs.tools && lacks(c, model_capability::tools)) {
        return "it cannot call tools";
    }
    if (needs.images && lacks(c, model_capability::images)) {
        return "it cannot look at images";
    }
    if (const auto all = needs.input_tokens + output_of(c, needs); c.context_tokens > 0 && all > c.context_tokens) {
        return fmt::format("the call takes about {} tokens, and its context has {}", all, c.context_tokens);
    }
    if (needs.priced && !c.price) {
        return "its price is not known, and the run has a limit of money";
    }
    if (health.status == provider_status::open && health.retry_at) {
        return health.reason;
    }
    return {};
}

/// In micro-units.
double cost(const candidate_facts& c, const call_needs& needs) {
    return (static_cast<double>(needs.input_tokens) * static_cast<double>(c.price->input_micros) +
            static_cast<double>(output_of(c, needs)) * static_cast<double>(c.price->output_micros)) /
           million;
}

bool is_degraded(const provider_health& h) { return h.status == provider_status::degraded; }

/// The smaller, the earlier.
double position(route_policy policy, std::size_t index, std::size_t count, const candidate_facts& c,
                const provider_health& health, const call_needs& needs, std::uint64_t turn) {
    switch (policy) {
    case route_policy::cheapest:
        return c.price ? cost(c, needs) : 1e300;
    case route_policy::fastest: // what nobody measured yet is tried
        return static_cast<double>(health.first_token_ms.value_or(health.call_ms.value_or(0)));
    case route_policy::round_robin:
        return static_cast<double>((index + count - turn % count) % count);
    case route_policy::priority:
    case route_policy::weighted:
        break;
    }
    return static_cast<double>(index);
}

std::string reason(route_policy policy, std::size_t index, const candidate_facts& c, const provider_health& health,
                   const call_needs& needs) {
    std::string out;
    switch (policy) {
    case route_policy::cheapest:
        out = c.price ? fmt::format("the call costs about {:.6f}", cost(c, needs) / million) : "its price is not known";
        break;
    case route_policy::fastest:
        out = health.first_token_ms ? fmt::format("its first token takes {} ms", *health.first_token_ms)
                                    : "nobody has measured it yet";
        break;
    case route_policy::round_robin:
        out = "it was its turn";
        break;
    case route_policy::weighted:
        out = fmt::format("drawn with weight {}", c.weight);
        break;
    case route_policy::priority:
        out = fmt::format("number {} of the route", index + 1);
        break;
    }
    if (health.status == provider_status::open) {
        return out + "; it failed before, and this call tried whether it works again";
    }
    return is_degraded(health) ? out + "; degraded: " + health.reason : out;
}

/// One after the other, each by chance.
std::vector<std::size_t> drawn(std::vector<std::size_t> left, const std::vector<candidate_facts>& candidates,
                               const std::vector<provider_health>& health, const std::function<double()>& draw) {
    const auto weight = [&](std::size_t i) {
        return candidates[i].weight * (is_degraded(health[i]) ? degraded_weight : 1);
    };
    std::vector<std::size_t> out;
    while (!left.empty()) {
        double all = 0;
        for (const auto i : left) {
            all += weight(i);
        }
        auto at = draw() * all;
        auto chosen = left.begin();
        while (chosen + 1 != left.end() && at >= weight(*chosen)) {
            at -= weight(*chosen++);
        }
        out.push_back(*chosen);
        left.erase(chosen);
    }
    return out;
}

} // namespace

call_needs needs_of(const net::model_request& request) {
    call_needs out{.tools = !request.tools.empty(),
                   .priced = request.priced,
                   .input_tokens = estimate_input_tokens(request),
                   .output_tokens = request.output_tokens_max};
    out.images = std::ranges::any_of(request.messages, [](const auto& m) { return !m.images.empty(); });
    return out;
}

ranking rank(route_policy policy, const std::vector<candidate_facts>& candidates,
             const std::vector<provider_health>& health, const call_needs& needs, std::uint64_t turn,
             const std::function<double()>& draw) {
    ranking out;
    std::vector<std::size_t> fit;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        if (auto why = unfit(candidates[i], health[i], needs)) {
            out.unfit.push_back({candidates[i].name, std::move(*why)});
        } else {
            fit.push_back(i);
        }
    }
    if (policy == route_policy::weighted) {
        fit = drawn(std::move(fit), candidates, health, draw);
    } else {
        std::ranges::stable_sort(fit, {}, [&](std::size_t i) {
            return std::tuple(is_degraded(health[i]),
                              position(policy, i, candidates.size(), candidates[i], health[i], needs, turn));
        });
    }
    for (const auto i : fit) {
        out.order.push_back({i, reason(policy, i, candidates[i], health[i], needs)});
    }
    return out;
}

} // namespace troupe::actors
