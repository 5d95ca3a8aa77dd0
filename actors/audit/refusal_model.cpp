#include "actors/audit/refusal_model.hpp"

#include "actors/common/model.hpp"

namespace troupe::actors {

entity_address refusals_address(const uuid& organization, timestamp at) {
    return {organization, std::string(refusal_model::kind),
            derive_uuid({refusal_model::kind, to_string(organization), to_string(at).substr(0, 10)})};
}

expected<std::vector<refusal_model::event>> refusal_model::decide(const state&, const command& c,
                                                                  const runtime::context&) {
    const auto& refusal = std::get<note_refusal>(c);
    const bool wrong_proof = refusal.code == explain(code::invalid_credentials).name;
    return std::vector<event>{wrong_proof ? event(login_failed{refusal}) : event(request_denied{refusal})};
}

refusal_counts refusal_model::apply(state s, const event& e, const runtime::event_context&) {
    std::visit(visitor{[&](const request_denied& x) { s.denied += x.refusal.count; },
                       [&](const login_failed& x) { s.failed += x.refusal.count; }},
               e);
    return s;
}

std::vector<runtime::effect> refusal_model::resume(const state&) { return {}; }

runtime::entity_view refusal_model::view(const state& s, const runtime::view_context&) {
    return {.document = to_json(s), .exists = false};
}

} // namespace troupe::actors
