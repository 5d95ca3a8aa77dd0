#pragma once

// Nodes as far as their keys of contents go, over a coordinator in memory. What blocks runs on threads; when which node
// hears what is decided by the tests.

#include "runtime/cluster/shared_keys.hpp"

#include "runtime/cluster/memory_coordinator.hpp"
#include "runtime/cluster/registry.hpp"
#include "schemas/base/json.hpp"
#include "storage/erase.hpp"
#include "tests/runtime/cluster/recorder.hpp"
#include "tests/storage/fake_wrapping.hpp"
#include "tests/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace troupe::test {

using namespace runtime::cluster;

inline constexpr timestamp when{1'700'000'000'000};

/// With a third thread to wait for, it may take its time.
inline void until(const char* what, const std::function<bool()>& holds) {
    const auto end = std::chrono::steady_clock::now() + patience;
    while (!holds()) {
        if (std::chrono::steady_clock::now() > end) {
            throw std::runtime_error(std::string("it never comes to this: ") + what);
        }
        std::this_thread::yield();
    }
}

/// As much of a node as its keys need. It hears what the coordinator says in `hear`.
struct key_node : coordinator_listener {
    explicit key_node(std::shared_ptr<memory_map> of, std::string master_key = "first")
        : map(std::move(of)), master(std::move(master_key)) {
        start();
    }
    ~key_node() override { stop(); }
    key_node(const key_node&) = delete;
    key_node& operator=(const key_node&) = delete;

    void start() {
        auto opened = open_keys(directory.path / "keys", master, older);
        BOOST_REQUIRE_MESSAGE(opened.has_value(), (opened ? "" : opened.error().detail));
        keys = std::move(*opened);
        agreed = std::make_unique<memory_coordinator>(map, memory_settings{news.as_executor()});
        settings.on_refused = [this](problem why) { refusals.push_back(std::move(why)); };
        shared = std::make_unique<shared_keys>(*keys, *agreed, settings);
        agreed->start(*this);
    }
    void stop() {
        agreed->stop();
        news.run_some();
        shared.reset();
    }
    /// With other waits than those of a node.
    void restart(std::int64_t issue_wait_ms = 1'000'000, std::int64_t news_wait_ms = 1'000'000) {
        stop();
        settings.issue_wait_ms = issue_wait_ms;
        settings.news_wait_ms = news_wait_ms;
        start();
    }
    void hear() { news.run_some(); }

    void on_map(std::vector<entry> all, std::uint64_t revision) override { shared->on_map(all, revision); }
    void on_changes(std::vector<change> changes, std::uint64_t revision) override {
        if (holds) {
            held.emplace_back(std::move(changes), revision);
        } else {
            shared->on_changes(changes, revision + revisions_merged);
        }
    }
    /// The news that are late.
    void release() {
        holds = false;
        for (auto& [changes, revision] : std::exchange(held, {})) {
            on_changes(std::move(changes), revision);
        }
    }
    void on_lease(lease) override {}
    void on_reachable(bool reachable, const std::string& why) override {
        if (!unaware) {
            shared->on_reachable(reachable, why);
        }
    }

    [[nodiscard]] std::vector<std::pair<std::string, std::string>> files() const { return keys->files().value(); }
    [[nodiscard]] bool knows(const std::string& text) const {
        return std::ranges::any_of(files(), [&](const auto& f) { return f.second.find(text) != std::string::npos; });
    }

    std::shared_ptr<memory_map> map;
    std::string master;
    std::string older; ///< A master key, of before.
    temporary_directory directory;
    run_queue news;
    shared_keys_settings settings{{}, 1'000'000, 1'000'000}; // a test that waits so long has failed
    std::uint64_t revisions_merged = 0;                      ///< Changes come with a later one's revision.
    bool unaware = false;                                    ///< That the coordinator cannot be reached.
    bool holds = false;                                      ///< Answers come before the news.
    std::vector<std::pair<std::vector<change>, std::uint64_t>> held;
    std::unique_ptr<storage::key_store> keys;
    std::unique_ptr<memory_coordinator> agreed;
    std::unique_ptr<shared_keys> shared;
    std::vector<problem> refusals;
};

template <class Call>
auto begin(Call call) {
    return std::async(std::launch::async, std::move(call));
}
template <class T>
bool is_over(const std::future<T>& what) {
    return what.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
}

/// Nodes with one map.
struct cluster_of_keys {
    explicit cluster_of_keys(std::size_t count = 2) {
        for (std::size_t i = 0; i < count; ++i) {
            add();
        }
    }
    key_node& add(const std::string& master = "first") {
        nodes.push_back(std::make_unique<key_node>(map, master));
        nodes.back()->hear();
        return *nodes.back();
    }
    key_node& operator[](std::size_t i) { return *nodes[i]; }
    void hear() {
        for (auto& n : nodes) {
            n->hear();
        }
    }
    /// All nodes hear all until it is over.
    template <class T>
    T finish(std::future<T> what) {
        until("a call returns", [&] {
            hear();
            return is_over(what);
        });
        hear();
        return what.get();
    }
    std::uint32_t issue(key_node& at, const uuid& subject) {
        const auto made = finish(begin([&] { return at.keys->of(subject); }));
        BOOST_REQUIRE_MESSAGE(made.has_value(), (made ? "" : made.error().detail));
        return (*made)->number;
    }
    expected<void> destroy(key_node& at, const uuid& subject, timestamp now = when) {
        return finish(begin([&at, subject, now] { return at.keys->destroy(subject, now); }));
    }
    [[nodiscard]] std::map<std::string, std::string> entries() const {
        std::map<std::string, std::string> out;
        for (const auto& e : map->entries()) {
            out[e.key] = e.value;
        }
        return out;
    }
    void write(const std::string& key, std::optional<std::string> value) {
        memory_coordinator by(map, {run_queue().as_executor()});
        recorder nobody;
        by.start(nobody);
        by.commit({{}, {{key, std::move(value)}}}, [](const auto&) {});
        by.stop();
        hear();
    }

    std::shared_ptr<memory_map> map = std::make_shared<memory_map>();
    std::vector<std::unique_ptr<key_node>> nodes;
};

} // namespace troupe::test
