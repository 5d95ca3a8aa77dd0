#include "actors/mcp/mcp_resource_tool.hpp"

#include "actors/tool/tool_performers.hpp"
#include "net/mcp/messages.hpp"
#include "schemas/base/described.hpp"

#include <fmt/format.h>

#include <optional>
#include <stop_token>
#include <utility>

namespace troupe::actors {

/// `uri`: what is to be read; without it, what there is.
struct mcp_resource_arguments {
    std::optional<std::string> uri;
    static constexpr field_rule rules[] = {
        {.name = "uri", .min = 1, .max = 8192, .doc = "What is to be read. Left out: what there is, is listed."}};
};
BOOST_DESCRIBE_STRUCT(mcp_resource_arguments, (), (uri))

namespace {

namespace mcp = net::mcp;

std::string line_of(std::string_view uri, const std::string& name, const std::optional<std::string>& description) {
    return fmt::format("{}  {}{}{}\n", uri, name, description ? ": " : "", description.value_or(""));
}

std::string listed(const mcp_desk& server) {
    std::string out;
    for (const auto& r : server.list<mcp::resource>()) {
        out += line_of(r.uri, r.name, r.description);
    }
    for (const auto& t : server.list<mcp::resource_template>()) {
        out += line_of(t.uriTemplate, t.name, t.description);
    }
    return out.empty() ? "It lists none.\n" : out;
}

expected<std::string> read(mcp_desk& server, const std::string& uri, const std::stop_token& stop) {
    const auto result = server.call("resources/read", mcp::uri_params(uri), stop);
    const auto found =
        result ? mcp::read_result<mcp::resource_contents>(*result) : expected<mcp::resource_contents>(result.error());
    if (!found) {
        return found.error();
    }
    std::string out;
    if (const auto parsed = json::document::parse(found->contents.text)) {
        parsed->root().each_element([&](const json::value& part) {
            out += fmt::format("[{} {}]\n{}", part.text_or("uri"), part.text_or("mimeType"),
                               part.find("text") ? part.text_or("text") : "This is not text.");
            out += out.ends_with('\n') ? "" : "\n";
        });
    }
    return out.empty() ? "nothing\n" : out;
}

tool_result perform(mcp_desk& server, const mcp_resource_arguments& given, const std::stop_token& stop) {
    const auto text = given.uri ? read(server, *given.uri, stop) : expected<std::string>(listed(server));
    if (!text) {
        return refuse(text.error());
    }
    constexpr std::size_t text_bytes_max = tool_content_bytes_max - 1024;
    return {.content = from_outside("the MCP server " + server.settings().name, shorten(*text, text_bytes_max))};
}

} // namespace

custom_tool resource_tool(const std::shared_ptr<mcp_desk>& server, std::string id, const uuid& organization) {
    auto out = make_tool<mcp_resource_arguments>(
        std::move(id),
        "Reads a resource of the MCP server " + server->settings().name +
            ": data that it offers under URIs. Without a uri: which there are.",
        [server, organization](const mcp_resource_arguments& given, const tool_environment& where) {
            return where.run.organization == organization || where.run.id.is_nil()
                       ? perform(*server, given, where.stop)
                       : refuse(problem{code::not_found, "there is no such tool here"});
        });
    out.safety = repeat_safety::idempotent; // it reads
    out.permission = "mcp";
    out.organization = organization;
    return out;
}

} // namespace troupe::actors
