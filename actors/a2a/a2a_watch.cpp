#include "actors/a2a/a2a_watch.hpp"

#include "actors/common/ended_subscriptions.hpp"

#include <utility>

namespace troupe::actors {
namespace {

/// They cannot end inside of what they call: the next one that begins clears them away.
ended_subscriptions& ended() {
    static ended_subscriptions all;
    return all;
}

} // namespace

expected<void> a2a_watch::begin(runtime::bus& live, const uuid& organization, const std::string& task, bool questions,
                                const read_function& read) {
    ended().clear();
    std::vector<std::string> channels{"tasks/" + task};
    if (questions) {
        channels.emplace_back("approvals/*");
    }
    auto subscribed = live.subscribe({organization, std::move(channels), "", {}},
                                     [self = shared_from_this()](const runtime::live_event& e) { self->take(e); });
    if (!subscribed) {
        return subscribed.error();
    }
    {
        const std::lock_guard lock(mutex_);
        task_.id = task;
        subscription_ = std::move(*subscribed);
    }
    read([self = shared_from_this()](const a2a_task& now) { self->take(now); });
    return {};
}

void a2a_watch::stop() {
    const std::lock_guard lock(mutex_);
    end();
}

void a2a_watch::end() {
    over_ = true;
    if (subscription_) {
        ended().add(std::move(subscription_));
    }
}

void a2a_watch::take(const runtime::live_event& e) {
    std::unique_lock lock(mutex_);
    if (over_ || e.ts < task_.at) {
        return; // what was read had it
    }
    auto updates = task_.take(e.kind, e.data, e.ts, e.channel);
    if (begun_ && !updates.empty()) {
        show(lock, std::move(updates));
    }
}

void a2a_watch::take(const a2a_task& read) {
    std::unique_lock lock(mutex_);
    if (over_ || begun_) {
        return;
    }
    if (read.at >= task_.at) {
        task_ = read;
    }
    begun_ = true;
    show(lock, {R"({"task":)" + task_.json() + "}"});
}

/// Who comes while another thread shows leaves it to that one: so they are shown one at a time, and in their order.
void a2a_watch::show(std::unique_lock<std::mutex>& lock, std::vector<std::string> updates) {
    waiting_.emplace_back(task_, std::move(updates));
    if (showing_) {
        return;
    }
    showing_ = true;
    while (!over_ && !waiting_.empty()) {
        const auto next = std::move(waiting_.front());
        waiting_.pop_front();
        lock.unlock();
        const bool more = show_(next.first, next.second) && !is_terminal(next.first.state);
        lock.lock();
        if (!more) {
            end();
        }
    }
    showing_ = false;
}

} // namespace troupe::actors
