#pragma once

#include "runtime/bus/hub.hpp"
#include "tests/storage/journal_fixture.hpp"
#include "tests/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace troupe::test {

using runtime::live_event;

/// Long: only a test that fails waits this long.
constexpr std::chrono::seconds patience{60};

/// Collects what a subscription delivers.
class listener {
public:
    std::function<void(const live_event&)> sink() {
        return [this](const live_event& e) {
            inside_ = inside_ || entered_.exchange(true);
            const std::lock_guard lock(mutex_);
            events_.push_back(e);
            changed_.notify_all();
            entered_ = false;
        };
    }

    /// Waits until that many events have come, and gives all.
    std::vector<live_event> wait_for(std::size_t count) {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, patience, [&] { return events_.size() >= count; });
        BOOST_TEST(events_.size() == count);
        return events_;
    }

    /// Waits until an event with these data has come.
    std::vector<live_event> wait_for(const std::string& data) {
        std::unique_lock lock(mutex_);
        const auto found = [&] {
            return std::any_of(events_.begin(), events_.end(), [&](const auto& e) { return e.data == data; });
        };
        changed_.wait_for(lock, patience, found);
        BOOST_TEST(found(), "no event " << data);
        return events_;
    }

    std::vector<live_event> now() {
        const std::lock_guard lock(mutex_);
        return events_;
    }

    [[nodiscard]] bool two_at_once() const { return inside_; }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<live_event> events_;
    std::atomic<bool> entered_{false};
    std::atomic<bool> inside_{false};
};

inline std::string channel_of(const entity_address& a) { return a.kind + "s/" + to_string(a.id); }

/// A journal with a hub that hears of each commit.
class live_journal : public journal_fixture {
public:
    explicit live_journal(const std::filesystem::path& directory, std::uint32_t shards = 4)
        : journal_fixture(directory, shards) {
        start_hub();
    }

    void start_hub() {
        hub.reset();
        auto started = runtime::hub::start(*store, runtime::default_aliases(*store));
        BOOST_REQUIRE(started.has_value());
        hub = std::move(*started);
    }

    /// Commits one command of each and publishes its events, as the committer's actor does. Payloads are numbers
    /// from 1.
    void write_all(const std::vector<entity_address>& all, std::uint32_t events = 1) {
        std::vector<storage::append> batch;
        for (const auto& a : all) {
            batch.push_back(prepare(a, events));
            for (auto& r : batch.back().records) {
                r.payload = std::to_string(r.entity_seq);
            }
        }
        for (const auto& result : commit(batch)) {
            BOOST_REQUIRE(result.has_value());
        }
        for (const auto& a : batch) {
            hub->committed(a.records);
        }
    }

    void write_typed(const entity_address& a, std::string type, std::string payload) {
        std::vector<storage::append> batch;
        batch.push_back(prepare(a));
        batch.back().records.front().type = std::move(type);
        batch.back().records.front().payload = std::move(payload);
        BOOST_REQUIRE(commit(batch).front().has_value());
        hub->committed(batch.front().records);
    }

    std::unique_ptr<runtime::subscription> subscribe(listener& to, std::vector<std::string> channels,
                                                     std::string since = {},
                                                     const uuid& organization = system_organization) {
        auto s = hub->subscribe({organization, std::move(channels), std::move(since)}, to.sink());
        BOOST_REQUIRE_MESSAGE(s.has_value(), (s ? "" : s.error().detail));
        return std::move(*s);
    }

    std::unique_ptr<runtime::hub> hub;
};

/// A subscriber that does its own work only: nothing of its past is still on the way when this returns.
inline void wait_until_live(live_journal& journal, listener& l, const std::string& channel,
                            const uuid& organization = system_organization) {
    static std::atomic<int> number = 0;
    const auto mark = "\"mark " + std::to_string(++number) + "\"";
    journal.hub->publish({{}, {}, channel, "mark", mark, organization});
    l.wait_for(mark);
}

using sequences = std::map<std::string, std::vector<std::uint64_t>>;

/// The numbers of the journaled events of each channel, in the order of delivery.
inline sequences by_channel(const std::vector<live_event>& events) {
    sequences out;
    for (const auto& e : events) {
        if (!e.id.empty()) {
            out[e.channel].push_back(std::stoull(e.data));
        }
    }
    return out;
}

inline std::vector<entity_address> addresses(const live_journal& journal, std::size_t count,
                                             const uuid& organization = system_organization) {
    std::vector<entity_address> out;
    for (std::size_t i = 0; i < count; ++i) {
        out.push_back(journal.address_in(static_cast<std::uint32_t>(i % journal.store->who().shards), organization));
    }
    return out;
}

/// Each channel holds first … last without gap or duplicate.
inline void check_runs(const sequences& seen, const std::function<std::uint64_t(const std::string&)>& first,
                       std::uint64_t last) {
    for (const auto& [channel, numbers] : seen) {
        std::vector<std::uint64_t> wanted;
        for (auto n = first(channel); n <= last; ++n) {
            wanted.push_back(n);
        }
        BOOST_TEST((numbers == wanted), channel << " has " << numbers.size() << " from " << numbers.front() << " to "
                                                << numbers.back() << ", wanted " << wanted.size());
    }
}

inline void check_refused(live_journal& journal, const std::string& since) {
    listener l;
    const auto refused = journal.hub->subscribe({system_organization, {"*"}, since}, l.sink());
    BOOST_REQUIRE(refused.has_error());
    BOOST_TEST((refused.error().code == code::invalid_request));
    BOOST_TEST(journal.hub->subscribers() == 0u);
    const auto unread = journal.hub->read(system_organization, since, 10);
    BOOST_REQUIRE(unread.has_error());
    BOOST_TEST((unread.error().code == code::invalid_request));
}

/// The text of a member of an envelope; numbers too.
inline std::string member(const std::string& envelope, const std::string& name) {
    const auto at = envelope.find("\"" + name + "\":") + name.size() + 3;
    const bool text = envelope[at] == '"';
    return text ? envelope.substr(at + 1, envelope.find('"', at + 1) - at - 1)
                : envelope.substr(at, envelope.find_first_of(",}", at) - at);
}

} // namespace troupe::test
