#include "runtime/admission.hpp"

#include <algorithm>
#include <utility>

namespace troupe::runtime {

using place = admission_ticket::place;

double admission::share(const organization_load& o) const {
    return std::max(static_cast<double>(o.outstanding) / static_cast<double>(bounds_.outstanding_max),
                    static_cast<double>(o.bytes) / static_cast<double>(bounds_.bytes_max));
}

admission::verdict admission::offer(ticket_ptr t, std::int64_t now_ms, changes& others) {
    auto& mine = organizations_[t->organization];
    t->since_ms = now_ms;
    ++outstanding_;
    bytes_ += t->bytes;
    ++mine.outstanding;
    mine.bytes += t->bytes;
    while (is_full()) {
        if (!evict_for(mine, others)) {
            leave(*t);
            return verdict::refused;
        }
    }
    if (working_ < bounds_.working_max && waiting_ == 0) {
        t->where = place::working;
        ++working_;
        return verdict::goes;
    }
    t->where = place::waiting;
    ++waiting_;
    if (mine.waiting.empty()) {
        turns_.push_back(t->organization);
    }
    mine.waiting.push_back(std::move(t));
    return verdict::waits;
}

bool admission::evict_for(const organization_load& o, changes& others) {
    organization_load* largest = nullptr;
    for (const auto& id : turns_) {
        auto& other = organizations_.at(id);
        if (share(other) > share(o) && (!largest || share(other) > share(*largest))) {
            largest = &other;
        }
    }
    if (!largest) {
        return false;
    }
    auto victim = std::move(largest->waiting.back());
    largest->waiting.pop_back();
    --waiting_;
    if (largest->waiting.empty()) {
        std::erase(turns_, victim->organization);
    }
    leave(*victim);
    others.refused.push_back(std::move(victim));
    return true;
}

void admission::park(admission_ticket& t, std::int64_t now_ms, changes& others) {
    if (t.where == place::working) {
        t.where = place::parked;
        --working_;
        admit(now_ms, others);
    }
}

void admission::end(admission_ticket& t, std::int64_t now_ms, changes& others) {
    if (t.where != place::working && t.where != place::parked) {
        return;
    }
    working_ -= t.where == place::working ? 1 : 0;
    leave(t);
    admit(now_ms, others);
}

void admission::release_all(changes& others) {
    while (waiting_ > 0) {
        others.go.push_back(next());
        others.go.back()->where = place::working;
        ++working_;
    }
}

/// The oldest of the organization whose turn it is.
admission::ticket_ptr admission::next() {
    const auto id = turns_.front();
    turns_.pop_front();
    auto& queue = organizations_.at(id).waiting;
    auto out = std::move(queue.front());
    queue.pop_front();
    --waiting_;
    if (!queue.empty()) {
        turns_.push_back(id);
    }
    return out;
}

void admission::admit(std::int64_t now_ms, changes& others) {
    while (waiting_ > 0 && working_ < bounds_.working_max) {
        auto t = next();
        if (now_ms - t->since_ms > bounds_.wait_max_ms) {
            leave(*t);
            others.refused.push_back(std::move(t));
        } else {
            t->where = place::working;
            ++working_;
            others.go.push_back(std::move(t));
        }
    }
}

void admission::leave(admission_ticket& t) {
    t.where = place::outside;
    --outstanding_;
    bytes_ -= t.bytes;
    const auto found = organizations_.find(t.organization);
    found->second.bytes -= t.bytes;
    if (--found->second.outstanding == 0) {
        organizations_.erase(found);
    }
}

} // namespace troupe::runtime
