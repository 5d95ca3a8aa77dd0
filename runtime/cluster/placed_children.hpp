#pragma once

#include "runtime/cluster/child_placement.hpp"
#include "runtime/cluster/coordinator.hpp"
#include "runtime/cluster/serial_worker.hpp"
#include "runtime/supervision/placed.hpp"
#include "runtime/supervision/placed_runner.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/base/problem.hpp"
#include "schemas/cluster.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::runtime::cluster {

struct placed_ports {
    placed_runner* runner = nullptr; ///< Outlives it.
    /// To the coordinator; `done` as of `coordinator::commit`.
    std::function<void(transaction what, std::function<void(expected<transaction_result>)> done)> commit;
    std::function<std::int64_t()> monotonic = monotonic_ms;
    std::function<void(std::string_view why)> end_process; ///< A child runs on though another node may begin it.
};

/// The placed children of a node: `child_placement` on a thread of its own, so that neither a slow disk nor a busy
/// actor keeps a child from being stopped in time. Thread-safe.
class placed_children {
public:
    placed_children(child_placement_settings settings, placed_ports ports);
    ~placed_children();
    placed_children(const placed_children&) = delete;
    placed_children& operator=(const placed_children&) = delete;

    void start();
    /// Ends what runs here and waits for it; what does not end within the time ends the process. Before the lease is
    /// given back. Done again it does nothing.
    void stop(std::int64_t time_ms);

    /// `invalid_request` names what makes no sense, `already_exists` for a name that is taken.
    expected<void> place(placed_supervisor what);

    /// By name. As of a moment ago.
    [[nodiscard]] std::vector<placed_child_document> all() const;

    // ---- from the coordinator, on its thread, before anybody else hears of it
    void on_map(const std::vector<entry>& all, std::uint64_t revision);
    void on_changes(const std::vector<change>& changes, std::uint64_t revision);
    /// From the core of the cluster, after it took what came before.
    void note(std::vector<cluster_node> nodes, std::int64_t serves_until_ms);

private:
    /// One run of a child, restarts and all.
    struct one_run {
        std::mutex mutex;
        bool wanted = true;    ///< Else it is not started any more.
        std::size_t alive = 0; ///< Parts that have begun and not ended; at most one.
        bool over = false;     ///< Its supervisor is gone.
        std::optional<std::string> gave_up;
        std::atomic<std::int64_t> holds_until_ms{0};
    };
    class alive_mark;
    struct known_child {
        placed_child what;
        std::size_t restarts_max = 0;
        std::int64_t window_ms = 0;
    };

    void tick();
    void look_for_ended();
    void show();
    void act(placement_commit& a);
    void act(const start_placed& a);
    void act(const stop_placed& a);
    void act(const placed_overdue& a);
    [[nodiscard]] supervised_part part_of(const placed_child& child, const std::shared_ptr<one_run>& run,
                                          std::uint64_t term) const;

    const placed_ports ports_;
    child_placement core_; ///< On the worker, as what follows.
    std::map<placed_id, known_child> known_;
    std::map<placed_id, std::shared_ptr<one_run>> runs_;
    mutable std::mutex mutex_;
    std::set<std::string> names_;              ///< Under the mutex. Of supervisors.
    std::vector<placed_child_document> shown_; ///< Likewise.
    bool stopped_ = false;                     ///< Likewise.
    std::atomic<bool> idle_{true};
    serial_worker worker_; ///< The last: it uses the others.
};

/// Placed children of a node alone: all run there. The same, over a coordinator in memory.
class placed_alone final : coordinator_listener {
public:
    placed_alone(std::string name, const uuid& replica, placed_runner& runner,
                 std::function<void(std::string_view why)> end_process);
    ~placed_alone() override;
    placed_alone(const placed_alone&) = delete;
    placed_alone& operator=(const placed_alone&) = delete;

    [[nodiscard]] placed_children& children() { return *children_; }

private:
    void on_map(std::vector<entry> all, std::uint64_t revision) override;
    void on_changes(std::vector<change> changes, std::uint64_t revision) override;
    void on_lease(lease now) override;
    void on_reachable(bool, const std::string&) override {}

    child_placement_settings self_;
    std::unique_ptr<coordinator> agreed_;
    std::unique_ptr<placed_children> children_;
};

} // namespace troupe::runtime::cluster
