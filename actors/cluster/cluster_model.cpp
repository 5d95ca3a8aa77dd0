#include "actors/cluster/cluster_model.hpp"

#include "actors/common/model.hpp"

namespace troupe::actors {

entity_address cluster_address() {
    return {system_organization, std::string(cluster_model::kind), derive_uuid({cluster_model::kind})};
}

/// Whether it can be done the coordinator says.
expected<std::vector<cluster_model::event>> cluster_model::decide(const state&, const command& c,
                                                                  const runtime::context&) {
    return std::vector<event>{
        std::visit(visitor{[](const drain_node& x) -> event { return node_drain_requested{x.node}; },
                           [](const resume_node& x) -> event { return node_resume_requested{x.node}; },
                           [](const remove_node& x) -> event { return node_removal_requested{x.node}; },
                           [](const move_shard& x) -> event {
                               return shard_move_requested{x.shard, x.node};
                           },
                           [](const move_shard_back& x) -> event { return shard_return_requested{x.shard}; },
                           [](const note_cluster_change& x) -> event {
                               return x.code.empty() ? event(cluster_changed{x.request})
                                                     : event(cluster_change_failed{x.request, x.code, x.detail});
                           }},
                   c)};
}

cluster_acts cluster_model::apply(state s, const event& e, const runtime::event_context&) {
    if (std::holds_alternative<cluster_change_failed>(e)) {
        ++s.failed;
    } else if (!std::holds_alternative<cluster_changed>(e)) {
        ++s.requested;
    }
    return s;
}

std::vector<runtime::effect> cluster_model::resume(const state&) { return {}; }

runtime::entity_view cluster_model::view(const state& s, const runtime::view_context&) {
    return {.document = to_json(s), .exists = false};
}

} // namespace troupe::actors
