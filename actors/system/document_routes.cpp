#include "actors/system/system_routes.hpp"
#include "net/http/docs_page.hpp"

#include <string_view>
#include <utility>

namespace troupe::actors {

namespace {

using net::request;
using net::responder;
using net::response;
using net::route;
using net::verb;

net::body_type json_document(std::string name) {
    return {std::move(name), [] { return std::string(R"({"type":"object","additionalProperties":true})"); }, nullptr};
}

net::body_type text_file(std::string name, std::string content_type, std::string example) {
    net::body_type out{std::move(name), [] { return std::string(R"({"type":"string"})"); }, nullptr};
    out.content_type = std::move(content_type);
    out.example = json::quoted(example);
    return out;
}

route document(std::string path, std::string operation, std::string summary, net::body_type reply,
               std::function<response()> make) {
    return {.verb = verb::get,
            .path = std::move(path),
            .operation = std::move(operation),
            .summary = std::move(summary),
            .tag = "system",
            .reply = std::move(reply),
            .run = [make = std::move(make)](const request&, const responder& respond) { respond(make()); }};
}

response asset(std::string_view text, std::string content_type) {
    response out{200, std::string(text), std::move(content_type)};
    out.headers.emplace_back("Content-Security-Policy", net::docs_content_policy);
    return out;
}

} // namespace

std::vector<route> document_routes(const system_parts& parts) {
    const auto openapi = [&parts] { return response{200, parts.documents().openapi}; };
    const auto asyncapi = [&parts] { return response{200, parts.documents().asyncapi}; };
    const auto page = [&parts] { return asset(parts.documents().page, "text/html; charset=utf-8"); };
    const auto style = [] { return asset(net::docs_style, "text/css; charset=utf-8"); };
    const auto script = [] { return asset(net::docs_script, "text/javascript; charset=utf-8"); };
    return {document("/openapi.json", "openapi", "This API as OpenAPI 3.1.", json_document("openapi"), openapi),
            document("/asyncapi.json", "asyncapi", "The live channels as AsyncAPI 3.0.", json_document("asyncapi"),
                     asyncapi),
            document("/docs", "docs", "This API as a page to read.",
                     text_file("docs", "text/html; charset=utf-8", "<!doctype html>"), page),
            document("/docs/style.css", "docs_style", "The style of that page.",
                     text_file("docs_style", "text/css; charset=utf-8", ":root {}"), style),
            document("/docs/search.js", "docs_script", "The script of that page, for its search.",
                     text_file("docs_script", "text/javascript; charset=utf-8", "filter();"), script)};
}

} // namespace troupe::actors
