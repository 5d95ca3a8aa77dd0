#pragma once

#include "runtime/cluster/coordinator.hpp"
#include "runtime/cluster/links.hpp"
#include "runtime/cluster/placement.hpp"
#include "runtime/cluster/registry.hpp"
#include "runtime/cluster/shard_policy.hpp"
#include "schemas/base/features.hpp"
#include "schemas/base/problem.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace troupe::runtime::cluster {

/// What a node brings into its cluster.
struct cluster_settings {
    node_card self;
    std::string address; ///< Of its links, as others reach it.
    std::uint16_t port = 0;
    double weight = 1;
    bool is_new = true;          ///< Its directory holds nothing of any shard.
    std::optional<uuid> founder; ///< The replica that founds the cluster, for which the others wait; nothing: any.
    bool founds = false;         ///< This one does, with what its directory holds.
    feature_set features;        ///< That this program knows.
    std::int64_t features_after_ms = 60'000; ///< What all members know is on when they knew it for so long.
    /// Asked until it founds: whether the coordinator has what has to be there before. Empty: nothing has to.
    std::function<bool()> may_found = {};
    cluster_rules rules;
    std::int64_t replace_after_ms = 600'000; ///< A node that is away so long is replaced.
    std::size_t members_max = 0;             ///< Further nodes may not join; 0: any number of them.
    std::int64_t isolated_ms = 500;          ///< Who has lost the others for so long leaves them the shards.
    std::int64_t connect_ms = 5000;          ///< To those that were not connected yet: counts as lost afterwards.
    std::size_t moves_max = 8;               ///< Shards of this node that change their sets or owners at a time.
};

// ---- what the shell has to do

/// To the coordinator; answered with `on_committed`.
struct commit_wanted {
    std::uint64_t id = 0;
    transaction what;
};
/// To the links.
struct peers_changed {
    std::vector<peer_place> peers;
};
/// To the logs.
struct register_changed {
    std::uint32_t shard = 0;
    storage::replication::replica_set set;
};
struct register_answered {
    std::uint32_t shard = 0;
    std::uint64_t epoch = 0;
    std::optional<bool> applied; ///< Nothing: nobody knows.
};
struct create_shard {
    std::uint32_t shard = 0;
};
struct take_step {
    std::uint32_t shard = 0;
    shard_step step;
};
/// This node may not be in the cluster: it says why, and ends.
struct turned_away {
    problem why;
};
using cluster_action = std::variant<commit_wanted, peers_changed, register_changed, register_answered, create_shard,
                                    take_step, turned_away>;

/// What `tick` asks of a shard's log here.
struct log_view {
    bool takes = false;
    bool candidate = false;
    std::uint64_t commit = 0;
    std::function<std::optional<std::uint64_t>(const uuid&)> durable_at;
};

struct known_member {
    member_value value;
    std::uint64_t revision = 0; ///< Of its key.
};

/// A node's part in its cluster: joins it, knows who is there and where shards are, and says what is to be done next.
/// Between a coordinator, the links and the logs of the shards, none of which it knows.
///
/// Pure: no clock, no I/O, no thread; use it from one thread at a time. Inputs add to `actions`.
class cluster_core {
public:
    using actions = std::vector<cluster_action>;

    explicit cluster_core(cluster_settings settings);

    // ---- from the coordinator
    void on_map(const std::vector<entry>& all, std::uint64_t revision, actions& out);
    void on_changes(const std::vector<change>& changes, std::uint64_t revision, actions& out);
    void on_lease(const lease& now, actions& out);
    void on_committed(std::uint64_t id, const expected<transaction_result>& result, actions& out);

    // ---- from the links
    void on_peer(const uuid& replica, bool connected);

    // ---- from the logs
    void on_register_wanted(std::uint32_t shard, const storage::replication::replica_set& next, std::uint64_t over,
                            actions& out);

    /// This node is about to end: as long as it is there it counts as drained, until it is started again.
    void retire() { retiring_ = true; }

    /// To be called now and then, with the monotonic clock.
    void tick(std::int64_t now_ms, const std::function<log_view(std::uint32_t shard)>& log_of, actions& out);

    /// Whether this process is known to the cluster.
    [[nodiscard]] bool joined() const;
    /// It reaches the coordinator, but too few of the nodes that do so, too: it has left its shards to the others,
    /// which could not take them while it counts as alive, and comes back when it reaches them again.
    [[nodiscard]] bool isolated() const { return isolated_; }
    /// Until when nobody else takes what this node owns, so that it may show it; monotonic, 0: it may not. A new lease
    /// counts when everything is known that came before its key: others may have taken what it owned meanwhile.
    [[nodiscard]] std::int64_t serves_until_ms() const;
    [[nodiscard]] const std::vector<cluster_node>& nodes() const { return nodes_; }
    [[nodiscard]] const std::map<std::string, member_value>& members() const { return members_; }
    /// As the register says; epoch 0: there is none.
    [[nodiscard]] const storage::replication::replica_set& shard(std::uint32_t number) const {
        return shards_[number].set;
    }
    /// The node to which it was moved by hand; nil: none.
    [[nodiscard]] uuid pin(std::uint32_t number) const { return shards_[number].pin; }
    /// Whether its leader is alive and so many voters with it that they can commit: a majority of them, and of the
    /// copies that are wanted (C6).
    [[nodiscard]] bool takes_commands(std::uint32_t number) const;
    /// What may be stored: all members know it, and it was said to be on.
    [[nodiscard]] const feature_set& features() const { return features_; }
    /// The members whose program does not know it.
    [[nodiscard]] std::vector<std::string> ignorant_of(const std::string& feature) const;
    [[nodiscard]] const cluster_settings& settings() const { return settings_; }
    [[nodiscard]] std::uint32_t shards() const { return static_cast<std::uint32_t>(shards_.size()); }
    [[nodiscard]] std::optional<known_member> member(const std::string& name) const;
    /// Of the program that a node runs; empty: it is not up.
    [[nodiscard]] std::string version_of(const std::string& name) const;
    /// The name of a member; empty for a stranger.
    [[nodiscard]] std::string name_of(const uuid& replica) const;

private:
    struct known_shard {
        storage::replication::replica_set set;
        std::uint64_t revision = 0; ///< Of its key.
        uuid pin;                   ///< Nil: none.
        std::int64_t ownerless_since_ms = -1;
        bool moving = false;             ///< This node changes it.
        std::uint64_t usurped_epoch = 0; ///< Its leader is believed to be gone, and this node was told to take over.
    };
    enum class purpose : std::uint8_t { join, leave, retire, change_shard, turn_on };
    struct pending {
        purpose why = purpose::join;
        std::uint32_t shard = 0;
        storage::replication::replica_set next = {};
    };

    void forget();
    void take(const entry& e, actions& out);
    void drop(const std::string& key);
    void take_register(std::uint32_t shard, const std::string& value, std::uint64_t revision, actions& out);
    void refresh(actions& out);
    void join(actions& out);
    void leave_or_come_back(std::int64_t now_ms, actions& out);
    void tell_retiring(actions& out);
    [[nodiscard]] bool is_out_of_reach(const uuid& id, std::int64_t now_ms);
    [[nodiscard]] bool reaches_too_few(std::int64_t now_ms);
    [[nodiscard]] bool is_under_way(purpose why) const;
    [[nodiscard]] expected<void> knows_features() const;
    void turn_features_on(std::int64_t now_ms, actions& out);
    [[nodiscard]] expected<void> may_join() const;
    [[nodiscard]] expected<void> may_bring_data() const;
    [[nodiscard]] bool waits_for_founder() const;
    void turn_away(problem why, actions& out);
    void commit(pending about, transaction what, actions& out);
    void make_registers(actions& out);
    void note_absences(std::int64_t now_ms);
    [[nodiscard]] shard_situation situation_of(std::uint32_t number, const log_view& log, std::int64_t now_ms,
                                               std::size_t moving) const;

    cluster_settings settings_;
    lease lease_;
    bool known_ = false;  ///< The map has been read.
    bool turned_ = false; ///< Away, for good.
    std::uint64_t revision_ = 0;
    std::optional<config_value> config_;
    std::uint64_t config_revision_ = 0;
    feature_set features_; ///< That are on.
    std::uint64_t features_revision_ = 0;
    feature_set next_features_; ///< That could be on, too.
    std::int64_t next_features_since_ms_ = 0;
    std::map<std::string, member_value> members_;
    std::map<std::string, std::uint64_t> member_revisions_;
    std::map<std::string, alive_value> alive_;
    std::map<std::string, std::int64_t> absent_since_ms_;
    std::vector<known_shard> shards_;
    std::vector<cluster_node> nodes_; ///< As of members, alive and absences.
    std::vector<peer_place> peers_;
    std::map<std::uint64_t, pending> commits_;
    std::uint64_t next_commit_ = 1;
    std::uint64_t joined_lease_ = 0;    ///< That the own key was, or is being, written with.
    std::uint64_t joined_revision_ = 0; ///< In which it was; 0: it is not yet.
    std::uint64_t own_revision_ = 0;    ///< Of the own key, as it was last seen.
    bool retiring_ = false;
    bool isolated_ = false;
    std::map<uuid, bool> connected_;            ///< Of peers that ever were.
    std::map<uuid, std::int64_t> unreached_ms_; ///< Of those that are alive: since when they are not connected.
};

} // namespace troupe::runtime::cluster
