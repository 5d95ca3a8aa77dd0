#pragma once

#include "runtime/cluster/coordinator.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace troupe::test {

namespace cluster = runtime::cluster;

/// How long a test waits for what has to come. Nothing depends on it but how late a failure is seen.
inline constexpr std::chrono::seconds patience{20};

/// A listener that keeps what it is told, and the map that follows from it. It notes what a coordinator must never do.
class recorder : public cluster::coordinator_listener {
public:
    struct change_call {
        std::vector<cluster::change> changes;
        std::uint64_t revision = 0;
    };
    struct seen {
        std::map<std::string, std::string> map;
        std::uint64_t revision = 0;
        int maps = 0;
        std::vector<change_call> changes;
        std::vector<cluster::lease> leases;
        std::vector<std::pair<bool, std::string>> reachable;
        std::vector<std::string> wrong;

        [[nodiscard]] std::uint64_t lease() const { return leases.empty() ? 0 : leases.back().id; }
        [[nodiscard]] bool is_reachable() const { return !reachable.empty() && reachable.back().first; }
        [[nodiscard]] bool is_unreachable() const { return !reachable.empty() && !reachable.back().first; }
        [[nodiscard]] std::string at(const std::string& key) const {
            const auto found = map.find(key);
            return found == map.end() ? "(none)" : found->second;
        }
        /// The values that a key was given, one after the other, as changes told it.
        [[nodiscard]] std::vector<std::string> values_of(const std::string& key) const {
            std::vector<std::string> out;
            for (const auto& call : changes)
                for (const auto& one : call.changes)
                    if (one.key == key)
                        out.push_back(one.value.value_or("(removed)"));
            return out;
        }
    };

    void on_map(std::vector<cluster::entry> all, std::uint64_t revision) override {
        note([&](seen& s) {
            if (revision < s.revision)
                s.wrong.push_back("a map older than what was told");
            s.map.clear();
            for (auto& one : all) {
                if (one.revision == 0 || one.revision > revision)
                    s.wrong.push_back("an entry newer than its map");
                s.map[one.key] = std::move(one.value);
            }
            s.revision = revision;
            ++s.maps;
        });
    }
    void on_changes(std::vector<cluster::change> changes, std::uint64_t revision) override {
        note([&](seen& s) {
            if (s.maps == 0)
                s.wrong.push_back("changes before the map");
            if (revision <= s.revision)
                s.wrong.push_back("changes out of order or twice");
            if (changes.empty())
                s.wrong.push_back("no changes");
            for (const auto& one : changes) {
                if (one.value)
                    s.map[one.key] = *one.value;
                else if (s.map.erase(one.key) == 0)
                    s.wrong.push_back("a key was removed that was not there: " + one.key);
            }
            s.revision = revision;
            s.changes.push_back({std::move(changes), revision});
        });
    }
    void on_lease(cluster::lease now) override {
        note([&](seen& s) {
            if (now.id != 0 && s.lease() != 0 && now.id != s.lease())
                s.wrong.push_back("a lease was replaced without being lost");
            if (now.id == s.lease() && !s.leases.empty() && now.valid_until_ms < s.leases.back().valid_until_ms)
                s.wrong.push_back("a lease became shorter");
            s.leases.push_back(now);
        });
    }
    void on_reachable(bool reachable, const std::string& why) override {
        note([&](seen& s) {
            if (!s.reachable.empty() && s.reachable.back().first == reachable)
                s.wrong.push_back("the same was said twice of being reachable");
            if (reachable == !why.empty())
                s.wrong.push_back("no reason, or one too many");
            s.reachable.emplace_back(reachable, why);
        });
    }

    [[nodiscard]] seen now() const {
        const std::lock_guard lock(mutex_);
        return seen_;
    }
    [[nodiscard]] std::thread::id thread() const {
        const std::lock_guard lock(mutex_);
        return thread_;
    }
    /// Until that is so.
    void wait_for(const char* what, const std::function<bool(const seen&)>& holds) const {
        std::unique_lock lock(mutex_);
        if (!changed_.wait_for(lock, patience, [&] { return holds(seen_); }))
            throw std::runtime_error(std::string("it never came to this: ") + what);
    }

private:
    template <class Change>
    void note(Change change) {
        if (inside_.exchange(true))
            throw std::logic_error("two calls at once");
        {
            const std::lock_guard lock(mutex_);
            thread_ = std::this_thread::get_id();
            change(seen_);
        }
        changed_.notify_all();
        inside_ = false;
    }

    mutable std::mutex mutex_;
    mutable std::condition_variable changed_;
    std::atomic<bool> inside_{false};
    seen seen_;
    std::thread::id thread_;
};

using commit_result = expected<cluster::transaction_result>;

/// A commit under way.
inline std::future<commit_result> begin_commit(cluster::coordinator& at, cluster::transaction what) {
    auto promise = std::make_shared<std::promise<commit_result>>();
    auto future = promise->get_future();
    at.commit(std::move(what), [promise](commit_result result) { promise->set_value(std::move(result)); });
    return future;
}

inline commit_result get(std::future<commit_result> future) {
    if (future.wait_for(patience) != std::future_status::ready)
        throw std::runtime_error("a commit was never done");
    return future.get();
}

inline commit_result commit(cluster::coordinator& at, cluster::transaction what) {
    return get(begin_commit(at, std::move(what)));
}

/// Sets one key, whatever it holds.
inline cluster::transaction set(const std::string& key, const std::string& value, bool leased = false) {
    return {{}, {{key, value, leased}}};
}

/// A node: a coordinator with its listener, which outlives it.
struct watching_node {
    explicit watching_node(std::unique_ptr<cluster::coordinator> c) : at(std::move(c)) { at->start(heard); }
    ~watching_node() {
        at->stop();
        const auto end = heard.now();
        for (const auto& one : end.wrong)
            BOOST_ERROR(one);
    }
    void wait_until_ready() const {
        heard.wait_for("map, reachable, lease",
                       [](const auto& s) { return s.maps > 0 && s.is_reachable() && s.lease() != 0; });
    }

    recorder heard;
    std::unique_ptr<cluster::coordinator> at;
};

} // namespace troupe::test
