#include "actors/mcp/mcp_routes.hpp"

#include "actors/common/routes.hpp"
#include "net/http/handlers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <string>
#include <utility>

namespace troupe::actors {
namespace {

using net::request;
using net::responder;
using net::response;
using net::verb;

/// Waiting for a server takes its time: not on an io thread.
bool always() { return true; }

template <class Document>
response list_of(const std::vector<Document>& documents) {
    std::vector<std::string> items;
    for (const auto& one : documents) {
        items.push_back(to_json(one));
    }
    return {.body = net::list_body(items, std::nullopt)};
}

/// The servers are one organization's; others see none.
bool sees(const mcp_hub& hub, const request& r) { return r.who.organization == hub.organization(); }

expected<std::shared_ptr<mcp_desk>> server_of(const mcp_hub& hub, const request& r) {
    const auto all = hub.servers();
    const auto found = all.find(r.param("id"));
    if (found == all.end() || !sees(hub, r)) {
        return problem{code::not_found,
                       fmt::format("There is no MCP server \"{}\". See GET /mcp/servers/installed.", r.param("id"))};
    }
    return found->second;
}

/// A route about one server.
net::handler about(mcp_hub& hub, std::function<std::string(mcp_desk&)> answer) {
    return [&hub, answer = std::move(answer)](const request& r, const responder& respond) {
        const auto server = server_of(hub, r);
        respond(server ? response{.body = answer(**server)} : net::to_response(server.error(), r));
    };
}

void execute(mcp_hub& hub, const request& r, const responder& respond) {
    const auto body = from_json<execute_mcp_tool_body>(r.body, strictness::input);
    if (!body) {
        return respond(net::to_response(body.error(), r));
    }
    const auto arguments = body->arguments.is_null() ? std::string("{}") : body->arguments.text;
    if (!sees(hub, r)) {
        return respond(
            net::to_response({code::not_found, fmt::format("There is no MCP tool \"{}\".", r.param("id"))}, r));
    }
    const auto done = body->call ? hub.execute_named(*body->call, r.param("id"), arguments)
                                 : hub.execute(r.param("id"), arguments, {});
    respond(done ? response{.body = to_json(*done)} : net::to_response(done.error(), r));
}

mcp_tool_document shown(const mcp_tool& t) {
    return {t.id,
            t.server->settings().name,
            t.declared.name,
            t.declared.description.value_or(""),
            t.declared.inputSchema,
            t.declared.outputSchema,
            t.declared.annotations,
            t.changed ? std::optional(true) : std::nullopt};
}

std::vector<mcp_tool_document> shown(const std::vector<mcp_tool>& tools) {
    std::vector<mcp_tool_document> out;
    for (const auto& t : tools) {
        out.push_back(shown(t));
    }
    return out;
}

void accept(mcp_hub& hub, const request& r, const responder& respond) {
    const auto done =
        sees(hub, r)
            ? hub.accept(r.param("id"))
            : expected<mcp_tool>(problem{code::not_found, fmt::format("There is no MCP tool \"{}\".", r.param("id"))});
    respond(done ? response{.body = to_json(shown(*done))} : net::to_response(done.error(), r));
}

std::vector<mcp_server_document> servers_of(const mcp_hub& hub) {
    std::vector<mcp_server_document> out;
    for (const auto& [name, desk] : hub.servers()) {
        out.push_back(desk->document());
    }
    return out;
}

net::route change(mcp_hub& hub, std::string path, std::string operation, std::string summary,
                  std::function<void(mcp_desk&)> act) {
    return {.verb = verb::post,
            .path = std::move(path),
            .operation = std::move(operation),
            .summary = std::move(summary),
            .tag = "mcp",
            .permission = "system:admin",
            .reply = net::reply_of<mcp_server_document>("mcp_server"),
            .errors = {code::not_found},
            .run = about(hub, [act = std::move(act)](mcp_desk& desk) {
                act(desk);
                return to_json(desk.document());
            })};
}

} // namespace

std::vector<net::route> mcp_routes(mcp_hub& hub) {
    const std::string tag = "mcp";
    return {{.verb = verb::get,
             .path = "/mcp/servers/installed",
             .operation = "list_mcp_servers",
             .summary = "The servers of the Model Context Protocol that the node is connected to, all on one page.",
             .tag = tag,
             .permission = "mcp:read",
             .reply = page_of<mcp_server_document>("mcp_servers"),
             .run =
                 [&hub](const request& r, const responder& respond) {
                     respond(list_of(sees(hub, r) ? servers_of(hub) : std::vector<mcp_server_document>()));
                 }},
            {.verb = verb::get,
             .path = "/mcp/servers/{id}/health",
             .operation = "get_mcp_health",
             .summary = "How a server does: it is checked every 30 s.",
             .tag = tag,
             .permission = "mcp:read",
             .reply = net::reply_of<mcp_health_document>("mcp_health"),
             .errors = {code::not_found},
             .run = about(hub, [](mcp_desk& desk) { return to_json(desk.document().health); })},
            {.verb = verb::get,
             .path = "/mcp/servers/{id}/logs",
             .operation = "get_mcp_logs",
             .summary = "The last of what a server wrote to its standard error, and what became of its connection.",
             .tag = tag,
             .permission = "system:read",
             .reply = net::reply_of<mcp_logs_document>("mcp_logs"),
             .errors = {code::not_found},
             .run = about(hub, [](mcp_desk& desk) { return to_json(mcp_logs_document{desk.logs()}); })},
            change(hub, "/mcp/servers/{id}/start", "start_mcp_server", "Connects to a server that was stopped.",
                   [](mcp_desk& desk) { desk.start(); }),
            change(hub, "/mcp/servers/{id}/stop", "stop_mcp_server", "Ends a server until it is started again.",
                   [](mcp_desk& desk) { desk.stop(); }),
            change(hub, "/mcp/servers/{id}/restart", "restart_mcp_server", "Ends a server and starts it anew at once.",
                   [](mcp_desk& desk) { desk.restart(); }),
            {.verb = verb::get,
             .path = "/mcp/tools",
             .operation = "list_mcp_tools",
             .summary = "The tools of all servers, as agents call them, all on one page.",
             .tag = tag,
             .permission = "mcp:read",
             .reply = page_of<mcp_tool_document>("mcp_tools"),
             .run =
                 [&hub](const request& r, const responder& respond) {
                     respond(list_of(sees(hub, r) ? shown(hub.tools()) : std::vector<mcp_tool_document>()));
                 }},
            {.verb = verb::post,
             .path = "/mcp/tools/{id}/execute",
             .operation = "execute_mcp_tool",
             .summary = "Calls a tool. The same request again calls it again.",
             .tag = tag,
             .permission = "mcp:execute",
             .body = net::body_of<execute_mcp_tool_body>("execute_mcp_tool"),
             .reply = net::reply_of<mcp_result_document>("mcp_result"),
             .errors = {code::not_found, code::conflict, code::tool_arguments_invalid, code::tool_failed},
             .run = [&hub](const request& r, const responder& respond) { execute(hub, r, respond); },
             .blocks = always},
            {.verb = verb::post,
             .path = "/mcp/tools/{id}/accept",
             .operation = "accept_mcp_tool",
             .summary = "Accepts what a tool says of itself now, after somebody has looked at it: agents see it again.",
             .tag = tag,
             .permission = "system:admin",
             .reply = net::reply_of<mcp_tool_document>("mcp_tool"),
             .errors = {code::not_found},
             .run = [&hub](const request& r, const responder& respond) { accept(hub, r, respond); },
             .blocks = always}};
}

} // namespace troupe::actors
