#pragma once

#include "runtime/supervision/supervisor_core.hpp"
#include "runtime/supervision/tree.hpp"
#include "schemas/base/problem.hpp"

#include <caf/fwd.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

/// Supervisors as CAF actors: they carry out what `supervisor_core` decides.
///
/// A child never outlives a supervisor that died: it is killed. An exit message to a supervisor is the request for an
/// ordered shutdown.
namespace troupe::runtime {

class dead_letters;

/// What a factory gets. `path` is the child's: "/nodes/n1/committer".
struct child_context {
    caf::actor_system& system;
    caf::local_actor& parent;
    const std::string& path;
    supervision_tree::entry& entry; ///< The child's place in the tree; valid during the call. Does nothing without one.
    dead_letters* letters;          ///< For `report_failures`; may be null.
};

/// Starts the child: at first and for each restart, in the supervisor's thread; must not block. May throw: that is a
/// failure of the child. A typed handle goes through `caf::actor_cast<caf::actor>`.
using child_factory = std::function<caf::actor(const child_context&)>;

struct supervised_child {
    child_spec spec;
    child_factory start;
};

struct supervisor_options {
    std::string path = "/";              ///< Of the supervisor; a child's is "PATH/ID".
    supervision_tree* tree = nullptr;    ///< Where all show up; outlives the supervisor. May be null.
    dead_letters* letters = nullptr;     ///< Of it and its children; outlives them. May be null.
    std::function<double()> random = {}; ///< For jitter, in [0, 1); default: seeded by the system.
    /// Called in the actor's thread when the supervisor gives up, before it ends. For the root: end the process.
    std::function<void(const std::string& reason)> on_escalation = {};
};

/// A supervisor without a parent. `spec.children` stays empty: the specifications come with `children`.
/// `invalid_request` as `validate` says.
expected<caf::actor> spawn_supervisor(caf::actor_system& system, supervisor_spec spec,
                                      std::vector<supervised_child> children, supervisor_options options = {});

/// A supervisor as the child of another, which then shows it in the tree. Its own children follow its path. It gets at
/// least the time that their ordered shutdown may take, so that it is not killed half-way. A specification that does
/// not validate fails at each start, and so escalates.
supervised_child supervisor_child(child_spec as_child, supervisor_spec spec, std::vector<supervised_child> children,
                                  supervision_tree* tree = nullptr);

/// Told in the supervisor's thread; not at all when the supervisor is gone.
using order_done = std::function<void(expected<void>)>;

/// Orders to a running supervisor, from any thread. Errors as in `supervisor_core`.
void add_child(const caf::actor& supervisor, supervised_child child, order_done done = {});
void remove_child(const caf::actor& supervisor, std::string id, order_done done = {});
void restart_child(const caf::actor& supervisor, std::string id, order_done done = {});

/// Asks for the ordered shutdown and waits for it: the watchdog of a node's end. False: it took longer.
/// Blocks; not to be called by actors.
bool end_supervisor(caf::actor_system& system, const caf::actor& supervisor, std::int64_t time_out_ms);

/// Why an actor ended, in words: what was thrown where `report_failures` noted it.
std::string failure_text(const caf::error& reason, const caf::actor_system& system);

/// Called by an actor for itself at its start: an exception becomes an exit reason that says what was thrown, so
/// that supervisor, tree and log can show it; messages without a handler, and ends of others that it does not wait for,
/// become dead letters (`letters` may be null).
void report_failures(caf::scheduled_actor& self, std::string path, dead_letters* letters = nullptr);

} // namespace troupe::runtime
