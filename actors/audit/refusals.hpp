#pragma once

#include "net/http/server.hpp"
#include "runtime/services.hpp"
#include "schemas/audit.hpp"

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

namespace troupe::actors {

/// Journals refused requests, from a thread of its own: the same ones of a second as one event with their count, so
/// that a flood of them neither slows requests nor fills the disk. What a crash takes is at most that second.
class refusals {
public:
    /// Different ones that are kept apart in a second; the others are counted in one event for their organization.
    static constexpr std::size_t kinds_max = 200;

    explicit refusals(const runtime::services& s);
    /// Journals what is there.
    ~refusals();
    refusals(const refusals&) = delete;
    refusals& operator=(const refusals&) = delete;

    /// From any thread; never waits.
    void note(const net::refused_request& r);
    /// Of a channel of a live stream.
    void note_channel(const net::principal& caller, std::string_view channel, const problem& why);

private:
    struct refusal {
        uuid organization;
        std::string principal;
        client_info client;
        std::string request_id; ///< Of the first.
        note_refusal what;
    };
    void add(refusal r);
    void work(const std::stop_token& stop);
    void journal(const std::map<std::string, refusal>& batch);

    const runtime::services& services_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::map<std::string, refusal> waiting_; ///< By all that makes them the same.
    std::jthread thread_;                    // the last: it uses the others
};

} // namespace troupe::actors
