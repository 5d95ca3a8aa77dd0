#include "actors/audit/sink_model.hpp"

#include <algorithm>

namespace troupe::actors {

entity_address audit_sink_address(std::string_view place) {
    return {system_organization, std::string(sink_model::kind), derive_uuid({sink_model::kind, place})};
}

/// Nothing moves back: a late note of an earlier delivery changes nothing.
expected<std::vector<sink_model::event>> sink_model::decide(const state& s, const command& c, const runtime::context&) {
    audit_delivered out;
    for (const auto& p : std::get<note_delivered>(c).positions) {
        const auto known = std::ranges::find(s.positions, p.shard, &audit_position::shard);
        if (known == s.positions.end() || known->seq < p.seq) {
            out.positions.push_back(p);
        }
    }
    return out.positions.empty() ? std::vector<event>() : std::vector<event>{std::move(out)};
}

audit_sink_state sink_model::apply(state s, const event& e, const runtime::event_context&) {
    for (const auto& p : std::get<audit_delivered>(e).positions) {
        const auto known = std::ranges::lower_bound(s.positions, p.shard, {}, &audit_position::shard);
        if (known != s.positions.end() && known->shard == p.shard) {
            *known = p;
        } else {
            s.positions.insert(known, p);
        }
    }
    return s;
}

std::vector<runtime::effect> sink_model::resume(const state&) { return {}; }

runtime::entity_view sink_model::view(const state& s, const runtime::view_context&) { return {.document = to_json(s)}; }

} // namespace troupe::actors
