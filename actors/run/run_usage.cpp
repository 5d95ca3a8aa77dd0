#include "actors/common/model.hpp"
#include "actors/run/run_model.hpp"

#include <string>

// What a run uses of its organization's plan.
namespace troupe::actors {
namespace {

using amounts = std::vector<usage_amount>;

amounts lost(const run_progress& p, std::uint64_t tokens, std::int64_t cost_micros) {
    if (tokens == 0 && cost_micros == 0) {
        return {};
    }
    const auto count = static_cast<std::int64_t>(tokens);
    return {{"tokens", count}, {"tokens_lost:" + p.model, count}, {"cost_micros:" + p.model, cost_micros}};
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
                                  return amounts{{"tokens", in + out},
                                                 {"tokens_in:" + p.model, in},
                                                 {"tokens_out:" + p.model, out},
                                                 {"cost_micros:" + p.model, x.cost_micros}};
                              },
                              [&](const model_call_failed& x) { return lost(p, x.spent_tokens, x.spent_cost_micros); },
                              [&](const run_failed&) { return lost_at_end(p); },
                              [&](const run_cancelled&) { return lost_at_end(p); },
                              [](const auto&) { return amounts{}; }},
                      e);
}

std::vector<usage_amount> run_model::holds(const state& s) {
    const auto& p = s.progress;
    return !has_ended(p) && p.model_call ? amounts{{"tokens", static_cast<std::int64_t>(p.model_call->reserved_tokens)}}
                                         : amounts{};
}

} // namespace troupe::actors
