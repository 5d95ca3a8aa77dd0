#include "runtime/entity/actors.hpp"
#include "runtime/entity/troubles.hpp"
#include "runtime/metrics/metrics.hpp"
#include "runtime/supervision/dead_letters.hpp"
#include "runtime/supervision/stall_watch.hpp"
#include "runtime/supervision/supervisor_actor.hpp"
#include "runtime/supervision/tree.hpp"
#include "schemas/base/limits.hpp"
#include "schemas/base/log.hpp"
#include "storage/log_reader.hpp"
#include "storage/views.hpp"

#include <caf/send.hpp>
#include <caf/system_messages.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <algorithm>
#include <chrono>
#include <list>
#include <unordered_map>
#include <utility>

namespace troupe::runtime {

std::int64_t monotonic_us() {
    return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

std::string entity_path(const host_services& services, std::uint32_t shard, const entity_address& a) {
    return services.settings.node_path + "/shards/" + std::to_string(shard) + "/" + a.kind + "s/" + to_string(a.id);
}

void held_command::answer(reply r) {
    if (!answered.exchange(true)) {
        if (counted) {
            counted->waiting.fetch_sub(1, std::memory_order_relaxed);
        }
        if (latency) {
            latency->observe(static_cast<double>(monotonic_us() - since_us) / 1e6);
        }
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
const auto entity_policy =
    std::make_shared<const std::string>("restarted by its router after 50 ms, doubling to 5 s; leaves when idle");

/// Keeps what was not answered, so that a crash of an entity loses nothing: its mailbox is lost, this queue is not.
class shard_impl : public shard_actor::base, private stall_subject {
public:
    shard_impl(caf::actor_config& config, host_services& services, committer_actor committer, std::uint32_t shard)
        : shard_actor::base(config),
          services_(services),
          committer_(std::move(committer)),
          shard_(shard),
          path_(services.settings.node_path + "/shards/" + std::to_string(shard)),
          owned_(!services.reroute) {
        if (shard < services.router_figures.size()) {
            figures_ = services.router_figures[shard];
            figures_->waiting = 0; // what an earlier one had is lost
        }
    }

    const char* name() const override { return "shard"; }

    resume_result resume(caf::execution_unit* unit, std::size_t throughput_max) override {
        const watched_work work(services_.watch, "scheduler", *this);
        return shard_actor::base::resume(unit, throughput_max);
    }

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
        report_failures(*this, path_, services_.letters);
        set_down_handler([this](caf::down_msg& down) { entity_ended(down.source, down.reason); });
        sweep_later();
        return {[this](const submit_msg& m) { submit(m.held); },      [this](const wake_msg& m) { wake(m); },
                [this](const sweep_msg& m) { sweep(m.drain); },       [this](const busy_msg& m) { busy(m.entity); },
                [this](const cut_history_msg& m) { cut_history(m); }, [this](const ownership_msg& m) { own(m.owned); }};
    }

private:
    [[nodiscard]] std::string stall_path() const override { return path_; }
    [[nodiscard]] bool is_core() const override { return true; }

    struct slot {
        entity_actor actor;
        /// Oldest first; answered ones are dropped from the front. A deque takes 600 bytes even when it is empty.
        std::list<held_ptr> held;
        std::int64_t last_used_ms = 0;
        int crashes_in_a_row = 0;
        bool passivating = false; ///< New commands wait until it is gone.
        bool resting = false;     ///< Waits before its restart.
        bool leaving = false;     ///< It ends with an ownership; what is held goes then.
        std::string last_failure;
        bool in_tree = false;
        supervision_tree::entry entry;
        std::shared_ptr<actor_figures> figures = std::make_shared<actor_figures>();
    };

    // ---- in a cluster

    /// Entities begin anew with each ownership: what they have in memory may not be what became of the shard.
    void own(bool owned) {
        owned_ = owned;
        for (auto at = slots_.begin(); at != slots_.end();) {
            auto& s = at->second;
            if (s.actor) {
                s.leaving = s.passivating = true;
                anon_send_exit(s.actor, caf::exit_reason::kill);
                ++at;
            } else {
                leave(s);
                at = slots_.erase(at);
            }
        }
        if (owned) {
            take_up();
        }
    }

    /// What others did here counts from now on: when it was, and what is owed since.
    void take_up() {
        auto& newest = services_.shard_times[shard_];
        newest = std::max(newest.load(), storage::last_time(*services_.store, shard_).ms);
        for (const auto& a : storage::read_owed(*services_.store, shard_)) {
            wake({a});
        }
    }

    /// What was not answered goes to the owner, who finds out whether it is done. Nobody else has it any more.
    void leave(slot& s) {
        for (const auto& held : s.held) {
            if (!held->answered) {
                if (const auto counted = std::exchange(held->counted, nullptr)) {
                    counted->waiting.fetch_sub(1, std::memory_order_relaxed);
                }
                held->deciding = false;
                services_.reroute(held);
            }
        }
    }

    // ---- commands

    void submit(const held_ptr& held) {
        if (figures_) {
            figures_->waiting.fetch_sub(1, std::memory_order_relaxed);
            figures_->messages.fetch_add(1, std::memory_order_relaxed);
        }
        if (!owned_) {
            services_.reroute(held);
            return;
        }
        auto& s = slots_[held->command.to];
        drop_answered(held->command.to, s);
        held->counted = s.figures;
        s.figures->waiting.fetch_add(1, std::memory_order_relaxed);
        s.held.push_back(held);
        s.last_used_ms = monotonic_ms();
        if (s.resting) {
            park(*held);
        }
        if (s.passivating || s.resting) {
            return;
        }
        if (!s.actor) {
            start(held->command.to, s);
        } else {
            offer(s, held);
        }
    }

    static offer_msg make_offer(const slot& s, const held_ptr& held) {
        held->offered = true;
        s.figures->messages.fetch_add(1, std::memory_order_relaxed);
        const bool is_poison = held->crashes >= limits::poison_crashes;
        return {held, is_poison ? std::optional(s.last_failure) : std::nullopt};
    }

    void offer(const slot& s, const held_ptr& held) { send(s.actor, make_offer(s, held)); }

    void wake(const wake_msg& m) {
        if (!owned_) {
            return;
        }
        auto& s = slots_[m.entity];
        s.resting = false;
        if (!s.actor) {
            start(m.entity, s);
        }
    }

    static void park(const held_command& held) {
        if (held.on_parked) {
            held.on_parked();
        }
    }

    /// An entity that is ending or rests is left alone: retention comes again.
    void cut_history(cut_history_msg m) {
        if (!owned_) {
            return;
        }
        auto& s = slots_[m.entity];
        if (s.passivating || s.resting) {
            return;
        }
        m.leave = !s.actor;
        if (!s.actor) {
            start(m.entity, s);
        }
        send(s.actor, std::move(m));
    }

    void drop_answered(const entity_address& a, slot& s) {
        while (!s.held.empty() && s.held.front()->answered) {
            s.held.pop_front();
            if (std::exchange(s.crashes_in_a_row, 0) > 0 && services_.troubles) {
                services_.troubles->recovered(a);
            }
        }
    }

    /// Starts the entity and offers all that is held, in order.
    void start(const entity_address& a, slot& s) {
        drop_answered(a, s);
        s.last_used_ms = monotonic_ms();
        std::vector<offer_msg> first;
        for (const auto& held : s.held) {
            first.push_back(make_offer(s, held));
        }
        s.actor = spawn_entity(system(), services_, committer_, this, shard_, a, std::move(first), s.figures);
        monitor(s.actor);
        by_actor_[s.actor.address()] = &slots_.find(a)->first; // stays as long as it has an actor
        if (services_.tree && !std::exchange(s.in_tree, true)) {
            s.entry = services_.tree->add(entity_path(services_, shard_, a), a.kind);
            s.entry.set_policy(entity_policy);
            s.entry.show(s.figures);
        } else {
            s.entry.restarted();
        }
        make_room();
    }

    /// The entity stays: what came meanwhile was not offered yet.
    void busy(const entity_address& a) {
        const auto found = slots_.find(a);
        if (found != slots_.end() && found->second.actor && !found->second.leaving) {
            found->second.passivating = false;
            found->second.last_used_ms = monotonic_ms(); // others are asked first
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
        const auto a = *found->second;
        by_actor_.erase(found);
        auto& s = slots_[a];
        s.actor = nullptr;
        if (s.leaving) {
            leave(s);
            slots_.erase(a);
            wake({a}); // it may owe effects
            return;
        }
        s.passivating = false;
        drop_answered(a, s);
        const bool crashed = reason && reason != caf::exit_reason::normal;
        if (!crashed) {
            if (!s.held.empty()) {
                start(a, s);
            } else {
                if (services_.troubles) {
                    services_.troubles->recovered(a);
                }
                slots_.erase(a);
            }
            return;
        }
        s.last_failure = failure_text(reason, system());
        const auto suspect = suspect_of(s);
        const log_scope about(suspect.correlation, suspect.trace);
        log_for("entity").error("{} crashed: {}", to_string(a), s.last_failure);
        if (services_.letters) {
            services_.letters->record("crash", to_string(a), suspect.type, s.last_failure);
        }
        for (const auto& held : s.held) {
            held->crashes += held->deciding.exchange(false) ? 1 : 0;
            park(*held);
        }
        s.resting = true;
        s.entry.failed(s.last_failure);
        const auto wait = std::min(restart_max_ms, restart_first_ms << std::min(s.crashes_in_a_row++, 7));
        if (services_.troubles) {
            const auto now = services_.clock();
            services_.troubles->crashed(
                a, {static_cast<std::uint32_t>(s.crashes_in_a_row), now, now + wait, suspect.type, s.last_failure});
        }
        delayed_send(this, std::chrono::milliseconds(wait), wake_msg{a});
    }

    /// The command that it was deciding, else the oldest; an empty one: it held none.
    static command suspect_of(const slot& s) {
        const auto found = std::ranges::find_if(s.held, [](const held_ptr& h) { return h->deciding.load(); });
        return found != s.held.end() ? (*found)->command : s.held.empty() ? command() : s.held.front()->command;
    }

    void sweep_later() { delayed_send(this, std::chrono::milliseconds(services_.settings.sweep_ms), sweep_msg{}); }

    /// Over the node's bound, the entities of this shard that were idle longest leave memory, before their time.
    void make_room() {
        const auto share = std::max<std::size_t>(1, services_.settings.active_max / services_.store->who().shards);
        if (services_.entities_active <= services_.settings.active_max || slots_.size() <= share + share / 4 + 4) {
            return;
        }
        std::vector<std::pair<std::int64_t, slot*>> idle;
        for (auto& [a, s] : slots_) {
            drop_answered(a, s);
            if (s.actor && !s.passivating && s.held.empty()) {
                idle.emplace_back(s.last_used_ms, &s);
            }
        }
        const auto leaving = std::min(idle.size(), slots_.size() - share);
        std::ranges::nth_element(idle, idle.begin() + static_cast<std::ptrdiff_t>(leaving));
        for (std::size_t i = 0; i < leaving; ++i) {
            passivate(*idle[i].second, false);
        }
    }

    void passivate(slot& s, bool drain) {
        s.passivating = true;
        send(s.actor, passivate_msg{drain});
    }

    void sweep(bool drain) {
        const auto oldest = monotonic_ms() - services_.settings.idle_ms;
        for (auto& [a, s] : slots_) {
            drop_answered(a, s);
            if (s.actor && !s.passivating && s.held.empty() && (drain || s.last_used_ms <= oldest)) {
                passivate(s, drain);
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
    std::unordered_map<caf::actor_addr, const entity_address*> by_actor_; ///< Keys of `slots_`.
    std::shared_ptr<actor_figures> figures_;                              ///< Its own; may be null.
    bool owned_;
};

} // namespace

shard_actor spawn_shard(caf::actor_system& system, host_services& services, committer_actor committer,
                        std::uint32_t shard) {
    return system.spawn<shard_impl>(services, std::move(committer), shard);
}

} // namespace troupe::runtime
