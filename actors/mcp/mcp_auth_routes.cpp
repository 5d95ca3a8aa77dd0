#include "actors/mcp/mcp_auth_routes.hpp"

#include "net/http/handlers.hpp"
#include "net/http/html.hpp"

#include <fmt/format.h>

#include <functional>
#include <string>
#include <utility>

namespace troupe::actors {
namespace {

using net::request;
using net::responder;
using net::response;
using net::verb;

/// Authorization servers take their time: not on an io thread.
bool always() { return true; }

response page(int status, std::string_view title, std::string_view text) {
    response out{status};
    out.content_type = "text/html; charset=utf-8";
    out.headers = {{"Cache-Control", "no-store"},
                   {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
                   {"Referrer-Policy", "no-referrer"}}; // the code stands in the address
    out.body = fmt::format("<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{0}</title><h1>{0}</h1>"
                           "<p>{1}</p></html>",
                           net::escape_html(title), net::escape_html(text));
    return out;
}

net::route about(const mcp_token_table& tokens, const uuid& organization, verb v, std::string operation,
                 std::string summary, std::function<expected<void>(mcp_tokens&)> act) {
    net::route out;
    out.verb = v;
    out.path = "/mcp/servers/{id}/auth";
    out.operation = std::move(operation);
    out.summary = std::move(summary);
    out.tag = "mcp";
    out.permission = "system:admin";
    out.reply = net::reply_of<mcp_auth_document>("mcp_auth");
    out.errors = {code::not_found, code::unavailable, code::conflict, code::forbidden};
    out.blocks = always;
    out.run = [&tokens, organization, act = std::move(act)](const request& r, const responder& respond) {
        const auto found = tokens.find(r.param("id"));
        if (found == tokens.end() || r.who.organization != organization) {
            return respond(net::to_response(
                {code::not_found,
                 fmt::format("There is no MCP server \"{}\" that is reached over HTTP.", r.param("id"))},
                r));
        }
        const auto done = act(*found->second);
        respond(done ? response{.body = to_json(found->second->document())} : net::to_response(done.error(), r));
    };
    return out;
}

/// Whoever comes proves by `state` that it is the one who was sent: nobody else knows it.
void come_back(const mcp_token_table& tokens, const request& r, const responder& respond) {
    const auto state = std::string(r.query_value("state").value_or(""));
    for (const auto& [name, each] : tokens) {
        if (!each->waits_for(state)) {
            continue;
        }
        const auto done = each->finish(
            net::form_of(std::vector<std::pair<std::string, std::string>>(r.query.begin(), r.query.end())));
        return respond(done ? page(200, "Authorized",
                                   fmt::format("The MCP server {} can be used now. You may close "
                                               "this page.",
                                               name))
                            : page(400, "Not authorized", done.error().detail));
    }
    respond(page(400, "Not authorized", "No authorization waits for this page, or it took too long. Begin it again."));
}

net::route callback(const mcp_token_table& tokens) {
    const auto text = [](int bytes) { return fmt::format(R"({{"type":"string","maxLength":{}}})", bytes); };
    net::route out;
    out.verb = verb::get;
    out.path = "/mcp/oauth/callback";
    out.operation = "finish_mcp_authorization";
    out.summary = "Where an MCP server's authorization server sends the browser back: a page for the person.";
    out.tag = "mcp";
    out.query = {{"code", "What the authorization server gives for a token.", text(8192)},
                 {"state", "As the authorization began.", text(256)},
                 {"iss", "The authorization server, as it names itself (RFC 9207).", text(2048)},
                 {"error", "Why it gives no code.", text(256)},
                 {"*", "Authorization servers add others of their own."}};
    out.blocks = always;
    out.run = [&tokens](const request& r, const responder& respond) { come_back(tokens, r, respond); };
    return out;
}

} // namespace

std::vector<net::route> mcp_auth_routes(const mcp_token_table& tokens, const uuid& organization) {
    return {about(tokens, organization, verb::get, "get_mcp_auth",
                  "Whether a server has authorized the node, and else which URL to open.",
                  [](mcp_tokens&) { return expected<void>(); }),
            about(tokens, organization, verb::post, "begin_mcp_auth",
                  "Begins an authorization at a server: gives the URL to open.",
                  [](mcp_tokens& t) {
                      const auto begun = t.begin();
                      return begun ? expected<void>() : expected<void>(begun.error());
                  }),
            about(tokens, organization, verb::del, "forget_mcp_auth", "Forgets a server's tokens and client.",
                  [](mcp_tokens& t) { return t.forget(); }),
            callback(tokens)};
}

} // namespace troupe::actors
