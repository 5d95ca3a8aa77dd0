#pragma once

#include "runtime/bus/bus.hpp"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace troupe::net::test {

/// A bus in memory: its cursors are the numbers of its events, and the past is delivered inside `subscribe`.
class fake_bus : public runtime::bus {
public:
    expected<std::unique_ptr<runtime::subscription>>
    subscribe(runtime::subscription_request request, std::function<void(const runtime::live_event&)> sink) override {
        const std::lock_guard lock(mutex_);
        if (request.since == "garbage")
            return problem{code::invalid_request, "This cursor cannot be read."};
        ++subscribed_;
        std::size_t after = past_.size();
        if (!request.since.empty())
            after = request.since == "start" ? 0 : std::stoul(request.since);
        for (auto i = after; i < past_.size(); ++i)
            if (wants(request, past_[i]))
                sink(past_[i]);
        const auto id = ++last_id_;
        sinks_.emplace(id, std::make_pair(std::move(request), std::move(sink)));
        changed_.notify_all();
        return std::unique_ptr<runtime::subscription>(std::make_unique<held>(*this, id));
    }

    std::unique_ptr<runtime::subscription>
    observe(uuid, std::function<void(const entity_address&, std::string_view)>) override {
        return std::make_unique<runtime::subscription>(); // nothing is committed here
    }

    /// Journaled: gets a cursor and is kept.
    void publish(runtime::live_event e) override {
        const std::lock_guard lock(mutex_);
        past_.push_back(std::move(e));
        past_.back().id = std::to_string(past_.size());
        for (const auto& [id, s] : sinks_)
            if (wants(s.first, past_.back()))
                s.second(past_.back());
    }
    void publish(const std::string& channel, const std::string& data, timestamp at = system_now()) {
        publish(runtime::live_event{{}, at, channel, "noted", data, {}});
    }

    /// Waits until so many subscriptions are open.
    bool wait_for_subscriptions(std::size_t count) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return sinks_.size() == count; });
    }
    /// How often `subscribe` was called.
    std::size_t subscribed() {
        const std::lock_guard lock(mutex_);
        return subscribed_;
    }

private:
    struct held : runtime::subscription {
        held(fake_bus& b, int i) : bus(b), id(i) {}
        ~held() override {
            const std::lock_guard lock(bus.mutex_);
            bus.sinks_.erase(id);
            bus.changed_.notify_all();
        }
        fake_bus& bus;
        int id;
    };
    static bool wants(const runtime::subscription_request& r, const runtime::live_event& e) {
        return r.filter.shows(e.kind, e.channel.substr(e.channel.find('/') + 1), e.data) &&
               std::any_of(r.channels.begin(), r.channels.end(),
                           [&](const auto& pattern) { return runtime::channel_matches(pattern, e.channel); });
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<runtime::live_event> past_;
    std::map<int, std::pair<runtime::subscription_request, std::function<void(const runtime::live_event&)>>> sinks_;
    int last_id_ = 0;
    std::size_t subscribed_ = 0;
};

} // namespace troupe::net::test
