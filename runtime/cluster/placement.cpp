#include "runtime/cluster/placement.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

namespace troupe::runtime::cluster {

namespace {

std::uint64_t mix(std::uint64_t z) { // splitmix64
    z += 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

/// Between 0 and 1, neither of them.
double unit(std::uint64_t hash) { return (static_cast<double>(hash >> 11) + 0.5) * 0x1p-53; }

double score(std::uint32_t shard, const cluster_node& n) {
    std::uint64_t halves[2];
    static_assert(sizeof halves == sizeof n.replica.bytes);
    std::memcpy(halves, n.replica.bytes.data(), sizeof halves);
    return n.weight / -std::log(unit(mix(mix(mix(shard) ^ halves[0]) ^ halves[1])));
}

} // namespace

std::vector<uuid> place(std::uint32_t shard, std::span<const cluster_node> nodes, std::size_t copies,
                        const uuid& preferred) {
    std::vector<std::pair<double, uuid>> scores;
    for (const auto& n : nodes) {
        if (!n.draining && !n.lost && n.weight > 0) {
            const auto first = n.replica == preferred;
            scores.emplace_back(first ? std::numeric_limits<double>::infinity() : score(shard, n), n.replica);
        }
    }
    std::ranges::sort(scores, [](const auto& a, const auto& b) {
        return a.first != b.first ? a.first > b.first : a.second < b.second;
    });
    std::vector<uuid> out;
    for (std::size_t i = 0; i < std::min(copies, scores.size()); ++i) {
        out.push_back(scores[i].second);
    }
    return out;
}

} // namespace troupe::runtime::cluster
