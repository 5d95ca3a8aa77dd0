#pragma once

#include "schemas/base/clock.hpp"
#include "schemas/base/described.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// Servers of the Model Context Protocol that a node is connected to, and their tools.
namespace troupe {

/// starting: it is connected to. healthy: it answers. timeout: it did not answer its last check in time. error: it is
/// away; it is started anew after a while. stopped: somebody stopped it.
BOOST_DEFINE_ENUM_CLASS(mcp_status, starting, healthy, timeout, error, stopped)

/// GET /mcp/servers/{id}/health
struct mcp_health_document {
    mcp_status status = mcp_status::starting;
    std::optional<std::int64_t> latency_ms; ///< Of the last check.
    std::optional<timestamp> last_check;
    std::optional<std::string> error;  ///< Why it is not healthy, or was not before.
    std::optional<timestamp> retry_at; ///< When it is started anew.
    std::uint64_t restarts = 0;        ///< Since the node started.
};
BOOST_DESCRIBE_STRUCT(mcp_health_document, (), (status, latency_ms, last_check, error, retry_at, restarts))

/// An item of GET /mcp/servers/installed
struct mcp_server_document {
    std::string id; ///< Its name in the configuration.
    std::string transport;
    bool sandbox = true;
    std::optional<std::string> protocol_version;
    std::optional<std::string> server_name;
    std::optional<std::string> server_version;
    std::uint64_t tools = 0;
    mcp_health_document health;
};
BOOST_DESCRIBE_STRUCT(mcp_server_document, (),
                      (id, transport, sandbox, protocol_version, server_name, server_version, tools, health))

/// An item of GET /mcp/tools
struct mcp_tool_document {
    std::string id; ///< As agents call it, and POST /mcp/tools/{id}/execute.
    std::string server;
    std::string name; ///< As the server calls it.
    std::string description;
    json::raw input_schema;
    std::optional<json::raw> output_schema;
    std::optional<json::raw> annotations; ///< What the server says of it; nobody relies on it.
    /// It says something else of itself than when it was accepted: agents do not see it, and nobody calls it.
    std::optional<bool> changed = {};
};
BOOST_DESCRIBE_STRUCT(mcp_tool_document, (),
                      (id, server, name, description, input_schema, output_schema, annotations, changed))

/// POST /mcp/tools/{id}/execute
struct execute_mcp_tool_body {
    json::raw arguments;
    std::optional<std::string> call = {};
    static constexpr field_rule rules[] = {
        {.name = "arguments", .doc = "An object that fits the tool's schema.", .example = R"({"a":1,"b":2})"},
        {.name = "call",
         .min = 1,
         .max = 100,
         .doc = "A name for this call: its progress is shown under it on the live channel `mcp`, and POST "
                "/mcp/calls/{id}/cancel cancels it."}};
};
BOOST_DESCRIBE_STRUCT(execute_mcp_tool_body, (), (arguments, call))

/// What the tool answered. Its texts come from outside.
struct mcp_result_document {
    json::raw content; ///< As the protocol has it: a list of texts, images, resources.
    std::optional<json::raw> structured_content;
    bool is_error = false; ///< The tool says that it failed.
    std::int64_t duration_ms = 0;
};
BOOST_DESCRIBE_STRUCT(mcp_result_document, (), (content, structured_content, is_error, duration_ms))

/// GET /mcp/servers/{id}/logs
struct mcp_logs_document {
    std::vector<std::string> lines; ///< The last of what it wrote to its standard error, and of its connection.
};
BOOST_DESCRIBE_STRUCT(mcp_logs_document, (), (lines))

} // namespace troupe
