#include "runtime/cluster/forwarder.hpp"

#include <algorithm>
#include <utility>

namespace troupe::runtime::cluster {

namespace {

/// What is done is answered at last, also where the news of it do not come.
constexpr std::int64_t show_wait_max_ms = 1000;

problem no_owner(bool maybe_done) {
    if (maybe_done) {
        return {code::unknown_outcome,
                "the node that had this command was lost, and no other one has its shard yet: it may be done; send it "
                "again with the same Idempotency-Key to find out",
                {},
                1};
    }
    return {code::unavailable,
            "no node has the shard of this command now: too few nodes are up, or this one cannot reach them; nothing "
            "was done, try again in a moment",
            {},
            1};
}

} // namespace

bool forwarder::send(std::uint64_t number, one& o) const {
    const auto owner = ports_.owner_of(o.shard);
    if (!owner) {
        return false;
    }
    if (o.maybe_done) {
        auto& after = o.held->decided_after;
        after = std::min(after.load(), *o.version);
    } else if (!o.version) {
        o.version = ports_.version_of(o.held->command.to);
    }
    o.sent_to = *owner;
    return *owner == ports_.self ||
           ports_.send(*owner, command_envelope{number, o.held->command, o.held->decided_after.load()});
}

void forwarder::forward(held_ptr held, std::uint32_t shard, std::int64_t now_ms) {
    one o{std::move(held), shard, now_ms};
    {
        const std::lock_guard lock(mutex_);
        const auto number = next_++;
        if (!send(number, o)) {
            waiting_.emplace(number, std::move(o));
            return;
        }
        if (o.sent_to != ports_.self) {
            sent_.emplace(number, std::move(o));
            return;
        }
    }
    ports_.take(std::move(o.held));
}

void forwarder::go_on(std::int64_t now_ms) {
    std::vector<held_ptr> mine;
    std::vector<one> late;
    {
        const std::lock_guard lock(mutex_);
        // Whoever was deposed may stand still, with its connection open: the next owner is asked at once.
        take_back(now_ms, [this](const one& o) {
            const auto owner = ports_.owner_of(o.shard);
            return owner && *owner != o.sent_to;
        });
        for (auto at = waiting_.begin(); at != waiting_.end();) {
            auto& [number, o] = *at;
            const auto deadline = o.held->command.deadline_ms;
            if (send(number, o)) {
                o.sent_to == ports_.self ? mine.push_back(std::move(o.held))
                                         : void(sent_.emplace(number, std::move(o)));
            } else if (now_ms - o.waits_since_ms >= wait_max_ms_ || (deadline != 0 && now_ms > deadline)) {
                late.push_back(std::move(o));
            } else {
                ++at;
                continue;
            }
            at = waiting_.erase(at);
        }
    }
    for (auto& held : mine) {
        ports_.take(std::move(held));
    }
    for (const auto& o : late) {
        o.held->answer(no_owner(o.maybe_done));
    }
}

void forwarder::on_answer(const uuid& from, answer_envelope answer, std::int64_t now_ms) {
    {
        const std::lock_guard lock(mutex_);
        const auto found = sent_.find(answer.number);
        if (found == sent_.end() || found->second.sent_to != from) {
            return; // it went to another one meanwhile, which answers, too
        }
        auto& o = found->second;
        if (!answer.elsewhere) {
            unshown_.push_back({std::move(o.held), std::move(answer.answer), o.shard, answer.applied, now_ms});
        } else {
            auto& after = o.held->decided_after;
            after = std::min(after.load(), answer.decided_after);
            o.waits_since_ms = now_ms;
            waiting_.insert(*found);
        }
        sent_.erase(found);
    }
    on_applied(now_ms);
}

void forwarder::on_applied(std::int64_t now_ms) {
    std::vector<unshown> shown;
    {
        const std::lock_guard lock(mutex_);
        const auto ready = [&](const unshown& u) {
            return ports_.applied(u.shard) >= u.applied || now_ms - u.since_ms >= show_wait_max_ms;
        };
        for (auto& u : unshown_) {
            if (ready(u)) {
                shown.push_back(std::move(u));
            }
        }
        std::erase_if(unshown_, [](const unshown& u) { return u.held == nullptr; });
    }
    for (auto& u : shown) {
        u.held->answer(std::move(u.answer));
    }
}

void forwarder::on_peer_down(const uuid& peer, std::int64_t now_ms) {
    {
        const std::lock_guard lock(mutex_);
        take_back(now_ms, [&](const one& o) { return o.sent_to == peer; });
    }
    go_on(now_ms);
}

/// It may be done, or not: whoever is next finds out.
void forwarder::take_back(std::int64_t now_ms, const std::function<bool(const one&)>& which) {
    for (auto at = sent_.begin(); at != sent_.end();) {
        if (which(at->second)) {
            at->second.maybe_done = true;
            at->second.waits_since_ms = now_ms;
            waiting_.insert(std::move(*at));
            at = sent_.erase(at);
        } else {
            ++at;
        }
    }
}

std::size_t forwarder::outstanding() const {
    const std::lock_guard lock(mutex_);
    return waiting_.size() + sent_.size() + unshown_.size();
}

} // namespace troupe::runtime::cluster
