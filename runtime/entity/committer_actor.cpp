#include "runtime/entity/actors.hpp"
#include "runtime/supervision/stall_watch.hpp"
#include "runtime/supervision/supervisor_actor.hpp"
#include "runtime/supervision/tree.hpp"
#include "schemas/base/limits.hpp"
#include "schemas/base/log.hpp"

#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace troupe::runtime {

void fatal(std::string_view why) {
    auto& log = log_for("runtime");
    log.critical("{}; the node ends now, so that nothing is shown that is not on disk", why);
    log.flush();
    std::_Exit(70);
}

namespace {

class committer_impl : public committer_actor::base, private stall_subject {
public:
    committer_impl(caf::actor_config& config, host_services& services, std::unique_ptr<storage::committer> owned,
                   std::unique_ptr<cluster::driver> driver)
        : committer_actor::base(config), services_(services), committer_(std::move(owned)), driver_(std::move(driver)) {
        if (services_.committer_figures) {
            services_.committer_figures->waiting = 0; // what an earlier one had is lost
        }
    }

    const char* name() const override { return "committer"; }

    /// A promise holds this very actor: one that is kept would keep the actor, with its appends, for ever.
    void on_exit() override {
        waiting_.clear();
        in_flight_.clear();
        activations_.clear();
        if (driver_) {
            services_.serves_until_ms = 0;
            driver_.reset(); // it may be reading the store, which need not outlive what a message keeps
        }
    }

    resume_result resume(caf::execution_unit* unit, std::size_t throughput_max) override {
        const watched_work work(services_.watch, "committer", *this);
        return committer_actor::base::resume(unit, throughput_max);
    }

    behavior_type make_behavior() override {
        report_failures(*this, stall_path(), services_.letters);
        if (driver_) {
            services_.serves_until_ms = 0;
            tick_later();
        }
        return {[this](const activate_msg& m) {
                    auto promise = make_response_promise<activated_msg>();
                    if (std::any_of(waiting_.begin(), waiting_.end(),
                                    [&](const job& j) { return j.append->entity == m.entity; })) {
                        flush();
                    }
                    activations_.push_back({m.entity, promise});
                    activate();
                    return promise;
                },
                [this](const append_msg& m) {
                    auto promise = make_response_promise<appended_msg>();
                    waiting_.push_back({m.append, promise});
                    flush_soon();
                    return promise;
                },
                [this](const release_msg& m) { committer_->release(m.entity, m.activation); },
                [this](const flush_msg&) {
                    flush_asked_ = false;
                    flush();
                },
                [this](const trim_msg& m) { return trim(m); },
                [this](const drive_msg& m) { drive(m.input); },
                [this](const drive_tick_msg&) {
                    drive([this](cluster::driver& d) { d.tick(services_.monotonic()); });
                    if (services_.on_tick) {
                        services_.on_tick();
                    }
                    tick_later();
                }};
    }

private:
    [[nodiscard]] std::string stall_path() const override { return services_.settings.node_path + "/committer"; }
    [[nodiscard]] bool is_core() const override { return true; }

    struct job {
        std::shared_ptr<storage::append> append;
        caf::typed_response_promise<appended_msg> promise;
    };
    struct waiting_activation {
        entity_address entity;
        caf::typed_response_promise<activated_msg> promise;
    };

    static std::size_t bytes_of(const storage::append& a) {
        std::size_t bytes = 0;
        for (const auto& r : a.records) {
            bytes += r.payload.size() + 256;
        }
        return bytes;
    }

    /// Behind all that queued up during the last fsync: that is the group of the next one.
    void flush_soon() {
        if (!std::exchange(flush_asked_, true)) {
            anon_send(caf::actor_cast<committer_actor>(this), flush_msg{});
        }
    }

    void flush() {
        auto jobs = std::exchange(waiting_, {});
        if (jobs.empty() && !driver_) {
            return;
        }
        std::size_t next = 0;
        do {
            const auto begin = next;
            for (std::size_t bytes = 0; next < jobs.size() && bytes < limits::commit_batch_bytes; ++next) {
                bytes += bytes_of(*jobs[next].append);
                committer_->submit(std::move(*jobs[next].append), ++last_ticket_);
                in_flight_.emplace(last_ticket_, std::move(jobs[next].promise));
            }
            services_.commits += next > begin ? 1 : 0;
        } while (write() && next < jobs.size());
    }

    /// False after the end of a simulated process: nothing is answered any more.
    bool write() {
        do {
            if (auto written = committer_->write(); !written) {
                end(written.error());
                return false;
            }
            answer();
            hear();
        } while (committer_->logs().is_dirty()); // what was heard may lead to more
        activate();
        return true;
    }

    void end(const problem& why) {
        services_.end_process(why.detail);
        quit(caf::exit_reason::kill);
    }

    void answer() {
        auto settled = committer_->take_settled();
        services_.appends.fetch_add(settled.size(), std::memory_order_relaxed);
        if (services_.committer_figures) {
            const auto count = static_cast<std::int64_t>(settled.size());
            services_.committer_figures->waiting.fetch_sub(count, std::memory_order_relaxed);
            services_.committer_figures->messages.fetch_add(count, std::memory_order_relaxed);
        }
        for (auto& one : settled) {
            if (one.result && !one.what.records.empty() && services_.on_committed) {
                services_.on_committed(one.what.records);
            }
            one.what.claim.give_back(0); // of a refused one; the others' is counted
            in_flight_.extract(one.ticket).mapped().deliver(appended_msg{std::move(one.result)});
        }
    }

    /// Those whose entities have nothing in flight any more.
    void activate() {
        for (auto& one : std::exchange(activations_, {})) {
            if (committer_->is_in_flight(one.entity)) {
                activations_.push_back(std::move(one));
            } else {
                one.promise.deliver(activated_msg{committer_->activate(one.entity)});
            }
        }
    }

    trimmed_msg trim(const trim_msg& m) {
        trimmed_msg out{committer_->trim(m.shard, m.to)};
        if (!out.result && out.result.error().code != code::conflict) {
            end(out.result.error());
        } else {
            write(); // what came of its writes is told
        }
        return out;
    }

    // ---- in a cluster

    void tick_later() { delayed_send(this, std::chrono::milliseconds(cluster::driver_tick_ms), drive_tick_msg{}); }

    void drive(const std::function<void(cluster::driver&)>& input) {
        if (!driver_) {
            return;
        }
        input(*driver_);
        // At once when it is less; when it is more, it may be news that go with those of lost shards.
        services_.serves_until_ms = std::min(services_.serves_until_ms.load(), driver_->core().serves_until_ms());
        flush_soon();
    }

    void hear() {
        if (!driver_) {
            static_cast<void>(committer_->take_events()); // a node alone: they say what its answers say
            return;
        }
        for (const auto& event : driver_->after_write()) {
            std::visit([this](const auto& e) { heard(e); }, event);
        }
        services_.serves_until_ms = driver_->core().serves_until_ms();
    }

    void heard(const storage::ownership& change) {
        if (services_.on_ownership) {
            services_.on_ownership(change.shard, change.owned);
        }
    }
    void heard(const storage::records_committed& now) {
        if (services_.on_applied) { // those of this node's appends are told with their answers, too
            services_.on_applied(now.shard);
        }
    }
    void heard(const cluster::checkpoint_ended& whole) {
        const auto peer = driver_->core().name_of(whole.peer);
        if (whole.why) {
            log_for("cluster").warn(
                "a checkpoint of shard {} {} {} came to nothing, and begins anew if it is needed: {}", whole.shard,
                whole.received ? "from" : "for", peer, whole.why->detail);
        } else {
            log_for("cluster").info("a checkpoint of shard {} {} {} is installed", whole.shard,
                                    whole.received ? "from" : "for", peer);
        }
    }
    void heard(const storage::peer_refused& peer) {
        log_for("cluster").error("{} sent what no correct node sends: {}", driver_->core().name_of(peer.from),
                                 peer.reason);
    }
    void heard(const cluster::coordinator_reached& now) {
        if (now.reachable) {
            log_for("cluster").info("the coordinator is reached");
        } else {
            log_for("cluster").warn("the coordinator cannot be reached: {}", now.why);
        }
    }
    void heard(const cluster::turned_away& away) { services_.on_turned_away(away.why); }

    host_services& services_;
    std::unique_ptr<storage::committer> committer_;
    std::unique_ptr<cluster::driver> driver_;                                                ///< Null: a node alone.
    std::vector<job> waiting_;                                                               ///< For the next write.
    std::unordered_map<std::uint64_t, caf::typed_response_promise<appended_msg>> in_flight_; ///< By ticket.
    std::vector<waiting_activation> activations_; ///< In the order in which they came.
    std::uint64_t last_ticket_ = 0;
    bool flush_asked_ = false;
};

} // namespace

committer_actor spawn_committer(caf::actor_system& system, host_services& services,
                                std::unique_ptr<storage::committer> owned, bool detached,
                                std::unique_ptr<cluster::driver> driver) {
    return detached ? system.spawn<committer_impl, caf::detached>(services, std::move(owned), std::move(driver))
                    : system.spawn<committer_impl>(services, std::move(owned), std::move(driver));
}

} // namespace troupe::runtime
