#include "runtime/cluster/links.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace troupe::runtime::cluster {

namespace {

constexpr std::size_t name_bytes_max = 63;

problem refused(std::string sentence) { return {code::conflict, std::move(sentence)}; }

/// A setting that all nodes must share.
template <class T>
problem differs(std::string_view what, const node_card& mine, const T& here, const node_card& theirs, const T& there) {
    return refused(fmt::format("{} has {} {}, and {} has {}: all nodes of a cluster need the same. Correct the "
                               "configuration of the one that is wrong; a data directory keeps what it was made with.",
                               mine.name, what, here, theirs.name, there));
}

std::string range_of(const node_card& card) {
    return card.protocol_oldest == card.protocol ? fmt::format("{}", card.protocol)
                                                 : fmt::format("{} to {}", card.protocol_oldest, card.protocol);
}

} // namespace

bool is_node_name(std::string_view name) {
    const auto alphanumeric = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 && c > 0; };
    return !name.empty() && name.size() <= name_bytes_max && alphanumeric(name.front()) &&
           std::all_of(name.begin(), name.end(),
                       [&](char c) { return alphanumeric(c) || c == '.' || c == '-' || c == '_'; });
}

expected<void> compare_cards(const node_card& mine, const node_card& theirs) {
    if (!is_node_name(theirs.name) || theirs.protocol_oldest > theirs.protocol)
        return refused(fmt::format("What came to {} is no card of a node.", mine.name));
    // The first of all: a later protocol may mean something else by the rest.
    if (std::max(mine.protocol_oldest, theirs.protocol_oldest) > std::min(mine.protocol, theirs.protocol))
        return refused(
            fmt::format("{} (version {}) speaks protocol {}, and {} (version {}) speaks {}: update the older "
                        "one. Nodes are updated one version after the other.",
                        mine.name, mine.version, range_of(mine), theirs.name, theirs.version, range_of(theirs)));
    if (mine.cluster != theirs.cluster)
        return refused(fmt::format("{} belongs to cluster {}, and {} to cluster {}: correct the address or the "
                                   "coordinator that one of them was given.",
                                   mine.name, to_string(mine.cluster), theirs.name, to_string(theirs.cluster)));
    if (mine.replica == theirs.replica)
        return refused(mine.incarnation == theirs.incarnation
                           ? fmt::format("{} has reached itself: its own address stands for another node.", mine.name)
                           : fmt::format("{} and {} have the same replica id {}: a data directory was copied. Stop one "
                                         "of them and give it an empty data directory.",
                                         mine.name, theirs.name, to_string(mine.replica)));
    if (mine.name == theirs.name)
        return refused(fmt::format("Two nodes are called {}: replicas {} and {}. Give one of them another name.",
                                   mine.name, to_string(mine.replica), to_string(theirs.replica)));
    if (mine.shards != theirs.shards)
        return differs("shards:", mine, mine.shards, theirs, theirs.shards);
    if (mine.hash != theirs.hash)
        return differs("the hash function", mine, mine.hash, theirs, theirs.hash);
    if (mine.hash_seed != theirs.hash_seed)
        return differs("the hash seed", mine, mine.hash_seed, theirs, theirs.hash_seed);
    if (mine.replication != theirs.replication)
        return differs("replication", mine, mine.replication, theirs, theirs.replication);
    return {};
}

expected<void> find_member(const std::vector<peer_place>& peers, const node_card& theirs) {
    const auto known =
        std::find_if(peers.begin(), peers.end(), [&](const auto& p) { return p.replica == theirs.replica; });
    if (known != peers.end()) {
        if (known->name == theirs.name)
            return {};
        return refused(
            fmt::format("Replica {} is called {} in this cluster, and calls itself {}: give it its old name, "
                        "or remove it and let it join again.",
                        to_string(theirs.replica), known->name, theirs.name));
    }
    const auto named = std::find_if(peers.begin(), peers.end(), [&](const auto& p) { return p.name == theirs.name; });
    if (named != peers.end())
        return refused(fmt::format("Two nodes are called {}: replicas {} and {}. Give one of them another name.",
                                   theirs.name, to_string(named->replica), to_string(theirs.replica)));
    return problem{code::unavailable,
                   fmt::format("{} (replica {}) is not a member (yet).", theirs.name, to_string(theirs.replica))};
}

} // namespace troupe::runtime::cluster
