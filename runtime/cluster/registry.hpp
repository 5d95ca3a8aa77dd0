#pragma once

#include "runtime/cluster/coordinator.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/base/described.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/problem.hpp"
#include "storage/key_store.hpp"
#include "storage/replication/messages.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What a cluster keeps at its coordinator: keys and the JSON behind them.
///
///   config             -> what all nodes have to agree on; written once, by the founder
///   members/NAME       -> a node that belongs to the cluster, whether it is there or not
///   alive/NAME         -> the process that it runs as; goes with its lease
///   features           -> what nodes may store from now on, since all members can read it; it grows only
///   shards/NNNN        -> who replicates a shard (epoch, leader, voters, learners)
///   pins/NNNN          -> the node that is to lead a shard, since somebody moved it there
///   keys/NNNNNNNN      -> a key of contents, wrapped with the master key, or when it was destroyed; never removed
///   subjects/UUID      -> which of them is that subject's
///   placed/SUPERVISOR/CHILD  -> the process that runs a placed child; goes with its lease
///   given_up/SUPERVISOR/CHILD -> how often, and by whom, it was given up lately
namespace troupe::runtime::cluster {

struct config_value {
    uuid cluster;
    std::uint32_t shards = 0;
    std::string hash;
    std::uint64_t hash_seed = 0;
    std::uint32_t copies = 0;
    uuid founder; ///< The replica that made the first registers.

    bool operator==(const config_value&) const = default;
};
BOOST_DESCRIBE_STRUCT(config_value, (), (cluster, shards, hash, hash_seed, copies, founder))

struct member_value {
    uuid replica;
    std::string address; ///< Of its links.
    std::uint16_t port = 0;
    double weight = 1;
    bool draining = false;
    std::vector<std::string> features = {}; ///< That the program knows which it last ran.

    bool operator==(const member_value&) const = default;
};
BOOST_DESCRIBE_STRUCT(member_value, (), (replica, address, port, weight, draining, features))

struct features_value {
    std::vector<std::string> on;
};
BOOST_DESCRIBE_STRUCT(features_value, (), (on))

struct alive_value {
    uuid replica;
    uuid incarnation;
    std::string version;   ///< Of the program.
    bool retiring = false; ///< It is about to end: others lead from now on.

    bool operator==(const alive_value&) const = default;
};
BOOST_DESCRIBE_STRUCT(alive_value, (), (replica, incarnation, version, retiring))

struct register_value {
    std::uint64_t epoch = 0;
    uuid leader;
    std::vector<uuid> voters;
    std::vector<uuid> learners;
};
BOOST_DESCRIBE_STRUCT(register_value, (), (epoch, leader, voters, learners))

struct pin_value {
    uuid leader; ///< Of a data directory.
};
BOOST_DESCRIBE_STRUCT(pin_value, (), (leader))

struct content_key_value {
    uuid subject;
    std::optional<std::string> wrapped;
    std::optional<std::int64_t> destroyed_ms;
};
BOOST_DESCRIBE_STRUCT(content_key_value, (), (subject, wrapped, destroyed_ms))

struct subject_value {
    std::uint32_t number = 0;
};
BOOST_DESCRIBE_STRUCT(subject_value, (), (number))

/// The revision of its key is the child's term.
struct placed_value {
    uuid replica;
    uuid incarnation;
    std::string name; ///< Of the node.
    double cost = 1;
    timestamp since;

    bool operator==(const placed_value&) const = default;
};
BOOST_DESCRIBE_STRUCT(placed_value, (), (replica, incarnation, name, cost, since))

struct given_up_value {
    std::uint32_t failures = 0; ///< Times that a node gave it up since it last ran for long.
    std::vector<uuid> by;       ///< Nodes that did so.
    std::string name;           ///< Of the last one.
    std::string why;
    timestamp at;

    bool operator==(const given_up_value&) const = default;
};
BOOST_DESCRIBE_STRUCT(given_up_value, (), (failures, by, name, why, at))

inline constexpr std::string_view config_key = "config";
inline constexpr std::string_view features_key = "features";
inline constexpr std::string_view members_prefix = "members/";
inline constexpr std::string_view alive_prefix = "alive/";
inline constexpr std::string_view shards_prefix = "shards/";
inline constexpr std::string_view pins_prefix = "pins/";
inline constexpr std::string_view content_keys_prefix = "keys/";
inline constexpr std::string_view subjects_prefix = "subjects/";
inline constexpr std::string_view placed_prefix = "placed/";
inline constexpr std::string_view given_up_prefix = "given_up/";

std::string member_key(std::string_view name);
std::string alive_key(std::string_view name);
std::string shard_key(std::uint32_t shard);
/// The number in such a key; nothing for another one.
std::optional<std::uint32_t> shard_of_key(std::string_view key);
std::string pin_key(std::uint32_t shard);
/// Likewise.
std::optional<std::uint32_t> shard_of_pin(std::string_view key);

std::string content_key(std::uint32_t number);
/// Likewise.
std::optional<std::uint32_t> number_of_content_key(std::string_view key);
std::string subject_key(const uuid& subject);

std::string encode_register(const storage::replication::replica_set& set);
/// `invalid_request` names what is wrong.
expected<storage::replication::replica_set> decode_register(std::string_view json);

std::string encode_content_key(const storage::agreed_key& key);
/// `invalid_request` names what is wrong.
expected<storage::agreed_key> decode_content_key(std::uint32_t number, std::string_view json);

} // namespace troupe::runtime::cluster
