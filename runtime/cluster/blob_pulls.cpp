#include "runtime/cluster/blob_pulls.hpp"

#include "schemas/base/log.hpp"

#include <algorithm>
#include <iterator>
#include <string>

namespace troupe::runtime::cluster {

namespace {

std::string name_of(const storage::blob_id& id) { return to_hex(storage::as_bytes(id.hash)); }

problem not_reached(const storage::blob_id& id) {
    return {code::unavailable,
            "blob " + name_of(id) +
                " is not on this node, and too few others can be asked for it; try again in a moment",
            {},
            1};
}

bool is_same(const storage::blob_head& a, const storage::blob_head& b) {
    return a.size == b.size && a.sealed == b.sealed;
}

} // namespace

blob_pulls::pull* blob_pulls::find_or_make(const storage::blob_id& id, std::int64_t now_ms) {
    if (all_.size() >= pulls_max && !all_.contains(id)) {
        return nullptr;
    }
    const auto [at, fresh] = all_.try_emplace(id);
    if (fresh) {
        at->second.progress_ms = now_ms;
    }
    return &at->second;
}

void blob_pulls::fetch(const storage::blob_id& id, done then, std::int64_t now_ms) {
    const auto say = [&](expected<void> what) {
        if (then) {
            then(std::move(what));
        }
    };
    const auto head = storage::head_of_blob(*ports_.store, id);
    if (!head || *head) {
        return say(head ? expected<void>() : expected<void>(head.error()));
    }
    auto* p = find_or_make(id, now_ms);
    if (!p) {
        return say(not_reached(id));
    }
    if (then) {
        p->waiters.push_back(std::move(then));
    }
    if (p->sources.empty()) {
        ask(id, *p, now_ms);
        settle(all_.find(id));
    }
}

void blob_pulls::ask(const storage::blob_id& id, pull& p, std::int64_t now_ms) const {
    p.asked_ms = now_ms;
    for (const auto& peer : ports_.members().up) {
        if (!p.none.contains(peer)) {
            static_cast<void>(ports_.send(peer, blob_ask{id})); // else it is asked again
        }
    }
}

void blob_pulls::on_offer(const uuid& from, const blob_offer& what, std::int64_t now_ms) {
    const auto here = storage::renew_blob(*ports_.store, what.id);
    if (!here) {
        static_cast<void>(ports_.send(from, blob_refused{what.id, here.error().detail}));
        return;
    }
    if (*here) {
        ports_.confirm(from, what.id);
        if (const auto at = all_.find(what.id); at != all_.end()) {
            complete(at); // somebody put it here meanwhile
        }
        return;
    }
    auto* p = find_or_make(what.id, now_ms);
    if (!p) {
        return; // it comes again
    }
    p->sources[from] = what.head;
    p->none.erase(from);
    if (!p->copy) {
        start(all_.find(what.id), now_ms);
    }
}

/// With one of its sources, if there is room.
void blob_pulls::start(all::iterator at, std::int64_t now_ms) {
    auto& [id, p] = *at;
    if (p.sources.empty() || active_ >= active_max) {
        return;
    }
    auto copy = storage::blob_copy::begin(*ports_.store, id, p.sources.begin()->second);
    if (!copy) {
        return refuse(at, copy.error());
    }
    p.source = p.sources.begin()->first;
    p.copy = std::move(*copy);
    p.asked = 0;
    ++active_;
    p.copy->has_all() ? finish(at, now_ms) : request(id, p, now_ms);
}

void blob_pulls::start_waiting(std::int64_t now_ms) {
    std::vector<storage::blob_id> ids;
    for (const auto& [id, p] : all_) {
        if (!p.copy && !p.sources.empty()) {
            ids.push_back(id);
        }
    }
    for (const auto& id : ids) {
        if (const auto at = all_.find(id); at != all_.end() && active_ < active_max) {
            start(at, now_ms);
        }
    }
}

void blob_pulls::request(const storage::blob_id& id, pull& p, std::int64_t now_ms) const {
    p.asked_ms = now_ms;
    const auto last = storage::blob_pieces(p.copy->head().size);
    while (p.asked < last && p.asked + 1 < p.copy->next() + ahead_max) {
        if (!ports_.send(p.source, blob_want{id, p.asked + 1})) {
            return; // it is asked again
        }
        ++p.asked;
    }
}

void blob_pulls::on_piece(const uuid& from, const blob_piece& what, std::int64_t now_ms) {
    const auto at = all_.find(what.id);
    if (at == all_.end() || !at->second.copy || at->second.source != from || what.piece != at->second.copy->next()) {
        return; // asked for twice, or of one who was left
    }
    auto& p = at->second;
    if (auto added = p.copy->add(what.bytes); !added) {
        if (added.error().code != code::journal_damaged) {
            return refuse(at, added.error());
        }
        log_for("cluster").error("replica {} sent {}", to_string(from), added.error().detail);
        p.none.insert(from);
        static_cast<void>(ports_.send(from, blob_refused{what.id, added.error().detail}));
        return drop_source(at, from, now_ms);
    }
    p.progress_ms = now_ms;
    if (!p.copy->has_all()) {
        return request(what.id, p, now_ms);
    }
    finish(at, now_ms);
    start_waiting(now_ms);
}

void blob_pulls::finish(all::iterator at, std::int64_t now_ms) {
    auto& [id, p] = *at;
    const auto whole = p.copy->finish();
    if (whole) {
        return complete(at);
    }
    if (whole.error().code != code::journal_damaged) {
        return refuse(at, whole.error());
    }
    const auto from = p.source;
    log_for("cluster").error("replica {} sent {}", to_string(from), whole.error().detail);
    --active_;
    p.copy.reset(); // nothing of it is good
    p.none.insert(from);
    static_cast<void>(ports_.send(from, blob_refused{id, whole.error().detail}));
    drop_source(at, from, now_ms);
}

void blob_pulls::complete(all::iterator at) {
    auto node = all_.extract(at);
    auto& p = node.mapped();
    active_ -= p.copy ? 1 : 0;
    for (const auto& [from, head] : p.sources) {
        ports_.confirm(from, node.key());
    }
    for (auto& then : p.waiters) {
        then({});
    }
}

void blob_pulls::fail(all::iterator at, const problem& why) {
    auto node = all_.extract(at);
    auto& p = node.mapped();
    active_ -= p.copy ? 1 : 0;
    for (auto& then : p.waiters) {
        then(why);
    }
}

/// This node cannot have it.
void blob_pulls::refuse(all::iterator at, const problem& why) {
    for (const auto& [from, head] : at->second.sources) {
        static_cast<void>(ports_.send(from, blob_refused{at->first, why.detail}));
    }
    fail(at, why);
}

void blob_pulls::drop_source(all::iterator at, const uuid& source, std::int64_t now_ms) {
    auto& [id, p] = *at;
    p.sources.erase(source);
    if (p.copy && p.source == source) {
        const auto next =
            std::ranges::find_if(p.sources, [&](const auto& s) { return is_same(s.second, p.copy->head()); });
        if (next != p.sources.end()) { // each piece is good by itself
            p.source = next->first;
            p.asked = p.copy->next() - 1;
            return request(id, p, now_ms);
        }
        p.copy.reset();
        --active_;
    }
    if (!p.copy && !p.sources.empty()) {
        return start(at, now_ms);
    }
    settle(at);
}

void blob_pulls::on_none(const uuid& from, const storage::blob_id& id, std::int64_t now_ms) {
    const auto at = all_.find(id);
    if (at != all_.end()) {
        at->second.none.insert(from);
        drop_source(at, from, now_ms);
    }
}

void blob_pulls::settle(all::iterator at) {
    const auto& p = at->second;
    if (!p.sources.empty()) {
        return;
    }
    const auto& members = ports_.members();
    if (std::ranges::includes(p.none, members.up) && members.is_majority(members.up.size() + 1)) {
        ports_.absent(at->first);
        fail(at, {code::not_found, "no node has blob " + name_of(at->first)});
    }
}

void blob_pulls::on_down(const uuid& peer, std::int64_t now_ms) {
    for (auto at = all_.begin(); at != all_.end();) {
        const auto here = at++;
        here->second.none.erase(peer); // it may come back with more
        drop_source(here, peer, now_ms);
    }
    start_waiting(now_ms);
}

bool blob_pulls::is_late(all::iterator at, std::int64_t now_ms) {
    auto& [id, p] = *at;
    if (now_ms - p.progress_ms >= wait_max_ms) {
        fail(at, not_reached(id));
        return true;
    }
    if (now_ms - p.asked_ms < again_ms) {
        return false;
    }
    if (!p.copy) {
        if (p.sources.empty()) {
            ask(id, p, now_ms);
        }
        return false;
    }
    if (now_ms - p.progress_ms >= other_after_ms) {
        auto next = std::next(p.sources.find(p.source));
        next = next == p.sources.end() ? p.sources.begin() : next;
        if (is_same(next->second, p.copy->head())) {
            p.source = next->first;
        }
    }
    p.asked = p.copy->next() - 1;
    request(id, p, now_ms);
    return false;
}

void blob_pulls::go_on(std::int64_t now_ms) {
    for (auto at = all_.begin(); at != all_.end();) {
        const auto here = at++;
        if (!is_late(here, now_ms)) {
            settle(here);
        }
    }
    start_waiting(now_ms);
}

} // namespace troupe::runtime::cluster
