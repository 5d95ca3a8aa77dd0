#pragma once

#include "schemas/base/described.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/problem.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

/// Connections between nodes for what is too much for actor messages: entries of journals, catch-up, checkpoints,
/// blobs. Implemented in net/cluster; whoever uses it treats a frame that is not sent as one that was lost.
namespace troupe::runtime::cluster {

/// Raised when frames change their meaning. Nodes of other versions than `protocol_oldest … protocol` are refused.
inline constexpr std::uint32_t protocol = 1;
inline constexpr std::uint32_t protocol_oldest = 1;

/// What a node says of itself before anything else: the handshake compares it, and refuses with the reason on both
/// sides.
struct node_card {
    std::uint32_t protocol = cluster::protocol;
    std::uint32_t protocol_oldest = cluster::protocol_oldest;
    uuid cluster;
    std::string name; ///< Of the node, unique in its cluster.
    uuid replica;     ///< Of its data directory.
    uuid incarnation; ///< Of this process.
    std::uint32_t shards = 0;
    std::string hash;
    std::uint64_t hash_seed = 0;
    std::uint32_t replication = 0; ///< How many copies a shard has.
    std::string version;           ///< Of the program.

    bool operator==(const node_card&) const = default;
};
BOOST_DESCRIBE_STRUCT(node_card, (),
                      (protocol, protocol_oldest, cluster, name, replica, incarnation, shards, hash, hash_seed,
                       replication, version))

/// Why `theirs` must not talk with `mine`; nothing when it may. `conflict`, with a sentence that names what differs and
/// what to do. Pure.
expected<void> compare_cards(const node_card& mine, const node_card& theirs);

/// Letters, digits, '.', '-' and '_', at most 63, a letter or digit first: what a node may be called.
bool is_node_name(std::string_view name);

/// Each lane has a connection of its own in each direction, so that a checkpoint never delays an acknowledgement.
enum class lane : std::uint8_t {
    journal,  ///< Small and urgent: entries, acknowledgements, seals.
    bulk,     ///< Catch-up, checkpoints, blobs.
    commands, ///< Commands, their answers, and what reads ask (envelope.hpp).
};
BOOST_DESCRIBE_ENUM(lane, journal, bulk, commands)

/// The biggest frame that `links::send` takes.
inline constexpr std::size_t frame_bytes_max = 8 << 20;

/// Where a peer listens.
struct peer_place {
    uuid replica;
    std::string name;
    std::string address;
    std::uint16_t port = 0;

    bool operator==(const peer_place&) const = default;
};

/// Why a node with this card is none of `peers`; nothing when it is one. `unavailable`: not a member (yet), which may
/// change in a moment; `conflict`: its name is another's, or it has another name here. Pure.
expected<void> find_member(const std::vector<peer_place>& peers, const node_card& theirs);

/// Called on the links' own threads, for one peer and lane in the order of what was sent; it must not block.
class links_listener {
public:
    virtual ~links_listener() = default;
    /// All lanes to the peer are open. Again after each `on_down`.
    virtual void on_up(const node_card& peer) = 0;
    /// Frames that were sent and not answered may be lost.
    virtual void on_down(const uuid& peer, const std::string& why) = 0;
    virtual void on_frame(const uuid& from, lane on, std::string_view bytes) = 0;
};

/// Bytes that several connections send without copies.
using shared_bytes = std::shared_ptr<const std::string>;

/// Thread-safe.
class links {
public:
    virtual ~links() = default;

    /// From now on frames come and go. Once; the listener outlives `stop`.
    virtual void start(links_listener& listener) = 0;
    virtual void stop() = 0;

    /// Whom to stay connected with; others are left. Those that cannot be reached are tried again, with back-off.
    virtual void set_peers(std::vector<peer_place> peers) = 0;

    /// False, and nothing was sent: not connected, too big, or what is on its way there is over the lane's credit.
    virtual bool send(const uuid& to, lane on, shared_bytes frame) = 0;
};

} // namespace troupe::runtime::cluster
