#pragma once

#include "net/http/rate_limit.hpp"
#include "net/http/route.hpp"
#include "net/http/trace.hpp"
#include "runtime/bus/bus.hpp"
#include "schemas/base/limits.hpp"
#include "schemas/base/problem.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::runtime {
class stall_watch;
}

namespace troupe::net {

/// TLS of the edge. Without files it speaks plain HTTP.
struct tls_settings {
    std::string certificate_file;                ///< PEM, with the intermediate ones behind it.
    std::string key_file;                        ///< PEM, without pass phrase.
    std::string redirect_listen;                 ///< "ADDRESS:PORT" that answers plain HTTP with 308; empty: none.
    std::int64_t hsts_seconds = 365 * 24 * 3600; ///< `Strict-Transport-Security`; 0: not sent.
};

/// Where the edge listens, and a bound on everything a client can make it hold or wait for.
struct server_settings {
    std::string listen = "127.0.0.1:7117"; ///< "ADDRESS:PORT"; IPv6 in brackets; port 0 picks a free one.
    tls_settings tls = {};
    std::string cors_origins = {};    ///< Pages of other origins that may use it: "https://a, https://b", or "*".
    std::string trusted_proxies = {}; ///< Addresses and networks whose `X-Forwarded-For` and `Forwarded` are believed.
    bool access_log = false;          ///< A line for each request, by the module "access".
    unsigned io_threads = 2;
    unsigned body_threads = 4;            ///< For bodies that come or go in pieces, while they wait for the disk.
    std::size_t connections_max = 16'384; ///< Beyond, a connection gets 503 and is closed.
    /// Of one address, or one /64 of IPv6; beyond, 429. Trusted proxies are not bound by it.
    std::size_t connections_per_address_max = 4096;
    bool spare_loopback = true; ///< Nor are programs of this machine: a proxy is often one.
    std::size_t header_bytes_max = 16 * limits::kib;
    std::size_t target_bytes_max = 8 * limits::kib; ///< The request line; beyond, 414.
    std::int64_t header_time_out_ms = 10'000;       ///< From the first byte of a request to the end of its header.
    std::int64_t body_time_out_ms = 60'000;    ///< From the end of the header to the end of the body; of one that goes
                                               ///< to a sink, for each piece of 256 KiB.
    std::int64_t idle_time_out_ms = 75'000;    ///< Between two requests of a connection.
    std::int64_t request_time_out_ms = 30'000; ///< Until a handler has answered; `X-Request-Timeout-Ms` lowers it.
    /// A refusal for overload is held back so long, give or take a half; nothing is read meanwhile.
    std::int64_t refusal_ms = 1000;
    /// Bodies of requests in hand, all together. Must be more than the largest body of a route.
    std::size_t body_bytes_max = 256 * limits::mib;
    std::int64_t write_time_out_ms = 30'000; ///< One write; a client that does not read is disconnected.
    rate_rule address_rate = {}; ///< Requests of an address that nobody is known to send: 401, and those that log in.
    rate_rule caller_rate = {};  ///< Requests of a user or key.
    rate_rule organization_rate = {}; ///< Requests of all of an organization together.
    // Live streams, SSE and WebSocket.
    std::size_t stream_queue_bytes_max = 1 * limits::mib; ///< What waits for a reader; beyond, it is told and dropped.
    std::size_t stream_queue_events_max = 4096;
    std::int64_t heartbeat_ms = 15'000;          ///< SSE comments.
    std::int64_t websocket_time_out_ms = 40'000; ///< Silence that ends a socket; a ping goes out after half of it.
    std::size_t websocket_message_bytes_max = 64 * limits::kib;
    std::size_t websocket_channels_max = 64; ///< Subscribed channels of one connection.
};

/// A request that was answered, for those who count and trace. Views live as long as the call.
struct answered_request {
    const route* to = nullptr; ///< Null: there is no such route.
    std::string_view method;   ///< "GET"; of one that cannot be read "_OTHER".
    std::string_view path;     ///< As it came, without query.
    std::string_view id;       ///< The request's.
    trace_context trace;
    int status = 0;
    std::int64_t microseconds = 0; ///< From the end of its header.
};

/// A request that was answered 401 or 403. Views live as long as the call.
struct refused_request {
    const route* to = nullptr; ///< Null: a WebSocket, or there is no such route.
    std::string_view method;
    std::string_view path; ///< As it came, without query.
    std::string_view id;
    int status = 0;
    std::optional<code> why;
    const principal& caller; ///< Nobody when it is not known.
    client_info client;
};

/// A request that the node failed to serve: 5xx, but neither overload nor something that no node could do, and no
/// exception, which is in the log. Views live as long as the call.
struct failed_request {
    const route* to = nullptr; ///< Null: a WebSocket, or there is no such route.
    std::string_view method;
    std::string_view id;
    std::string_view trace; ///< traceparent
    int status = 0;
    std::optional<code> why;
    std::string_view detail; ///< What the client was told.
};

/// What the edge asks the rest of the node. Every hook is called on an io thread and must not block.
struct server_hooks {
    std::vector<route> routes;
    /// Asked before anything is judged: calls `then` when what is read for this target shows all that was answered
    /// before by any node, or with the reason why that cannot be known, which is the answer. From any thread, once.
    /// None: what this node has is all.
    std::function<void(std::string_view target, std::function<void(const expected<void>&)> then)> wait_to_read = {};
    /// Who asks, from the headers. Not asked for routes that are open to everyone. None: everything else is 401.
    std::function<expected<principal>(const request&)> authenticate;
    /// Whether the principal has the route's permission. None: forbidden.
    std::function<expected<void>(const principal&, std::string_view permission)> authorize;
    /// Asked about ten times a second for each live stream, with the request that opened it: nothing when nothing
    /// changed, else who it is now; a problem when the caller is nobody any more, or may do other things than before.
    /// Then the stream ends. None: streams stay.
    std::function<expected<std::optional<principal>>(const request&, const principal&)> revalidate = {};
    /// Whether the principal may subscribe that channel or pattern on a WebSocket. None: forbidden.
    std::function<expected<void>(const principal&, std::string_view channel)> authorize_channel;
    runtime::bus* bus = nullptr; ///< For live streams; outlives the server. None: they answer `unavailable`.
    std::string instance;        ///< The node's name, shown in the `Server` header.
    /// Of each answered request.
    std::function<void(const answered_request&)> on_request;
    /// Of each one that was refused to its caller: for the audit log.
    std::function<void(const refused_request&)> on_refused = {};
    /// Of each one that failed: for the list of failures.
    std::function<void(const failed_request&)> on_failed_request = {};
    /// Whether a trace that begins here is to be recorded; none: yes. One that comes from elsewhere keeps its flag.
    std::function<bool(std::string_view trace_id)> sample = {};
    /// So many events of a live stream were forgotten, because their reader was too slow.
    std::function<void(std::size_t events)> on_lost = {};
    /// The listener cannot go on: no further connection is taken. At most once.
    std::function<void(const std::string& why)> on_failed = {};
    runtime::stall_watch* watch = nullptr; ///< Of the io threads; outlives the server. May be null.
    std::string path = {};                 ///< In the supervision tree; an io thread's is "PATH/io-0".
};

/// The HTTP and WebSocket edge of a node.
class server {
public:
    /// Listens and serves on its own threads until `stop`. Problems: `config_invalid` (routes, TLS), `address_in_use`,
    /// `listen_failed`.
    static expected<std::unique_ptr<server>> start(server_settings settings, server_hooks hooks);

    /// Stops at once if `stop` was not called.
    ~server();

    /// The port that it listens on.
    [[nodiscard]] std::uint16_t port() const;
    /// The port that answers with redirects; 0: none.
    [[nodiscard]] std::uint16_t redirect_port() const;
    /// "http://127.0.0.1:7117", or with https
    [[nodiscard]] std::string url() const;
    /// Reads certificate and key again. A problem, which is logged as well: the old ones stay. Any thread.
    expected<void> reload_certificate();
    /// From now on these rates, and a line for each access or none. Any thread.
    void change(const rate_rule& address, const rate_rule& caller, const rate_rule& organization, bool access_log);
    /// Open connections.
    [[nodiscard]] std::size_t connections() const;

    /// Drains: accepts nothing new, answers what is in flight with `Connection: close`, ends streams with a reason;
    /// cuts what is left after `deadline_ms`. Blocks until all is closed. Not from an io thread. A second call does
    /// nothing. Responders may still be called afterwards.
    void stop(std::int64_t deadline_ms);

private:
    struct impl;
    explicit server(std::unique_ptr<impl> i);
    std::unique_ptr<impl> impl_;
};

} // namespace troupe::net
