#include "runtime/entity/actors.hpp"
#include "runtime/entity/derive.hpp"
#include "runtime/entity/effects.hpp"
#include "runtime/retention/history_cut.hpp"
#include "runtime/supervision/supervisor_actor.hpp"
#include "schemas/base/limits.hpp"
#include "schemas/base/log.hpp"
#include "storage/base.hpp"
#include "storage/log_reader.hpp"

#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <chrono>
#include <deque>
#include <unordered_map>

namespace troupe::runtime {

timestamp record_time(host_services& services, std::uint32_t shard) {
    auto& last = services.shard_times[shard];
    const auto now = services.clock().ms;
    auto seen = last.load(std::memory_order_relaxed);
    while (seen < now && !last.compare_exchange_weak(seen, now, std::memory_order_relaxed)) {
    }
    return {std::max(seen, now)};
}

namespace {

/// The host's own event: a command was set aside because it crashed the entity again and again.
constexpr std::string_view poisoned_event = "$poisoned";
/// What a record takes beside its payload, about.
constexpr std::size_t record_overhead_bytes = 256;
/// After a refused append (a full disk) an entity that owes effects looks again.
constexpr std::int64_t wake_after_refusal_ms = 5000;

/// Hosts one entity: decide → commit → apply → reply → effects. Commands that arrive while an append is in flight wait;
/// when it returns, all of them are decided together and appended as one batch.
///
/// Invariant H1: the instance is ahead of the journal only while `in_flight_` is set, and nothing reads it then.
class entity_impl : public entity_actor::base {
public:
    entity_impl(caf::actor_config& config, host_services& services, committer_actor committer, shard_actor owner,
                std::uint32_t shard, entity_address address)
        : entity_actor::base(config),
          services_(services),
          committer_(std::move(committer)),
          owner_(std::move(owner)),
          shard_(shard),
          self_(std::move(address)),
          effects_(services, system(), self_) {
        ++services_.entities_active;
    }
    const char* name() const override { return "entity"; }

    void on_exit() override {
        --services_.entities_active; // work that survives may hold the actor longer
        effects_.stop();
        owner_ = nullptr;
        committer_ = nullptr;
    }

    behavior_type make_behavior() override {
        report_failures(*this, to_string(self_), services_.letters);
        const auto kind = services_.kinds->find(self_.kind);
        if (kind == services_.kinds->end()) {
            broken_ = problem{code::not_found, "there is no entity kind '" + self_.kind + "' on this node"};
        } else {
            instance_ = kind->second.make();
            request(committer_, caf::infinite, activate_msg{self_})
                .then([this](activated_msg& m) { activated(m.result); }, [this](caf::error& e) { quit(std::move(e)); });
        }
        return {[this](const offer_msg& m) {
                    enqueue({m.held, std::nullopt});
                },
                [this](const poison_msg& m) {
                    enqueue({m.held, m.cause});
                },
                [this](const passivate_msg& m) { passivate(m.drain); },
                [this](const reconcile_msg&) { reconcile(); },
                [this](const effect_done_msg& m) {
                    effects_.done(m, this);
                    reconcile();
                },
                [this](const cut_history_msg& m) {
                    cut_wanted_ = m;
                    pump();
                }};
    }

private:
    struct waiting {
        held_ptr held;
        std::optional<std::string> poison_cause;
    };
    /// A command of the batch that is being decided, with its answer, given when the batch is on disk.
    struct decision {
        waiting of;
        std::optional<reply> answer;
        std::size_t same_as = 0; ///< Without an answer of its own: that of this decision (a repeat within the batch).
    };
    struct batch {
        std::shared_ptr<storage::append> append = std::make_shared<storage::append>();
        std::vector<decision> decisions;
        std::unordered_map<std::string_view, std::size_t> by_id;
        std::size_t bytes = 0;
    };

    // ---- activation

    void activated(expected<storage::activation>& result) {
        auto loaded = result ? load_safely(*result) : expected<void>(result.error());
        if (!loaded) {
            broken_ = problem{code::quarantined, to_string(self_) + " cannot be loaded: " + loaded.error().detail};
            log_for("entity").error("{}", broken_->detail);
        } else {
            ready_ = true;
            announce_timers();
            reconcile();
        }
        pump();
    }

    /// A model that throws while it is loaded would do so for ever: that is quarantine, not a crash.
    expected<void> load_safely(const storage::activation& a) {
        try {
            auto loaded = load(a);
            if (loaded) {
                before_ = rows_of(*instance_, {self_.id, version_}, nullptr);
            }
            return loaded;
        } catch (const std::exception& defect) {
            return problem{code::quarantined, defect.what()};
        }
    }

    /// The newest snapshot that can be restored, or the state at which the history begins; then the events after it.
    expected<void> load(const storage::activation& a) {
        activation_ = a.id;
        const auto base = storage::read_base(*services_.store, self_);
        base_ = !base ? UINT64_MAX : *base ? (*base)->version : 0;
        std::uint64_t from = 0;
        for (const auto& s : storage::read_snapshots(*services_.store, self_, 2)) {
            snapshots_.push_back(s.version);
            if (from == 0 && s.version <= a.version && instance_->restore(s.state_version, s.state)) {
                from = s.version;
                snapshot_bytes_ = s.state.size();
            }
        }
        snapshot_version_ = from;
        if (from == 0 && !base) {
            return base.error();
        }
        if (from < base_ && base && *base) {
            if (auto restored = instance_->restore((*base)->state_version, (*base)->state); !restored) {
                return restored;
            }
            from = base_;
        }
        version_ = from;
        auto read = storage::read_history(*services_.store, self_, from, [this](storage::record&& r) {
            version_ = r.entity_seq;
            bytes_since_snapshot_ += r.payload.size() + record_overhead_bytes;
            return instance_->replay(r);
        });
        if (read && version_ != a.version) {
            return problem{code::journal_damaged, "its history ends at event " + std::to_string(version_) + " of " +
                                                      std::to_string(a.version)};
        }
        instance_->take_items(); // those of replayed events are in the tables already
        return read;
    }

    // ---- the loop

    void enqueue(waiting w) {
        waiting_.push_back(std::move(w));
        pump();
    }

    void pump() {
        if (cut_wanted_ && !in_flight_ && (ready_ || broken_)) {
            cut_history(*std::exchange(cut_wanted_, std::nullopt));
        }
        while (!in_flight_ && !waiting_.empty() && (ready_ || broken_)) {
            batch b;
            while (!waiting_.empty() && b.decisions.size() < services_.settings.batch_commands_max &&
                   b.bytes < limits::commit_batch_bytes) {
                auto w = std::move(waiting_.front());
                waiting_.pop_front();
                if (!w.held->answered) {
                    decide(b, std::move(w));
                }
            }
            if (b.append->records.empty()) {
                deliver(b); // refusals and repeats, judged on committed state
            } else {
                append(std::move(b));
            }
        }
    }

    void decide(batch& b, waiting w) {
        const auto& c = w.held->command;
        const auto known = b.by_id.find(c.id);
        if (known != b.by_id.end()) {
            const auto& first = b.decisions[known->second].of.held->command;
            if (first.request_hash != c.request_hash) {
                b.decisions.push_back({std::move(w), mismatch(c), 0});
            } else {
                b.decisions.push_back({std::move(w), std::nullopt, known->second});
            }
            return;
        }
        auto answer = answer_for(b, w);
        const bool foreign = !answer && answer.error().code == code::idempotency_mismatch;
        b.decisions.push_back({std::move(w), std::move(answer), 0});
        if (foreign) {
            return; // the key belongs to an earlier request, which may be repeated in this very batch
        }
        b.by_id.emplace(b.decisions.back().of.held->command.id, b.decisions.size() - 1);
    }

    reply answer_for(batch& b, const waiting& w) {
        const auto& c = w.held->command;
        if (broken_) {
            return *broken_;
        }
        const auto version = version_ + b.append->records.size();
        if (auto earlier = repeated(*w.held, version)) {
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

        const runtime::context ctx{self_, version, record_time(services_, shard_), c.principal, services_.make_id};
        w.held->deciding = true; // should this throw, the router knows whom to blame
        auto result = instance_->handle(c, ctx);
        w.held->deciding = false;
        if (!result) {
            ++services_.commands_refused;
            return result.error();
        }
        ++services_.commands_accepted;
        add_records(b, c, std::move(result->events), ctx.now);
        return outcome{version_ + b.append->records.size(), false, std::move(result->answer)};
    }

    void add_records(batch& b, const command& c, std::vector<encoded_event> events, timestamp now) {
        std::uint32_t index = 0;
        const auto count = static_cast<std::uint32_t>(events.size());
        for (auto& e : events) {
            storage::record r;
            r.entity = self_;
            r.entity_seq = version_ + b.append->records.size() + 1;
            r.command_id = c.id;
            r.request_hash = c.request_hash;
            r.index_in_batch = index++;
            r.batch_size = count;
            r.type = std::move(e.type);
            r.version = e.version;
            r.time = now;
            r.principal = c.principal;
            r.cause = c.cause;
            r.correlation = c.correlation;
            r.trace = c.trace;
            r.payload = std::move(e.payload);
            b.bytes += r.payload.size() + record_overhead_bytes;
            b.append->records.push_back(std::move(r));
        }
    }

    reply set_aside(batch& b, const command& c, const std::string& cause) {
        std::string payload;
        json::object_writer out(payload);
        out.field("command", c.type).field("command_id", c.id).field("cause", cause).raw_field("payload", c.payload);
        out.end();
        std::vector<encoded_event> events;
        events.push_back({std::string(poisoned_event), 1, std::move(payload)});
        add_records(b, c, std::move(events), record_time(services_, shard_));
        return poison(c, cause);
    }

    static problem poison(const command& c, std::string_view cause) {
        return {code::poison, "the command '" + c.type + "' crashed its entity " +
                                  std::to_string(limits::poison_crashes) +
                                  " times and was set aside: " + std::string(cause)};
    }

    static problem mismatch(const command& c) {
        return {code::idempotency_mismatch,
                "the key '" + c.id + "' was used before with another request; use a new one for a new request"};
    }

    // ---- repeats

    /// The answer of an earlier command with this id, made again from its events.
    std::optional<reply> repeated(const held_command& held, std::uint64_t now) {
        const auto& c = held.command;
        auto row = storage::is_remembered(c.id) ? storage::read_command(*services_.store, self_, c.id)
                                                : decided_before(c, held.decided_after);
        if (!row) {
            return reply(row.error());
        }
        if (!*row || (*row)->first_version > version_) {
            return std::nullopt;
        }
        if ((*row)->request_hash != c.request_hash) {
            return reply(mismatch(c));
        }
        return answer_again(c, **row, now);
    }

    /// A command that nobody can repeat was decided before only if an earlier incarnation died before its answer.
    expected<std::optional<storage::command_row>> decided_before(const command& c, std::uint64_t after) const {
        std::optional<storage::command_row> found;
        if (after >= version_) {
            return found;
        }
        auto read = storage::read_history(*services_.store, self_, after, [&](storage::record&& r) -> expected<void> {
            if (r.command_id == c.id && r.index_in_batch == 0) {
                found = {r.request_hash, r.entity_seq, r.batch_size, r.time};
            }
            return {};
        });
        if (!read && read.error().code == code::not_found) {
            return problem{code::unknown_outcome,
                           "the command may be done, but retention has cut the events that would "
                           "tell; look at the entity before you send it again"};
        }
        return read ? expected<std::optional<storage::command_row>>(found) : read.error();
    }

    reply answer_again(const command& c, const storage::command_row& row, std::uint64_t now) {
        const auto last = row.first_version + row.events - 1;
        switch (row.answer) {
        case storage::repeat_answer::made_again:
            break;
        case storage::repeat_answer::document:
            return outcome{last, true, instance_->view({self_.id, now}).document};
        case storage::repeat_answer::kept:
            return outcome{last, true, row.kept};
        case storage::repeat_answer::poison:
            return poison(c, "its event is not kept any more");
        }
        const auto then = services_.kinds->find(self_.kind)->second.make();
        const auto from = restore_before(*services_.store, self_, row.first_version, *then);
        if (!from) {
            return from.error();
        }
        std::vector<storage::record> events;
        auto read = storage::read_history(
            *services_.store, self_, *from,
            [&](storage::record&& r) {
                auto replayed = then->replay(r);
                if (r.entity_seq >= row.first_version) {
                    events.push_back(std::move(r));
                }
                return replayed;
            },
            last);
        if (!read) {
            return read.error();
        }
        if (!events.empty() && events.front().type == poisoned_event) {
            return poison(c, "see the entity's history");
        }
        auto document = then->answer(events, {self_.id, last});
        return document ? reply(outcome{last, true, std::move(*document)}) : reply(document.error());
    }

    // ---- commit

    void append(batch b) {
        auto& a = *b.append;
        const auto version = version_ + a.records.size();
        a.entity = self_;
        a.activation = activation_;
        a.expected_version = version_;
        a.derived = derive(*instance_, shard_, self_, version, before_);
        if (base_ > 0) {
            if (auto kept = storage::keep_base_items(*services_.store, a.derived); !kept) {
                appended(b, version, kept.error());
                in_flight_ = true; // the instance has what was not written: nothing is decided on it any more
                return;
            }
        }
        bytes_since_snapshot_ += b.bytes;
        if (version - snapshot_version_ >= services_.settings.snapshot_events ||
            bytes_since_snapshot_ >= std::max(services_.settings.snapshot_bytes, snapshot_bytes_)) {
            snapshot(a.derived, version);
        }
        in_flight_ = true;
        auto shared = std::make_shared<batch>(std::move(b));
        request(committer_, caf::infinite, append_msg{shared->append})
            .then([this, shared, version](appended_msg& m) { appended(*shared, version, m.result); },
                  [this](caf::error& e) { quit(std::move(e)); });
    }

    /// Keeps the newest two: a damaged one falls back to the one before.
    void snapshot(storage::derived_changes& to, std::uint64_t version) {
        const auto drop = snapshots_.size() >= 2 ? snapshots_.back() : 0;
        add_snapshot(to, *instance_, shard_, self_, version, drop);
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
        auto cut = broken_ ? expected<history_cut>(*broken_) : cut_safely(m.until);
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
        a->entity = self_;
        a->activation = activation_;
        a->expected_version = version_;
        a->derived = std::move(cut->changes);
        if (!has_good_snapshot(*services_.store, self_, cut->base, *services_.kinds->find(self_.kind)->second.make())) {
            snapshot(a->derived, version_); // beside the base: a damaged one falls back to the other
        }
        in_flight_ = true;
        request(committer_, caf::infinite, append_msg{a})
            .then([this, m, base = cut->base, events = cut->events,
                   more = cut->more](appended_msg& answer) { history_cut_done(m, base, events, more, answer.result); },
                  [this](caf::error& e) { quit(std::move(e)); });
    }

    /// A model that throws here would do so for ever: that is no reason to end.
    expected<history_cut> cut_safely(timestamp until) {
        try {
            return make_cut(*services_.store, services_.kinds->find(self_.kind)->second, self_, version_, until,
                            services_.clock() + -services_.settings.dedup_window_ms);
        } catch (const std::exception& defect) {
            return problem{code::internal, defect.what()};
        }
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
            // Nothing was written, but the instance has the events (H1): answer, and load it again from the journal.
            if (result.error().code != code::conflict) {
                for (auto& d : b.decisions) {
                    d.of.held->answer(result.error());
                }
            }
            // What it owes is not lost: it is woken again.
            send(owner_, wake_msg{self_, wake_after_refusal_ms});
            quit(caf::exit_reason::normal);
            return;
        }
        version_ = version;
        announce_timers();
        deliver(b);
        reconcile();
        pump();
    }

    void announce_timers() {
        if (services_.on_timer) {
            for (const auto& [key, due] : before_.timers) {
                services_.on_timer(shard_, due);
            }
        }
    }

    void deliver(batch& b) {
        for (auto& d : b.decisions) {
            if (!d.answer) {
                auto same = *b.decisions[d.same_as].answer;
                if (same) {
                    same->repeated = true;
                }
                d.of.held->answer(std::move(same));
            }
        }
        for (auto& d : b.decisions) {
            if (d.answer) {
                d.of.held->answer(std::move(*d.answer));
            }
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
        if (!ready_ || version_ == snapshot_version_ || version_ == 0) {
            leave();
            return;
        }
        auto a = std::make_shared<storage::append>();
        a->entity = self_;
        a->activation = activation_;
        a->expected_version = version_;
        snapshot(a->derived, version_);
        in_flight_ = true; // commands that come now wait; the shard offers them again after the end
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
    std::unique_ptr<entity_instance> instance_;
    std::uint64_t activation_ = 0;
    std::uint64_t version_ = 0;
    std::uint64_t base_ = 0; ///< The last event that retention cut.
    std::uint64_t snapshot_version_ = 0;
    std::uint64_t snapshot_bytes_ = 0; ///< Of the newest one.
    std::uint64_t bytes_since_snapshot_ = 0;
    std::vector<std::uint64_t> snapshots_; ///< Newest first.
    std::optional<cut_history_msg> cut_wanted_;
    derived_rows before_; ///< Of the last batch decided.
    std::deque<waiting> waiting_;
    std::optional<problem> broken_; ///< Quarantined, or of no known kind: every command gets this.
    bool ready_ = false;
    bool in_flight_ = false;
    bool draining_ = false;
};

} // namespace

entity_actor spawn_entity(caf::actor_system& system, host_services& services, committer_actor committer,
                          shard_actor owner, std::uint32_t shard, entity_address address) {
    return system.spawn<entity_impl>(services, std::move(committer), std::move(owner), shard, std::move(address));
}

} // namespace troupe::runtime
