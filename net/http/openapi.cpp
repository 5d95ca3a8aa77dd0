#include "net/http/openapi.hpp"

#include "net/http/text.hpp"
#include "schemas/base/json.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace troupe::net {

namespace {

using json::object_writer;

constexpr std::string_view problem_schema =
    R"({"type":"object","description":"RFC 9457. Programs branch on `code`; `detail` tells a person what to do.",)"
    R"("properties":{"type":{"type":"string","format":"uri-reference"},"title":{"type":"string"},)"
    R"("status":{"type":"integer"},"detail":{"type":"string"},"code":{"type":"string","enum":[)";
constexpr std::string_view problem_schema_end =
    R"(]},"instance":{"type":"string"},"errors":{"type":"array","items":{"type":"object","properties":{)"
    R"("pointer":{"type":"string","description":"JSON pointer into the body, or the parameter's name."},)"
    R"("message":{"type":"string"}},"required":["pointer","message"]}}},"required":["title","status","code"]})";

/// What any route may give, whatever it declares.
constexpr code always[] = {code::invalid_request,   code::malformed_http, code::overloaded,
                           code::deadline_exceeded, code::internal,       code::unavailable};

std::string join(const std::vector<std::string>& items, char open, char close) {
    std::string out(1, open);
    for (const auto& item : items)
        out += (out.size() > 1 ? "," : "") + item;
    return out + close;
}

template <class Fill>
std::string object(Fill fill) {
    std::string out;
    object_writer writer(out);
    fill(writer);
    writer.end();
    return out;
}

std::string reference(std::string_view section, std::string_view name) {
    return object(
        [&](object_writer& w) { w.field("$ref", "#/components/" + std::string(section) + "/" + std::string(name)); });
}

std::string content(std::string_view type, const std::string& schema) {
    return object([&](object_writer& w) {
        w.raw_field(type, object([&](object_writer& media) { media.raw_field("schema", schema); }));
    });
}

bool is_json(const body_type& b) { return b.content_type.find("json") != std::string::npos; }

std::string schema_of(const body_type& b) {
    return b.schema ? reference("schemas", b.name) : std::string(is_json(b) ? "{}" : R"({"type":"string"})");
}

std::string parameter(std::string_view name, std::string_view in, std::string_view doc, std::string_view schema,
                      bool required) {
    return object([&](object_writer& w) {
        w.field("name", name).field("in", in);
        if (!doc.empty())
            w.field("description", doc);
        w.field("required", required).raw_field("schema", schema);
    });
}

std::vector<std::string> parameter_names(std::string_view path) {
    std::vector<std::string> out;
    for (auto from = path.find('{'); from != std::string_view::npos; from = path.find('{', from + 1))
        out.emplace_back(path.substr(from + 1, path.find('}', from) - from - 1));
    return out;
}

std::string parameters_of(const route& r) {
    std::vector<std::string> out;
    for (const auto& name : parameter_names(r.path)) {
        const bool rest = name == "path" && r.path.ends_with("{path}");
        out.push_back(parameter(name, "path", rest ? "May contain slashes." : "", R"({"type":"string"})", true));
    }
    for (const auto& q : r.query)
        out.push_back(parameter(q.name, "query", q.doc, q.schema, false));
    if (r.stream && std::none_of(r.query.begin(), r.query.end(), [](const auto& q) { return q.name == "since"; }))
        out.push_back(parameter("since", "query", "For streams: the cursor to go on after, or \"start\".",
                                R"({"type":"string"})", false));
    if (r.verb == verb::post)
        out.push_back(reference("parameters", "idempotency_key"));
    else if (r.verb != verb::get)
        out.push_back(reference("parameters", "if_match"));
    return join(out, '[', ']');
}

/// One response per status: the codes behind it are listed in its description.
std::string responses_of(const route& r) {
    std::map<int, std::vector<std::string_view>> failures;
    std::set<code> codes(std::begin(always), std::end(always));
    codes.insert(r.errors.begin(), r.errors.end());
    if (!r.permission.empty())
        codes.insert({code::unauthenticated, code::forbidden});
    if (r.body)
        codes.insert({code::payload_too_large, code::unsupported_media_type, code::malformed_json});
    if (!parameter_names(r.path).empty())
        codes.insert(code::not_found);
    if (r.verb != verb::get && r.verb != verb::post)
        codes.insert(code::precondition_failed);
    for (const auto c : codes)
        failures[explain(c).http_status].push_back(explain(c).name);
    return object([&](object_writer& w) {
        w.raw_field(std::to_string(r.success), object([&](object_writer& ok) {
                        ok.field("description", r.reply ? r.reply->name : "Done.");
                        std::string media;
                        object_writer types(media);
                        if (r.reply)
                            types.raw_field(r.reply->content_type, object([&](object_writer& m) {
                                                m.raw_field("schema", schema_of(*r.reply));
                                            }));
                        if (r.stream)
                            types.raw_field("text/event-stream", object([&](object_writer& m) {
                                                m.raw_field("schema", reference("schemas", "live_event"));
                                            }));
                        types.end();
                        if (r.reply || r.stream)
                            ok.raw_field("content", media);
                    }));
        for (const auto& [status, names] : failures) {
            std::string text = "Problem:";
            for (const auto name : names)
                text += (text.back() == ':' ? " `" : ", `") + std::string(name) + "`";
            w.raw_field(std::to_string(status), object([&](object_writer& failed) {
                            failed.field("description", text)
                                .raw_field("content",
                                           content("application/problem+json", reference("schemas", "problem")));
                        }));
        }
    });
}

std::string operation_of(const route& r) {
    return object([&](object_writer& w) {
        w.field("operationId", r.operation).field("summary", r.summary);
        if (!r.tag.empty())
            w.raw_field("tags", "[" + json::quoted(r.tag) + "]");
        if (r.permission.empty())
            w.raw_field("security", "[]");
        else
            w.field("x-permission", r.permission);
        if (r.rooted)
            w.raw_field("servers", R"([{"url":"/"}])");
        w.raw_field("parameters", parameters_of(r));
        if (r.body)
            w.raw_field("requestBody", object([&](object_writer& body) {
                            body.field("required", true)
                                .raw_field("content", content(r.body->content_type, schema_of(*r.body)));
                        }));
        w.raw_field("responses", responses_of(r));
    });
}

std::string paths_of(std::span<const route> routes) {
    std::map<std::string, std::vector<const route*>> by_path;
    for (const auto& r : routes)
        by_path[r.path].push_back(&r);
    return object([&](object_writer& w) {
        for (const auto& [path, list] : by_path)
            w.raw_field(path, object([&](object_writer& item) {
                            for (const auto* r : list)
                                item.raw_field(lower_case(name_of(r->verb)), operation_of(*r));
                        }));
    });
}

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
            schemas["live_event"] = R"({"type":"string","description":"Server-sent events; `data` is the envelope )"
                                    R"({id, ts, channel, kind, data}. See schemas/live_protocol.md."})";
    }
    return object([&](object_writer& w) {
        for (const auto& [name, schema] : schemas)
            w.raw_field(name, schema);
    });
}

std::string components_of(std::span<const route> routes) {
    return object([&](object_writer& w) {
        w.raw_field("schemas", schemas_of(routes));
        w.raw_field("parameters", object([&](object_writer& p) {
                        p.raw_field("idempotency_key",
                                    parameter("Idempotency-Key", "header",
                                              "Makes a repeat safe: the same key and body give the same answer once.",
                                              R"({"type":"string","minLength":1,"maxLength":255})", false));
                        p.raw_field("if_match", parameter("If-Match", "header",
                                                          "The ETag that this change was made for; 412 when it is old.",
                                                          R"({"type":"string"})", false));
                    }));
        w.raw_field("securitySchemes", R"({"bearer":{"type":"http","scheme":"bearer","description":"An API key."},)"
                                       R"("api_key":{"type":"apiKey","in":"header","name":"X-Api-Key"}})");
    });
}

std::string tags_of(std::span<const route> routes) {
    std::set<std::string> names;
    for (const auto& r : routes)
        if (!r.tag.empty())
            names.insert(r.tag);
    std::vector<std::string> out;
    for (const auto& name : names)
        out.push_back(object([&](object_writer& w) { w.field("name", name); }));
    return join(out, '[', ']');
}

} // namespace

std::string make_openapi(std::span<const route> routes, std::string_view version) {
    return object([&](object_writer& w) {
        w.field("openapi", "3.1.0");
        w.raw_field("info", object([&](object_writer& info) {
                        info.field("title", "Troupe")
                            .field("version", version)
                            .field("summary", "A distributed runtime for AI agents.")
                            .field("description", "Errors are RFC 9457 problems with a stable `code`. Lists are "
                                                  "`{items, next_cursor}`. Every path also answers under `/api`.")
                            .raw_field("license", R"({"name":"Apache-2.0","identifier":"Apache-2.0"})");
                    }));
        w.raw_field("servers", R"([{"url":"/api/v1"}])");
        w.raw_field("security", R"([{"bearer":[]},{"api_key":[]}])");
        w.raw_field("tags", tags_of(routes));
        w.raw_field("paths", paths_of(routes));
        w.raw_field("components", components_of(routes));
    });
}

} // namespace troupe::net
