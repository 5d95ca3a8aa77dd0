#include "runtime/entity/actors.hpp"
#include "runtime/entity/batch.hpp"
#include "runtime/entity/derive.hpp"
#include "runtime/entity/effects.hpp"
#include "runtime/entity/load.hpp"
#include "runtime/entity/repeats.hpp"
#include "runtime/entity/snapshot_rule.hpp"
#include "runtime/entity/troubles.hpp"
#include "runtime/retention/history_cut.hpp"
#include "runtime/supervision/dead_letters.hpp"
#include "runtime/supervision/stall_watch.hpp"
#include "runtime/supervision/supervisor_actor.hpp"
#include "schemas/base/limits.hpp"
#include "schemas/base/log.hpp"
#include "storage/base.hpp"
#include "storage/blobs.hpp"
#include "storage/log_reader.hpp"
#include "storage/poison.hpp"
#include "storage/usage.hpp"

#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <iterator>
#include <list>
#include <memory>
#include <unordered_map>

namespace troupe::runtime {

namespace {

/// What a record takes beside its payload, about.
constexpr std::size_t record_overhead_bytes = 256;
constexpr std::size_t short_tail_bytes = 64 << 10;
/// How often it is looked whether the lease is there again.
constexpr std::int64_t lease_look_ms = 20;

/// Hosts one entity: decide → commit → apply → reply → effects. Commands that arrive while an append is in flight wait;
/// when it returns, all of them are decided together and appended as one batch.
///
/// Invariant H1: the instance is ahead of the journal only while `in_flight_` is set, and nothing reads it then.
class entity_impl : public entity_actor::base, private stall_subject {
public:
    entity_impl(caf::actor_config& config, host_services& services, committer_actor committer, shard_actor owner,
                std::uint32_t shard, entity_address address, std::vector<offer_msg> first,
                std::shared_ptr<actor_figures> figures)
        : entity_actor::base(config),
          services_(services),
          committer_(std::move(committer)),
          owner_(std::move(owner)),
          shard_(shard),
          self_(std::move(address)),
          effects_(services, system(), self_),
          figures_(std::move(figures)),
          waiting_(std::make_move_iterator(first.begin()), std::make_move_iterator(first.end())) {
        ++services_.entities_active;
    }
    const char* name() const override { return "entity"; }

    resume_result resume(caf::execution_unit* unit, std::size_t throughput_max) override {
        const watched_work work(services_.watch, "scheduler", *this);
        return entity_actor::base::resume(unit, throughput_max);
    }

    void on_exit() override {
        --services_.entities_active; // work that survives may hold the actor longer
        effects_.stop(services_.owns && !services_.owns(shard_));
        if (services_.troubles) {
            services_.troubles->left(self_);
        }
        unshown_.reset();
        waiting_.clear(); // the router has them, too; an effect that is in work holds what is left of this actor
        owner_ = nullptr;
        committer_ = nullptr;
    }

    behavior_type make_behavior() override {
        report_failures(*this, to_string(self_), services_.letters);
        const auto kind = services_.kinds->find(self_.kind);
        if (kind == services_.kinds->end()) {
            break_with({code::not_found, "there is no entity kind '" + self_.kind + "' on this node"});
            pump();
        } else {
            activate();
        }
        return {[this](const offer_msg& m) {
                    waiting_.push_back(m);
                    pump();
                },
                [this](const passivate_msg& m) { passivate(m.drain); },
                [this](const reconcile_msg&) { reconcile(); },
                [this](const show_msg&) { show(); },
                [this](const effect_done_msg& m) {
                    effects_.done(m, this);
                    reconcile();
                },
                [this](const cut_history_msg& m) {
                    cut_wanted_ = std::make_unique<cut_history_msg>(m);
                    pump();
                }};
    }

private:
    [[nodiscard]] std::string stall_path() const override { return entity_path(services_, shard_, self_); }
    [[nodiscard]] bool is_core() const override { return false; }

    using batch = decided_batch;

    // ---- activation

    void break_with(problem why) { broken_ = std::make_unique<const problem>(std::move(why)); }

    void activate() {
        ready_ = false;
        request(committer_, caf::infinite, activate_msg{self_})
            .then([this](activated_msg& m) { activated(m.result); }, [this](caf::error& e) { quit(std::move(e)); });
    }

    /// The shard is another node's: the router ends this entity, and takes what it holds there.
    [[nodiscard]] bool lost_with(const problem& why) const {
        return services_.reroute && (why.code == code::unavailable || why.code == code::unknown_outcome);
    }

    void activated(expected<storage::activation>& result) {
        if (!result && lost_with(result.error())) {
            return;
        }
        auto loaded = result ? load_safely(*result) : expected<void>(result.error());
        if (!loaded && loaded.error().code == code::erased) {
            break_with(loaded.error());
            effects_.stop(); // of what nobody may see any more
        } else if (!loaded && loaded.error().code == code::unavailable) {
            break_with(loaded.error()); // for those that wait: see `pump`
        } else if (!loaded) {
            break_with({code::quarantined, to_string(self_) + " cannot be loaded: " + loaded.error().detail});
            log_for("entity").error("{}", broken_->detail);
            if (services_.troubles) {
                services_.troubles->quarantined(self_, {services_.clock(), loaded.error().detail});
            }
        } else {
            if (services_.troubles) {
                services_.troubles->loaded(self_);
            }
            ready_ = true;
            announce_timers();
        }
        // What waits comes first: an outcome that the last incarnation died of is decided before what it is the outcome
        // of would be done again.
        pump();
        reconcile(); // nothing while an append is in flight: then after it
    }

    /// A model that throws while it is loaded would do so for ever: that is quarantine, not a crash.
    expected<void> load_safely(const storage::activation& a) {
        try {
            return load(a);
        } catch (const std::exception& defect) {
            return problem{code::quarantined, defect.what()};
        } catch (...) {
            return problem{code::quarantined, "its model threw something that is no exception of the standard library"};
        }
    }

    expected<void> load(const storage::activation& a) {
        activation_ = a.id;
        instance_ = services_.kinds->find(self_.kind)->second.make();
        snapshots_.clear();
        auto loaded = load_entity(*services_.store, self_, a.version, *instance_);
        if (!loaded) {
            return loaded.error();
        }
        version_ = loaded->version;
        base_ = loaded->base;
        snapshots_ = std::move(loaded->snapshots);
        snapshot_version_ = loaded->from;
        snapshot_bytes_ = loaded->from_bytes;
        bytes_since_snapshot_ = loaded->tail_bytes + loaded->tail_events * record_overhead_bytes;
        state_bytes_ = loaded->from_bytes + loaded->tail_bytes;
        estimate_memory();
        auto names = storage::index_names::for_writing(*services_.store, self_.organization);
        if (!names) {
            return names.error();
        }
        before_ = rows_of(*instance_, {self_.id, version_}, std::move(loaded->set_aside), std::move(*names), nullptr);
        return {};
    }

    // ---- the loop

    void pump() {
        if (cut_wanted_ && !in_flight_ && (ready_ || broken_)) {
            cut_history(*std::exchange(cut_wanted_, nullptr));
        }
        while (!in_flight_ && !waiting_.empty() && (ready_ || broken_)) {
            batch b;
            while (!waiting_.empty() && b.decisions.size() < services_.settings.batch_commands_max &&
                   b.bytes < limits::commit_batch_bytes) {
                // One that was there when the entity died is decided alone, so that the next crash has one culprit.
                const bool suspect = waiting_.front().held->crashes > 0;
                if (suspect && !b.decisions.empty()) {
                    break;
                }
                auto w = std::move(waiting_.front());
                waiting_.pop_front();
                if (!w.held->answered) {
                    decide(b, std::move(w));
                }
                if (suspect) {
                    break;
                }
            }
            if (b.append->records.empty()) {
                deliver_refusals(std::move(b));
            } else {
                append(std::move(b));
            }
        }
        if (!in_flight_ && broken_ && broken_->code == code::unavailable) {
            leave(); // its keys cannot be had just now: the next command loads it again
        }
    }

    void decide(batch& b, offer_msg w) {
        const auto& c = w.held->command;
        const auto known = b.by_id.find(c.id);
        if (known != b.by_id.end()) {
            const auto& first = b.decisions[known->second].of.held->command;
            if (first.request_hash != c.request_hash) {
                b.decisions.push_back({std::move(w), key_mismatch(c), 0});
            } else {
                b.decisions.push_back({std::move(w), std::nullopt, known->second});
            }
            return;
        }
        w.held->deciding = true; // should the model throw, the router knows whom to blame
        auto answer = answer_for(b, w);
        w.held->deciding = false;
        const bool foreign = !answer && answer.error().code == code::idempotency_mismatch;
        b.decisions.push_back({std::move(w), std::move(answer), 0});
        if (foreign) {
            return; // the key belongs to an earlier request, which may be repeated in this very batch
        }
        b.by_id.emplace(b.decisions.back().of.held->command.id, b.decisions.size() - 1);
    }

    reply answer_for(batch& b, const offer_msg& w) {
        const auto& c = w.held->command;
        if (broken_) {
            return *broken_;
        }
        const auto version = version_ + b.append->records.size();
        const repeat_source source{*services_.store, services_.kinds->find(self_.kind)->second, self_, version_, base_};
        if (auto earlier = answer_of_repeat(source, *w.held, *instance_, version)) {
            ++services_.commands_repeated;
            return std::move(*earlier);
        }
        if (c.deadline_ms != 0 && monotonic_ms() > c.deadline_ms) {
            return problem{code::deadline_exceeded,
                           "the command waited longer than its deadline and was not decided; send it again"};
        }
        w.held->decided_after = std::min(w.held->decided_after.load(), version_);
        if (w.poison_cause) {
            return set_aside(b, c, *w.poison_cause);
        }
        if (c.if_match && *c.if_match != version) {
            return problem{code::precondition_failed, "the entity is at version " + std::to_string(version) + ", not " +
                                                          std::to_string(*c.if_match) +
                                                          "; read it again and repeat the change"};
        }

        const auto now = record_time(services_, shard_);
        auto& claim = b.append->claim;
        const auto claimed = claim.size();
        const auto quota = [&](std::string_view counts, std::int64_t amount, std::int64_t limit) {
            return services_.store->usage().take_part(claim, self_.organization, counts, amount, limit, now);
        };
        const auto features = services_.features.get();
        const runtime::context ctx{self_,
                                   version,
                                   now,
                                   c.principal,
                                   services_.make_id,
                                   services_.even_since(),
                                   std::ref(quota),
                                   services_.store->who().replica,
                                   features.get()};
        auto result = instance_->handle(c, ctx);
        if (!result) {
            claim.give_back(claimed);
            ++services_.commands_refused;
            return result.error();
        }
        ++services_.commands_accepted;
        std::ranges::move(result->used, std::back_inserter(b.append->used));
        add_records(b, c, std::move(result->events), ctx.now);
        return outcome{version_ + b.append->records.size(), false, std::move(result->answer)};
    }

    void add_records(batch& b, const command& c, std::vector<encoded_event> events, timestamp now) {
        const auto version = version_ + b.append->records.size();
        for (auto& r : make_records(self_, version, c, std::move(events), now)) {
            b.bytes += r.payload.size() + record_overhead_bytes;
            b.append->records.push_back(std::move(r));
        }
    }

    reply set_aside(batch& b, const command& c, const std::string& cause) {
        std::vector<encoded_event> events;
        events.push_back({std::string(poisoned_event), 1, poisoned_payload(c, cause)});
        add_records(b, c, std::move(events), record_time(services_, shard_));
        note_set_aside(b.append->records.back(), before_.set_aside);
        const log_scope about(c.correlation, c.trace);
        log_for("entity").error("{} set '{}' aside, which crashed it: {}", to_string(self_), c.type, cause);
        if (services_.letters) {
            services_.letters->record("poison", to_string(self_), c.type, cause);
        }
        return poison_answer(c, cause);
    }

    // ---- commit

    void append(batch b) {
        auto& a = *b.append;
        const auto version = version_ + a.records.size();
        address(a);
        if (auto keys = storage::issue_keys(*services_.store, a.subject, self_.organization, a.records); !keys) {
            turn_down(b, keys.error());
            return;
        }
        b.mark(true); // `view` and `resume` may throw too
        a.derived = derive(*instance_, shard_, self_, version, before_);
        for (const auto& r : a.records) {
            if (r.type == poisoned_event) {
                a.derived.puts.push_back(storage::poison_row(shard_, r));
            }
        }
        if (base_ > 0) {
            if (auto kept = storage::keep_base_items(*services_.store, a.derived); !kept) {
                b.mark(false);
                refused(b, kept.error());
                return;
            }
        }
        bytes_since_snapshot_ += b.bytes;
        if (is_snapshot_due(services_.settings, version - snapshot_version_, bytes_since_snapshot_, snapshot_bytes_)) {
            snapshot(a.derived, version);
        }
        b.mark(false);
        in_flight_ = true;
        for (const auto& r : a.records) {
            state_bytes_ += r.payload.size();
        }
        estimate_memory();
        auto shared = std::make_shared<batch>(std::move(b));
        if (auto named = storage::name_blobs(*services_.store, self_.organization, shared->append->derived.named_blobs);
            !named) {
            in_flight_ = false;
            turn_down(*shared, named.error()); // a content is not there, or not yet
            return;
        }
        count_append();
        request(committer_, caf::infinite, append_msg{shared->append})
            .then([this, shared, version](appended_msg& m) { appended(*shared, version, m.result); },
                  [this](caf::error& e) { quit(std::move(e)); });
    }

    void address(storage::append& a) const {
        a.entity = self_;
        a.activation = activation_;
        a.expected_version = version_;
        a.subject = instance_->subject();
    }

    void count_append() {
        if (services_.committer_figures) {
            services_.committer_figures->waiting.fetch_add(1, std::memory_order_relaxed);
        }
    }

    /// The state as JSON is about as large as in memory; beside it stand the actor and its tables.
    void estimate_memory() {
        constexpr std::size_t empty_entity_bytes = 3072;
        if (figures_) {
            figures_->memory_bytes.store(static_cast<std::int64_t>(empty_entity_bytes + state_bytes_),
                                         std::memory_order_relaxed);
        }
    }

    /// Keeps the newest two: a damaged one falls back to the one before.
    void snapshot(storage::derived_changes& to, std::uint64_t version) {
        const auto drop = snapshots_.size() >= 2 ? snapshots_.back() : 0;
        auto state = snapshot_of(*instance_, before_.set_aside, services_.features.get().get());
        add_snapshot(to, std::move(state), shard_, self_, version, drop);
        state_bytes_ = to.puts.back().second.size();
        if (drop != 0) {
            snapshots_.pop_back();
        }
        snapshots_.insert(snapshots_.begin(), version);
        snapshot_version_ = version;
        snapshot_bytes_ = to.puts.back().second.size();
        bytes_since_snapshot_ = 0;
    }

    // ---- retention

    void cut_history(const cut_history_msg& m) {
        auto cut =
            broken_ ? expected<history_cut>(*broken_)
                    : make_cut(*services_.store, services_.kinds->find(self_.kind)->second, self_, version_, m.until,
                               services_.clock() + -services_.settings.dedup_window_ms, services_.features.get().get());
        if (!cut || cut->events == 0) {
            m.ticket->failed = !cut;
            if (!cut) {
                log_for("retention").error("the history of {} is not cut: {}", to_string(self_), cut.error().detail);
            } else if (m.leave) {
                leave_again();
            }
            return;
        }
        auto a = std::make_shared<storage::append>();
        address(*a);
        a->for_all = true;
        a->derived = std::move(cut->changes);
        if (!has_good_snapshot(*services_.store, self_, cut->base, *services_.kinds->find(self_.kind)->second.make())) {
            snapshot(a->derived, version_); // beside the base: a damaged one falls back to the other
        }
        in_flight_ = true;
        count_append();
        request(committer_, caf::infinite, append_msg{a})
            .then([this, m, base = cut->base, events = cut->events,
                   more = cut->more](appended_msg& answer) { history_cut_done(m, base, events, more, answer.result); },
                  [this](caf::error& e) { quit(std::move(e)); });
    }

    void history_cut_done(const cut_history_msg& m, std::uint64_t base, std::uint64_t events, bool more,
                          const expected<storage::appended>& result) {
        in_flight_ = false;
        if (!result) {
            batch none;
            m.ticket->failed = true;
            appended(none, version_, result.error()); // what it says of snapshots is not on disk: it is loaded again
            return;
        }
        base_ = base;
        m.ticket->events = events;
        m.ticket->more = more;
        reconcile();
        pump();
        if (m.leave && !more) {
            leave_again();
        }
    }

    /// An entity that was started to cut its history does not stay in memory for it.
    void leave_again() {
        if (ready_ && !in_flight_ && waiting_.empty() && effects_.empty()) {
            passivate(false);
        }
    }

    void appended(batch& b, std::uint64_t version, const expected<storage::appended>& result) {
        in_flight_ = false;
        if (!result) {
            refused(b, result.error());
            return;
        }
        version_ = version;
        announce_timers();
        b.deliver();
        reconcile();
        pump();
    }

    /// Nothing was written, but the instance has the events (H1): it is loaded again from the journal. The actor stays,
    /// and with it the back-off of its effects: a full disk must not make debtors wake each other without a pause.
    void refused(batch& b, const problem& why) {
        if (why.code == code::conflict) { // another activation is the right one; the router offers again
            quit(caf::exit_reason::normal);
            return;
        }
        if (lost_with(why)) {
            in_flight_ = true;
            return;
        }
        turn_down(b, why);
    }

    /// Nothing was written.
    void turn_down(batch& b, const problem& why) {
        b.answer_all(why);
        activate();
    }

    void announce_timers() {
        if (services_.on_timer) {
            for (const auto& [key, due] : before_.timers) {
                services_.on_timer(shard_, due);
            }
        }
    }

    /// Refusals and repeats, judged on committed state, which is the shard's while this node has its lease. Without it
    /// the end of this entity, or a new lease, comes first.
    void deliver_refusals(batch b) {
        in_flight_ = services_.serves_until_ms <= services_.monotonic();
        if (in_flight_) {
            unshown_ = std::make_unique<batch>(std::move(b));
            delayed_send(this, std::chrono::milliseconds(lease_look_ms), show_msg{});
        } else {
            b.deliver();
        }
    }

    void show() {
        deliver_refusals(std::move(*std::exchange(unshown_, nullptr)));
        if (!in_flight_) {
            reconcile();
            pump();
        }
    }

    // ---- effects and passivation

    void reconcile() {
        if (!ready_ || in_flight_ || draining_) {
            return;
        }
        const auto again_ms = effects_.reconcile(before_.owed, *instance_, this);
        if (again_ms >= 0) {
            delayed_send(this, std::chrono::milliseconds(again_ms), reconcile_msg{});
        }
    }

    void passivate(bool drain) {
        draining_ = draining_ || drain;
        if (in_flight_ || !waiting_.empty() || (!ready_ && !broken_) || (!effects_.empty() && !drain)) {
            send(owner_, busy_msg{self_});
            return;
        }
        // A short tail is read again sooner than a snapshot is written.
        const bool short_tail = version_ - snapshot_version_ < services_.settings.snapshot_idle_events &&
                                bytes_since_snapshot_ < short_tail_bytes;
        if (!ready_ || version_ == snapshot_version_ || short_tail) {
            leave();
            return;
        }
        auto a = std::make_shared<storage::append>();
        address(*a);
        snapshot(a->derived, version_);
        in_flight_ = true; // commands that come now wait; the shard offers them again after the end
        count_append();
        request(committer_, caf::infinite, append_msg{a})
            .then([this](appended_msg&) { leave(); }, [this](caf::error& e) { quit(std::move(e)); });
    }

    void leave() {
        send(committer_, release_msg{self_, activation_});
        quit(caf::exit_reason::normal);
    }

    host_services& services_;
    committer_actor committer_;
    shard_actor owner_;
    std::uint32_t shard_;
    entity_address self_;
    effect_table effects_;
    std::shared_ptr<actor_figures> figures_; ///< May be null.
    std::size_t state_bytes_ = 0;            ///< About the size of its state as JSON.
    std::unique_ptr<entity_instance> instance_;
    std::uint64_t activation_ = 0;
    std::uint64_t version_ = 0;
    std::uint64_t base_ = 0; ///< The last event that retention cut.
    std::uint64_t snapshot_version_ = 0;
    std::uint64_t snapshot_bytes_ = 0; ///< Of the newest one.
    std::uint64_t bytes_since_snapshot_ = 0;
    std::vector<std::uint64_t> snapshots_;        ///< Newest first.
    std::unique_ptr<cut_history_msg> cut_wanted_; ///< Seldom there: an idle entity is small.
    derived_rows before_;                         ///< Of the last batch decided.
    std::list<offer_msg> waiting_;
    std::unique_ptr<const problem> broken_; ///< Quarantined, or of no known kind: every command gets this.
    std::unique_ptr<batch> unshown_;        ///< Without a lease.
    bool ready_ = false;
    bool in_flight_ = false;
    bool draining_ = false;
};

} // namespace

entity_actor spawn_entity(caf::actor_system& system, host_services& services, committer_actor committer,
                          shard_actor owner, std::uint32_t shard, entity_address address, std::vector<offer_msg> first,
                          std::shared_ptr<actor_figures> figures) {
    return system.spawn<entity_impl>(services, std::move(committer), std::move(owner), shard, std::move(address),
                                     std::move(first), std::move(figures));
}

} // namespace troupe::runtime
