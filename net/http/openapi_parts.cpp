#include "net/http/openapi_parts.hpp"

#include <algorithm>
#include <iterator>
#include <optional>

namespace troupe::net {

namespace {

/// What any route may give, whatever it declares.
constexpr code always[] = {code::invalid_request, code::malformed_http, code::overloaded,  code::deadline_exceeded,
                           code::internal,        code::unavailable,    code::rate_limited};

bool is_json(const body_type& b) { return b.content_type.find("json") != std::string::npos; }

std::string header_references(const std::vector<std::string>& names) {
    return json_object([&](json::object_writer& w) {
        for (const auto& name : names)
            w.raw_field(name, component("headers", name));
    });
}

std::vector<std::string> headers_of_all(const route& r) {
    std::vector<std::string> out{"X-Request-Id", "traceparent"};
    if (!r.deprecated_since.empty())
        out.emplace_back("Deprecation");
    if (!r.sunset.empty())
        out.emplace_back("Sunset");
    return out;
}

std::string description_of(const route& r) {
    std::string out = r.description.empty() ? r.summary : r.description;
    out += r.permission.empty() ? "\n\nOpen to everyone." : "\n\nNeeds the permission `" + r.permission + "`.";
    if (r.stream && !r.streams)
        out += r.run ? " With `Accept: text/event-stream` the events come as they happen."
                     : " The answer is a live stream that does not end.";
    if (!r.deprecated_since.empty())
        out +=
            "\n\nDeprecated since " + r.deprecated_since + (r.sunset.empty() ? "." : ", and gone on " + r.sunset + ".");
    return out;
}

std::string success_text(const route& r) {
    switch (r.success) {
    case 201:
        return "It was made.";
    case 204:
        return "It is done; there is nothing to show.";
    case 302:
        return "`Location` says where to go on.";
    default:
        return "It is done, or here it is.";
    }
}

/// What is refused in an organization that is suspended.
bool changes_organization(const route& r) {
    return !r.permission.empty() && !r.permission.ends_with(":read") && !r.permission.starts_with("self:");
}

bool has_required(const body_type& b) {
    const auto parsed = b.schema ? json::document::parse(b.schema()) : expected<json::document>(problem{});
    const auto required = parsed ? parsed->root().find("required") : std::nullopt;
    return required && required->size() > 0;
}

} // namespace

std::string json_list(const std::vector<std::string>& items) {
    std::string out = "[";
    for (const auto& item : items)
        out += (out.size() > 1 ? "," : "") + item;
    return out + "]";
}

std::string component(std::string_view section, std::string_view name) {
    return json_object([&](json::object_writer& w) {
        w.field("$ref", "#/components/" + std::string(section) + "/" + std::string(name));
    });
}

std::vector<std::string> parameter_names(std::string_view path) {
    std::vector<std::string> out;
    for (auto from = path.find('{'); from != std::string_view::npos; from = path.find('{', from + 1))
        out.emplace_back(path.substr(from + 1, path.find('}', from) - from - 1));
    return out;
}

bool gives(const route& r, std::string_view header) {
    return std::ranges::find(r.reply_headers, header) != r.reply_headers.end();
}

bool takes_if_match(const route& r) { return r.verb != verb::get && gives(r, "ETag") && !gives(r, "Location"); }

bool takes_organization(const route& r) { return !r.permission.empty() && !r.path.starts_with("/organizations/"); }

bool takes_idempotency_key(const route& r) {
    return r.verb == verb::post || (r.verb != verb::get && gives(r, "Idempotent-Replayed"));
}

std::set<code> problems_of(const route& r) {
    std::set<code> out(std::begin(always), std::end(always));
    out.insert(r.errors.begin(), r.errors.end());
    if (!r.permission.empty())
        out.insert({code::unauthenticated, code::forbidden, code::not_found}); // 404: no such organization
    if (changes_organization(r))
        out.insert(code::organization_suspended);
    if (r.body)
        out.insert({code::payload_too_large});
    if (r.body && is_json(*r.body))
        out.insert({code::unsupported_media_type, code::malformed_json});
    if (!parameter_names(r.path).empty())
        out.insert(code::not_found);
    if (takes_if_match(r))
        out.insert(code::precondition_failed);
    if (takes_idempotency_key(r))
        out.insert(code::idempotency_mismatch);
    if (r.verb != verb::get)
        out.insert(code::storage_full);
    return out;
}

std::string operation_writer::write(const route& r) {
    return json_object([&](json::object_writer& w) {
        w.field("operationId", r.operation).field("summary", r.summary).field("description", description_of(r));
        w.raw_field("tags", "[" + json::quoted(r.tag.empty() ? "other" : r.tag) + "]");
        if (!r.deprecated_since.empty())
            w.field("deprecated", true).field("x-deprecated-since", r.deprecated_since);
        if (!r.sunset.empty())
            w.field("x-sunset", r.sunset);
        if (r.permission.empty())
            w.raw_field("security", "[]");
        else
            w.field("x-permission", r.permission);
        if (r.rooted)
            w.raw_field("servers", R"([{"url":"/","description":"The node itself, without the base path."}])");
        w.raw_field("parameters", parameters(r));
        if (r.body)
            w.raw_field("requestBody", request_body(*r.body));
        w.raw_field("responses", all_responses(r));
    });
}

std::string operation_writer::parameter(const query_parameter& p, std::string_view in, bool required) const {
    return json_object([&](json::object_writer& w) {
        w.field("name", p.name).field("in", in).field("required", required);
        if (!p.doc.empty())
            w.field("description", p.doc);
        w.raw_field("schema", p.schema);
        const auto schema = R"({"type":"object","required":[)" + json::quoted(p.name) + R"(],"properties":{)" +
                            json::quoted(p.name) + ":" + p.schema + "}}";
        const auto made = json::document::parse(book_.of_request(schema));
        const auto example = made ? made->root().find(p.name) : std::nullopt;
        if (!p.example.empty())
            w.raw_field("example", p.example);
        else if (example)
            w.raw_field("example", example->dump());
    });
}

std::string operation_writer::parameters(const route& r) const {
    std::vector<std::string> out;
    for (const auto& name : parameter_names(r.path)) {
        const auto said = std::ranges::find(r.in_path, name, &query_parameter::name);
        const bool rest = name == "path" && r.path.ends_with("{path}");
        query_parameter p{.name = name, .doc = "Which one."};
        if (said != r.in_path.end()) {
            p = *said;
        } else if (rest) {
            p.doc = "A relative path. It may contain slashes, as they are or as %2F.";
            p.example = R"("src/main.cpp")";
        } else if (name == "id") {
            p.doc = "Its id.";
            p.example = R"("018f6e2c-7b1a-7c3d-9e4f-5a6b7c8d9e0f")";
        }
        out.push_back(parameter(p, "path", true));
    }
    for (const auto& q : r.query)
        if (q.name != "*") // any other one
            out.push_back(parameter(q, "query", false));
    if (r.stream && std::none_of(r.query.begin(), r.query.end(), [](const auto& q) { return q.name == "since"; }))
        out.push_back(parameter({"since", "For streams: the cursor to go on after, or \"start\"."}, "query", false));
    if (takes_organization(r))
        out.push_back(component("parameters", "organization"));
    if (takes_idempotency_key(r))
        out.push_back(component("parameters", "idempotency_key"));
    if (takes_if_match(r))
        out.push_back(component("parameters", "if_match"));
    if (r.verb == verb::get && gives(r, "ETag"))
        out.push_back(component("parameters", "if_none_match"));
    if (r.ranges)
        out.push_back(component("parameters", "range"));
    if (r.stream && !r.streams)
        out.push_back(component("parameters", "last_event_id"));
    return json_list(out);
}

std::string operation_writer::request_body(const body_type& b) const {
    return json_object([&](json::object_writer& w) {
        w.field("description", "At most " + std::to_string(b.bytes_max) + " bytes.");
        w.field("required", has_required(b));
        w.raw_field("content",
                    json_object([&](json::object_writer& types) { types.raw_field(b.content_type, media(b, false)); }));
    });
}

std::string operation_writer::media(const body_type& b, bool reply) const {
    const auto schema = b.schema ? b.schema() : std::string(is_json(b) ? "{}" : R"({"type":"string"})");
    return json_object([&](json::object_writer& w) {
        w.raw_field("schema", b.schema ? component("schemas", b.name) : schema);
        const auto example = !b.example.empty() ? b.example : reply ? book_.of_reply(schema) : book_.of_request(schema);
        w.raw_field("example", example);
    });
}

std::string operation_writer::success(const route& r) const {
    return json_object([&](json::object_writer& w) {
        w.field("description", success_text(r));
        auto headers = r.reply_headers;
        if (r.ranges)
            headers.emplace_back("Accept-Ranges");
        for (const auto& each : headers_of_all(r))
            headers.push_back(each);
        w.raw_field("headers", header_references(headers));
        if (!r.reply && !r.stream)
            return;
        w.raw_field("content", json_object([&](json::object_writer& types) {
                        if (r.reply) {
                            types.raw_field(r.reply->content_type, media(*r.reply, true));
                            // A document as a table has no schema of its own.
                            for (const auto& other : r.reply->other_types)
                                types.raw_field(
                                    other,
                                    r.reply->content_type == "application/json"
                                        ? R"({"schema":{"type":"string"},"example":"name,amount\r\nAcme,1.00\r\n"})"
                                        : media(*r.reply, true));
                        }
                        if (r.stream && r.streams) // of another protocol
                            types.raw_field("text/event-stream", R"({"schema":{"type":"string"}})");
                        else if (r.stream)
                            types.raw_field("text/event-stream", R"({"schema":{"$ref":"#/components/schemas/)"
                                                                 R"(live_event"}})");
                    }));
    });
}

std::string operation_writer::refusal(int status, const std::vector<code>& why) {
    std::string name;
    for (const auto c : why)
        name += (name.empty() ? "" : ".") + std::string(explain(c).name);
    codes.insert(why.begin(), why.end());
    if (responses.contains(name))
        return name;
    responses[name] = json_object([&](json::object_writer& w) {
        std::string text;
        for (const auto c : why)
            text += (text.empty() ? "" : "\n") + std::string("- `") + std::string(explain(c).name) +
                    "`: " + std::string(explain(c).cause);
        w.field("description", text);
        std::vector<std::string> headers{"X-Request-Id", "traceparent"};
        if (status == 503 || status == 429)
            headers.emplace_back("Retry-After");
        if (status == 401)
            headers.emplace_back("WWW-Authenticate");
        w.raw_field("headers", header_references(headers));
        const auto examples = json_object([&](json::object_writer& all) {
            for (const auto c : why)
                all.raw_field(explain(c).name, component("examples", explain(c).name));
        });
        w.raw_field("content", R"({"application/problem+json":{"schema":{"$ref":"#/components/schemas/problem"},)"
                               R"("examples":)" +
                                   examples + "}}");
    });
    return name;
}

std::string operation_writer::all_responses(const route& r) {
    std::map<int, std::vector<code>> failures;
    for (const auto c : problems_of(r))
        failures[explain(c).http_status].push_back(c);
    return json_object([&](json::object_writer& w) {
        w.raw_field(std::to_string(r.success), success(r));
        if (r.ranges) {
            w.raw_field("206", json_object([&](json::object_writer& part) {
                            part.field("description", "The range that was asked for.")
                                .raw_field("headers", header_references({"ETag", "Accept-Ranges", "Content-Range"}));
                            part.raw_field("content", json_object([&](json::object_writer& types) {
                                               types.raw_field(r.reply->content_type, media(*r.reply, true));
                                               for (const auto& other : r.reply->other_types)
                                                   types.raw_field(other, media(*r.reply, true));
                                           }));
                        }));
            w.raw_field("416", component("responses", "range_not_satisfiable"));
        }
        if (r.verb == verb::get && gives(r, "ETag"))
            w.raw_field("304", component("responses", "not_modified"));
        for (const auto& [status, why] : failures)
            w.raw_field(std::to_string(status), component("responses", refusal(status, why)));
    });
}

} // namespace troupe::net
