#pragma once

#include "runtime/supervision/placed_runner.hpp"
#include "runtime/supervision/supervisor_actor.hpp"
#include "runtime/supervision/tree.hpp"

#include <caf/actor.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace troupe::runtime {

/// The placed children that run here, in the supervision tree: `PATH/placed/SUPERVISOR/CHILD`, below which each child
/// is restarted until it is given up.
class placed_tree final : public placed_runner {
public:
    /// `tree` outlives it, and so does the supervisor that gets `child`.
    explicit placed_tree(supervision_tree& tree) : tree_(tree) {}

    /// For the supervisor of the node.
    supervised_child child();

    void add_supervisor(const std::string& name) override;
    void start(placed_start what) override;
    void stop(const std::string& supervisor, const std::string& child) override;

private:
    using over_function = std::function<void(std::optional<std::string>)>;
    struct one_supervisor {
        caf::actor actor;                          ///< Null: it has not started.
        std::map<std::string, over_function> told; ///< Of what it was given.
    };
    supervised_child supervisor_named(const std::string& name);
    void on_started(const std::string& name, const caf::actor& actor);

    supervision_tree& tree_;
    std::mutex mutex_;
    caf::actor top_;
    std::map<std::string, one_supervisor> supervisors_;
};

} // namespace troupe::runtime
