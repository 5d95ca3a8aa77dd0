#pragma once

#include "net/mcp/transport.hpp"
#include "schemas/base/network.hpp"
#include "schemas/base/problem.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::net::mcp {

struct http_transport_settings {
    std::string url;                                          ///< Of the server's one endpoint.
    std::vector<std::pair<std::string, std::string>> headers; ///< Sent with all requests (`Authorization`).
    std::string ca_file = {};                                 ///< As of `client_request`.
    std::function<bool(const std::string& host, const std::optional<ip_bytes>& address)> may_reach = {}; ///< Likewise.
    /// Value of the header `Authorization`, before each request; none: there is none. May block.
    std::function<expected<std::optional<std::string>>()> authorization = {};
    /// After a 401 or 403, with what was sent. Success: it is worth another attempt. May block.
    std::function<expected<void>(int status, std::string_view www_authenticate, const std::optional<std::string>& sent)>
        challenged = {};
    std::int64_t short_time_out_ms = 10'000; ///< Of what is said without a question, and of the session's end.
};

/// A server over Streamable HTTP, in both eras: each message goes as a POST; what comes back, as JSON or on a stream,
/// waits to be taken. A stream that ends before its answer is gone on with (`Last-Event-ID`). A request that stays
/// without an answer gets an error of JSON-RPC, so that whoever asked hears of it. One thread, and one more for each
/// request under way; `on_change` is called from them.
std::unique_ptr<transport> make_http_transport(http_transport_settings settings, std::function<void()> on_change);

} // namespace troupe::net::mcp
