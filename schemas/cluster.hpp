#pragma once

#include "schemas/base/clock.hpp"
#include "schemas/base/described.hpp"
#include "schemas/base/ids.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace troupe {

/// up: it serves; down: its lease is over, others have what it had; draining: it gives away what it leads.
enum class cluster_node_status : std::uint8_t { up, down, draining };
BOOST_DESCRIBE_ENUM(cluster_node_status, up, down, draining)

struct cluster_node_document {
    std::string name;
    uuid replica_id; ///< Of its data directory.
    cluster_node_status status = cluster_node_status::up;
    std::string address; ///< Where other nodes reach it, as HOST:PORT.
    std::optional<std::string> version;
    std::uint32_t shards_led = 0;
    std::uint32_t shards_held = 0; ///< Copies that vote, those that it leads among them.
};
BOOST_DESCRIBE_STRUCT(cluster_node_document, (), (name, replica_id, status, address, version, shards_led, shards_held))

/// A child that runs at one node, whichever, below a supervisor that all nodes have.
struct placed_child_document {
    std::string supervisor;
    std::string child;
    std::optional<std::string> node;        ///< That runs it; nothing: none does now.
    std::optional<timestamp> since;         ///< Of that node.
    std::uint32_t failures = 0;             ///< Times that a node gave it up since it last ran for long.
    std::optional<std::string> given_up_by; ///< The last node that did.
    std::optional<std::string> last_failure;
};
BOOST_DESCRIBE_STRUCT(placed_child_document, (), (supervisor, child, node, since, failures, given_up_by, last_failure))

/// What newer programs can store and some nodes cannot read yet: nothing is stored so until all can.
struct waiting_feature_document {
    std::string feature;
    std::vector<std::string> nodes; ///< Whose program does not know it.
};
BOOST_DESCRIBE_STRUCT(waiting_feature_document, (), (feature, nodes))

/// ok: every shard has all its copies; degraded: every shard takes commands, some with fewer copies; partial: some take
/// none; alone: this is a node without a cluster.
enum class cluster_status : std::uint8_t { ok, degraded, partial, alone };
BOOST_DESCRIBE_ENUM(cluster_status, ok, degraded, partial, alone)

/// GET /cluster: as this node sees it.
struct cluster_document {
    uuid id;
    std::string node; ///< That was asked.
    cluster_status status = cluster_status::alone;
    std::uint32_t copies = 1; ///< Of each shard, as they are wanted.
    std::uint32_t shards = 0;
    std::uint32_t shards_closed = 0; ///< That take no commands now: no leader, or no majority of their copies.
    std::uint32_t shards_moving = 0; ///< Whose leader or copies are not yet where they belong.
    std::int64_t lease_left_ms = 0;  ///< Of this node at the coordinator; 0: it has none.
    bool contents_complete = true;   ///< This node has the bytes of all files that its copies name, as it last looked.
    std::vector<cluster_node_document> nodes;
    std::vector<placed_child_document> placed; ///< By supervisor and child.
    std::vector<std::string> features;         ///< That are on: a program that does not know them cannot join.
    std::vector<waiting_feature_document> features_waiting; ///< That the program of the asked node knows besides.
};
BOOST_DESCRIBE_STRUCT(cluster_document, (),
                      (id, node, status, copies, shards, shards_closed, shards_moving, lease_left_ms, contents_complete,
                       nodes, placed, features, features_waiting))

/// An item of GET /cluster/shards.
struct cluster_shard_document {
    std::uint32_t shard = 0;
    std::uint64_t epoch = 0;
    std::string leader; ///< Names of nodes; those of nodes that were removed are ids.
    std::vector<std::string> voters;
    std::vector<std::string> learners;   ///< Follow without a vote: on their way, or more nodes than copies.
    std::optional<std::string> moved_to; ///< The node to which it was moved by hand.
    bool open = false;                   ///< It takes commands.
};
BOOST_DESCRIBE_STRUCT(cluster_shard_document, (), (shard, epoch, leader, voters, learners, moved_to, open))

/// POST /cluster/shards/{shard}/move
struct move_shard_body {
    std::string to;
    static constexpr field_rule rules[] = {
        {.name = "to", .required = true, .min = 1, .max = 63, .doc = "The name of a node.", .example = "\"n2\""}};
};
BOOST_DESCRIBE_STRUCT(move_shard_body, (), (to))

// ---- events of the live channel `cluster`. `node`: whose reader one is, which sees it so.

/// A node came, went, or is to lead nothing (again).
struct cluster_node_news {
    std::string node;
    std::string name; ///< Of the one that it is about.
    uuid replica_id;
};
BOOST_DESCRIBE_STRUCT(cluster_node_news, (), (node, name, replica_id))

/// Shards are led by another node.
struct cluster_moves_news {
    std::string node;
    std::uint64_t count = 0;
    std::vector<std::uint32_t> shards;         ///< The first 64 of them.
    std::map<std::string, std::uint64_t> from; ///< How many each node led before, by name.
    std::map<std::string, std::uint64_t> to;   ///< How many each node leads now.
};
BOOST_DESCRIBE_STRUCT(cluster_moves_news, (), (node, count, shards, from, to))

/// Shards take no commands any more, or take them again.
struct cluster_quorum_news {
    std::string node;
    std::uint64_t count = 0;
    std::vector<std::uint32_t> shards; ///< The first 64 of them.
    std::uint64_t closed = 0;          ///< That take none now, these and others.
};
BOOST_DESCRIBE_STRUCT(cluster_quorum_news, (), (node, count, shards, closed))

/// The node may show nothing that it owns, or may again.
struct cluster_lease_news {
    std::string node;
};
BOOST_DESCRIBE_STRUCT(cluster_lease_news, (), (node))

} // namespace troupe
