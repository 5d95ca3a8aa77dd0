#include "runtime/entity/actors.hpp"
#include "runtime/supervision/dead_letters.hpp"
#include "runtime/supervision/tree.hpp"
#include "schemas/base/limits.hpp"
#include "schemas/base/log.hpp"

#include <caf/send.hpp>
#include <caf/system_messages.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <algorithm>
#include <chrono>
#include <deque>
#include <unordered_map>
#include <utility>

namespace troupe::runtime {

void held_command::answer(reply r) {
    if (!answered.exchange(true)) {
        if (on_answered) {
            on_answered();
        }
        // Let go, whoever still has this command: the port of an effect holds the entity that waits for it, and that
        // one may have commands of the entity here. Two that died so would hold each other for ever.
        if (const auto to = std::exchange(port, {})) {
            to(std::move(r));
        }
    }
}

held_command::~held_command() {
    if (offered) {
        answer(problem{code::unknown_outcome,
                       "the node stopped while this command was in work: it may be done; send it again with the same "
                       "Idempotency-Key to find out",
                       {},
                       1});
    } else {
        answer(problem{code::unavailable, "the node stopped before this command was decided; send it again", {}, 1});
    }
}

namespace {

/// Restarts wait 50 ms, doubling to 5 s, so that an entity that crashes at once does not spin.
constexpr std::int64_t restart_first_ms = 50;
constexpr std::int64_t restart_max_ms = 5000;

/// Keeps what was not answered, so that a crash of an entity loses nothing: its mailbox is lost, this queue is not.
class shard_impl : public shard_actor::base {
public:
    shard_impl(caf::actor_config& config, host_services& services, committer_actor committer, std::uint32_t shard)
        : shard_actor::base(config),
          services_(services),
          committer_(std::move(committer)),
          shard_(shard),
          path_(services.settings.node_path + "/shards/" + std::to_string(shard) + "/") {
        set_down_handler([this](caf::down_msg& down) { entity_ended(down.source, down.reason); });
    }

    const char* name() const override { return "shard"; }

    /// Its entities end with it; the handles that they hold of each other are let go.
    void on_exit() override {
        for (auto& [a, s] : slots_) {
            if (s.actor) {
                anon_send_exit(s.actor, caf::exit_reason::kill);
            }
        }
        slots_.clear();
        committer_ = nullptr;
    }

    behavior_type make_behavior() override {
        sweep_later();
        return {[this](const submit_msg& m) { submit(m.held); }, [this](const wake_msg& m) { wake(m); },
                [this](const sweep_msg& m) { sweep(m.drain); }, [this](const busy_msg& m) { busy(m.entity); }};
    }

private:
    struct slot {
        entity_actor actor;
        std::deque<held_ptr> held; ///< Oldest first; answered ones are dropped from the front.
        std::int64_t last_used_ms = 0;
        int crashes_in_a_row = 0;
        bool passivating = false; ///< New commands wait until it is gone.
        bool resting = false;     ///< Waits before its restart.
        bool wakes_later = false; ///< A wake is on its way: the slot stays.
        supervision_tree::entry entry;
    };

    void submit(const held_ptr& held) {
        auto& s = slots_[held->command.to];
        drop_answered(s);
        s.held.push_back(held);
        s.last_used_ms = monotonic_ms();
        if (s.passivating || s.resting) {
            return;
        }
        if (!s.actor) {
            start(held->command.to, s);
        } else {
            offer(s, held);
        }
    }

    void offer(slot& s, const held_ptr& held) {
        held->offered = true;
        s.entry.count_messages();
        if (held->crashes >= limits::poison_crashes) {
            send(s.actor, poison_msg{held, last_failure_});
        } else {
            send(s.actor, offer_msg{held});
        }
    }

    void wake(const wake_msg& m) {
        auto& s = slots_[m.entity];
        if (m.after_ms > 0) {
            // One at a time: each incarnation that is refused asks for another.
            if (!std::exchange(s.wakes_later, true)) {
                delayed_send(this, std::chrono::milliseconds(m.after_ms), wake_msg{m.entity});
            }
            return;
        }
        s.wakes_later = false;
        s.resting = false;
        if (!s.actor) {
            start(m.entity, s);
        }
    }

    static void drop_answered(slot& s) {
        while (!s.held.empty() && s.held.front()->answered) {
            s.held.pop_front();
            s.crashes_in_a_row = 0;
        }
    }

    /// Starts the entity and offers all that is held, in order.
    void start(const entity_address& a, slot& s) {
        drop_answered(s);
        s.last_used_ms = monotonic_ms();
        s.actor = spawn_entity(system(), services_, committer_, this, shard_, a);
        monitor(s.actor);
        by_actor_[s.actor.address()] = a;
        if (services_.tree && s.crashes_in_a_row == 0) {
            s.entry = services_.tree->add(path_ + a.kind + "s/" + to_string(a.id), a.kind);
        } else {
            s.entry.restarted();
        }
        for (const auto& held : s.held) {
            offer(s, held);
        }
    }

    /// The entity stays: what came meanwhile was not offered yet.
    void busy(const entity_address& a) {
        const auto found = slots_.find(a);
        if (found != slots_.end() && found->second.actor) {
            found->second.passivating = false;
            for (const auto& held : found->second.held) {
                offer(found->second, held);
            }
        }
    }

    void entity_ended(const caf::actor_addr& who, const caf::error& reason) {
        const auto found = by_actor_.find(who);
        if (found == by_actor_.end()) {
            return;
        }
        const auto a = found->second;
        by_actor_.erase(found);
        auto& s = slots_[a];
        s.actor = nullptr;
        s.passivating = false;
        drop_answered(s);
        const bool crashed = reason && reason != caf::exit_reason::normal;
        if (!crashed) {
            if (!s.held.empty()) {
                start(a, s);
            } else if (!s.wakes_later) {
                slots_.erase(a);
            } else {
                s.entry = {};
            }
            return;
        }
        last_failure_ = system().render(reason);
        log_for("entity").error("{} crashed: {}", to_string(a), last_failure_);
        if (services_.letters) {
            services_.letters->record("crash", to_string(a), s.held.empty() ? "" : s.held.front()->command.type,
                                      last_failure_);
        }
        for (const auto& held : s.held) {
            held->crashes += held->deciding.exchange(false) ? 1 : 0;
        }
        s.resting = true;
        s.entry.failed(last_failure_);
        const auto wait = std::min(restart_max_ms, restart_first_ms << std::min(s.crashes_in_a_row++, 7));
        delayed_send(this, std::chrono::milliseconds(wait), wake_msg{a});
    }

    void sweep_later() { delayed_send(this, std::chrono::milliseconds(services_.settings.sweep_ms), sweep_msg{}); }

    void sweep(bool drain) {
        const auto oldest = monotonic_ms() - services_.settings.idle_ms;
        for (auto& [a, s] : slots_) {
            drop_answered(s);
            if (s.actor && !s.passivating && s.held.empty() && (drain || s.last_used_ms <= oldest)) {
                s.passivating = true;
                send(s.actor, passivate_msg{drain});
            }
        }
        if (!drain) {
            sweep_later();
        }
    }

    host_services& services_;
    committer_actor committer_;
    std::uint32_t shard_;
    std::string path_; ///< In the supervision tree.
    std::unordered_map<entity_address, slot> slots_;
    std::unordered_map<caf::actor_addr, entity_address> by_actor_;
    std::string last_failure_;
};

} // namespace

shard_actor spawn_shard(caf::actor_system& system, host_services& services, committer_actor committer,
                        std::uint32_t shard) {
    return system.spawn<shard_impl>(services, std::move(committer), shard);
}

} // namespace troupe::runtime
