#pragma once

#include "schemas/base/ids.hpp"
#include "schemas/base/problem.hpp"
#include "storage/checkpoint.hpp"
#include "storage/shard_logs.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Whole shards on their way between nodes: the frames of the lane `bulk` that begin with `checkpoint_tag`.
namespace troupe::runtime::cluster {

inline constexpr char checkpoint_tag = 'C';

/// Bounds of what a node does at a time. Ticks are those of the driver.
struct checkpoint_settings {
    std::size_t piece_bytes = 256 << 10; ///< About.
    std::uint64_t pieces_max = 4;        ///< On their way to one node, and so many are sent in one tick.
    std::size_t out_max = 2;             ///< Shards that are sent.
    std::size_t in_max = 2;              ///< Shards that are received.
    std::uint32_t patience_ticks = 100;  ///< A transfer that stands still so long is given up.
    std::uint32_t rest_ticks = 20;       ///< After one that failed.
    std::uint32_t hold_ticks = 600;      ///< So long entries are held for who got one, and has to read on from there.
};

/// A transfer has ended.
struct checkpoint_ended {
    std::uint32_t shard = 0;
    uuid peer;
    bool received = false;      ///< Here; else it was sent to the peer.
    std::optional<problem> why; ///< It came to nothing.
};

/// Sends shards to replicas that cannot be brought up to date with entries, and receives them. A transfer that loses a
/// piece, stands still or is refused ends; the replica shows again what it lacks, and it begins anew.
///
/// On the driver's thread, as `shard_logs`. Works in ticks, a few pieces in each, so that commits do not wait for long.
class checkpoint_exchange {
public:
    /// False: nothing was sent, try again later.
    using sender = std::function<bool(const uuid& to, std::string frame)>;

    /// The logs outlive it. Transfers are numbered from `first` on: another number in each life of the node.
    checkpoint_exchange(checkpoint_settings settings, std::uint64_t first, storage::shard_logs& logs, sender send);

    /// That replica needs the shard as a whole. To be called after a write; it may come again and again.
    void wanted(std::uint32_t shard, const uuid& to);
    void on_frame(const uuid& from, std::string_view frame);
    /// What was under way to it or from it is lost.
    void on_peer_back(const uuid& peer);
    void tick();
    /// After a write: what is complete takes its place now.
    void after_write();

    /// What has ended since the last call.
    [[nodiscard]] std::vector<checkpoint_ended> take_ended();

private:
    enum class state : std::uint8_t { sending, held, resting };
    struct outgoing {
        std::uint32_t shard = 0;
        uuid to;
        std::uint64_t id = 0;
        std::optional<storage::checkpoint_source> source; ///< While it is sent.
        std::string unsent;                               ///< A frame for which the way was full.
        std::uint64_t sent = 0;                           ///< Pieces.
        std::uint64_t taken = 0;
        bool complete = false; ///< Its end is sent.
        state now = state::sending;
        std::uint32_t ticks = 0; ///< In which nothing happened.
        std::uint64_t from = 0;  ///< What follows this record is held.
        std::uint64_t until = 0; ///< Up to here the replica has to come.
    };
    struct incoming {
        uuid from;
        std::uint64_t id = 0;
        storage::checkpoint_staging staged;
        std::uint64_t taken = 0;
        bool complete = false;
        std::uint32_t ticks = 0;
    };

    void send_some(outgoing& o);
    bool say(outgoing& o, std::string frame);
    void rest(outgoing& o, problem why);
    void hold(outgoing& o);
    void hold_entries(std::uint32_t shard);
    outgoing* find_out(const uuid& to, std::uint64_t id);

    void begin(const uuid& from, std::uint64_t id, std::string_view head);
    void add(incoming& i, std::uint64_t number, std::string_view piece);
    void finish(incoming& i, std::uint64_t pieces, const storage::checkpoint_sum& sum);
    void refuse(const uuid& from, std::uint64_t id, const problem& why);
    void give_up(incoming& i, const problem& why);

    checkpoint_settings settings_;
    std::uint64_t next_id_;
    storage::shard_logs& logs_;
    sender send_;
    std::list<outgoing> out_;
    std::list<incoming> in_;
    std::vector<checkpoint_ended> ended_;
    bool may_install_ = false; ///< Once a tick.
};

} // namespace troupe::runtime::cluster
