#pragma once

#include "actors/mcp/kept_offers.hpp"
#include "actors/mcp/mcp_connection.hpp"
#include "actors/mcp/mcp_tokens.hpp"
#include "net/mcp/messages.hpp"
#include "net/mcp/session.hpp"
#include "runtime/config/mcp_servers.hpp"
#include "runtime/process/sandbox.hpp"
#include "runtime/supervision/nudged.hpp"
#include "schemas/mcp.hpp"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace troupe::actors {

/// What connections to servers need of the node; all of it outlives them.
struct mcp_parts {
    runtime::sandbox* confined = nullptr;
    runtime::sandbox* free = nullptr; ///< For servers that are to have the node's own rights.
    std::filesystem::path folder;     ///< A folder below it for each server, which is all that it may write to.
    std::function<expected<std::string>(std::string_view name)> find_secret;
    mcp_token_table tokens = {}; ///< Of servers that are reached over HTTP.
    /// What becomes of servers, on the live channel `mcp`; may be empty. From any thread.
    std::function<void(std::string_view kind, std::string data)> publish = {};
};

/// How far a call is, as the server says: the last of what it said since the last time. In the caller's thread.
using mcp_progress_sink = std::function<void(const net::mcp::progressed&)>;
/// Gives the answer (`ElicitResult`) to what the server asks a person meanwhile (`elicitation/create`). In the
/// caller's thread; may block for as long as `is_wanted`. The time of the call stands still.
using mcp_question_sink = std::function<json::raw(const json::raw& params, const std::function<bool()>& is_wanted)>;
/// What one call does while it runs; each may be empty. Without `on_question` questions are answered with `cancel`,
/// and so they are where several calls run and nothing says which one is meant.
struct mcp_call_sinks {
    mcp_progress_sink on_progress = {};
    mcp_question_sink on_question = {};
};

/// One server: an actor that keeps the connection to it, and the place where threads wait for its answers. The
/// connection comes back by itself after a back-off. Thread-safe; lives in a `shared_ptr`.
class mcp_desk : public std::enable_shared_from_this<mcp_desk> {
public:
    mcp_desk(runtime::mcp_server settings, mcp_parts parts);

    /// One request. Blocks; `cancelled` when `stop` comes first: the server is told. `unavailable` while there is no
    /// connection.
    expected<json::raw> call(std::string_view method, const json::raw& params, const std::stop_token& stop,
                             const mcp_call_sinks& sinks = {});

    [[nodiscard]] const runtime::mcp_server& settings() const { return settings_; }
    [[nodiscard]] mcp_server_document document() const;
    [[nodiscard]] std::vector<std::string> logs() const;
    /// What it offers, as its last lists said, also while it is away: `tool`, `resource`, `resource_template`,
    /// `prompt`.
    template <class T>
    [[nodiscard]] std::vector<T> list() const {
        const std::scoped_lock lock(mutex_);
        return std::get<std::vector<T>>(lists_);
    }
    [[nodiscard]] bool has_resources() const {
        const std::scoped_lock lock(mutex_);
        return has_resources_;
    }
    /// The server is to tell when a resource changes, on each connection from now on, while the node runs. Blocks.
    /// `conflict`: it cannot. Both return what is followed then.
    expected<std::vector<std::string>> follow(const std::string& uri, const std::stop_token& stop);
    std::vector<std::string> unfollow(const std::string& uri, const std::stop_token& stop);
    /// Called when the list of tools, or `has_resources`, is another one, in the actor. Set before it starts.
    std::function<void(const std::vector<net::mcp::tool>&)> on_tools;

    /// As if its last lists had said so. Before it starts.
    void remember(const kept_offers& before);
    void start();
    void stop();
    void restart();

    /// The actor, for its supervisor.
    runtime::nudged_part part();

private:
    struct open_question {
        std::uint64_t session = 0; ///< Counts sessions: their ids begin anew.
        net::mcp::question_id id = 0;
        json::raw params;
    };
    struct given_answer {
        std::uint64_t session = 0;
        net::mcp::question_id id = 0;
        json::raw with;
    };
    struct open_call {
        std::string method;
        json::raw params;
        std::optional<expected<json::raw>> answer;
        bool with_progress = false;
        std::optional<net::mcp::progressed> progress; ///< That nobody looked at yet.
        bool can_ask = false;
        std::deque<open_question> questions; ///< That nobody looked at yet.
        std::set<std::pair<std::uint64_t, net::mcp::question_id>> withdrawn;
        bool unwanted = false;
        std::condition_variable_any changed;
    };
    struct keeper; ///< mcp_keeper.cpp
    struct offers; ///< mcp_offers.hpp

    void wake(); ///< Under the mutex.
    /// False: it was stopped. The lock is given back for the time of each sink.
    bool wait_for_answer(open_call& call, std::unique_lock<std::mutex>& lock, const std::stop_token& stop,
                         const mcp_call_sinks& sinks);
    void put_question(open_call& call, std::unique_lock<std::mutex>& lock, const mcp_question_sink& ask);
    void note(std::string line);

    const runtime::mcp_server settings_;
    const mcp_parts parts_;
    const std::shared_ptr<runtime::actor_figures> figures_ = std::make_shared<runtime::actor_figures>();
    mutable std::mutex mutex_;
    runtime::nudge wake_; ///< None: the actor has not started.
    std::uint64_t last_ticket_ = 0;
    std::map<std::uint64_t, std::shared_ptr<open_call>> calls_;
    std::deque<std::uint64_t> to_send_;
    std::deque<given_answer> answers_; ///< To questions; not sent yet.
    bool wanted_ = true;
    std::uint64_t wanted_starts_ = 0; ///< Counts `restart`.
    mcp_server_document shown_;
    std::deque<std::string> lines_;
    std::tuple<std::vector<net::mcp::tool>, std::vector<net::mcp::resource>, std::vector<net::mcp::resource_template>,
               std::vector<net::mcp::prompt>>
        lists_;
    std::optional<net::mcp::era> spoken_; ///< None: there was no connection yet.
    bool can_follow_ = false;
    bool has_resources_ = false;
    std::set<std::string> followed_; ///< URIs.
    std::uint64_t followed_changes_ = 0;
};

} // namespace troupe::actors
