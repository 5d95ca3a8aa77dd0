#pragma once

#include "actors/common/inner_calls.hpp"
#include "net/http/route.hpp"
#include "net/mcp/messages.hpp"
#include "schemas/base/json.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Operations of the HTTP API as tools of the Model Context Protocol.
namespace troupe::actors {

/// Of those that are offered: what clients are shown. In an order that stays.
std::vector<net::mcp::tool> route_tools(const inner_calls& calls);

/// The operation's request, of a tool's arguments, which may be anything: parameters of path and query by their names,
/// the rest as its body. Nothing: there is no such tool.
std::optional<inner_request> to_request(const inner_calls& calls, std::string_view tool, const json::raw& arguments);

/// The result of the tool, of the operation's answer. Reads the answer's source, which may block.
json::raw to_tool_result(const net::response& answer);

/// The answer's text, whole; at most a MiB of it.
expected<std::string> body_of(const net::response& answer);

} // namespace troupe::actors
