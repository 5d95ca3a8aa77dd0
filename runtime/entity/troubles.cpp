#include "runtime/entity/troubles.hpp"

#include <algorithm>
#include <utility>

namespace troupe::runtime {

namespace {

/// More stands in the log.
constexpr std::size_t cause_bytes_max = 500;

std::string shortened(std::string cause) {
    cause.resize(std::min(cause.size(), cause_bytes_max));
    return cause;
}

} // namespace

trouble_board::noted* trouble_board::room_for(const entity_address& a) {
    if (troubles_.size() >= entities_max_ && !troubles_.contains(a)) {
        left_out_.fetch_add(1, std::memory_order_relaxed);
        return nullptr;
    }
    auto& out = troubles_[a];
    size_.store(troubles_.size(), std::memory_order_relaxed);
    return &out;
}

template <class Change>
void trouble_board::mend(const entity_address& a, Change change) {
    if (size_.load(std::memory_order_relaxed) == 0) {
        return; // nearly always
    }
    const std::lock_guard lock(mutex_);
    const auto found = troubles_.find(a);
    if (found == troubles_.end()) {
        return;
    }
    change(found->second);
    if (!found->second.crash && !found->second.quarantine && found->second.effects.empty()) {
        troubles_.erase(found);
        size_.store(troubles_.size(), std::memory_order_relaxed);
    }
}

void trouble_board::crashed(const entity_address& a, crash_trouble t) {
    t.cause = shortened(std::move(t.cause));
    const std::lock_guard lock(mutex_);
    if (auto* to = room_for(a)) {
        to->crash = std::move(t);
    }
}

void trouble_board::quarantined(const entity_address& a, quarantine_trouble t) {
    t.cause = shortened(std::move(t.cause));
    const std::lock_guard lock(mutex_);
    if (auto* to = room_for(a)) {
        to->quarantine = std::move(t);
    }
}

void trouble_board::effect_failed(const entity_address& a, effect_trouble t) {
    t.cause = shortened(std::move(t.cause));
    const std::lock_guard lock(mutex_);
    auto* to = room_for(a);
    if (to && (to->effects.size() < effects_max || to->effects.contains(t.key))) {
        auto key = t.key;
        to->effects.insert_or_assign(std::move(key), std::move(t));
    }
}

void trouble_board::recovered(const entity_address& a) {
    mend(a, [](noted& n) { n.crash.reset(); });
}

void trouble_board::loaded(const entity_address& a) {
    mend(a, [](noted& n) { n.quarantine.reset(); });
}

void trouble_board::effect_ended(const entity_address& a, std::string_view key) {
    mend(a, [key](noted& n) {
        if (const auto found = n.effects.find(key); found != n.effects.end()) {
            n.effects.erase(found);
        }
    });
}

void trouble_board::left(const entity_address& a) {
    mend(a, [](noted& n) { n.effects.clear(); });
}

entity_troubles trouble_board::of(const entity_address& a) const {
    entity_troubles out;
    const std::lock_guard lock(mutex_);
    const auto found = troubles_.find(a);
    if (found != troubles_.end()) {
        out.crash = found->second.crash;
        out.quarantine = found->second.quarantine;
        for (const auto& [key, effect] : found->second.effects) {
            out.effects.push_back(effect);
        }
    }
    return out;
}

} // namespace troupe::runtime
