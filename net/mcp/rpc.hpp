#pragma once

#include "schemas/base/json.hpp"
#include "schemas/base/problem.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// JSON-RPC 2.0 as the Model Context Protocol uses it: one message is one text. Pure.
namespace troupe::net::mcp {

inline constexpr std::size_t message_bytes_max = 10 << 20;
inline constexpr std::size_t batch_max = 100; ///< Messages of one array, as revision 2025-03-26 allows them.

using rpc_id = std::variant<std::int64_t, std::string>;

/// Codes of errors, as far as somebody here says or looks for them.
inline constexpr std::int64_t rpc_method_not_found = -32601;
inline constexpr std::int64_t rpc_invalid_params = -32602;
inline constexpr std::int64_t rpc_internal_error = -32603;
inline constexpr std::int64_t rpc_resource_not_found = -32002;
inline constexpr std::int64_t rpc_parse_error = -32700;
inline constexpr std::int64_t rpc_invalid_request = -32600;
inline constexpr std::int64_t rpc_header_mismatch = -32020; ///< This and what follows: of the modern era.
inline constexpr std::int64_t rpc_missing_capability = -32021;
inline constexpr std::int64_t rpc_unsupported_version = -32022;

struct rpc_error {
    std::int64_t code = rpc_internal_error;
    std::string message;
    json::raw data = {};

    bool operator==(const rpc_error&) const = default;
};

struct rpc_request {
    rpc_id id;
    std::string method;
    json::raw params = {}; ///< Null: none. Else an object.

    bool operator==(const rpc_request&) const = default;
};
struct rpc_notification {
    std::string method;
    json::raw params = {}; ///< As of a request.

    bool operator==(const rpc_notification&) const = default;
};
struct rpc_result {
    rpc_id id;
    json::raw result;

    bool operator==(const rpc_result&) const = default;
};
struct rpc_failure {
    std::optional<rpc_id> id; ///< None: the other side could not read whose answer this is.
    rpc_error error;

    bool operator==(const rpc_failure&) const = default;
};
using rpc_message = std::variant<rpc_request, rpc_notification, rpc_result, rpc_failure>;

/// The messages of one text: one, or those of an array. `payload_too_large` over `message_bytes_max`, `malformed_json`
/// when it is no JSON, `invalid_request` when it is no message of JSON-RPC 2.0.
expected<std::vector<rpc_message>> read_messages(std::string_view text);

/// One line, without its end.
std::string write(const rpc_message& message);

} // namespace troupe::net::mcp
