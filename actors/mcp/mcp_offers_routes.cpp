#include "actors/mcp/mcp_offers_routes.hpp"

#include "actors/common/routes.hpp"
#include "net/http/handlers.hpp"
#include "net/http/stream_query.hpp"
#include "schemas/mcp_offers.hpp"

#include <fmt/format.h>

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>

namespace troupe::actors {
namespace {

namespace mcp = net::mcp;
using net::request;
using net::responder;
using net::response;
using net::verb;

mcp_resource_document shown(const std::string& server, const mcp::resource& r) {
    return {server, r.uri, r.name, r.title, r.description, r.mimeType, r.size};
}

mcp_resource_template_document shown(const std::string& server, const mcp::resource_template& t) {
    return {server, t.uriTemplate, t.name, t.title, t.description, t.mimeType};
}

mcp_prompt_document shown(const std::string& server, const mcp::prompt& p) {
    mcp_prompt_document out{server, p.name, p.title, p.description, {}};
    for (const auto& a : p.arguments) {
        out.arguments.push_back({a.name, a.description, a.required});
    }
    return out;
}

/// The servers are one organization's; others see none.
bool sees(const mcp_hub& hub, const request& r) { return r.who.organization == hub.organization(); }

/// GET of what all servers offer of a kind.
template <class Offer, class Document>
net::route list_route(const mcp_hub& hub, std::string path, std::string operation, std::string summary) {
    net::route out;
    out.verb = verb::get;
    out.path = std::move(path);
    out.operation = operation;
    out.summary = std::move(summary);
    out.tag = "mcp";
    out.permission = "mcp:read";
    out.reply = page_of<Document>(operation.substr(operation.find('_') + 1));
    out.run = [&hub](const request& r, const responder& respond) {
        std::vector<std::string> items;
        for (const auto& [name, desk] : hub.servers()) {
            if (!sees(hub, r)) {
                break;
            }
            for (const auto& offer : desk->template list<Offer>()) {
                items.push_back(to_json(shown(name, offer)));
            }
        }
        respond(response{.body = net::list_body(items, std::nullopt)});
    };
    return out;
}

/// POST that asks a server: `ask` makes a document of the desk, the request and its body. It waits for the server, so
/// not on an io thread.
template <class Body, class Document>
net::route ask_route(const mcp_hub& hub, std::string path, std::string operation, std::string summary,
                     expected<Document> (*ask)(mcp_desk&, const request&, const Body&)) {
    net::route out;
    out.verb = verb::post;
    out.path = "/mcp/servers/{id}/" + std::move(path);
    out.operation = operation;
    out.summary = std::move(summary);
    out.tag = "mcp";
    out.permission = "mcp:execute";
    out.body = net::body_of<Body>(operation);
    out.reply = net::reply_of<Document>(operation + "_answer");
    out.errors = {code::not_found, code::conflict, code::tool_arguments_invalid, code::tool_failed, code::unavailable};
    out.blocks = [] { return true; };
    out.run = [&hub, ask](const request& r, const responder& respond) {
        const auto all = hub.servers();
        const auto found = all.find(r.param("id"));
        if (found == all.end() || !sees(hub, r)) {
            return respond(net::to_response(
                {code::not_found,
                 fmt::format("There is no MCP server \"{}\". See GET /mcp/servers/installed.", r.param("id"))},
                r));
        }
        const auto body = from_json<Body>(r.body, strictness::input);
        const auto done = body ? ask(*found->second, r, *body) : expected<Document>(body.error());
        respond(done ? response{.body = to_json(*done)} : net::to_response(done.error(), r));
    };
    return out;
}

/// One request to the server, its result read.
template <class Result>
expected<Result> ask_server(mcp_desk& desk, std::string_view method, const json::raw& params) {
    const auto result = desk.call(method, params, {});
    return result ? mcp::read_result<Result>(*result) : expected<Result>(result.error());
}

expected<mcp_contents_document> read_resource(mcp_desk& desk, const request&, const mcp_resource_body& body) {
    auto found = ask_server<mcp::resource_contents>(desk, "resources/read", mcp::uri_params(body.uri));
    if (!found) {
        return found.error();
    }
    return mcp_contents_document{std::move(found->contents)};
}

expected<mcp_followed_document> follow(mcp_desk& desk, const request&, const mcp_resource_body& body) {
    auto done = desk.follow(body.uri, {});
    if (!done) {
        return done.error();
    }
    return mcp_followed_document{std::move(*done)};
}

expected<mcp_followed_document> unfollow(mcp_desk& desk, const request&, const mcp_resource_body& body) {
    return mcp_followed_document{desk.unfollow(body.uri, {})};
}

expected<mcp_messages_document> get_prompt(mcp_desk& desk, const request& r, const mcp_prompt_body& body) {
    const auto parsed = json::document::parse(body.arguments.text);
    if (!body.arguments.is_null() && (!parsed || parsed->root().type() != json::kind::object)) {
        return problem{code::tool_arguments_invalid, "The arguments of a prompt have to be an object."};
    }
    auto found =
        ask_server<mcp::prompt_messages>(desk, "prompts/get", mcp::named_params(r.param("name"), body.arguments));
    if (!found) {
        return found.error();
    }
    return mcp_messages_document{std::move(found->description), std::move(found->messages)};
}

expected<mcp_completion_document> complete(mcp_desk& desk, const request&, const mcp_complete_body& body) {
    if (body.prompt.has_value() == body.uri_template.has_value()) {
        return problem{code::invalid_request, "Either prompt or uri_template says whose argument it is."};
    }
    auto found = ask_server<mcp::completion_result>(
        desk, "completion/complete",
        mcp::completion_params(body.prompt ? *body.prompt : *body.uri_template, body.uri_template.has_value(),
                               body.argument, body.value));
    if (!found) {
        return found.error();
    }
    auto& all = found->completion;
    return mcp_completion_document{std::move(all.values), all.total, all.hasMore};
}

net::route cancel_route(mcp_hub& hub) {
    net::route out;
    out.verb = verb::post;
    out.path = "/mcp/calls/{id}/cancel";
    out.operation = "cancel_mcp_call";
    out.summary = "Cancels a call of a tool that was given a name; the server is told.";
    out.tag = "mcp";
    out.permission = "mcp:execute";
    out.success = 204;
    out.errors = {code::not_found};
    out.run = [&hub](const request& r, const responder& respond) {
        respond(sees(hub, r) && hub.calls.cancel(std::string(r.param("id")))
                    ? response{204}
                    : net::to_response({code::not_found, "There is no such call, or not any more."}, r));
    };
    return out;
}

net::route watch_route() {
    net::route out;
    out.verb = verb::get;
    out.path = "/ws/mcp";
    out.operation = "watch_mcp";
    out.summary = "What becomes of the MCP servers and of calls that have a name, as it happens.";
    out.description = "A WebSocket with this subscription; with another `Accept` than an upgrade, "
                      "`text/event-stream`. See schemas/live_protocol.md.";
    out.tag = "live";
    out.permission = "mcp:read";
    out.query = net::stream_parameters();
    out.stream = [](const request&, const std::function<void(expected<net::stream_spec>)>& answer) {
        answer(net::stream_spec{{"mcp"}, ""});
    };
    return out;
}

} // namespace

std::vector<net::route> mcp_offers_routes(mcp_hub& hub) {
    return {
        list_route<mcp::resource, mcp_resource_document>(
            hub, "/mcp/resources", "list_mcp_resources",
            "The resources that the MCP servers list, all on one page. Templates give further ones."),
        list_route<mcp::resource_template, mcp_resource_template_document>(
            hub, "/mcp/resource-templates", "list_mcp_resource_templates",
            "The templates of URIs under which the MCP servers have resources, all on one page."),
        list_route<mcp::prompt, mcp_prompt_document>(hub, "/mcp/prompts", "list_mcp_prompts",
                                                     "The prompts of all MCP servers, all on one page."),
        ask_route(hub, "resources/read", "read_mcp_resource", "What a resource of a server holds.", read_resource),
        ask_route(hub, "resources/follow", "follow_mcp_resource",
                  "Has the server tell when a resource changes, while the node runs: the live channel `mcp` shows it.",
                  follow),
        ask_route(hub, "resources/unfollow", "unfollow_mcp_resource", "Ends that.", unfollow),
        ask_route(hub, "prompts/{name}", "get_mcp_prompt", "A prompt of a server with its arguments filled in.",
                  get_prompt),
        ask_route(hub, "complete", "complete_mcp_argument",
                  "What an argument of a prompt or of a template of resources may become.", complete),
        cancel_route(hub),
        watch_route()};
}

} // namespace troupe::actors
