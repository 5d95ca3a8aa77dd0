#include "storage/shard_logs.hpp"

#include "storage/epochs.hpp"
#include "storage/keys.hpp"
#include "storage/rocks.hpp"
#include "storage/shard_log.hpp"

#include <rocksdb/write_batch.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <type_traits>
#include <utility>

namespace troupe::storage {

namespace {

using namespace replication;

/// The applied mark of a shard that merges moves in steps: it only bounds what the next start reads of the log, and
/// shows that an end of the log is lost. Log and tables are one write.
constexpr std::uint64_t applied_mark_step = 64;
/// After something happened, followers learn of the commit and lost messages are found in so many ticks.
constexpr std::uint32_t lively_ticks = 3;

using groups = std::vector<shared_group>;

bool begins_run(const log_outline& log, const persist& order) {
    return std::ranges::any_of(
        log.runs(), [&](const epoch_run& run) { return run.first_seq >= order.first && run.first_seq <= order.last; });
}

} // namespace

struct shard_logs::impl {
    impl(store& s, const log_options& o) : from(s), options(o) {}

    store& from;
    log_options options;
    std::vector<shard_log> logs;
    rocksdb::WriteBatch batch;
    std::set<std::uint32_t> unsynced; ///< Shards whose core waits for the fsync.
    std::set<std::uint32_t> merged;   ///< Shards whose mark may move.
    std::set<std::uint32_t> to_apply;
    std::map<replica_id, std::string> frames; ///< To be sent.
    std::set<replica_id> gone;                ///< Peers that are not connected.
    std::vector<log_event> events;
    std::optional<problem> fatal;

    // ---- actions

    template <class Input>
    expected<void> drive(std::uint32_t shard, const Input& input, const groups& entries = {}) {
        actions out;
        auto& l = logs[shard];
        if constexpr (std::is_void_v<decltype(input(l.self, out))>) {
            input(l.self, out);
        } else if (auto done = input(l.self, out); !done) {
            return done.error();
        }
        perform(l, out, entries);
        return {};
    }

    void perform(shard_log& l, const actions& what, const groups& entries) {
        for (const auto& action : what) {
            std::visit([&](const auto& a) { act(l, a, entries); }, action);
        }
    }

    void end(problem why) {
        if (!fatal) {
            fatal = std::move(why);
        }
    }

    void act(shard_log& l, const persist& order, const groups& entries) {
        l.write = order.write;
        l.lively = lively_ticks;
        unsynced.insert(l.shard);
        if (order.truncate_from != 0) {
            if (auto dropped = l.truncate(from, order.truncate_from, batch); !dropped) {
                end(dropped.error());
            }
        }
        if (order.epoch_start) {
            add(l, l.epoch_start(order.first, {}));
        } else if (order.has_entries() && !entries.empty()) {
            add_all(l, order, entries);
        }
        if (order.promise != 0 || order.truncate_from != 0 || begins_run(l.self.core().log(), order)) {
            l.put_epochs(from, batch);
        }
    }

    /// In a cluster changes are kept even by who is alone: replicas are to come.
    [[nodiscard]] bool merges(const shard_log& l) const { return options.peers == nullptr && l.merges(); }

    void add(shard_log& l, shared_group group) {
        if (merges(l)) { // the start of an epoch
            batch.Put(from.db().log, keys::log(l.shard, group->first), group->records.front());
            l.last_time = group->time;
            merged.insert(l.shard);
        } else {
            l.append(from, std::move(group), batch);
        }
    }

    void add_all(shard_log& l, const persist& order, const groups& entries) {
        auto next = order.first;
        for (const auto& group : entries) {
            if (group->first == next && group->last <= order.last) {
                next = group->last + 1;
                l.append(from, group, batch);
            }
        }
        if (next != order.last + 1) {
            end({code::internal, "shard " + std::to_string(l.shard) + " was cut inside of a group of records at " +
                                     std::to_string(next)});
        }
    }

    void act(shard_log& l, const send_append& s, const groups&) {
        if (gone.contains(s.to)) {
            return; // what it lacks may be much
        }
        if (!send_entries(l, s.to, s.message, options.frames_at_once,
                          [](const append& piece) { return replication::message(piece); })) {
            // In a new epoch nobody knows yet how far it is: it may have them all the same.
            const auto& log = l.self.core().log();
            const auto have = std::max(log.base().seq, l.kept_from() - 1);
            post(l, s.to, append{.epoch = s.message.epoch, .prev = log.at(have), .commit = s.message.commit});
        }
    }
    void act(shard_log& l, const send_pulled& s, const groups&) {
        // What is not sent is asked for again.
        static_cast<void>(send_entries(l, s.to, s.message, 1,
                                       [](const append& piece) { return replication::message(pulled{piece}); }));
    }
    void act(shard_log& l, const send_ack& s, const groups&) { post(l, s.to, s.message); }
    void act(shard_log& l, const send_sealed& s, const groups&) { post(l, s.to, s.message); }
    void act(shard_log& l, const send_pull& s, const groups&) { post(l, s.to, s.message); }
    void act(shard_log& l, const send_seal& s, const groups&) { post(l, s.to, s.message); }
    void act(shard_log& l, const send_hand_over& s, const groups&) { post(l, s.to, s.message); }
    void act(shard_log& l, const committed& c, const groups&) {
        l.lively = lively_ticks;
        to_apply.insert(l.shard);
        events.emplace_back(records_committed{l.shard, c.first, c.last});
    }
    void act(shard_log& l, const write_register& w, const groups&) {
        events.emplace_back(register_wanted{l.shard, w.next, w.over});
    }
    void act(shard_log& l, const replication::owns& o, const groups&) {
        events.emplace_back(ownership{l.shard, o.epoch, true});
    }
    void act(shard_log& l, const deposed& d, const groups&) { events.emplace_back(ownership{l.shard, d.epoch, false}); }
    void act(shard_log& l, const needs_checkpoint& c, const groups&) {
        events.emplace_back(checkpoint_wanted{l.shard, c.to});
    }
    void act(shard_log&, const refused& r, const groups&) { events.emplace_back(peer_refused{r.from, r.reason}); }
    void act(shard_log&, const superseded&, const groups&) {} // the register tells by whom
    void act(shard_log&, const caught_up&, const groups&) {}
    void act(shard_log&, const halt& h, const groups&) { end({code::journal_damaged, h.reason}); }

    // ---- messages

    void post(shard_log& l, const replica_id& to, const replication::message& m, std::string_view entries = {}) {
        auto& frame = frames[to];
        put_message(frame, l.shard, m, entries);
        if (frame.size() >= options.frame_bytes) {
            send(to, std::exchange(frame, {}));
        }
    }

    void send(const replica_id& to, std::string frame) const {
        if (options.peers != nullptr && !frame.empty()) {
            options.peers->send(to, std::move(frame));
        }
    }

    void send_all() {
        for (auto& [to, frame] : std::exchange(frames, {})) {
            send(to, std::move(frame));
        }
    }

    /// In pieces of whole groups, at most `pieces_max`. False: they are not kept any more.
    template <class Make>
    bool send_entries(shard_log& l, const replica_id& to, append rest, std::size_t pieces_max, const Make& make) {
        // A log that went another way may agree up to the middle of a group here: then all of the group goes.
        const auto& log = l.self.core().log();
        if (const auto begin = l.begin_of(from, rest.prev.seq + 1); rest.count > 0 && begin <= rest.prev.seq) {
            rest.count += rest.prev.seq + 1 - begin;
            rest.prev = log.at(begin - 1);
        }
        std::size_t pieces = 0;
        do {
            std::string bytes;
            std::uint64_t count = 0;
            while (count < rest.count && bytes.size() < options.frame_bytes) {
                auto group = l.find(from, rest.prev.seq + count + 1);
                if (!group) {
                    end(group.error());
                    return true;
                }
                if (!*group || (*group)->last > rest.last_seq()) {
                    break;
                }
                put_group(bytes, **group);
                count += (*group)->last - (*group)->first + 1;
            }
            if (rest.count > 0 && count == 0) {
                events.emplace_back(checkpoint_wanted{l.shard, to});
                return false;
            }
            const auto [head, tail] = cut(rest, count);
            post(l, to, make(head), bytes);
            rest = tail;
        } while (rest.count > 0 && ++pieces < pieces_max);
        return true;
    }

    expected<void> receive(const replica_id& sender, std::uint32_t shard, const replication::message& m,
                           std::string_view bytes) {
        if (shard >= logs.size()) {
            return problem{code::invalid_request, "there is no shard " + std::to_string(shard)};
        }
        groups entries;
        const auto* appended = std::get_if<append>(&m);
        const auto* answer = std::get_if<pulled>(&m);
        if (appended != nullptr || answer != nullptr) {
            const auto& a = appended != nullptr ? *appended : answer->message;
            auto read = read_groups(shard, a.prev.seq, a.entry_epoch, a.count, bytes);
            if (!read) {
                return read.error();
            }
            entries = std::move(*read);
        }
        return drive(
            shard,
            [&](member& self, actions& out) { std::visit([&](const auto& one) { take(self, sender, one, out); }, m); },
            entries);
    }

    static void take(member& self, const replica_id& sender, const append& m, actions& out) {
        self.on_append(sender, m, out);
    }
    static void take(member& self, const replica_id& sender, const pulled& m, actions& out) {
        self.on_pulled(sender, m.message, out);
    }
    static void take(member& self, const replica_id& sender, const ack& m, actions& out) {
        self.on_ack(sender, m, out);
    }
    static void take(member& self, const replica_id& sender, const seal& m, actions& out) {
        self.on_seal(sender, m, out);
    }
    static void take(member& self, const replica_id& sender, const sealed& m, actions& out) {
        self.on_sealed(sender, m, out);
    }
    static void take(member& self, const replica_id& sender, const pull& m, actions& out) {
        self.on_pull(sender, m, out);
    }
    static void take(member& self, const replica_id& sender, const replication::hand_over& m, actions& out) {
        self.on_hand_over(sender, m, out);
    }

    // ---- the disk

    expected<void> sync() {
        const auto written = std::exchange(merged, {});
        for (const auto shard : written) {
            auto& l = logs[shard];
            if (const auto last = l.self.core().log().last().seq; last >= l.marked + applied_mark_step) {
                l.applied = last; // with this very write
                l.put_mark(from, batch);
            }
        }
        rocksdb::WriteOptions synced;
        synced.sync = true;
        if (const auto status = from.db().db->Write(synced, &batch); !status.ok()) {
            return to_problem(status, "cannot write the journal");
        }
        batch.Clear();
        for (const auto shard : written) {
            from.db().heads->touch(shard);
        }
        for (const auto shard : std::exchange(unsynced, {})) {
            if (const auto write = std::exchange(logs[shard].write, 0); write != 0) {
                static_cast<void>(drive(shard, [&](member& self, actions& out) { self.persisted(write, out); }));
            }
        }
        return {};
    }

    /// Whoever reads at another replica should not wait for a beat. With more under way the next entries say it.
    void announce(shard_log& l) {
        const auto& core = l.self.core();
        if (options.peers != nullptr && core.role() == replication::replica_role::leader &&
            core.commit() == core.log().last().seq) {
            static_cast<void>(drive(l.shard, [](member& self, actions& out) { self.announce(out); }));
        }
    }

    /// After the log, and without an fsync: what is lost of it is applied again at the next start.
    expected<void> apply() {
        rocksdb::WriteBatch rows;
        const auto shards = std::exchange(to_apply, {});
        for (const auto shard : shards) {
            auto changed = logs[shard].apply(from, rows);
            if (!changed) {
                return changed.error();
            }
            if (*changed) {
                logs[shard].forget(from, options.tail_bytes, options.changes_bytes, rows);
            }
        }
        if (rows.Count() > 0) {
            if (const auto status = from.db().db->Write({}, &rows); !status.ok()) {
                return to_problem(status, "cannot write what follows from the journal");
            }
        }
        for (const auto shard : shards) {
            from.db().heads->touch(shard);
            from.set_applied(shard, logs[shard].applied);
            announce(logs[shard]);
        }
        return {};
    }

    [[nodiscard]] bool is_dirty() const { return batch.Count() > 0 || !unsynced.empty(); }
};

shard_logs::shard_logs(std::unique_ptr<impl> made) : impl_(std::move(made)) {}
shard_logs::~shard_logs() = default;
shard_logs::shard_logs(shard_logs&&) noexcept = default;

expected<shard_logs> shard_logs::open(store& s, const log_options& options) {
    drop_staged(s);
    auto made = std::make_unique<impl>(s, options);
    for (std::uint32_t shard = 0; shard < s.who().shards; ++shard) {
        auto log = shard_log::recover(s, shard, options.peers == nullptr);
        if (!log) {
            return log.error();
        }
        s.set_applied(shard, log->applied);
        made->logs.push_back(std::move(*log));
    }
    return shard_logs(std::move(made));
}

expected<void> shard_logs::own_all() {
    for (std::uint32_t shard = 0; shard < impl_->logs.size(); ++shard) {
        if (auto made = create(shard); !made) {
            return made;
        }
        on_register_written(shard, of(shard).core().promise() + 1, true);
    }
    auto written = write();
    impl_->events.clear();
    return written;
}

// ---- writing, at the owner

expected<position> shard_logs::propose(std::uint32_t shard, std::uint64_t count, timestamp when) {
    auto& l = impl_->logs[shard];
    l.last_time = std::max(l.last_time, when);
    l.proposed.clear();
    return l.self.propose(count, l.proposed);
}

bool shard_logs::merges(std::uint32_t shard) const { return impl_->merges(impl_->logs[shard]); }

void shard_logs::add(std::uint32_t shard, shared_group group) {
    auto& l = impl_->logs[shard];
    if (!group) {
        impl_->merged.insert(shard);
    }
    const auto waiting = std::exchange(l.proposed, {});
    impl_->perform(l, waiting, group ? groups{std::move(group)} : groups());
}

expected<position> shard_logs::change_tables(std::uint32_t shard, std::string changes) {
    const auto at = propose(shard, 1, {});
    if (at) {
        add(shard, impl_->logs[shard].changed_tables(at->seq, std::move(changes)));
    }
    return at;
}

// ---- the cluster

void shard_logs::on_register(std::uint32_t shard, const replica_set& now) {
    static_cast<void>(impl_->drive(shard, [&](member& self, actions& out) { self.on_register(now, out); }));
}

void shard_logs::on_register_written(std::uint32_t shard, std::uint64_t epoch, bool applied) {
    static_cast<void>(
        impl_->drive(shard, [&](member& self, actions& out) { self.on_register_written(epoch, applied, out); }));
}

void shard_logs::on_register_unknown(std::uint32_t shard, std::uint64_t epoch) {
    impl_->logs[shard].self.on_register_unknown(epoch);
}

expected<void> shard_logs::create(std::uint32_t shard) {
    return impl_->drive(shard, [](member& self, actions& out) { return self.create(out); });
}

expected<void> shard_logs::campaign(std::uint32_t shard) {
    return impl_->drive(shard, [](member& self, actions& out) { return self.campaign(out); });
}

expected<void> shard_logs::change(std::uint32_t shard, std::vector<replica_id> voters,
                                  std::vector<replica_id> learners) {
    return impl_->drive(
        shard, [&](member& self, actions& out) { return self.change(std::move(voters), std::move(learners), out); });
}

expected<void> shard_logs::hand_over(std::uint32_t shard, const replica_id& to) {
    return impl_->drive(shard, [&](member& self, actions& out) { return self.hand_over_to(to, out); });
}

void shard_logs::on_frame(const replica_id& sender, std::string_view frame) {
    auto read = each_message(frame, [&](std::uint32_t shard, const message& m, std::string_view entries) {
        return impl_->receive(sender, shard, m, entries);
    });
    if (!read) {
        impl_->events.emplace_back(peer_refused{sender, read.error().detail});
    }
}

void shard_logs::on_peer_gone(const replica_id& peer) { impl_->gone.insert(peer); }

void shard_logs::on_peer_back(const replica_id& peer) {
    impl_->gone.erase(peer);
    for (auto& l : impl_->logs) {
        static_cast<void>(impl_->drive(l.shard, [&](member& self, actions& out) { self.resend(peer, out); }));
    }
}

void shard_logs::tick(bool all) {
    for (auto& l : impl_->logs) {
        const bool busy =
            l.lively > 0 || l.self.is_candidate() || l.self.core().commit() < l.self.core().log().last().seq;
        if (all || busy) {
            l.lively -= l.lively > 0 ? 1 : 0;
            static_cast<void>(impl_->drive(l.shard, [](member& self, actions& out) { self.tick(out); }));
        }
    }
}

// ---- checkpoints

expected<checkpoint_source> shard_logs::take_checkpoint(std::uint32_t shard) const {
    const auto& l = impl_->logs[shard];
    if (l.applied == 0) {
        return problem{code::conflict, "shard " + std::to_string(shard) + " is empty here"};
    }
    const auto& core = l.self.core();
    epochs_row log{core.promise(), {core.log().base(), l.base_time}, core.log().runs()};
    std::erase_if(log.runs, [&](const epoch_run& run) { return run.first_seq > l.applied; });
    return checkpoint_source(impl_->from, {shard, core.log().at(l.applied), std::move(log)});
}

void shard_logs::keep_after(std::uint32_t shard, std::uint64_t seq) { impl_->logs[shard].wanted_after = seq; }

expected<void> shard_logs::may_install(const checkpoint_head& head) const {
    if (head.shard >= impl_->logs.size()) {
        return problem{code::conflict, "there is no shard " + std::to_string(head.shard)};
    }
    return of(head.shard).may_install(head.log.promise, head.at);
}

expected<checkpoint_staging> shard_logs::receive_checkpoint(checkpoint_head head) {
    auto may = may_install(head);
    return may ? checkpoint_staging::open(impl_->from, std::move(head)) : expected<checkpoint_staging>(may.error());
}

expected<bool> shard_logs::install(checkpoint_staging& whole) {
    auto& me = *impl_;
    if (auto may = may_install(whole.head()); !may) {
        return may.error();
    }
    if (is_dirty()) {
        return false; // what waits to be written may be of the shard
    }
    auto done = whole.install();
    if (!done || !*done) {
        return done;
    }
    auto& l = me.logs[whole.head().shard];
    actions out;
    if (auto began = l.recover_installed(me.from, out); !began) {
        me.end(began.error());
        return began.error();
    }
    me.from.db().heads->touch(l.shard);
    me.from.set_applied(l.shard, l.applied);
    me.events.emplace_back(checkpoint_installed{l.shard});
    me.perform(l, out, {});
    return true;
}

// ---- the disk

rocksdb::WriteBatch& shard_logs::batch() { return impl_->batch; }
bool shard_logs::is_dirty() const { return impl_->is_dirty(); }

expected<void> shard_logs::write() {
    auto& me = *impl_;
    while (me.is_dirty() && !me.fatal) {
        me.send_all(); // before the fsync: the others' disks work meanwhile
        if (auto synced = me.sync(); !synced) {
            return synced;
        }
    }
    if (!me.fatal) {
        if (auto applied = me.apply(); !applied) {
            return applied;
        }
        me.send_all();
    }
    return me.fatal ? expected<void>(*me.fatal) : expected<void>();
}

std::vector<log_event> shard_logs::take_events() { return std::exchange(impl_->events, {}); }

expected<void> shard_logs::trim(std::uint32_t shard, std::uint64_t to, timestamp time) {
    auto& l = impl_->logs[shard];
    const auto name = std::to_string(shard);
    if (to <= l.self.core().log().base().seq) {
        return problem{code::conflict, "the log of shard " + name + " is trimmed up to record " +
                                           std::to_string(l.self.core().log().base().seq) + " already"};
    }
    if (to > l.wanted_after) {
        return problem{code::conflict, "another replica gets shard " + name +
                                           " as a checkpoint just now, and then what "
                                           "follows it"};
    }
    if (to > l.self.core().commit() || to > l.applied || !l.self.trim(to)) {
        return problem{code::conflict, "record " + std::to_string(to) + " of shard " + name + " is not committed"};
    }
    l.base_time = time;
    l.drop_kept(impl_->from, to, impl_->batch);
    l.put_epochs(impl_->from, impl_->batch);
    return {};
}

void shard_logs::settle(std::uint32_t shard, timestamp when) {
    auto& l = impl_->logs[shard];
    l.last_time = std::max(l.last_time, when);
    static_cast<void>(impl_->drive(shard, [](member& self, actions& out) { self.settle_epoch(out); }));
}

const member& shard_logs::of(std::uint32_t shard) const { return impl_->logs[shard].self; }
std::uint64_t shard_logs::base_seq(std::uint32_t shard) const { return of(shard).core().log().base().seq; }
std::uint64_t shard_logs::last_seq(std::uint32_t shard) const { return of(shard).core().log().last().seq; }
std::uint64_t shard_logs::commit(std::uint32_t shard) const { return of(shard).core().commit(); }
std::uint64_t shard_logs::applied(std::uint32_t shard) const { return impl_->logs[shard].applied; }
bool shard_logs::takes(std::uint32_t shard) const { return of(shard).can_propose(); }

expected<void> cut_epochs(const store& s, std::uint32_t shard, std::uint64_t last_seq, rocksdb::WriteBatch& batch) {
    auto row = read_epochs(s, shard);
    if (!row) {
        return row.error();
    }
    std::erase_if(row->runs, [&](const auto& run) { return run.first_seq > last_seq; });
    batch.Put(s.db().derived, keys::shard_table(shard, keys::table::epochs),
              encode_epochs(row->promise, row->base, row->runs));
    return {};
}

} // namespace troupe::storage
