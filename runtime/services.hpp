#pragma once

#include "runtime/config/present.hpp"
#include "runtime/entity/entity.hpp"
#include "storage/store.hpp"

#include <functional>

/// What the parts above the runtime (routes, performers) may use of a node. Made by the node, outlives them all.
namespace troupe::runtime {

class audit_log;
class bus;
class supervision_tree;
class dead_letters;
class failure_board;
class backup_desk;
class stall_watch;
class trouble_board;

struct services {
    storage::store* store = nullptr; ///< Documents, lists, items, blobs: see storage/views.hpp and storage/blobs.hpp.
    config_view settings;            ///< A reload changes it: not to be kept where the latest value counts.
    runtime::bus* live = nullptr;
    audit_log* audit = nullptr; ///< To bring it up to date; storage/audit.hpp reads it.
    supervision_tree* tree = nullptr;
    dead_letters* letters = nullptr;
    failure_board* failures = nullptr; ///< Hears of all error lines of the process.
    backup_desk* backups = nullptr;
    trouble_board* troubles = nullptr; ///< What keeps entities from going on.
    stall_watch* watch = nullptr;      ///< For threads whose work has to be short.
    /// Sends a command within the node's bounds: over them the answer is `overloaded` at once. Thread-safe.
    std::function<void(command, reply_port)> submit;
    /// In a cluster: whether the entity is this node's now, so that one node alone does what is done about it. Empty:
    /// all are.
    std::function<bool(const entity_address&)> owns;
    /// In a cluster: `then` is called when the tables here show all that any node answered before this call, or with
    /// the reason why that cannot be known; from any thread, maybe inside of this call. Empty at a node alone, whose
    /// tables always do.
    std::function<void(std::function<void(const expected<void>&)> then)> wait_to_read;
};

/// Submits and waits for the answer: for programs that embed a node. Blocks; neither for handlers nor for performers,
/// which have `effect_context::ask`.
reply ask(const services& s, command c);

/// The same for what is read from the tables: blocks until they show all that was answered before.
expected<void> wait_to_read(const services& s);

} // namespace troupe::runtime
