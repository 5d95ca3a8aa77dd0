#include "storage/replication/replica.hpp"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <functional>
#include <utility>

namespace troupe::storage::replication {

namespace {

std::string text(std::uint64_t number) { return std::to_string(number); }

/// What no correct sender gets wrong.
bool well_formed(const append& m) {
    return m.prev.epoch <= m.epoch &&
           (m.count == 0 || (m.entry_epoch > 0 && m.entry_epoch >= m.prev.epoch && m.entry_epoch <= m.epoch));
}

/// The entries of one epoch that follow `prev`.
append append_after(const log_outline& log, position prev, std::uint64_t epoch, std::uint64_t commit) {
    append m{.epoch = epoch, .prev = prev, .commit = commit};
    if (prev.seq < log.last().seq) {
        m.entry_epoch = log.epoch_at(prev.seq + 1);
        m.count = log.run_end(prev.seq + 1) - prev.seq;
    }
    return m;
}

} // namespace

replica::replica(recovered_replica disk)
    : self_(disk.self),
      log_(std::move(disk.log)),
      promise_(disk.promise),
      durable_promise_(disk.promise),
      durable_(log_.last().seq),
      commit_(std::max(disk.commit, log_.base().seq)) {}

expected<replica> replica::recover(recovered_replica disk) {
    if (disk.promise < disk.log.last().epoch) {
        return problem{code::journal_damaged, "the log holds an entry of epoch " + text(disk.log.last().epoch) +
                                                  " but the promise is " + text(disk.promise) +
                                                  "; restore this replica from another one"};
    }
    if (disk.commit > disk.log.last().seq) {
        return problem{code::journal_damaged, "entry " + text(disk.commit) + " was committed but the log ends at " +
                                                  text(disk.log.last().seq) +
                                                  "; restore this replica from another one"};
    }
    return replica(std::move(disk));
}

// ---- what all roles share

void replica::stop(std::string reason, actions& out) {
    role_ = replica_role::halted;
    out.push_back(halt{std::move(reason)});
}

replica::peer* replica::find(replica_id id) {
    const auto found = std::find_if(peers_.begin(), peers_.end(), [&](const peer& p) { return p.id == id; });
    return found == peers_.end() ? nullptr : &*found;
}

std::optional<std::uint64_t> replica::durable_at(replica_id id) const {
    for (const auto& p : peers_) {
        if (p.id == id && role_ == replica_role::leader) {
            return p.match;
        }
    }
    return std::nullopt;
}

bool replica::misses_trimmed(position at) const { return at.seq < log_.base().seq || at.epoch < log_.base().epoch; }

void replica::write(persist what, actions& out) {
    what.write = ++last_write_;
    unsynced_.push_back({what.write, log_.last().seq, promise_});
    out.push_back(what);
}

void replica::truncate(std::uint64_t from) {
    log_.truncate(from);
    durable_ = std::min(durable_, from - 1);
    // Their fsync no longer says anything about the entries that will stand there.
    for (auto& w : unsynced_) {
        w.last = std::min(w.last, from - 1);
    }
}

void replica::persisted(std::uint64_t write, actions& out) {
    auto done = unsynced_.begin();
    while (done != unsynced_.end() && done->write <= write) {
        durable_ = done->last;
        durable_promise_ = done->promise;
        ++done;
    }
    if (done == unsynced_.begin() || role_ == replica_role::halted) {
        return;
    }
    unsynced_.erase(unsynced_.begin(), done);
    if (role_ == replica_role::leader) {
        advance_leader(out);
    } else if (role_ == replica_role::follower && !leader_.is_nil()) {
        advance_follower(out);
        acknowledge(out);
    }
    answer_seal(out);
}

void replica::commit_up_to(std::uint64_t seq, actions& out) {
    if (seq > commit_) {
        out.push_back(committed{commit_ + 1, seq});
        commit_ = seq;
    }
}

bool replica::trim(std::uint64_t to) {
    if (to > commit_) {
        return false;
    }
    log_.trim(to);
    return true;
}

// ---- leader

expected<void> replica::lead(const replica_set& set, position greatest, actions& out) {
    const auto votes = std::count(set.voters.begin(), set.voters.end(), self_);
    if (set.leader != self_ || votes != 1) {
        return problem{code::conflict, "this replica is not the leader and a voter of epoch " + text(set.epoch)};
    }
    // A replica that restarted may have sent entries of the epoch that its disk forgot: it needs a new one (R6).
    if (role_ != replica_role::sealed || promise_ != set.epoch || durable_promise_ != promise_) {
        return problem{code::conflict, "seal this replica for epoch " + text(set.epoch) + " before it leads"};
    }
    if (log_.last() < greatest) {
        return problem{code::conflict, "pull the entries up to " + text(greatest.seq) + " of epoch " +
                                           text(greatest.epoch) + " before leading"};
    }
    role_ = replica_role::leader;
    leader_ = self_;
    epoch_start_ = log_.last().seq + 1;
    majority_ = set.majority();
    peers_.clear();
    for (const auto* ids : {&set.voters, &set.learners}) {
        for (const auto& id : *ids) {
            if (id != self_ && find(id) == nullptr) {
                peers_.push_back({.id = id, .next = epoch_start_, .votes = ids == &set.voters});
            }
        }
    }
    log_.append(promise_, 1);
    write({.first = epoch_start_, .last = epoch_start_, .epoch_start = true}, out);
    beat(out);
    return {};
}

expected<position> replica::propose(std::uint64_t count, actions& out) {
    if (role_ != replica_role::leader) {
        return problem{code::unavailable, "this replica does not lead the shard; ask the shard's owner"};
    }
    if (count == 0) {
        return problem{code::invalid_request, "propose at least one entry"};
    }
    const position first{log_.last().seq + 1, promise_};
    log_.append(promise_, count);
    write({.first = first.seq, .last = log_.last().seq}, out);
    for (auto& p : peers_) {
        if (!p.probing) {
            send(p, out);
        }
    }
    return first;
}

void replica::send(peer& to, actions& out) {
    to.next = std::max(to.next, log_.base().seq + 1); // What is trimmed it may have from a checkpoint: ask.
    auto next = to.next;
    do {
        const auto message = append_after(log_, log_.at(next - 1), promise_, commit_);
        out.push_back(send_append{to.id, message});
        next = message.last_seq() + 1;
    } while (!to.probing && next <= log_.last().seq);
    if (!to.probing) {
        to.next = next;
    }
}

void replica::beat(actions& out) {
    if (role_ == replica_role::leader) {
        for (auto& p : peers_) {
            send(p, out);
        }
    }
}

void replica::resend(replica_id to, actions& out) {
    auto* p = find(to);
    if (role_ != replica_role::leader || p == nullptr) {
        return;
    }
    if (!p->probing) {
        p->probing = true;
        p->next = p->match + 1;
    }
    send(*p, out);
}

void replica::on_ack(replica_id from, const ack& message, actions& out) {
    auto* p = find(from);
    if (role_ != replica_role::leader || message.epoch != promise_ || p == nullptr) {
        return; // Late: of an earlier leadership.
    }
    switch (message.answer) {
    case verdict::stale:
        out.push_back(superseded{message.at.epoch});
        return;
    case verdict::mismatch:
        on_mismatch(*p, message, out);
        return;
    case verdict::durable:
        break;
    }
    if (message.at.seq > log_.last().seq) {
        out.push_back(refused{from, "it acknowledged entry " + text(message.at.seq) + ", the log ends at " +
                                        text(log_.last().seq)});
        return;
    }
    p->match = std::max(p->match, message.at.seq);
    if (p->probing) {
        p->probing = false;
        p->next = std::max(p->next, p->match + 1);
        if (p->next <= log_.last().seq) {
            send(*p, out);
        }
    }
    advance_leader(out);
}

void replica::on_mismatch(peer& p, const ack& message, actions& out) {
    // Of the refusals that a lost message causes, only the first moves us; what it acknowledged it holds.
    if (message.refused_seq <= p.match || (p.probing && message.refused_seq != p.next - 1)) {
        return;
    }
    if (misses_trimmed(message.at)) {
        out.push_back(needs_checkpoint{p.id});
        return;
    }
    p.probing = true;
    p.next = std::max(log_.backtrack(message.at).seq, p.match) + 1;
    send(p, out);
}

void replica::advance_leader(actions& out) {
    auto quorum = durable_;
    if (majority_ > 1) {
        durables_.assign(1, durable_);
        for (const auto& p : peers_) {
            if (p.votes) {
                durables_.push_back(p.match);
            }
        }
        const auto nth = durables_.begin() + static_cast<std::ptrdiff_t>(majority_ - 1);
        std::nth_element(durables_.begin(), nth, durables_.end(), std::greater<>());
        quorum = std::min(*nth, durable_); // R4
    }
    if (quorum >= epoch_start_) { // R5
        commit_up_to(quorum, out);
    }
}

// ---- follower

void replica::enter_epoch(replica_id leader, std::uint64_t epoch) {
    promise_ = epoch;
    role_ = replica_role::follower;
    leader_ = leader;
    verified_ = commit_; // Every later leader has what is committed.
    sealer_ = {};
}

void replica::on_append(replica_id from, const append& m, actions& out) {
    if (role_ == replica_role::halted) {
        return;
    }
    if (m.epoch < promise_) {
        out.push_back(send_ack{from, {m.epoch, verdict::stale, {0, promise_}, m.prev.seq}});
        return;
    }
    const bool new_promise = m.epoch > promise_;
    if (!well_formed(m) || (!new_promise && !leader_.is_nil() && leader_ != from)) {
        out.push_back(refused{from, "an append of epoch " + text(m.epoch) + " that its leader cannot have sent"});
        return;
    }
    if (new_promise || leader_.is_nil()) {
        enter_epoch(from, m.epoch);
    }
    persist batch{.promise = new_promise ? promise_ : 0};
    const auto result = merge(m, verified_, batch, out);
    if (result == merged::halted) {
        return;
    }
    if (batch.has_entries() || new_promise) {
        write(batch, out);
    }
    if (result == merged::mismatch) {
        const auto hint = std::max(log_.backtrack(m.prev).seq, commit_);
        out.push_back(send_ack{from, {m.epoch, verdict::mismatch, log_.at(hint), m.prev.seq}});
        return;
    }
    verified_ = std::max(verified_, m.last_seq());
    leader_commit_ = std::max(leader_commit_, m.commit);
    advance_follower(out);
    if (!batch.has_entries()) {
        acknowledge(out); // Else when it is fsynced.
    }
}

replica::merged replica::merge(const append& m, std::uint64_t fixed, persist& into, actions& out) {
    const auto base = log_.base();
    const auto end = m.last_seq();
    const bool trimmed = m.prev.seq < base.seq;
    if (trimmed ? end >= base.seq && m.entry_epoch != base.epoch : !log_.contains(m.prev)) {
        if (trimmed || m.prev.seq <= commit_) {
            stop("replica " + to_string(self_) + " and the leader of epoch " + text(m.epoch) +
                     " disagree about committed entry " + text(trimmed ? base.seq : m.prev.seq),
                 out);
            return merged::halted;
        }
        return merged::mismatch;
    }
    auto have = std::max(m.prev.seq, base.seq);
    if (have < end && have < log_.last().seq && log_.epoch_at(have + 1) == m.entry_epoch) {
        have = std::min(end, log_.run_end(have + 1));
    }
    if (have >= end) {
        return merged::nothing_new;
    }
    if (have < log_.last().seq) {
        if (have < fixed) {
            stop("the leader of epoch " + text(m.epoch) + " asks to drop entry " + text(have + 1) + ", entries up to " +
                     text(fixed) + " are fixed and those up to " + text(commit_) + " committed",
                 out);
            return merged::halted;
        }
        into.truncate_from = have + 1;
        truncate(have + 1);
    }
    log_.append(m.entry_epoch, end - have);
    into.first = have + 1;
    into.last = end;
    return merged::changed;
}

void replica::advance_follower(actions& out) {
    commit_up_to(std::min({leader_commit_, verified_, durable_}), out); // R4
}

void replica::acknowledge(actions& out) {
    if (durable_promise_ == promise_) { // R1
        out.push_back(send_ack{leader_, {promise_, verdict::durable, {std::min(durable_, verified_), promise_}, 0}});
    }
}

// ---- fail-over

void replica::on_seal(replica_id from, const seal& message, actions& out) {
    if (role_ == replica_role::halted) {
        return;
    }
    if (message.epoch < promise_) {
        out.push_back(send_sealed{from, {message.epoch, promise_, log_.last()}});
        return;
    }
    if (message.epoch > promise_) {
        promise_ = message.epoch;
        role_ = replica_role::sealed;
        leader_ = {};
        donor_ = {};
        write({.promise = promise_}, out);
    }
    sealer_ = from;
    answer_seal(out);
}

void replica::answer_seal(actions& out) {
    // The promise is written after the entries, so the tail is durable with it, unless entries came since.
    if (!sealer_.is_nil() && durable_promise_ == promise_ && durable_ == log_.last().seq) {
        out.push_back(send_sealed{sealer_, {promise_, promise_, log_.last()}});
        sealer_ = {};
    }
}

void replica::pull_from(std::uint64_t epoch, replica_id donor, position greatest, actions& out) {
    if (role_ != replica_role::sealed || promise_ != epoch) {
        return;
    }
    donor_ = donor;
    greatest_ = greatest;
    if (log_.last() >= greatest) {
        out.push_back(caught_up{promise_});
    } else {
        out.push_back(send_pull{donor, {promise_, log_.last()}});
    }
}

void replica::on_pull(replica_id from, const pull& message, actions& out) {
    if (role_ == replica_role::halted || message.epoch != promise_) {
        return; // Late, or not sealed for it: the candidate asks again or another one wins.
    }
    if (misses_trimmed(message.after)) {
        out.push_back(needs_checkpoint{from});
        return;
    }
    out.push_back(send_pulled{from, append_after(log_, log_.backtrack(message.after), promise_, commit_)});
}

void replica::on_pulled(replica_id from, const append& m, actions& out) {
    if (role_ != replica_role::sealed || m.epoch != promise_ || from != donor_ || log_.last() >= greatest_) {
        return; // Late.
    }
    if (!well_formed(m)) {
        out.push_back(refused{from, "pulled entries of epoch " + text(m.epoch) + " that no log can hold"});
        return;
    }
    persist batch;
    const auto result = merge(m, commit_, batch, out);
    if (result == merged::halted) {
        return;
    }
    if (result == merged::changed) {
        write(batch, out);
        pull_from(promise_, from, greatest_, out);
    } else if (result == merged::mismatch) {
        out.push_back(send_pull{from, {promise_, log_.backtrack(m.prev)}});
    }
}

// ---- checkpoints

expected<void> replica::may_install(std::uint64_t epoch, position at) const {
    if (role_ == replica_role::halted || role_ == replica_role::leader) {
        return problem{code::conflict, "this replica leads the shard, or has halted"};
    }
    if (epoch < promise_) { // R1
        return problem{code::conflict,
                       "the checkpoint is of epoch " + text(epoch) + ", epoch " + text(promise_) + " is promised"};
    }
    if (at.epoch > epoch || at.seq <= commit_ || log_.contains(at)) { // R9
        return problem{code::conflict, "the checkpoint ends at entry " + text(at.seq) + " of epoch " + text(at.epoch) +
                                           ", which is here, or before what is committed here"};
    }
    return {};
}

/// All in it is committed, and it holds whatever this log held of that: what is dropped with the log never will be.
expected<void> replica::install(std::uint64_t epoch, log_outline log, actions& out) {
    assert(unsynced_.empty());
    if (auto may = may_install(epoch, log.last()); !may) {
        return may;
    }
    if (epoch > promise_) {
        promise_ = durable_promise_ = epoch;
        role_ = replica_role::follower;
        leader_ = {};
        sealer_ = {};
    }
    log_ = std::move(log);
    durable_ = verified_ = log_.last().seq; // Every leader of the epoch has what is committed.
    commit_up_to(durable_, out);
    if (role_ == replica_role::follower && !leader_.is_nil()) {
        acknowledge(out);
    } else if (role_ == replica_role::sealed && !donor_.is_nil()) {
        pull_from(promise_, donor_, greatest_, out);
    }
    return {};
}

std::optional<seal_answer> greatest_tail(const replica_set& old, std::uint64_t epoch,
                                         std::span<const seal_answer> answers) {
    std::optional<seal_answer> greatest;
    std::size_t granted = 0;
    for (const auto& voter : old.voters) {
        bool counted = false;
        for (const auto& a : answers) {
            if (a.from != voter || a.message.epoch != epoch || !a.message.granted()) {
                continue;
            }
            granted += counted ? 0 : 1;
            counted = true;
            if (!greatest || a.message.tail > greatest->message.tail) {
                greatest = a;
            }
        }
    }
    return granted >= old.majority() ? greatest : std::nullopt;
}

} // namespace troupe::storage::replication
