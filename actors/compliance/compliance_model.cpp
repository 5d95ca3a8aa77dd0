#include "actors/compliance/compliance_model.hpp"

#include "actors/common/model.hpp"

#include <fmt/format.h>

namespace troupe::actors {
namespace {

using events = std::vector<compliance_model::event>;
using decision_result = expected<events>;

decision_result decide(const compliance_state& s, const watch_compliance& c, const runtime::context& context) {
    return s.next_at || s.pending ? events{} : events{compliance_watched{context.now + c.first_ms}};
}

decision_result decide(const compliance_state& s, const evaluate_compliance& c, const runtime::context& context) {
    // The timer of an earlier plan may come late.
    const bool late = c.reason == compliance_reason::schedule && (!s.next_at || context.now < *s.next_at);
    return s.pending || late ? events{} : events{compliance_requested{s.requested + 1, c.reason}};
}

compliance_evaluation evaluation_of(const compliance_pending& asked, std::vector<compliance_check> checks,
                                    timestamp at) {
    compliance_evaluation out;
    out.number = asked.number;
    out.at = at;
    out.reason = asked.reason;
    out.requested_by = asked.requested_by;
    out.score = compliance_score(checks);
    for (const auto& check : checks) {
        auto& count = check.result == compliance_result::pass   ? out.passed
                      : check.result == compliance_result::warn ? out.warnings
                      : check.result == compliance_result::fail ? out.failed
                                                                : out.not_applicable;
        ++count;
    }
    out.checks = std::move(checks);
    return out;
}

decision_result decide(const compliance_state& s, const record_evaluation& c, const runtime::context& context) {
    if (!s.pending || s.pending->number != c.number) {
        return events{}; // late or repeated
    }
    return events{
        compliance_evaluated{evaluation_of(*s.pending, c.checks, context.now),
                             c.next_ms > 0 ? std::optional(context.now + c.next_ms) : std::optional<timestamp>()}};
}

decision_result decide(const compliance_state& s, const end_compliance&, const runtime::context&) {
    return s.pending || s.next_at ? events{compliance_ended{}} : events{};
}

} // namespace

std::string evaluation_key(std::uint64_t number) { return fmt::format("{:012}", number); }

entity_address compliance_address(const uuid& organization) {
    return {system_organization, std::string(compliance_model::kind), organization};
}

std::uint32_t compliance_score(const std::vector<compliance_check>& checks) {
    std::uint64_t all = 0;
    std::uint64_t good = 0; // in halves
    for (const auto& check : checks) {
        all += check.result == compliance_result::not_applicable ? 0 : check.weight;
        good += check.result == compliance_result::pass   ? 2ULL * check.weight
                : check.result == compliance_result::warn ? check.weight
                                                          : 0;
    }
    return all == 0 ? 100 : static_cast<std::uint32_t>(good * 50 / all);
}

expected<events> compliance_model::decide(const state& s, const command& c, const runtime::context& context) {
    return std::visit([&](const auto& each) { return actors::decide(s, each, context); }, c);
}

compliance_state compliance_model::apply(state s, const event& e, const runtime::event_context& at) {
    if (s.id.is_nil()) {
        s.id = at.id;
        s.created_at = at.time;
    }
    std::visit(visitor{[&](const compliance_watched& x) { s.next_at = x.next_at; },
                       [&](const compliance_requested& x) {
                           s.requested = x.number;
                           s.pending = compliance_pending{x.number, x.reason, std::string(at.principal)};
                       },
                       [&](const compliance_evaluated& x) {
                           s.pending.reset();
                           s.latest = x.evaluation;
                           s.next_at = x.next_at;
                       },
                       [&](const compliance_ended&) {
                           s.pending.reset();
                           s.next_at.reset();
                       }},
               e);
    return s;
}

std::vector<runtime::effect> compliance_model::resume(const state& s) {
    if (s.pending) {
        return {runtime::perform_effect{std::string(evaluate_effect) + "/" + std::to_string(s.pending->number),
                                        std::string(evaluate_effect)}};
    }
    if (s.next_at) {
        return {runtime::timer_effect{"next/" + std::to_string(s.requested + 1), *s.next_at,
                                      std::string(wire_name<evaluate_compliance>::value),
                                      to_json(evaluate_compliance{compliance_reason::schedule})}};
    }
    return {};
}

runtime::entity_view compliance_model::view(const state& s, const runtime::view_context&) {
    compliance_document d;
    d.subject = s.id == system_organization ? "node" : "organization/" + to_string(s.id);
    d.evaluating = s.pending ? std::optional(s.pending->number) : std::nullopt;
    d.next_at = s.next_at;
    d.latest = s.latest;
    return {to_json(d), {{"", runtime::sort_key(s.created_at)}}, s.created_at.ms != 0};
}

std::vector<runtime::item> compliance_model::items(const state&, const event& e, const runtime::event_context&) {
    const auto* x = std::get_if<compliance_evaluated>(&e);
    if (x == nullptr) {
        return {};
    }
    const auto key = evaluation_key(x->evaluation.number);
    std::vector<runtime::item> out{
        {std::string(summaries_collection), key, to_json(static_cast<const compliance_summary&>(x->evaluation))},
        {std::string(evaluations_collection), key, to_json(x->evaluation)}};
    if (x->evaluation.number > evaluations_kept) {
        const auto oldest = evaluation_key(x->evaluation.number - evaluations_kept);
        out.push_back({std::string(summaries_collection), oldest, ""});
        out.push_back({std::string(evaluations_collection), oldest, ""});
    }
    return out;
}

} // namespace troupe::actors
