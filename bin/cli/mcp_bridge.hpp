#pragma once

#include "bin/cli/api.hpp"
#include "net/mcp/rpc.hpp"

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace troupe::cli {

/// Carries lines of the Model Context Protocol to a node's `/mcp`, and back what comes from there, with the
/// credentials of the CLI. Each request has a thread of its own while it is under way.
class mcp_bridge {
public:
    /// `print` is given one line without its end, by one thread at a time.
    mcp_bridge(api node, std::function<void(std::string_view)> print);
    /// Ends as `finish` does.
    ~mcp_bridge();

    /// One line came. Blocks while too many requests are under way, and for what has to come in its order.
    void take(const std::string& line);
    /// Nothing comes any more: what is under way has two seconds, then the session is ended.
    void finish();

    static constexpr std::size_t requests_max = 32;
    static constexpr std::int64_t last_words_ms = 2000;

private:
    struct outgoing {
        std::string text;
        std::string id = {}; ///< As JSON; empty: no request.
        std::vector<std::pair<std::string, std::string>> headers = {};
        bool is_legacy = false;
        bool stands = false; ///< It does not end by itself.
    };

    [[nodiscard]] std::optional<outgoing> read(const std::string& line, const net::mcp::rpc_message& message);
    void begin(outgoing what);
    void carry(const outgoing& what, const std::stop_token& stop);
    int send(const outgoing& what, const std::stop_token& stop, bool tells, std::string& why);
    void open_session(const outgoing& what);
    bool open_again();
    void listen(const std::stop_token& stop);
    void say(std::string_view line);
    void say_failure(const outgoing& what, std::string_view why);
    void reap();
    [[nodiscard]] net::client_request request_for(const outgoing& what);
    expected<net::client_response> exchange(net::client_request request, const api::fetcher& fetch);

    std::function<void(std::string_view)> print_;
    std::mutex printing_;
    std::mutex renewing_; // guards the node
    api node_;
    std::mutex mutex_; // guards what follows
    std::condition_variable changed_;
    std::string session_; ///< Of the legacy era; empty: none.
    std::string version_;
    outgoing opening_; ///< What opened it: to open it again, when the node was started anew.
    std::uint64_t last_ = 0;
    std::map<std::uint64_t, std::jthread> threads_;
    std::vector<std::uint64_t> ended_;
    std::size_t under_way_ = 0;                    ///< Without those that stand.
    std::map<std::string, std::uint64_t> running_; ///< Requests of the modern era, by id: their threads.
    std::jthread listener_;
};

} // namespace troupe::cli
