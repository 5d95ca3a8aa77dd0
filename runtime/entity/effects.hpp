#pragma once

#include "runtime/entity/actors.hpp"
#include "runtime/entity/kind.hpp"
#include "runtime/supervision/tree.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

namespace troupe::runtime {

/// The effects of one entity that are in flight. Owned by its actor: each commit compares them with what is owed.
class effect_table {
public:
    /// `self` outlives it.
    effect_table(host_services& services, caf::actor_system& system, const entity_address& self);
    /// Its entity ends: stops what does not survive it, or all of it, when the next incarnation is at another node,
    /// which starts it again. The work holds the entity's actor, so this cannot wait for a destructor.
    void stop(bool all = false);

    /// Starts what is owed and not in flight, cancels what is in flight and owed no more. Returns in how many
    /// milliseconds it wants to be called again (a back-off ends); -1: not by itself.
    std::int64_t reconcile(const std::vector<effect>& owed, const entity_instance& instance, const entity_actor& owner);

    /// The outcome of an effect. Its commands are on the way when this returns; it stays in flight until they are
    /// answered.
    void done(const effect_done_msg& m, const entity_actor& owner);

    [[nodiscard]] bool empty() const { return flights_.empty(); }

private:
    struct flight {
        std::stop_source stop;
        bool survives = false;      ///< See `perform_effect`.
        bool working = false;       ///< The work or its commands are on the way.
        bool delivered = false;     ///< Its commands were answered: should `resume` still name it, it rests first.
        std::uint32_t attempts = 0; ///< For the back-off.
        std::int64_t rest_until_ms = 0;
    };

    void start(const effect& e, const std::string& key, flight& f, const entity_instance& instance,
               const entity_actor& owner);
    void send_command(const send_effect& e, const entity_actor& owner) const;
    void perform(const perform_effect& e, const flight& f, const entity_instance& instance,
                 const entity_actor& owner) const;

    [[nodiscard]] supervision_tree::entry in_tree(const perform_effect& e) const;
    void well_again(const std::string& key, const flight& f);

    host_services& services_;
    caf::actor_system& system_;
    const entity_address& self_;
    std::map<std::string, flight> flights_;
};

} // namespace troupe::runtime
