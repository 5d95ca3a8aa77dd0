#pragma once

#include "schemas/base/described.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/problem.hpp"
#include "storage/store.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

/// What all nodes of a cluster are started with: a JSON file, the same for each of them, which `troupe cluster init`
/// makes. It says which cluster this is and where its coordinator is.
namespace troupe::runtime::cluster {

/// Where etcd is, and how to talk to it. Files are PEM.
struct etcd_place {
    std::vector<std::string> endpoints;
    std::string prefix; ///< Of all keys of this cluster.
    std::string user;
    std::string password;
    std::string ca_file;
    std::string certificate_file;
    std::string key_file;
};
BOOST_DESCRIBE_STRUCT(etcd_place, (), (endpoints, prefix, user, password, ca_file, certificate_file, key_file))

/// Mutual TLS between nodes: all three files, or none with `insecure` (or on this machine alone).
struct link_security {
    std::string ca_file;
    std::string certificate_file; ///< Of this node: the file may be another one on each machine.
    std::string key_file;
    bool insecure = false;
};
BOOST_DESCRIBE_STRUCT(link_security, (), (ca_file, certificate_file, key_file, insecure))

struct cluster_file {
    uuid cluster;
    uuid default_organization;
    std::uint32_t shards = 256;
    std::uint64_t hash_seed = 0; ///< Of shards; whoever knows it can choose ids of one shard.
    std::uint32_t copies = 3;
    std::int64_t lease_ms = 2000;            ///< A node that is silent for so long counts as lost.
    std::int64_t replace_after_ms = 600'000; ///< One that is away for so long is replaced by another.
    std::int64_t features_after_ms = 60'000; ///< What all nodes know for so long they may store, and never go back.
    etcd_place etcd;
    link_security links;
    std::string admin_key_file;   ///< Of the administrator's API key, good at all nodes; empty: each has its own.
    std::string secrets_key_file; ///< Of the master key; empty: as each node is configured, to the same one.
    std::string cursor_key;       ///< Of the ids of live events, in base64url: all nodes can go on from them.
    /// The replica whose directory the cluster begins with, of a node that was alone before; nothing: with none.
    std::optional<uuid> founder;
};
BOOST_DESCRIBE_STRUCT(cluster_file, (),
                      (cluster, default_organization, shards, hash_seed, copies, lease_ms, replace_after_ms,
                       features_after_ms, etcd, links, admin_key_file, secrets_key_file, cursor_key, founder))

/// A cluster of its own. The files that it names are not made.
cluster_file make_cluster_file(std::vector<std::string> etcd_endpoints, std::uint32_t shards, std::uint32_t copies);
/// One that begins with what a directory of that identity holds; live events have the ids of that node, whose key that
/// is (empty: it had none). Its map is a new one, under a prefix of its own.
cluster_file make_cluster_file_from(const storage::identity& who, const std::string& cursor_key,
                                    std::vector<std::string> etcd_endpoints, std::uint32_t copies);
/// Names of files are taken as relative to it. `config_invalid` names what is wrong, with its place.
expected<cluster_file> read_cluster_file(const std::filesystem::path& file);

/// The key of a file that was read.
std::string cursor_key_of(const cluster_file& file);

/// Which node of which cluster a data directory is of: DIR/cluster.json, from its first start in a cluster on.
struct cluster_mark {
    uuid cluster;
    std::string name;
    bool founds = false; ///< The cluster is to begin with what the directory holds, and has not begun yet.

    bool operator==(const cluster_mark&) const = default;
};
BOOST_DESCRIBE_STRUCT(cluster_mark, (), (cluster, name, founds))

/// The mark of a directory that may be opened as that of `now`; without one as that of a node alone, which must not go
/// on with what belongs to a cluster. Nothing: it has none. `conflict` says whose it is.
expected<std::optional<cluster_mark>> check_mark(const std::filesystem::path& directory,
                                                 const std::optional<cluster_mark>& now);
/// Whether a directory is of a node of a cluster.
bool has_mark(const std::filesystem::path& directory);
/// Durable when it returns.
expected<void> write_mark(const std::filesystem::path& directory, const cluster_mark& now);

} // namespace troupe::runtime::cluster
