#include "net/http/openapi.hpp"

#include "net/http/api_guide.hpp"
#include "net/http/openapi_parts.hpp"
#include "net/http/schema_example.hpp"
#include "net/http/text.hpp"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

namespace troupe::net {

namespace {

using json::object_writer;

constexpr std::string_view problem_schema =
    R"({"type":"object","description":"RFC 9457. Programs branch on `code`; `detail` tells a person what to do.",)"
    R"("properties":{"type":{"type":"string","format":"uri-reference","description":"A page with cause and remedy."},)"
    R"("title":{"type":"string"},"status":{"type":"integer"},"detail":{"type":"string"},)"
    R"("code":{"type":"string","description":"Stable. New ones may come.","enum":[)";
constexpr std::string_view problem_schema_end =
    R"(]},"instance":{"type":"string","description":"Names the request, as the node's log does."},)"
    R"("errors":{"type":"array","description":"Every place that is wrong.","items":{"type":"object","properties":{)"
    R"("pointer":{"type":"string","description":"JSON pointer into the body, or the parameter's name."},)"
    R"("message":{"type":"string"}},"required":["pointer","message"]}}},)"
    R"("required":["type","title","status","detail","code"]})";

constexpr std::string_view live_event_schema =
    R"({"type":"string","description":"Server-sent events; `data` is the envelope {id, ts, channel, kind, data}. The )"
    R"(events are described in /api/v1/asyncapi.json.","examples":[)"
    R"("id: 8J\nevent: run_started\ndata: {\"id\":\"8J\",\"ts\":\"2026-11-21T07:14:41.000Z\",\"channel\":)"
    R"(\"runs/018f6e2c-7b1a-7c3d-9e4f-5a6b7c8d9e0f\",\"kind\":\"run_started\",\"data\":{}}\n\n"]})";

constexpr std::string_view security_schemes =
    R"({"bearer":{"type":"http","scheme":"bearer","description":"An API key, or the access token of a login, as )"
    R"(`Authorization: Bearer KEY`."},)"
    R"("api_key":{"type":"apiKey","in":"header","name":"X-Api-Key","description":"The same key in a header of its own."},)"
    R"("cookie":{"type":"apiKey","in":"cookie","name":"__Host-troupe-access","description":"For browsers, of a login )"
    R"(with `cookie`. What changes something needs the header `X-CSRF-Token`, too."}})";

struct known_header {
    std::string_view name;
    std::string_view doc;
    std::string_view schema;
    std::string_view example;
};
constexpr std::string_view text_schema = R"({"type":"string"})";
constexpr known_header known_headers[] = {
    {"ETag", "The version; send it back as `If-Match` or `If-None-Match`.", text_schema, R"("\"3\"")"},
    {"Location", "Where the new one is, or where to go on.", R"({"type":"string","format":"uri-reference"})",
     R"("/api/v1/tasks/018f6e2c-7b1a-7c3d-9e4f-5a6b7c8d9e0f")"},
    {"Idempotent-Replayed", "`true`: the answer of an earlier request with the same `Idempotency-Key`.",
     R"({"type":"string","enum":["true"]})", R"("true")"},
    {"X-Request-Id", "The request, as logs name it: the client's own, or a new one.", text_schema,
     R"("4bf92f3577b34da6a3ce929d0e0e4736")"},
    {"traceparent", "The request's place in its trace (W3C Trace Context).", text_schema,
     R"("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")"},
    {"Set-Cookie", "The tokens, for who logs in with `cookie`; empty ones when they are over.", text_schema,
     R"("__Host-troupe-access=TOKEN; Path=/; Max-Age=900; HttpOnly; Secure; SameSite=Strict")"},
    {"Retry-After", "Seconds to wait before the next try.", R"({"type":"integer","minimum":0})", "1"},
    {"WWW-Authenticate", "How to prove who asks.", text_schema, R"("Bearer")"},
    {"Mcp-Session-Id", "Of an answer to `initialize`: goes with all that follows.", text_schema,
     R"("Yb0wVxVqVZ8mXyq3l2yq1o8m3H7h0p4cVn1tq6s9w2A")"},
    {"Accept-Ranges", "Ranges are counted in bytes.", text_schema, R"("bytes")"},
    {"Content-Range", "Which bytes, and of how many.", text_schema, R"("bytes 0-99/1234")"},
    {"Deprecation", "Since when the operation is deprecated (RFC 9745).", text_schema, R"("@1795219200")"},
    {"Sunset", "When the operation goes (RFC 8594).", text_schema, R"("Fri, 21 May 2027 00:00:00 GMT")"},
};

std::string schemas_of(std::span<const route> routes) {
    std::map<std::string, std::string> schemas;
    std::string codes;
    for (const auto& info : all_codes())
        codes += (codes.empty() ? "" : ",") + json::quoted(info.name);
    schemas["problem"] = std::string(problem_schema) + codes + std::string(problem_schema_end);
    for (const auto& r : routes) {
        for (const auto* b : {r.body ? &*r.body : nullptr, r.reply ? &*r.reply : nullptr})
            if (b != nullptr && b->schema)
                schemas.try_emplace(b->name, b->schema());
        if (r.stream)
            schemas["live_event"] = live_event_schema;
    }
    return json_object([&](object_writer& w) {
        for (const auto& [name, schema] : schemas)
            w.raw_field(name, schema);
    });
}

std::string header_parameter(std::string_view name, std::string_view doc, std::string_view schema,
                             std::string_view example) {
    return json_object([&](object_writer& w) {
        w.field("name", name).field("in", "header").field("description", doc).field("required", false);
        w.raw_field("schema", schema).raw_field("example", example);
    });
}

/// Parameters that operations share, as far as one refers to them.
std::string parameters_of(std::span<const route> routes) {
    const auto any = [&](auto wants) { return std::any_of(routes.begin(), routes.end(), wants); };
    return json_object([&](object_writer& w) {
        if (any(takes_organization))
            w.raw_field("organization",
                        header_parameter("X-Organization",
                                         "Id or slug of the organization that the request is about; without it that of "
                                         "the key or the login.",
                                         text_schema, R"("acme")"));
        if (any(takes_idempotency_key))
            w.raw_field("idempotency_key",
                        header_parameter("Idempotency-Key",
                                         "Makes a repeat safe: the same key and body are done once, and get the same "
                                         "answer.",
                                         R"({"type":"string","minLength":1,"maxLength":255})",
                                         R"("6a1f0c9e-0d2b-4b57-9a39-0f6d6f8f5d11")"));
        if (any(takes_if_match))
            w.raw_field("if_match",
                        header_parameter("If-Match", "The ETag that this change was made for; 412 when it is old.",
                                         text_schema, R"("\"3\"")"));
        if (any([](const route& r) { return r.verb == verb::get && gives(r, "ETag"); }))
            w.raw_field("if_none_match", header_parameter("If-None-Match",
                                                          "The ETag that is known already; 304 when it is still the "
                                                          "one.",
                                                          text_schema, R"("\"2\"")"));
        if (any([](const route& r) { return r.ranges; }))
            w.raw_field("range", header_parameter("Range", "One range of bytes.", text_schema, R"("bytes=0-99")"));
        if (any([](const route& r) { return bool(r.stream); }))
            w.raw_field("last_event_id",
                        header_parameter("Last-Event-ID", "For streams: the `id` of the last event; wins over `since`.",
                                         text_schema, R"("8J")"));
    });
}

std::string examples_of(const std::set<code>& codes) {
    return json_object([&](object_writer& w) {
        for (const auto c : codes) {
            problem p{c, std::string(explain(c).cause)};
            if (c == code::invalid_request)
                p = {c, "/title: must not be empty", {{"/title", "must not be empty"}}};
            w.raw_field(explain(c).name, json_object([&](object_writer& example) {
                            example.field("summary", explain(c).title)
                                .field("description", explain(c).remedy)
                                .raw_field("value", to_problem_json(p, "urn:troupe:request:4bf92f3577b34da6"));
                        }));
        }
    });
}

std::string headers_of(std::string_view document) {
    return json_object([&](object_writer& w) {
        for (const auto& h : known_headers)
            if (document.find("#/components/headers/" + std::string(h.name) + "\"") != std::string_view::npos)
                w.raw_field(
                    h.name, json_object([&](object_writer& one) {
                        one.field("description", h.doc).raw_field("schema", h.schema).raw_field("example", h.example);
                    }));
    });
}

std::string responses_of(std::span<const route> routes, const std::map<std::string, std::string>& refusals) {
    const auto any = [&](auto wants) { return std::any_of(routes.begin(), routes.end(), wants); };
    return json_object([&](object_writer& w) {
        for (const auto& [name, response] : refusals)
            w.raw_field(name, response);
        if (any([](const route& r) { return r.verb == verb::get && gives(r, "ETag"); }))
            w.raw_field("not_modified", R"({"description":"It is still the one that the client knows.",)"
                                        R"("headers":{"ETag":{"$ref":"#/components/headers/ETag"}}})");
        if (any([](const route& r) { return r.ranges; }))
            w.raw_field("range_not_satisfiable",
                        R"({"description":"Nothing of the content is in that range.","headers":{"Content-Range":)"
                        R"({"$ref":"#/components/headers/Content-Range"}},"content":{"application/problem+json":)"
                        R"({"schema":{"$ref":"#/components/schemas/problem"},"examples":{"invalid_request":)"
                        R"({"$ref":"#/components/examples/invalid_request"}}}}})");
    });
}

std::string tags_of(std::span<const route> routes, const api_info& info) {
    std::set<std::string> names;
    for (const auto& r : routes)
        names.insert(r.tag.empty() ? "other" : r.tag);
    std::vector<std::string> out;
    for (const auto& name : names) {
        const auto said = info.tags.find(name);
        out.push_back(json_object([&](object_writer& w) {
            w.field("name", name)
                .field("description", said == info.tags.end() ? "Operations on " + name + "." : said->second);
        }));
    }
    return json_list(out);
}

std::string info_of(const api_info& info) {
    return json_object([&](object_writer& w) {
        w.field("title", "Troupe")
            .field("version", info.version)
            .field("summary", "A distributed runtime for AI agents.")
            .field("description", api_guide)
            .raw_field("contact", R"({"name":"Troupe"})")
            .raw_field("license", R"({"name":"Apache-2.0","identifier":"Apache-2.0"})");
    });
}

std::string paths_of(std::span<const route> routes, operation_writer& operations) {
    std::map<std::string, std::vector<const route*>> by_path;
    for (const auto& r : routes)
        by_path[r.path].push_back(&r);
    return json_object([&](object_writer& w) {
        for (const auto& [path, list] : by_path)
            w.raw_field(path, json_object([&](object_writer& item) {
                            for (const auto* r : list)
                                item.raw_field(lower_case(name_of(r->verb)), operations.write(*r));
                        }));
    });
}

example_book examples_in(std::span<const route> routes) {
    example_book book;
    for (const auto& r : routes)
        if (r.body && r.body->schema)
            book.learn(r.body->schema());
    for (const auto& r : routes)
        if (r.reply && r.reply->schema)
            book.learn(r.reply->schema());
    return book;
}

} // namespace

std::string make_openapi(std::span<const route> routes, const api_info& info) {
    const auto book = examples_in(routes);
    operation_writer operations(book);
    const auto paths = paths_of(routes, operations);
    const auto responses = responses_of(routes, operations.responses);
    return json_object([&](object_writer& w) {
        w.field("openapi", "3.1.0");
        w.raw_field("info", info_of(info));
        w.raw_field("servers", R"([{"url":"/api/v1","description":"This node."}])");
        w.raw_field("security", R"([{"bearer":[]},{"api_key":[]},{"cookie":[]}])");
        w.raw_field("tags", tags_of(routes, info));
        w.raw_field("paths", paths);
        w.raw_field("components", json_object([&](object_writer& c) {
                        c.raw_field("schemas", schemas_of(routes)).raw_field("responses", responses);
                        c.raw_field("parameters", parameters_of(routes));
                        c.raw_field("examples", examples_of(operations.codes));
                        c.raw_field("headers", headers_of(paths + responses));
                        c.raw_field("securitySchemes", security_schemes);
                    }));
    });
}

} // namespace troupe::net
