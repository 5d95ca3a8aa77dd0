#include "storage/committer.hpp"

#include "schemas/base/clock.hpp"
#include "storage/bytes.hpp"
#include "storage/keys.hpp"
#include "storage/log_reader.hpp"
#include "storage/rocks.hpp"
#include "storage/tables.hpp"

#include <rocksdb/write_batch.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace troupe::storage {

namespace {

constexpr std::int64_t space_check_interval_ms = 500;
/// A hand-over that has not begun by then does not.
constexpr std::uint32_t hand_over_ticks = 20;
/// Much less than what is to stay free.
constexpr std::size_t space_check_bytes = 2 << 20;

/// The limits of organizations may be behind what other nodes counted by so much.
constexpr std::int64_t recount_ms = 5000;

problem owned_elsewhere() { return {code::unavailable, "another node has this shard now; send it again", {}, 1}; }

} // namespace

committer::committer(store& s, shard_logs logs, std::uint64_t free_bytes_min)
    : store_(s),
      logs_(std::move(logs)),
      owned_(s.who().shards),
      flights_(s.who().shards),
      free_bytes_min_(free_bytes_min) {}

expected<std::unique_ptr<committer>> committer::join(store& s, std::uint64_t free_bytes_min,
                                                     const log_options& options) {
    auto logs = shard_logs::open(s, options);
    if (!logs) {
        return logs.error();
    }
    s.usage().reset();
    return std::unique_ptr<committer>(new committer(s, std::move(*logs), free_bytes_min));
}

expected<std::unique_ptr<committer>> committer::open(store& s, std::uint64_t free_bytes_min) {
    auto made = join(s, free_bytes_min, {});
    if (made) {
        if (auto owned = (*made)->logs_.own_all(); !owned) {
            return owned.error();
        }
        (*made)->owned_.assign(s.who().shards, true);
    }
    return made;
}

committer::~committer() = default;

expected<activation> committer::activate(const entity_address& a) {
    if (!owned_[store_.shard_of(a)]) {
        return owned_elsewhere(); // its tables may be behind
    }
    const auto version = read_version(store_, a);
    if (!version) {
        return version.error();
    }
    const active now{next_activation_++, *version};
    active_[a] = now;
    return activation{now.activation, now.version};
}

void committer::release(const entity_address& a, std::uint64_t activation_id) {
    const auto found = active_.find(a);
    if (found != active_.end() && found->second.activation == activation_id) {
        active_.erase(found);
    }
}

bool committer::space_left() {
    const auto now = monotonic_ms();
    if (now - space_checked_ms_ >= space_check_interval_ms || unchecked_bytes_ >= space_check_bytes) {
        space_checked_ms_ = now;
        unchecked_bytes_ = 0;
        space_left_ = store_.check_space(free_bytes_min_).has_value();
    }
    return space_left_;
}

expected<void> committer::accept(const append& a, shared_key& key) {
    const auto found = active_.find(a.entity);
    if (found == active_.end() || found->second.activation != a.activation) {
        return problem{code::conflict, "this activation of " + to_string(a.entity) + " was replaced; ask again"};
    }
    if (found->second.version != a.expected_version) {
        return problem{code::conflict, to_string(a.entity) + " is at version " + std::to_string(found->second.version) +
                                           ", not " + std::to_string(a.expected_version) + "; ask again"};
    }
    if (!space_left()) {
        // Seldom asked, so space may be there again: then the append is accepted as any other.
        if (auto space = store_.check_space(free_bytes_min_); !space) {
            return space;
        }
    }
    auto sealing = issued_key(store_, a.subject, a.entity.organization);
    if (!sealing) {
        return sealing.error();
    }
    key = std::move(*sealing);
    found->second.version += a.records.size();
    return {};
}

// ---- from the append to its place in the batch

void committer::settle(settled_append of, expected<appended> result) {
    of.result = std::move(result);
    settled_.push_back(std::move(of));
}

void committer::submit(append what, std::uint64_t ticket) { take_up({ticket, std::move(what), appended{}}); }

void committer::take_up(settled_append of) {
    const auto shard = store_.shard_of(of.what.entity);
    if (!owned_[shard]) {
        settle(std::move(of), owned_elsewhere());
        return;
    }
    if (!logs_.takes(shard) || handing_over_.contains(shard)) {
        held_.push_back(std::move(of));
        return;
    }
    shared_key key;
    if (auto accepted = accept(of.what, key); !accepted) {
        settle(std::move(of), accepted.error());
        return;
    }
    const bool logged = is_logged(of.what);
    auto written = put(of.what, key.get());
    if (!written) {
        fatal_ = written.error(); // some of it stands in the batch
    } else if (!logged) {
        unlogged_.push_back(std::move(of));
        unlogged_.back().result = *written;
    } else {
        flights_[shard].push_back({written->last_seq, std::move(of)});
        ++in_flight_count_;
    }
}

void committer::take_up_held() {
    for (auto& of : std::exchange(held_, {})) {
        take_up(std::move(of)); // in their order: all of a shard wait, or none
    }
}

/// Seals the rows, and adds those of the organization's usage.
expected<void> committer::complete_rows(append& a, const payload_key* key) {
    seal_rows(key, a.derived.puts);
    if (a.used.empty() && a.derived.held.empty()) {
        return {};
    }
    const auto time = a.records.empty() ? timestamp{} : a.records.front().time;
    return store_.usage().count(store_.shard_of(a.entity), a.entity.organization, time, a.used, a.derived.held, a.claim,
                                a.derived.puts);
}

bool committer::is_logged(const append& a) const {
    return !a.records.empty() || (a.for_all && !logs_.merges(store_.shard_of(a.entity)));
}

expected<appended> committer::put(append& a, const payload_key* key) {
    const auto shard = store_.shard_of(a.entity);
    if (a.records.empty()) {
        return is_logged(a) ? put_tables(a, key) : put_at_once(a, key);
    }
    auto at = logs_.propose(shard, a.records.size(), a.records.front().time);
    if (!at) {
        return at.error();
    }
    for (auto& r : a.records) {
        r.shard = shard;
        r.seq = at->seq++;
        r.epoch = at->epoch;
    }
    return logs_.merges(shard) ? put_at_once(a, key) : put_group(a, key);
}

expected<appended> committer::put_at_once(append& a, const payload_key* key) {
    auto& batch = logs_.batch();
    auto& db = store_.db();
    for (auto& r : a.records) {
        const auto value = encode_sealed(store_, r, key);
        batch.Put(db.log, keys::log(r.shard, r.seq), value);
        put_record_rows(store_, r, value, batch);
    }
    if (auto rows = complete_rows(a, key); !rows) {
        return rows.error();
    }
    for (const auto& row : a.derived.deletes) {
        batch.Delete(db.derived, row);
    }
    for (const auto& [row, value] : a.derived.puts) {
        batch.Put(db.derived, row, value);
    }
    if (a.records.empty()) {
        return appended{logs_.last_seq(store_.shard_of(a.entity))};
    }
    logs_.add(a.records.front().shard, nullptr);
    return appended{a.records.back().seq};
}

expected<appended> committer::put_group(append& a, const payload_key* key) {
    auto group = std::make_shared<entry_group>();
    group->first = a.records.front().seq;
    group->last = a.records.back().seq;
    group->time = a.records.back().time;
    for (auto& r : a.records) {
        group->records.push_back(encode_sealed(store_, r, key));
    }
    if (auto rows = complete_rows(a, key); !rows) {
        return rows.error();
    }
    group->changes = encode_changes(a.derived.puts, a.derived.deletes);
    logs_.add(a.records.front().shard, std::move(group));
    return appended{a.records.back().seq};
}

expected<appended> committer::put_tables(append& a, const payload_key* key) {
    if (auto rows = complete_rows(a, key); !rows) {
        return rows.error();
    }
    auto at = logs_.change_tables(store_.shard_of(a.entity), encode_changes(a.derived.puts, a.derived.deletes));
    return at ? expected<appended>(appended{at->seq}) : at.error();
}

// ---- the write, and what follows

void committer::hand_over(std::uint32_t shard, const replication::replica_id& to) {
    handing_over_.try_emplace(shard, handing_over{to, hand_over_ticks});
}

void committer::go_on_with_hand_overs() {
    std::erase_if(handing_over_, [&](const auto& one) {
        const auto& [shard, how] = one;
        const bool quiet = flights_[shard].empty();
        return !owned_[shard] || (quiet && logs_.hand_over(shard, how.to));
    });
}

void committer::tick(bool all) {
    for (auto one = handing_over_.begin(); one != handing_over_.end();) {
        one = --one->second.ticks_left == 0 ? handing_over_.erase(one) : std::next(one);
    }
    logs_.tick(all);
}

expected<void> committer::write() {
    take_up_held();
    if (fatal_) {
        return *fatal_;
    }
    unchecked_bytes_ += logs_.batch().GetDataSize();
    if (auto written = logs_.write(); !written) {
        return written;
    }
    for (auto& of : std::exchange(unlogged_, {})) {
        settled_.push_back(std::move(of));
    }
    go_on_with_hand_overs();
    for (const auto& event : logs_.take_events()) {
        note(event);
    }
    if (in_flight_count_ == 0) {
        store_.usage().all_written();
        const auto now = monotonic_ms();
        if (miscounted_ || (followed_ && now - recounted_ms_ >= recount_ms)) {
            miscounted_ = followed_ = false;
            recounted_ms_ = now;
            store_.usage().reset();
        }
    }
    return {};
}

void committer::note(const log_event& event) {
    if (const auto* done = std::get_if<records_committed>(&event)) {
        followed_ = followed_ || !owned_[done->shard];
        auto& flights = flights_[done->shard];
        for (; !flights.empty() && flights.front().last_seq <= done->last; flights.pop_front()) {
            --in_flight_count_;
            settle(std::move(flights.front().of), appended{flights.front().last_seq});
        }
    } else if (const auto* change = std::get_if<ownership>(&event)) {
        owned_[change->shard] = change->owned;
        if (!change->owned) {
            lost(change->shard);
        }
    }
    if (const auto* whole = std::get_if<checkpoint_installed>(&event)) {
        store_.usage().lost(whole->shard); // what it knew of the rows
        miscounted_ = true;
    }
    events_.push_back(event);
}

void committer::lost(std::uint32_t shard) {
    for (auto& flight : std::exchange(flights_[shard], {})) {
        --in_flight_count_;
        settle(std::move(flight.of),
               problem{code::unknown_outcome, "another node took the shard while this was in work: it may be done"});
    }
    std::erase_if(active_, [&](const auto& known) { return store_.shard_of(known.first) == shard; });
    store_.usage().lost(shard);
    miscounted_ = true; // until the sums can be read again
}

bool committer::is_in_flight(const entity_address& a) const {
    const auto is_of = [&](const settled_append& one) { return one.what.entity == a; };
    return std::ranges::any_of(flights_[store_.shard_of(a)], is_of, &in_flight::of) ||
           std::ranges::any_of(held_, is_of) || std::ranges::any_of(unlogged_, is_of);
}

std::vector<settled_append> committer::take_settled() { return std::exchange(settled_, {}); }
std::vector<log_event> committer::take_events() { return std::exchange(events_, {}); }

expected<void> committer::commit(std::span<append> batch, std::vector<expected<appended>>& results) {
    for (std::size_t i = 0; i < batch.size(); ++i) {
        submit(std::move(batch[i]), i);
    }
    if (auto written = write(); !written) {
        return written;
    }
    results.assign(batch.size(), problem{code::internal, "a single node did not commit what it has fsynced"});
    for (auto& of : take_settled()) {
        batch[of.ticket] = std::move(of.what);
        results[of.ticket] = std::move(of.result);
    }
    events_.clear();
    return {};
}

expected<void> committer::trim(std::uint32_t shard, const log_base& to) {
    if (to.at.seq > logs_.commit(shard) && logs_.merges(shard)) { // nobody has written to the shard since the start
        logs_.settle(shard, to.time);
        if (auto settled = write(); !settled) {
            return settled;
        }
    }
    if (auto possible = logs_.trim(shard, to.at.seq, to.time); !possible) {
        return possible;
    }
    // One tombstone for all of them: readers begin behind it.
    logs_.batch().DeleteRange(store_.db().log, keys::log_begin(shard), keys::log(shard, to.at.seq + 1));
    return write();
}

} // namespace troupe::storage
