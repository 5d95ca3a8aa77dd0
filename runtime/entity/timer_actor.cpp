#include "runtime/entity/timer_actor.hpp"

#include "runtime/entity/derive.hpp"
#include "runtime/supervision/stall_watch.hpp"
#include "runtime/supervision/supervisor_actor.hpp"
#include "schemas/base/duration.hpp"
#include "schemas/base/log.hpp"
#include "storage/views.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>

#include <algorithm>
#include <chrono>
#include <limits>
#include <unordered_map>
#include <utility>

namespace troupe::runtime {

namespace {

constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t send_again_ms = 5000;
constexpr std::size_t timers_per_tick = 256; ///< Of a shard: a storm of timers does not flood the routers.

using tick_atom = caf::atom_constant<caf::atom("tick")>;

class timer_impl : public caf::event_based_actor, private stall_subject {
public:
    timer_impl(caf::actor_config& config, host_services& services, timer_board& board)
        : caf::event_based_actor(config), services_(services), board_(board) {}

    const char* name() const override { return "timers"; }

    void on_exit() override {
        if (pulse_) {
            pulse_->end();
        }
    }

    resume_result resume(caf::execution_unit* unit, std::size_t throughput_max) override {
        const watched_work work(services_.watch, "scheduler", *this);
        return caf::event_based_actor::resume(unit, throughput_max);
    }

    caf::behavior make_behavior() override {
        report_failures(*this, stall_path(), services_.letters);
        if (services_.watch) {
            // Ticks come through the scheduler: when they do not, all of its threads are stuck.
            pulse_ = services_.watch->add("scheduler (all of it)");
            pulse_->begin(*this);
        }
        tick_later();
        began_ = services_.clock();
        return {[this](tick_atom) {
            const auto now = services_.clock();
            for (std::uint32_t shard = 0; shard < board_.shards(); ++shard) {
                if (board_.is_due(shard, now)) {
                    fire(shard, now);
                }
            }
            if (pulse_) {
                pulse_->beat();
            }
            tick_later();
        }};
    }

private:
    [[nodiscard]] std::string stall_path() const override { return services_.settings.node_path + "/timers"; }
    [[nodiscard]] bool is_core() const override { return true; }

    void tick_later() { delayed_send(this, std::chrono::milliseconds(timer_tick_ms), tick_atom::value); }

    void fire(std::uint32_t shard, timestamp now) {
        board_.set(shard, never); // entities lower it from here on; what the table says comes below
        if (services_.owns && !services_.owns(shard)) {
            sent_.erase(shard);
            return; // whoever takes it over lowers it
        }
        std::optional<timestamp> next;
        // Those that were sent and are still there do not keep others from their turn; only they are remembered.
        const auto before = std::exchange(sent_[shard], {});
        const auto due = storage::read_timers(*services_.store, shard, now, timers_per_tick + before.size(), next);
        const auto clock = monotonic_ms();
        std::size_t sending = 0;
        for (const auto& t : due) {
            const auto known = before.find(t.row);
            const bool again = known == before.end() || clock - known->second >= send_again_ms;
            if (again && ++sending > timers_per_tick) {
                next = t.due;
                break;
            }
            sent_[shard].emplace(t.row, again ? clock : known->second);
            if (known == before.end()) {
                note_lateness(t, now);
            }
            if (again) {
                send_command(t);
            }
        }
        if (next) {
            board_.lower(shard, *next);
        }
        if (!due.empty()) {
            board_.lower(shard, now + send_again_ms); // look again whether they are gone
        }
    }

    /// What fell due while no node ran is late from the start of this one on.
    void note_lateness(const storage::due_timer& t, timestamp now) {
        const auto late_ms = now - std::max(t.due, began_);
        auto& most = services_.timer_lateness_max_ms;
        most = std::max(most.load(), late_ms); // this actor is the only one that writes it
        if (late_ms > services_.settings.timer_lateness_ms) {
            ++services_.timers_late;
            log_for("timers").warn("timer {} of {} fires {} late", t.key, to_string(t.entity), span_text(late_ms));
        }
    }

    void send_command(const storage::due_timer& t) {
        command c;
        c.to = t.entity;
        c.type = t.type;
        c.payload = t.payload;
        c.id = timer_command_id(t.key, t.due);
        c.principal = "node";
        services_.dispatch(std::move(c), [address = to_string(t.entity), key = t.key](const reply& r) {
            if (!r) {
                log_for("timers").warn("timer {} of {}: {}", key, address, r.error().detail);
            }
        });
    }

    host_services& services_;
    timer_board& board_;
    timestamp began_;
    std::shared_ptr<watched_thread> pulse_; ///< Null: nobody watches.
    /// By shard and row: when it was sent, on the monotonic clock.
    std::unordered_map<std::uint32_t, std::unordered_map<std::string, std::int64_t>> sent_;
};

} // namespace

timer_board::timer_board(const storage::store& s) : next_(s.who().shards) {
    for (std::uint32_t shard = 0; shard < s.who().shards; ++shard) {
        std::optional<timestamp> next;
        storage::read_timers(s, shard, {std::numeric_limits<std::int64_t>::min()}, 1, next);
        next_[shard] = next ? next->ms : never;
    }
}

void timer_board::lower(std::uint32_t shard, timestamp due) {
    auto& next = next_[shard];
    auto seen = next.load(std::memory_order_relaxed);
    while (due.ms < seen && !next.compare_exchange_weak(seen, due.ms, std::memory_order_relaxed)) {
    }
}

caf::actor spawn_timers(caf::actor_system& system, host_services& services, timer_board& board) {
    return system.spawn<timer_impl>(services, board);
}

} // namespace troupe::runtime
