#pragma once

#include "runtime/admission.hpp"
#include "runtime/entity/entity.hpp"
#include "storage/committer.hpp"

#include <caf/typed_actor.hpp>
#include <caf/unit.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

/// The messages and typed interfaces between router, entity and committer. All local to a node: between nodes commands
/// travel in envelopes of their own.
namespace troupe::runtime {

class histogram;
struct actor_figures;

namespace cluster {
class driver;
}

/// Microseconds on the monotonic clock.
std::int64_t monotonic_us();

/// A command that the router holds until it is answered. Shared by router and entity.
struct held_command : admission_ticket {
    static constexpr auto never_decided = std::numeric_limits<std::uint64_t>::max();

    troupe::runtime::command command;
    reply_port port;
    int crashes = 0; ///< How often its entity died while deciding it. Router only.
    std::atomic<bool> deciding{
        false}; ///< Set by the entity while it decides: whoever is marked when it dies is to blame.
    std::atomic<bool> offered{false};                        ///< The entity may have committed it.
    std::atomic<std::uint64_t> decided_after{never_decided}; ///< The entity's version when it was first decided.
    std::atomic<bool> answered{false};                       ///< Set once, by whoever answers.
    std::function<void()> on_parked;   ///< Its entity rests: gives back its credit, so that others go on.
    std::function<void()> on_answered; ///< Gives back all that it held.
    /// Of a command that another node sent: that one looks for the next owner. With `decided_after`.
    std::function<void(std::uint64_t decided_after)> send_back;
    std::shared_ptr<actor_figures> counted; ///< Where it counts as waiting until it is answered; null: nowhere.
    histogram* latency = nullptr;           ///< Takes the time from `since_us` to the answer; null: not measured.
    std::int64_t since_us = 0;

    /// Answers once; later calls do nothing.
    void answer(reply r);
    ~held_command();
};
using held_ptr = std::shared_ptr<held_command>;

/// Messages to a shard's router.
struct submit_msg {
    held_ptr held;
};
/// Activates an entity that owes effects.
struct wake_msg {
    entity_address entity;
};
/// Looks for idle entities to passivate.
struct sweep_msg {
    bool drain = false; ///< Shutdown: all of them, busy or not.
};
/// In a cluster: the shard is this node's from now on, or no longer.
struct ownership_msg {
    bool owned = false;
};
/// From an entity that was asked to passivate and has work.
struct busy_msg {
    entity_address entity;
};

/// Messages to an entity.
struct offer_msg {
    held_ptr held;
    /// Set: the command crashed the entity too often for this cause. It is set aside: journaled and answered with
    /// `poison`.
    std::optional<std::string> poison_cause = {};
};
struct passivate_msg {
    bool drain = false;
};
/// The entity compares what it owes with what is in flight.
struct reconcile_msg {};
/// To itself: what could not be shown without a lease is looked at again.
struct show_msg {};
/// The outcome of an effect in flight.
struct effect_done_msg {
    std::string key;
    std::vector<self_command> commands;
    bool crashed = false;
    std::string cause;
};

/// What became of an order to cut a history. `done` is called once, when the last holder lets go of it.
struct cut_ticket {
    std::uint64_t events = 0; ///< That were cut.
    bool more = false;        ///< The bound of a step was reached: order it again.
    bool failed = false;      ///< The log says why.
    std::function<void(const cut_ticket&)> done;

    cut_ticket() = default;
    cut_ticket(const cut_ticket&) = delete;
    ~cut_ticket() {
        if (done) {
            done(*this);
        }
    }
};

/// Messages to the committer.
struct activate_msg {
    entity_address entity;
};
struct activated_msg {
    expected<storage::activation> result = storage::activation{};
};
struct append_msg {
    std::shared_ptr<storage::append> append;
};
struct appended_msg {
    expected<storage::appended> result = storage::appended{};
};
struct release_msg {
    entity_address entity;
    std::uint64_t activation = 0;
};
struct flush_msg {};
struct trim_msg {
    std::uint32_t shard = 0;
    storage::log_base to;
};
struct trimmed_msg {
    expected<void> result;
};
/// Something for the driver of a cluster's node: a frame, or news of the coordinator.
struct drive_msg {
    std::function<void(cluster::driver&)> input;
};
struct drive_tick_msg {};

/// Retention's order to cut an entity's history: to its router, which passes it on to the entity.
struct cut_history_msg {
    entity_address entity;
    timestamp until; ///< Events that are not newer may go.
    std::shared_ptr<cut_ticket> ticket;
    bool leave = false; ///< Set by the router: the entity was started only for this.
};

} // namespace troupe::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::runtime::submit_msg)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::runtime::wake_msg)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::runtime::sweep_msg)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::runtime::busy_msg)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::runtime::ownership_msg)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::runtime::offer_msg)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::runtime::passivate_msg)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::runtime::reconcile_msg)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::runtime::show_msg)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::runtime::effect_done_msg)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::runtime::activate_msg)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::runtime::activated_msg)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::runtime::append_msg)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::runtime::appended_msg)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::runtime::release_msg)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::runtime::flush_msg)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::runtime::trim_msg)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::runtime::trimmed_msg)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::runtime::drive_msg)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::runtime::drive_tick_msg)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::runtime::cut_history_msg)

namespace troupe::runtime {

/// One per node; detached, because it waits for the disk.
using committer_actor = caf::typed_actor<
    /// A barrier: earlier appends of the entity are settled before the answer. Errors come in the result:
    /// `unavailable` when another node owns the shard.
    caf::replies_to<activate_msg>::with<activated_msg>,
    /// Answered after the fsync, in a cluster of a majority; or when the shard is lost. No time-out: an I/O error ends
    /// the process.
    caf::replies_to<append_msg>::with<appended_msg>,
    /// An activation ended.
    caf::reacts_to<release_msg>,
    /// To itself: commit what has queued up.
    caf::reacts_to<flush_msg>,
    /// Trims a shard's log; answered after the fsync. Errors come in the result.
    caf::replies_to<trim_msg>::with<trimmed_msg>,
    /// Dropped by a node alone.
    caf::reacts_to<drive_msg>,
    /// To itself.
    caf::reacts_to<drive_tick_msg>>;

/// One per shard: holds commands until they are answered, starts and passivates entities.
using shard_actor =
    caf::typed_actor<caf::reacts_to<submit_msg>, caf::reacts_to<wake_msg>, caf::reacts_to<sweep_msg>,
                     caf::reacts_to<busy_msg>, caf::reacts_to<cut_history_msg>, caf::reacts_to<ownership_msg>>;

/// One per active entity. Only its shard sends to it.
using entity_actor =
    caf::typed_actor<caf::reacts_to<offer_msg>, caf::reacts_to<passivate_msg>, caf::reacts_to<reconcile_msg>,
                     caf::reacts_to<show_msg>, caf::reacts_to<effect_done_msg>, caf::reacts_to<cut_history_msg>>;

} // namespace troupe::runtime
