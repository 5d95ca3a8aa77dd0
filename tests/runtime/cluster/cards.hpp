#pragma once

#include "runtime/cluster/links.hpp"

#include <string>

namespace troupe::runtime::cluster::test {

inline uuid id_of(std::uint8_t number) {
    uuid out;
    out.bytes[15] = number;
    return out;
}

/// Of node `n1` with replica 1, and so on; all in one cluster.
inline node_card card_of(std::uint8_t number) {
    node_card out;
    out.cluster = id_of(200);
    out.name = "n" + std::to_string(number);
    out.replica = id_of(number);
    out.incarnation = id_of(static_cast<std::uint8_t>(100 + number));
    out.shards = 256;
    out.hash = "xxh3";
    out.hash_seed = 7;
    out.replication = 3;
    out.version = "0.1.0";
    return out;
}

} // namespace troupe::runtime::cluster::test
