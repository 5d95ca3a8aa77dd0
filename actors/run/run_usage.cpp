#include "actors/common/model.hpp"
#include "actors/run/run_model.hpp"

#include <string>

// What a run uses of its organization's plan.
namespace troupe::actors {
namespace {

using amounts = std::vector<usage_amount>;

/// What counts against limits: of the organization, and of the agent by itself.
void add_limited(amounts& to, const run_progress& p, std::string_view counts, std::int64_t amount) {
    to.push_back({std::string(counts), amount});
    if (const auto agent = agent_with_limits(p)) {
        to.push_back({part_of_count(counts, *agent), amount});
    }
}

amounts spent(const run_progress& p, std::int64_t tokens, std::int64_t cost_micros) {
    amounts out;
    add_limited(out, p, "tokens", tokens);
    if (cost_micros != 0) {
        add_limited(out, p, "cost_micros", cost_micros);
        out.push_back({"cost_micros:" + p.model, cost_micros});
    }
    return out;
}

amounts lost(const run_progress& p, std::uint64_t tokens, std::int64_t cost_micros) {
    if (tokens == 0 && cost_micros == 0) {
        return {};
    }
    const auto count = static_cast<std::int64_t>(tokens);
    auto out = spent(p, count, cost_micros);
    out.push_back({"tokens_lost:" + p.model, count});
    return out;
}

/// A request that had left when the run ended: the provider may have done its work.
amounts lost_at_end(const run_progress& p) {
    return p.model_call && p.model_call->sent
               ? lost(p, p.model_call->reserved_tokens, p.model_call->reserved_cost_micros)
               : amounts{};
}

} // namespace

std::vector<usage_amount> run_model::uses(const state& after, const event& e) {
    const auto& p = after.progress;
    return std::visit(visitor{[](const run_created&) {
                                  return amounts{{"runs", 1}};
                              },
                              [](const model_call_sent&) {
                                  return amounts{{"model_calls", 1}};
                              },
                              [&](const model_call_finished& x) {
                                  const auto in = static_cast<std::int64_t>(x.input_tokens);
                                  const auto out = static_cast<std::int64_t>(x.output_tokens);
                                  auto all = spent(p, in + out, x.cost_micros);
                                  all.push_back({"tokens_in:" + p.model, in});
                                  all.push_back({"tokens_out:" + p.model, out});
                                  return all;
                              },
                              [&](const model_call_failed& x) { return lost(p, x.spent_tokens, x.spent_cost_micros); },
                              [&](const run_failed&) { return lost_at_end(p); },
                              [&](const run_cancelled&) { return lost_at_end(p); },
                              [](const auto&) { return amounts{}; }},
                      e);
}

std::vector<usage_amount> run_model::holds(const state& s) {
    const auto& p = s.progress;
    amounts out;
    if (!has_ended(p) && p.model_call) {
        add_limited(out, p, "tokens", static_cast<std::int64_t>(p.model_call->reserved_tokens));
        if (p.model_call->reserved_cost_micros != 0) {
            add_limited(out, p, "cost_micros", p.model_call->reserved_cost_micros);
        }
    }
    return out;
}

} // namespace troupe::actors
