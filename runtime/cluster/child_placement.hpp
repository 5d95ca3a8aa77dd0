#pragma once

#include "runtime/cluster/coordinator.hpp"
#include "runtime/cluster/placement.hpp"
#include "runtime/cluster/registry.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/problem.hpp"

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace troupe::runtime::cluster {

/// A child that runs at one node of the cluster, whichever.
struct placed_id {
    std::string supervisor;
    std::string child;

    auto operator<=>(const placed_id&) const = default;
};

struct child_placement_settings {
    std::string name; ///< Of this node.
    uuid replica;
    uuid incarnation; ///< Of this process.

    std::int64_t turn_ms = 300;    ///< Between one node and the next to take a free child, should the first not come.
    std::int64_t settle_ms = 2000; ///< The first one waits so long, so that the others can come, too.
    std::int64_t margin_ms = 500;  ///< A child is stopped so long before the end of the lease.
    std::int64_t retry_ms = 100;   ///< After a commit that came to nothing.
    std::int64_t pass_over_ms = 2000; ///< A node that gave a child up; doubles each time that anybody does.
    std::int64_t pass_over_max_ms = 300'000;
    std::int64_t quiet_ms = 300'000; ///< A child that ran for so long begins anew.
};

// ---- what the shell has to do

/// To the coordinator; answered with `on_committed`.
struct placement_commit {
    std::uint64_t id = 0;
    transaction what;
};
struct start_placed {
    placed_id which;
    std::uint64_t term = 0; ///< Greater than that of all runs at other nodes before.
};
/// Answered with `on_ended` when it is over, however long that takes.
struct stop_placed {
    placed_id which;
    std::string why;
};
/// It was told to stop, still runs, and another node may begin it: the process has to end.
struct placed_overdue {
    placed_id which;
};
using placement_action = std::variant<placement_commit, start_placed, stop_placed, placed_overdue>;

/// What people are told of a child.
struct placed_glance {
    placed_id which;
    std::optional<std::string> node; ///< Nothing: it is free.
    std::optional<timestamp> since;  ///< Of the node that has it.
    std::uint32_t failures = 0;      ///< Times that a node gave it up lately.
    std::string last_node;           ///< That did.
    std::string why;

    bool operator==(const placed_glance&) const = default;
};

/// Which placed children this node runs: agreed on with keys that go with leases, so that each child runs at one node
/// at most. Free ones go where there is most room; what runs stays where it is.
///
/// Pure: no clock, no I/O, no thread; use it from one thread at a time. Inputs are taken note of; `tick` acts on them.
class child_placement {
public:
    using actions = std::vector<placement_action>;

    explicit child_placement(child_placement_settings settings);

    /// This node can run it. All that can have the same costs.
    void add(const placed_id& which, double cost);

    /// It can run none any more.
    void remove_all();

    // ---- from the coordinator
    void on_map(const std::vector<entry>& all, std::uint64_t revision);
    void on_changes(const std::vector<change>& changes, std::uint64_t revision);
    void on_committed(std::uint64_t id, const expected<transaction_result>& result);

    /// Who is there, and until when nobody else takes what this node has (`cluster_core::serves_until_ms`): after the
    /// changes that its reckoning knew of.
    void on_nodes(std::vector<cluster_node> nodes, std::int64_t serves_until_ms);

    /// What was started runs no longer. `gave_up`: it failed too often here, and why.
    void on_ended(const placed_id& which, std::optional<std::string> gave_up);

    /// After inputs, and now and then: monotonic clock, and that of the walls for what people are told.
    void tick(std::int64_t now_ms, timestamp now, actions& out);

    /// Until when nobody else begins what runs here, so that it may act; 0: it does not run, or was told to stop.
    [[nodiscard]] std::int64_t holds_until_ms(const placed_id& which) const;

    /// All that are known here, by name.
    [[nodiscard]] std::vector<placed_glance> all() const;

private:
    enum class run : std::uint8_t { none, running, stopping };
    struct child {
        bool registered = false;
        double cost = 1;
        std::optional<placed_value> place;
        std::uint64_t place_revision = 0;
        std::optional<given_up_value> given_up;
        std::uint64_t given_up_revision = 0;
        std::int64_t given_up_ms = -1; ///< Since when this node knows that.
        std::int64_t free_ms = -1;     ///< Since when somebody could take it.
        // here
        run state = run::none;
        std::uint64_t term = 0;
        std::int64_t running_ms = 0;          ///< Since when.
        std::int64_t stopping_ms = 0;         ///< Since when.
        std::int64_t until_ms = 0;            ///< Nobody else begins it before.
        std::optional<std::string> failed;    ///< Here, and not written yet.
        std::uint64_t commit = 0;             ///< Under way; 0: none.
        std::uint64_t wait_for = 0;           ///< The revision that a commit made.
        std::optional<std::int64_t> retry_ms; ///< Not before.
        bool came_to_nothing = false;         ///< The last commit; the next tick says when to try again.
    };
    using loads = std::map<uuid, double>;

    void take(const std::string& key, const std::string* value, std::uint64_t revision);
    void take_place(child& c, const std::string* value, std::uint64_t revision);
    void take_given_up(child& c, const std::string* value, std::uint64_t revision);
    [[nodiscard]] const cluster_node* self() const;
    [[nodiscard]] bool is_mine(const child& c) const;
    [[nodiscard]] bool may_commit(const child& c, std::int64_t now_ms) const;
    void note_times(std::int64_t now_ms);
    void run_or_stop(const placed_id& which, child& c, std::int64_t now_ms, timestamp now, actions& out);
    void release(const placed_id& which, child& c, timestamp now, actions& out);
    void claim_free(std::int64_t now_ms, timestamp now, actions& out);
    [[nodiscard]] std::vector<const cluster_node*> takers(const child& c, const loads& load, std::int64_t now_ms) const;
    void commit(child& c, transaction what, actions& out);

    const child_placement_settings settings_;
    std::map<placed_id, child> children_;
    std::vector<cluster_node> nodes_;
    std::uint64_t revision_ = 0;
    std::uint64_t alive_revision_ = 0; ///< Of this node's own key; 0: it is not there.
    std::int64_t serves_until_ms_ = 0;
    bool serving_ = false; ///< For longer than the margin.
    std::int64_t serving_since_ms_ = 0;
    std::uint64_t next_commit_ = 1;
};

} // namespace troupe::runtime::cluster
