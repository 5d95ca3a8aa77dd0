#pragma once

#include "runtime/process/sandbox.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/problem.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

namespace troupe::actors {

/// A part of what a process wrote, both streams as they came.
struct process_output {
    std::string text;
    std::uint64_t skipped = 0;        ///< Bytes before it that are not kept any more.
    std::uint64_t next = 0;           ///< Where what comes later begins.
    std::optional<std::string> ended; ///< How; none: it is at work.
};

/// How long a reader waits for more.
struct process_wait {
    std::int64_t time_ms = 0;
    std::string text; ///< Until this stands in the output; empty: for all the time, or its end.
};

/// The processes that runs start and go on beside: servers, watchers, consoles. Each has a name in its run and the
/// run's sandbox, and ends with its run, after half an hour without a call, and with the node. Thread-safe.
class process_desk {
public:
    struct settings {
        std::filesystem::path folder; ///< Of the pipes that they read.
        runtime::sandbox* commands = nullptr;
        std::function<bool(const entity_address& run)> has_ended;
        std::size_t run_max = 8; ///< Of one run.
        std::size_t node_max = 64;
        std::int64_t idle_ms = 30 * 60'000;
    };

    /// Pipes that a node before this one left are removed.
    explicit process_desk(settings s);
    ~process_desk();

    /// Ends all of them, and lets no more begin. Blocks.
    void stop();

    /// `conflict`: one of that name is at work. `overloaded`: there are too many. Of one that has ended, the name is
    /// free.
    expected<void> start(const entity_address& run, const std::string& name, runtime::command_spec spec);

    /// What came from `since` on, at most `bytes_max` of its end. `not_found` names those that there are.
    expected<process_output> read(const entity_address& run, const std::string& name, std::uint64_t since,
                                  const process_wait& until, std::size_t bytes_max, const std::stop_token& stop);

    /// To its standard input, whole or not at all. `overloaded`: it does not read. `conflict`: it has ended.
    expected<void> write(const entity_address& run, const std::string& name, std::string_view text);

    /// Ends it, and forgets its name; its last output. Blocks.
    expected<process_output> end(const entity_address& run, const std::string& name, std::size_t bytes_max);

private:
    struct process;
    using table = std::map<std::pair<entity_address, std::string>, std::shared_ptr<process>>;

    expected<std::shared_ptr<process>> find(const entity_address& run, const std::string& name);
    expected<void> check_room(const entity_address& run, const std::string& name) const;
    void keep(const std::stop_token& stop);
    void sweep();

    const settings settings_;
    mutable std::mutex mutex_;
    table processes_;
    bool stopped_ = false;
    std::jthread keeper_;
};

} // namespace troupe::actors
