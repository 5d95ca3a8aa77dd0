#include "tests/runtime/simulation_checker.hpp"

#include "runtime/entity/derive.hpp"
#include "runtime/entity/rebuild.hpp"
#include "storage/audit.hpp"
#include "storage/base.hpp"
#include "storage/log_reader.hpp"
#include "storage/sealing.hpp"

#include <algorithm>

namespace troupe::test {

std::optional<std::int64_t> number_set_aside(const storage::record& r) {
    runtime::set_aside_effects names;
    runtime::note_set_aside(r, names);
    for (const std::string_view prefix : {"timer/remind/", "effect/perform/"}) {
        if (!names.empty() && names.begin()->starts_with(prefix)) {
            return std::stoll(names.begin()->substr(prefix.size()));
        }
    }
    return std::nullopt;
}

void simulation_checker::wrong(std::string what) {
    if (!wrong_) {
        wrong_ = std::move(what);
    }
}

void simulation_checker::wrong_unless(bool right, std::int64_t number, const char* what) {
    if (!right) {
        wrong("number " + std::to_string(number) + ": " + what);
    }
}

void simulation_checker::committed(const storage::record& r) {
    told_[{r.shard, r.seq}] = storage::encode_record(r);
    if (const auto number = number_set_aside(r)) {
        set_aside_.insert(*number);
    }
    if (r.type == wire_name<performing>::value) {
        owed_works_.insert(from_json<performing>(r.payload, strictness::stored).value().number);
    } else if (r.type == wire_name<remind_set>::value) {
        waiting_reminders_.try_emplace(from_json<remind_set>(r.payload, strictness::stored).value().number);
    }
}

void simulation_checker::sets_clock(timestamp now) {
    for (auto& [number, latest] : waiting_reminders_) {
        latest = facts_.rang.contains(number) ? latest : std::max(latest, now);
    }
}

std::int64_t simulation_checker::begins(std::int64_t number) {
    wrong_unless(owed_works_.contains(number), number, "was performed before it was on disk");
    wrong_unless(!ended_works_.contains(number), number, "was performed again after it had ended");
    return ++attempts_[number];
}

void simulation_checker::shown(const uuid& entity, std::uint64_t version, std::string document) {
    const auto [at, fresh] = shown_.try_emplace({entity, version}, std::move(document));
    if (!fresh && at->second != document) {
        wrong("two documents were shown for the same version of " + to_string(entity));
    }
}

std::optional<std::string> simulation_checker::check(storage::store& s, const runtime::kind_registry& kinds,
                                                     const std::vector<client_operation>& operations, bool settled) {
    histories_.clear();
    documents_.clear();
    facts_ = {};
    check_tables(s, kinds);
    read_logs(s);
    read_histories(s, kinds);
    check_shown();
    for (const auto& o : operations) {
        check_operation(o);
        if (settled && o.keyed && o.became == fate::open) {
            wrong_unless(false, o.number, "was never answered");
        }
    }
    check_order(operations);
    check_outbox(settled);
    check_timers(settled);
    check_works(settled);
    return wrong_;
}

void simulation_checker::check_tables(storage::store& s, const runtime::kind_registry& kinds) {
    const auto verified = storage::verify_journal(s, [](std::uint64_t) {});
    if (verified.first_bad) {
        wrong("the journal is damaged: " + verified.first_bad->detail);
    }
    if (verified.snapshots_damaged > 0) {
        wrong("a snapshot is damaged");
    }
    const auto audited = storage::verify_audit(s, std::nullopt, {}, [](std::uint64_t) {});
    if (audited.bad_count > 0) {
        wrong("the audit log is damaged: " + audited.bad.front());
    }
    const auto views = runtime::rebuild_views(s, kinds, false, [](std::uint64_t) {});
    if (!views || !views->equal()) {
        wrong("the views are not what the journal says: " +
              (views ? std::to_string(views->missing) + " missing, " + std::to_string(views->extra) + " extra, " +
                           std::to_string(views->different) + " different"
                     : views.error().detail));
    }
}

/// The logs hold every record that was announced, as it was, in order of time; but those that were trimmed.
void simulation_checker::read_logs(const storage::store& s) {
    auto expected_record = told_.begin();
    for (std::uint32_t shard = 0; shard < s.who().shards; ++shard) {
        timestamp last;
        const auto base = storage::read_log_base(s, shard);
        const auto begin = base ? base->at.seq : 0;
        for (; expected_record != told_.end() && expected_record->first <= std::pair(shard, begin); ++expected_record) {
            kept_.insert_or_assign(
                expected_record->first,
                storage::decode_record(shard, expected_record->first.second, expected_record->second).value());
        }
        std::erase_if(kept_, [&](const auto& x) { return x.first.first == shard && x.first.second > begin; });
        const auto read = storage::read_log(s, shard, begin, [&](storage::record&& r) {
            if (r.key_id == 0 && s.keys() && r.entity_seq > 0) {
                wrong("record " + std::to_string(r.seq) + " of shard " + std::to_string(shard) + " is plain");
            }
            if (const auto opened = storage::open_record(s, r); !opened) {
                wrong(opened.error().detail);
            }
            if (expected_record != told_.end() && expected_record->first == std::pair(r.shard, r.seq)) {
                if (expected_record->second != storage::encode_record(r)) {
                    wrong("record " + std::to_string(r.seq) + " of shard " + std::to_string(shard) +
                          " is another one than was announced");
                }
                ++expected_record;
            }
            if (r.time < last) {
                wrong("time goes back in shard " + std::to_string(shard));
            }
            last = r.time;
            kept_.emplace(std::pair(shard, r.seq), std::move(r));
            return true;
        });
        if (!read) {
            wrong("a log cannot be read: " + read.error().detail);
        }
    }
    if (expected_record != told_.end()) {
        wrong("record " + std::to_string(expected_record->first.second) + " of shard " +
              std::to_string(expected_record->first.first) + " was announced and is lost");
    }
    for (const auto& [at, r] : kept_) {
        if (!r.entity.kind.empty()) {
            histories_[r.entity.id].push_back(r);
        }
    }
}

/// A history is what the log says or said; where it begins, a state stands for what was cut.
void simulation_checker::read_histories(const storage::store& s, const runtime::kind_registry& kinds) {
    for (const auto& [id, records] : histories_) {
        const auto& address = records.front().entity;
        const auto base = storage::read_base(s, address);
        if (!base) {
            wrong("a base cannot be read: " + base.error().detail);
            continue;
        }
        const auto instance = kinds.find(ledger_model::kind)->second.make();
        std::size_t at = *base ? (*base)->version : 0;
        for (const auto& r : records) {
            take(r);
            if (auto replayed = instance->replay(r); !replayed) {
                wrong("a record cannot be replayed: " + replayed.error().detail);
            }
            documents_[{id, r.entity_seq}] = instance->view({id, r.entity_seq}).document;
            if (*base && r.entity_seq == (*base)->version &&
                instance->snapshot(nullptr).payload != (*base)->state.substr(0, (*base)->state.find('\n'))) {
                wrong("the history of " + to_string(address) + " begins with another state than it made");
            }
        }
        const auto read = storage::read_history(s, address, at, [&](storage::record&& r) -> expected<void> {
            if (at >= records.size() || storage::encode_record(r) != storage::encode_record(records[at])) {
                wrong("a history is not what the log says: " + to_string(r.entity));
                return {};
            }
            ++at;
            return {};
        });
        const auto version = storage::read_version(s, address);
        if (!version || *version != records.size()) {
            wrong("the version of " + to_string(address) + " is not where its history ends");
        }
        if (!read || at != records.size()) {
            wrong("a history cannot be read to its end: " + (read ? to_string(id) : read.error().detail));
        }
    }
}

void simulation_checker::take(const storage::record& r) {
    const place here{r.entity.id, r.entity_seq, r.time};
    if (r.type.starts_with('$')) {
        if (const auto number = number_set_aside(r)) {
            wrong_unless(facts_.set_aside.try_emplace(*number, here).second, *number, "was set aside twice");
            set_aside_.insert(*number);
        }
        return;
    }
    const auto e = decode_named<ledger_model::event>(r.type, r.payload, strictness::stored);
    if (!e) {
        wrong("an event cannot be read: " + e.error().detail);
        return;
    }
    if (const auto* x = std::get_if<noted>(&*e)) {
        facts_.notes[x->number].emplace_back(here, *x);
    } else if (const auto* sent = std::get_if<telling_other>(&*e)) {
        wrong_unless(facts_.sent.try_emplace(sent->number, sending{here, *sent}).second, sent->number,
                     "was told to another twice");
    } else if (const auto* got = std::get_if<heard>(&*e)) {
        wrong_unless(facts_.heard.try_emplace(got->number, here).second, got->number, "was delivered twice");
    } else if (const auto* answer = std::get_if<told_other>(&*e)) {
        wrong_unless(facts_.answered.try_emplace(answer->number, answer->ok).second, answer->number,
                     "was answered twice to its sender");
    } else if (const auto* set = std::get_if<remind_set>(&*e)) {
        wrong_unless(facts_.reminders.try_emplace(set->number, reminding{here, set->due, set->explode}).second,
                     set->number, "set its timer twice");
        waiting_reminders_.try_emplace(set->number);
    } else if (const auto* fired = std::get_if<rang>(&*e)) {
        wrong_unless(facts_.rang.try_emplace(fired->number, here).second, fired->number, "fired twice");
    } else if (const auto* work = std::get_if<performing>(&*e)) {
        wrong_unless(facts_.works.try_emplace(work->number, here, *work).second, work->number, "was begun twice");
        owed_works_.insert(work->number);
    } else if (const auto* outcome = std::get_if<performed>(&*e)) {
        facts_.outcomes[outcome->number].emplace_back(here, *outcome);
    } else if (const auto* cancelling = std::get_if<cancelled>(&*e)) {
        wrong_unless(facts_.cancellings.try_emplace(cancelling->number, here).second, cancelling->number,
                     "cancelled twice");
        facts_.cancels.try_emplace(cancelling->of, here);
    }
}

void simulation_checker::check_shown() {
    for (const auto& [at, document] : shown_) {
        const auto found = documents_.find(at);
        if (found == documents_.end() || found->second != document) {
            wrong("version " + std::to_string(at.second) + " of " + to_string(at.first) +
                  " was shown and is not in the journal like that");
        }
    }
}

/// Applied once, as a whole, where the answer said and with that document; or not at all.
void simulation_checker::check_operation(const client_operation& o) {
    std::vector<std::uint64_t> versions;
    if (const auto found = facts_.notes.find(o.number); found != facts_.notes.end()) {
        for (const auto& [at, x] : found->second) {
            wrong_unless(at.entity == o.entity, o.number, "is in another entity");
            wrong_unless(x.part == static_cast<std::int64_t>(versions.size()), o.number, "was applied twice");
            wrong_unless(versions.empty() || at.version == versions.back() + 1, o.number, "was torn apart");
            versions.push_back(at.version);
        }
    }
    if (const auto found = facts_.sent.find(o.number); found != facts_.sent.end()) {
        versions.push_back(found->second.at.version);
    }
    if (const auto found = facts_.reminders.find(o.number); found != facts_.reminders.end()) {
        versions.push_back(found->second.at.version);
    }
    if (const auto found = facts_.works.find(o.number); found != facts_.works.end()) {
        versions.push_back(found->second.first.version);
    }
    if (const auto found = facts_.cancellings.find(o.number); found != facts_.cancellings.end()) {
        versions.push_back(found->second.version);
    }
    wrong_unless(versions.empty() || versions.size() == static_cast<std::size_t>(o.parts), o.number,
                 "is there in part or twice");
    switch (o.became) {
    case fate::done: {
        wrong_unless(!versions.empty(), o.number, "was acknowledged and is lost");
        wrong_unless(versions.empty() || versions.back() == o.version, o.number,
                     "is at another version than its answer said");
        const auto document = documents_.find({o.entity, o.version});
        wrong_unless(document != documents_.end() && document->second == o.document, o.number,
                     "was answered with another document than its history makes");
        break;
    }
    case fate::refused:
    case fate::set_aside:
        wrong_unless(versions.empty(), o.number, "was refused and is there");
        break;
    case fate::open:
        wrong_unless(versions.empty() || o.maybe || o.waiting > 0, o.number, "was not accepted and is there");
        break;
    }
}

/// Commands that one life of the node took one after the other were applied in that order.
void simulation_checker::check_order(const std::vector<client_operation>& operations) {
    std::map<std::pair<uuid, std::uint64_t>, std::uint64_t> last; // by entity and life
    for (const auto& o : operations) {
        if (o.became == fate::done && o.in_one_piece) {
            auto& before = last[{o.entity, o.life}];
            wrong_unless(o.version > before, o.number, "overtook an earlier command to its entity");
            before = o.version;
        }
    }
}

void simulation_checker::check_outbox(bool settled) {
    std::map<std::pair<uuid, uuid>, std::vector<std::pair<std::uint64_t, std::uint64_t>>> ways;
    for (const auto& [number, s] : facts_.sent) {
        const auto got = facts_.heard.find(number);
        const auto answer = facts_.answered.find(number);
        if (got != facts_.heard.end()) {
            wrong_unless(!s.what.refuse, number, "was refused by its receiver and is there");
            wrong_unless(got->second.entity == s.what.to, number, "went to another");
            ways[{s.at.entity, s.what.to}].emplace_back(s.at.version, got->second.version);
        }
        if (answer != facts_.answered.end()) {
            wrong_unless(answer->second == !s.what.refuse, number, "has another answer than its receiver gave");
            wrong_unless(!answer->second || got != facts_.heard.end(), number,
                         "was answered and never reached its receiver");
        }
        wrong_unless(!settled || answer != facts_.answered.end(), number, "is still owed");
    }
    for (const auto& [number, at] : facts_.heard) {
        wrong_unless(facts_.sent.contains(number), number, "was heard and never told");
    }
    for (auto& [way, pairs] : ways) {
        std::sort(pairs.begin(), pairs.end());
        for (std::size_t i = 1; i < pairs.size(); ++i) {
            if (pairs[i].second < pairs[i - 1].second) {
                wrong("messages from " + to_string(way.first) + " to " + to_string(way.second) +
                      " changed their order");
            }
        }
    }
}

void simulation_checker::check_timers(bool settled) {
    for (const auto& [number, set] : facts_.reminders) {
        const auto fired = facts_.rang.find(number);
        const bool aside = facts_.set_aside.contains(number);
        wrong_unless(!settled || aside || fired != facts_.rang.end(), number, "never fired");
        wrong_unless(!aside || set.explode, number, "was set aside and is no poison");
        if (fired != facts_.rang.end()) {
            wrong_unless(std::max(fired->second.time, waiting_reminders_[number]) >= set.due, number,
                         "fired too early");
            wrong_unless(fired->second.version > set.at.version, number, "fired before it was set");
        }
    }
    for (const auto& [number, at] : facts_.rang) {
        wrong_unless(facts_.reminders.contains(number), number, "fired and was never set");
    }
}

/// Each outcome of a work is there once, in order, and is one that its performer told; after a cancellation, none.
void simulation_checker::check_works(bool settled) {
    for (const auto& [number, outcomes] : facts_.outcomes) {
        const auto work = facts_.works.find(number);
        const auto end = facts_.cancels.find(number);
        std::int64_t part = 0;
        for (const auto& [at, x] : outcomes) {
            wrong_unless(work != facts_.works.end() && work->second.first.entity == at.entity &&
                             work->second.first.version < at.version,
                         number, "has an outcome and was not begun");
            wrong_unless(end == facts_.cancels.end() || at.version < end->second.version, number,
                         "has an outcome after it was cancelled");
            wrong_unless(x.part == part++, number, "has an outcome twice, or not in order");
            wrong_unless(x.attempt > 0 && x.attempt <= attempts_[number], number, "has an outcome that nobody told");
        }
    }
    for (const auto& [number, work] : facts_.works) {
        const auto outcomes = facts_.outcomes.find(number);
        const auto count = outcomes == facts_.outcomes.end() ? 0 : outcomes->second.size();
        const bool aside = facts_.set_aside.contains(number);
        const bool ended =
            aside || facts_.cancels.contains(number) || count == static_cast<std::size_t>(work.second.parts);
        wrong_unless(!settled || ended, number, "was never performed to its end");
        wrong_unless(!aside || work.second.explode, number, "was set aside and is no poison");
        if (ended) {
            ended_works_.insert(number);
        }
    }
}

} // namespace troupe::test
