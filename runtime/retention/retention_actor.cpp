#include "runtime/retention/retention_actor.hpp"

#include "runtime/entity/host.hpp"
#include "runtime/supervision/supervisor_actor.hpp"
#include "schemas/base/log.hpp"
#include "storage/log_reader.hpp"
#include "storage/trim.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace troupe::runtime {

namespace {

/// Of one step, each some milliseconds.
constexpr std::uint64_t trim_records_max = 5000;
constexpr std::size_t entities_max = 1000;
/// Entities that cut at the same time: each is loaded for it.
constexpr std::size_t cuts_max = 16;
constexpr std::int64_t pause_min_ms = 1000;
constexpr std::int64_t pause_max_ms = 600'000;

using step_atom = caf::atom_constant<caf::atom("step")>;

struct settled_msg {
    entity_address entity;
    std::uint64_t events = 0;
    bool more = false;
    bool failed = false;
};

} // namespace

} // namespace troupe::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::runtime::settled_msg)

namespace troupe::runtime {

namespace {

class retention_impl : public caf::event_based_actor {
public:
    retention_impl(caf::actor_config& config, host_services& services, retention_parts parts)
        : caf::event_based_actor(config), services_(services), parts_(std::move(parts)) {}

    const char* name() const override { return "retention"; }

    caf::behavior make_behavior() override {
        report_failures(*this, services_.settings.node_path + "/retention", services_.letters);
        step_after(0);
        return {[this](step_atom) { step(); }, [this](const settled_msg& m) { settled(m); }};
    }

private:
    [[nodiscard]] std::optional<timestamp> horizon(std::int64_t kept_ms) const {
        return kept_ms == 0 ? std::nullopt : std::optional(services_.clock() + -kept_ms);
    }

    void step_after(std::int64_t ms) { delayed_send(this, std::chrono::milliseconds(ms), step_atom::value); }

    /// The next step, after as long a rest as this one took: others need the processor, too.
    void rest() { step_after(std::min<std::int64_t>(1000, monotonic_ms() - step_began_ms_)); }

    void step() {
        step_began_ms_ = monotonic_ms();
        if (shard_ == services_.store->who().shards) {
            end_round();
        } else if (!log_done_) {
            trim_log();
        } else {
            find_histories();
        }
    }

    // ---- logs

    void trim_log() {
        log_done_ = true;
        const auto until = horizon(parts_.policy.log_ms);
        const auto point = until ? storage::find_trim(*services_.store, shard_, *until, trim_records_max)
                                 : expected<storage::trim_point>(storage::trim_point{});
        if (!point || point->to.at.seq == 0) {
            if (!point) {
                failed(point.error());
            }
            rest();
            return;
        }
        log_done_ = !point->more;
        const auto base = storage::read_log_base(*services_.store, shard_);
        const auto records = point->to.at.seq - (base ? base->at.seq : 0);
        request(parts_.committer(), caf::infinite, trim_msg{shard_, point->to})
            .then(
                [this, records](trimmed_msg& m) {
                    if (m.result) {
                        parts_.statistics->records_trimmed += records;
                        garbage_ += records;
                    } else {
                        log_done_ = true;
                        not_trimmed(m.result.error());
                    }
                    rest();
                },
                [this](caf::error&) { // a committer that ended: its supervisor starts all anew
                    log_done_ = true;
                    rest();
                });
    }

    /// Others may have use for the log just now, as one who gets a checkpoint and what follows it: the next round tries
    /// again.
    void not_trimmed(const problem& why) {
        if (why.code == code::conflict) {
            log_for("retention").debug("{}", why.detail);
        } else {
            failed(why);
        }
    }

    // ---- histories

    /// Where entities are of another node that one does it, for all replicas.
    void find_histories() {
        if (services_.owns && !services_.owns(shard_)) {
            from_.clear();
            go_on();
            return;
        }
        const auto found =
            storage::find_old_histories(*services_.store, shard_, from_, entities_max, [this](std::string_view kind) {
                return horizon(parts_.policy.history_of(kind));
            });
        if (!found) {
            failed(found.error());
        }
        from_ = found ? found->next : std::string();
        if (found) {
            waiting_.insert(waiting_.end(), found->entities.begin(), found->entities.end());
        }
        go_on();
    }

    /// Orders as many cuts as may run; goes to the next page or shard when all are done.
    void go_on() {
        while (cutting_ < cuts_max && !waiting_.empty()) {
            auto a = std::move(waiting_.back());
            waiting_.pop_back();
            order(a);
        }
        if (cutting_ > 0) {
            return;
        }
        if (from_.empty()) {
            ++shard_;
            log_done_ = false;
        }
        rest();
    }

    void order(const entity_address& a) {
        const auto until = horizon(parts_.policy.history_of(a.kind));
        const auto router = parts_.router(shard_);
        if (!until || !router) {
            return;
        }
        ++cutting_;
        auto ticket = std::make_shared<cut_ticket>();
        ticket->done = [me = caf::actor_cast<caf::actor>(this), a](const cut_ticket& t) {
            caf::anon_send(me, settled_msg{a, t.events, t.more, t.failed});
        };
        send(router, cut_history_msg{a, *until, std::move(ticket), false});
    }

    void settled(const settled_msg& m) {
        --cutting_;
        parts_.statistics->events_cut += m.events;
        parts_.statistics->failures += m.failed ? 1 : 0;
        if (m.more && m.events > 0) {
            waiting_.push_back(m.entity);
        }
        go_on();
    }

    // ---- rounds

    void end_round() {
        ++parts_.statistics->rounds;
        shard_ = 0;
        reclaim();
        step_after(retention_pause_ms(parts_.policy));
    }

    /// What was trimmed is given back when it is half of what is left, so that each record is copied twice at most.
    void reclaim() {
        std::uint64_t kept = 0;
        for (std::uint32_t shard = 0; garbage_ > 0 && shard < services_.store->who().shards; ++shard) {
            const auto base = storage::read_log_base(*services_.store, shard);
            kept += services_.store->applied(shard) - (base ? base->at.seq : 0);
        }
        if (garbage_ == 0 || garbage_ < kept / 2 || !parts_.reclaim) {
            return;
        }
        garbage_ = 0;
        if (const auto reclaimed = parts_.reclaim(); !reclaimed) {
            failed(reclaimed.error());
        }
    }

    void failed(const problem& why) {
        ++parts_.statistics->failures;
        log_for("retention").error("{}", why.detail);
    }

    host_services& services_;
    retention_parts parts_;
    std::uint32_t shard_ = 0;
    bool log_done_ = false; ///< Of this shard.
    std::string from_;      ///< Where to go on with its histories; empty: at the first.
    std::vector<entity_address> waiting_;
    std::size_t cutting_ = 0;
    std::uint64_t garbage_ = 0; ///< Records that were trimmed and may still take place on the disk.
    std::int64_t step_began_ms_ = 0;
};

} // namespace

std::int64_t retention_pause_ms(const retention_policy& policy) {
    return std::clamp(policy.shortest_ms() / 20, pause_min_ms, pause_max_ms);
}

caf::actor spawn_retention(caf::actor_system& system, host_services& services, retention_parts parts, bool detached) {
    return detached ? system.spawn<retention_impl, caf::detached>(services, std::move(parts))
                    : system.spawn<retention_impl>(services, std::move(parts));
}

} // namespace troupe::runtime
