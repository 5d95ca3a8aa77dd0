#pragma once

#include "runtime/entity/entity.hpp"
#include "schemas/audit.hpp"
#include "schemas/base/described.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// What people change of the cluster, for the audit log: each act is an event before the coordinator is asked for it,
/// and so is what came of it. The coordinator has the truth; this has who, when and from where. Pure.
namespace troupe::actors {

struct drain_node {
    std::string node;
};
BOOST_DESCRIBE_STRUCT(drain_node, (), (node))

struct resume_node {
    std::string node;
};
BOOST_DESCRIBE_STRUCT(resume_node, (), (node))

/// Also when it is replaced.
struct remove_node {
    std::string node;
};
BOOST_DESCRIBE_STRUCT(remove_node, (), (node))

struct move_shard {
    std::uint32_t shard = 0;
    std::string node;
};
BOOST_DESCRIBE_STRUCT(move_shard, (), (shard, node))

struct move_shard_back {
    std::uint32_t shard = 0;
};
BOOST_DESCRIBE_STRUCT(move_shard_back, (), (shard))

/// What came of an act.
struct note_cluster_change {
    std::uint64_t request = 0; ///< The version of the entity that the act made.
    std::string code;          ///< Empty: it was done.
    std::string detail;
};
BOOST_DESCRIBE_STRUCT(note_cluster_change, (), (request, code, detail))

struct node_drain_requested {
    std::string node;
};
BOOST_DESCRIBE_STRUCT(node_drain_requested, (), (node))

struct node_resume_requested {
    std::string node;
};
BOOST_DESCRIBE_STRUCT(node_resume_requested, (), (node))

struct node_removal_requested {
    std::string node;
};
BOOST_DESCRIBE_STRUCT(node_removal_requested, (), (node))

struct shard_move_requested {
    std::uint32_t shard = 0;
    std::string node;
};
BOOST_DESCRIBE_STRUCT(shard_move_requested, (), (shard, node))

struct shard_return_requested {
    std::uint32_t shard = 0;
};
BOOST_DESCRIBE_STRUCT(shard_return_requested, (), (shard))

struct cluster_changed {
    std::uint64_t request = 0;
};
BOOST_DESCRIBE_STRUCT(cluster_changed, (), (request))

struct cluster_acts {
    static constexpr int version = 1;
    std::uint64_t requested = 0;
    std::uint64_t failed = 0;
};
BOOST_DESCRIBE_STRUCT(cluster_acts, (), (requested, failed))

/// The only one, in `system`.
entity_address cluster_address();

} // namespace troupe::actors

TROUPE_NAMED(troupe::actors::drain_node)
TROUPE_NAMED(troupe::actors::resume_node)
TROUPE_NAMED(troupe::actors::remove_node)
TROUPE_NAMED(troupe::actors::move_shard)
TROUPE_NAMED(troupe::actors::move_shard_back)
TROUPE_NAMED(troupe::actors::note_cluster_change)
TROUPE_NAMED(troupe::actors::node_drain_requested)
TROUPE_NAMED(troupe::actors::node_resume_requested)
TROUPE_NAMED(troupe::actors::node_removal_requested)
TROUPE_NAMED(troupe::actors::shard_move_requested)
TROUPE_NAMED(troupe::actors::shard_return_requested)
TROUPE_NAMED(troupe::actors::cluster_changed)

namespace troupe::actors {

struct cluster_model {
    static constexpr std::string_view kind = "cluster";
    using state = cluster_acts;
    using command =
        std::variant<drain_node, resume_node, remove_node, move_shard, move_shard_back, note_cluster_change>;
    using event = std::variant<node_drain_requested, node_resume_requested, node_removal_requested,
                               shard_move_requested, shard_return_requested, cluster_changed, cluster_change_failed>;

    static expected<std::vector<event>> decide(const state&, const command&, const runtime::context&);
    static state apply(state, const event&, const runtime::event_context&);
    static std::vector<runtime::effect> resume(const state&);
    /// Not shown: the audit log is where people look.
    static runtime::entity_view view(const state&, const runtime::view_context&);
};

} // namespace troupe::actors
