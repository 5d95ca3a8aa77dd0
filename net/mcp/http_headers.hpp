#pragma once

#include "net/mcp/rpc.hpp"
#include "schemas/base/json.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// What Streamable HTTP says of a message in headers. Pure.
namespace troupe::net::mcp {

/// The member of `_meta` by which a message of the modern era says its revision.
inline constexpr std::string_view meta_version = "io.modelcontextprotocol/protocolVersion";

/// Headers of arguments that a server asked for in the schemas of its tools (`x-mcp-header`), by tool.
class custom_headers {
public:
    /// A page of `tools/list`. A tool whose headers cannot be ones has none.
    void learn(const json::raw& page);
    /// Those of a call's arguments.
    void add(std::string_view tool, const json::value& arguments,
             std::vector<std::pair<std::string, std::string>>& to) const;

private:
    std::map<std::string, std::map<std::string, std::string>, std::less<>> by_tool_; ///< Argument → header.
};

/// Whether a tool's schema asks only for headers that can be ones; else the tool must not be used.
bool has_good_headers(const json::raw& input_schema);
/// Whether it says its revision itself.
bool is_modern_message(const rpc_message& message);
/// Of the modern era: revision, method, name, and the arguments that have headers.
void add_message_headers(const rpc_message& message, const custom_headers& custom,
                         std::vector<std::pair<std::string, std::string>>& to);
/// The revision that an answer to `initialize` says.
std::string agreed_version(const json::raw& result);
/// Which request `notifications/cancelled` is about.
std::optional<rpc_id> cancelled_id(const rpc_notification& told);
/// Visible ASCII and not empty.
bool is_header_value(std::string_view text);
/// The value itself, or in base64 where it could not stand in a header.
std::string as_header_value(std::string_view text);
/// The reverse. Nothing: its base64 is broken.
std::optional<std::string> read_header_value(std::string_view value);
/// What the header `Mcp-Name` repeats of the parameters of that method; empty: it has none.
std::string_view named_member(std::string_view method);
/// A refusal whose text is about the session.
bool names_session(std::string_view body);

} // namespace troupe::net::mcp
