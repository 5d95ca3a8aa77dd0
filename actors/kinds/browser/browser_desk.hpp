#pragma once

#include "actors/kinds/browser/browser.hpp"
#include "schemas/base/ids.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace troupe::actors {

/// The browsers of a node: one for each run that asked for it, with a profile of its own, ended with the run, after
/// some minutes without use, and with the node. Thread-safe.
class browser_desk {
public:
    struct settings {
        std::filesystem::path folder; ///< Of the profiles: a folder for each run.
        runtime::sandbox* commands = nullptr;
        runtime::fetch_policy allowed;
        std::function<bool(const entity_address& run)> has_ended;
        std::size_t browsers_max = 8;
        std::int64_t idle_ms = 10 * 60'000;
    };

    /// What a node before this one left is removed.
    explicit browser_desk(settings s);
    ~browser_desk();

    /// Ends all browsers, and lets no more begin. Blocks.
    void stop();

    /// A run's browser for one call: calls of one run take turns. Not for longer than the desk lives.
    class turn {
    public:
        /// Null: there is none.
        [[nodiscard]] browser* operator->() const { return held_.get(); }
        explicit operator bool() const { return held_ != nullptr; }
        /// There was one before, whose pages, cookies and logins are gone: what to tell of it; else empty.
        [[nodiscard]] const std::string& lost() const { return lost_; }

    private:
        friend class browser_desk;
        std::shared_ptr<void> slot_; ///< Has the mutex.
        std::unique_lock<std::timed_mutex> lock_;
        std::shared_ptr<browser> held_;
        std::string lost_;
    };

    /// Waits for its turn. With `begin`, a browser is started where there is none.
    expected<turn> take(const entity_address& run, bool begin, const std::stop_token& stop);

private:
    struct slot;

    void keep(const std::stop_token& stop);
    void sweep();
    void remove_leftovers(const std::vector<std::filesystem::path>& folders, const std::stop_token& stop);
    expected<void> begin(slot& s, const entity_address& run, const std::stop_token& stop);
    [[nodiscard]] std::filesystem::path folder_of(const entity_address& run) const;

    const settings settings_;
    std::mutex mutex_;
    std::map<entity_address, std::shared_ptr<slot>> slots_;
    bool stopped_ = false;
    std::jthread keeper_;
};

} // namespace troupe::actors
