#include "net/http/docs_page.hpp"

#include "net/http/html.hpp"
#include "net/http/text.hpp"
#include "schemas/base/json.hpp"

#include <array>
#include <optional>
#include <vector>

namespace troupe::net {

namespace {

using json::value;

constexpr std::array verbs{"get", "post", "put", "patch", "delete"};
constexpr int schema_depth_max = 6;

std::string code(std::string_view text) { return "<code>" + escape_html(text) + "</code>"; }

/// JSON with two blanks a level.
std::string pretty(const value& v, std::size_t depth = 0) {
    const std::string pad(2 * (depth + 1), ' ');
    const std::string end = "\n" + std::string(2 * depth, ' ');
    std::string out;
    if (v.type() == json::kind::object && v.size() > 0) {
        v.each_member([&](std::string_view name, value member) {
            out += (out.empty() ? "{\n" : ",\n") + pad + json::quoted(name) + ": " + pretty(member, depth + 1);
        });
        return out + end + "}";
    }
    if (v.type() == json::kind::array && v.size() > 0) {
        v.each_element([&](value item) { out += (out.empty() ? "[\n" : ",\n") + pad + pretty(item, depth + 1); });
        return out + end + "]";
    }
    return v.dump();
}

/// Text as it is, everything else as JSON.
std::string example_text(const value& v) {
    const auto text = v.as_string();
    return text ? std::string(*text) : pretty(v);
}

std::string block(std::string_view label, std::string_view text) {
    return "<pre tabindex=\"0\" role=\"region\" aria-label=\"" + escape_html(label) + "\"><code>" + escape_html(text) +
           "</code></pre>\n";
}

std::string in_single_quotes(std::string_view text) {
    std::string out = "'";
    for (const char c : text)
        out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return out + "'";
}

class page_writer {
public:
    explicit page_writer(const value& root) : root_(root) {}

    std::string write() {
        const auto info = root_.find("info").value_or(root_);
        const auto version = escape_html(info.text_or("version"));
        out_ = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
               "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
               "<meta name=\"color-scheme\" content=\"light dark\">\n<title>Troupe API " +
               version +
               "</title>\n<link rel=\"icon\" href=\"data:,\">\n<link rel=\"stylesheet\" href=\"docs/style.css\">\n"
               "<script src=\"docs/search.js\" defer></script>\n</head>\n<body>\n"
               "<a class=\"skip\" href=\"#main\">Skip to the content</a>\n<header>\n<h1>Troupe API <small>" +
               version +
               "</small></h1>\n<p class=\"links\"><a href=\"openapi.json\">OpenAPI 3.1</a> <a "
               "href=\"asyncapi.json\">AsyncAPI 3.0</a></p>\n<div class=\"search\" role=\"search\"><label "
               "for=\"search\">Search operations</label><input id=\"search\" type=\"search\" autocomplete=\"off\" "
               "placeholder=\"path, word or permission\"><p id=\"found\" role=\"status\"></p></div>\n</header>\n";
        const auto guide = info.text_or("description");
        navigation(guide);
        out_ += "<main id=\"main\" tabindex=\"-1\">\n<section class=\"guide\">\n" + markdown_to_html(guide) +
                "</section>\n";
        each_tag([&](const value& tag) { section(tag); });
        schemas();
        problems();
        out_ += "</main>\n</body>\n</html>\n";
        return std::move(out_);
    }

private:
    value resolved(const value& v) const {
        const auto reference = v.find("$ref");
        const auto target = reference ? root_.pointer(reference->as_string().value_or("#").substr(1)) : std::nullopt;
        return target.value_or(v);
    }

    template <class Visit>
    void each_tag(Visit visit) const {
        if (const auto tags = root_.find("tags"))
            tags->each_element(visit);
    }

    /// visit(verb, path, operation)
    template <class Visit>
    void each_operation(std::string_view tag, Visit visit) const {
        root_.find("paths").value_or(root_).each_member([&](std::string_view path, value item) {
            for (const std::string_view verb : verbs) {
                const auto operation = item.find(verb);
                const auto first = operation ? operation->pointer("/tags/0") : std::nullopt;
                if (first && first->as_string() == tag)
                    visit(verb, path, *operation);
            }
        });
    }

    void navigation(std::string_view guide) {
        out_ += "<nav aria-label=\"Contents\">\n<details open>\n<summary>Contents</summary>\n<h2>Guide</h2>\n<ul>\n";
        for (auto at = guide.find("## "); at != std::string_view::npos; at = guide.find("\n## ", at + 1)) {
            at += guide[at] == '\n' ? 1 : 0;
            const auto title = guide.substr(at + 3, guide.find('\n', at) - at - 3);
            out_ += "<li><a href=\"#" + heading_id(title) + "\">" + escape_html(title) + "</a></li>\n";
        }
        out_ += "</ul>\n";
        each_tag([&](const value& tag) {
            const auto name = tag.text_or("name");
            out_ += "<h2><a href=\"#tag-" + escape_html(name) + "\">" + escape_html(name) + "</a></h2>\n<ul>\n";
            each_operation(name, [&](std::string_view verb, std::string_view, const value& operation) {
                const auto id = escape_html(operation.text_or("operationId"));
                out_ += "<li><a href=\"#op-" + id + "\"><span class=\"verb " + std::string(verb) + "\">" +
                        std::string(verb) + "</span> " + id + "</a></li>\n";
            });
            out_ += "</ul>\n";
        });
        out_ += "<h2><a href=\"#schemas\">Schemas</a></h2>\n<h2><a href=\"#problems\">Problem codes</a></h2>\n"
                "</details>\n</nav>\n";
    }

    void section(const value& tag) {
        const auto name = escape_html(tag.text_or("name"));
        out_ += "<section class=\"tag\" id=\"tag-" + name + "\">\n<h2>" + name + "</h2>\n" +
                markdown_to_html(tag.text_or("description"));
        each_operation(tag.text_or("name"),
                       [&](std::string_view verb, std::string_view path, const value& o) { operation(verb, path, o); });
        out_ += "</section>\n";
    }

    static std::string base_of(const value& operation) {
        const auto own = operation.pointer("/servers/0/url");
        const auto base = std::string(own ? own->as_string().value_or("") : "/api/v1");
        return base == "/" ? "" : base;
    }

    void operation(std::string_view verb, std::string_view path, const value& o) {
        const auto id = escape_html(o.text_or("operationId"));
        const bool deprecated = o.find("deprecated").has_value();
        out_ += "<details class=\"operation\" id=\"op-" + id + "\" data-text=\"" +
                escape_html(lower_case(std::string(verb) + " " + base_of(o) + std::string(path) + " " +
                                       o.text_or("operationId") + " " + o.text_or("summary") + " " +
                                       o.text_or("x-permission"))) +
                "\">\n<summary><span class=\"verb " + std::string(verb) + "\">" + std::string(verb) + "</span> " +
                "<code class=\"path\">" + escape_html(base_of(o) + std::string(path)) +
                "</code> <span class=\"says\">" + escape_html(o.text_or("summary")) + "</span>" +
                (deprecated ? " <strong class=\"deprecated\">deprecated</strong>" : "") + "</summary>\n";
        out_ += "<p class=\"id\">" + code(o.text_or("operationId")) + "</p>\n";
        const auto description = o.text_or("description");
        const auto summary = o.text_or("summary");
        out_ += markdown_to_html(
            std::string_view(description).substr(description.starts_with(summary) ? summary.size() : 0));
        parameters(o);
        request_body(o);
        out_ += "<h4>Example</h4>\n" + block("curl example", curl(verb, path, o));
        responses(o);
        out_ += "</details>\n";
    }

    void parameters(const value& o) {
        const auto list = o.find("parameters");
        if (!list || list->size() == 0)
            return;
        out_ += "<h4>Parameters</h4>\n<dl>\n";
        list->each_element([&](value each) {
            const auto p = resolved(each);
            const auto schema = p.find("schema").value_or(p);
            const auto required = p.find("required");
            out_ += "<dt>" + code(p.text_or("name")) + " <span class=\"type\">" + escape_html(p.text_or("in")) + ", " +
                    type_text(schema) + "</span>" +
                    (required && required->as_bool().value_or(false) ? " <strong>required</strong>" : "") +
                    "</dt>\n<dd>" + markdown_to_html(p.text_or("description")) + bounds(schema) + "</dd>\n";
        });
        out_ += "</dl>\n";
    }

    void request_body(const value& o) {
        const auto content = o.pointer("/requestBody/content");
        if (!content)
            return;
        content->each_member([&](std::string_view type, value media) {
            out_ += "<h4>Body <span class=\"type\">" + escape_html(type) + "</span></h4>\n";
            if (const auto schema = media.find("schema"))
                members(resolved(*schema), 0);
        });
    }

    std::string curl(std::string_view verb, std::string_view path, const value& o) const {
        std::string url(path);
        if (const auto list = o.find("parameters"))
            list->each_element([&](value each) {
                const auto p = resolved(each);
                const auto example = p.find("example");
                const auto name = "{" + p.text_or("name") + "}";
                if (const auto at = url.find(name); at != std::string::npos && example)
                    url.replace(at, name.size(), example_text(*example));
            });
        std::string out = "curl ";
        if (verb != "get")
            out += "-X " +
                   std::string(verb == "delete" ? "DELETE"
                               : verb == "post" ? "POST"
                               : verb == "put"  ? "PUT"
                                                : "PATCH") +
                   " ";
        out += "\"$TROUPE_URL" + base_of(o) + url + "\"";
        if (!o.find("security"))
            out += " \\\n  -H \"Authorization: Bearer $TROUPE_KEY\"";
        if (const auto content = o.pointer("/requestBody/content"))
            content->each_member([&](std::string_view type, value media) {
                const auto example = media.find("example");
                const bool is_text = example && example->as_string();
                out += " \\\n  -H \"Content-Type: " + std::string(type) + "\" \\\n  " +
                       (is_text ? "--data-binary @FILE"
                                : "-d " + in_single_quotes(example ? pretty(*example) : std::string("{}")));
            });
        const auto live = o.pointer("/responses/200/content");
        if (live && live->find("text/event-stream") && live->size() == 1)
            out += " \\\n  -N -H \"Accept: text/event-stream\"";
        return out;
    }

    void responses(const value& o) {
        std::string failures;
        o.find("responses").value_or(o).each_member([&](std::string_view status, value each) {
            const auto r = resolved(each);
            const bool failed = status >= "4";
            if (!failed) {
                out_ += "<h4>Answer <span class=\"status\">" + escape_html(status) + "</span></h4>\n" +
                        markdown_to_html(r.text_or("description"));
                answer(r);
                return;
            }
            failures += "<dt><span class=\"status\">" + escape_html(status) + "</span></dt>\n<dd>" +
                        markdown_to_html(r.text_or("description")) + "</dd>\n";
        });
        out_ += "<h4>Errors</h4>\n<dl class=\"errors\">\n" + failures + "</dl>\n";
    }

    void answer(const value& r) {
        std::string headers;
        if (const auto list = r.find("headers"))
            list->each_member(
                [&](std::string_view name, value) { headers += (headers.empty() ? "" : ", ") + code(name); });
        if (!headers.empty())
            out_ += "<p>Headers: " + headers + "</p>\n";
        const auto content = r.find("content");
        if (!content)
            return;
        content->each_member([&](std::string_view type, value media) {
            const auto schema = media.find("schema");
            const auto reference = schema ? schema->text_or("$ref") : std::string();
            out_ += "<p>" + code(type);
            if (!reference.empty()) {
                const auto name = escape_html(reference.substr(reference.rfind('/') + 1));
                out_ += ": <a href=\"#schema-" + name + "\">" + name + "</a>";
            }
            out_ += "</p>\n";
            if (const auto example = media.find("example"))
                out_ += block("example of the answer", example_text(*example));
        });
    }

    static std::string type_text(const value& schema) {
        const auto type = schema.find("type");
        std::string out;
        if (type && type->type() == json::kind::array)
            type->each_element(
                [&](value t) { out += (out.empty() ? "" : " or ") + std::string(t.as_string().value_or("")); });
        else
            out = schema.text_or("type", "any value");
        if (const auto items = schema.find("items"))
            out += " of " + type_text(*items);
        if (const auto format = schema.text_or("format"); !format.empty())
            out += " (" + format + ")";
        return escape_html(out);
    }

    static std::string bounds(const value& schema) {
        static constexpr std::array<std::array<std::string_view, 2>, 8> names{{{"minLength", "at least % bytes"},
                                                                               {"maxLength", "at most % bytes"},
                                                                               {"minimum", "at least %"},
                                                                               {"maximum", "at most %"},
                                                                               {"minItems", "at least % items"},
                                                                               {"maxItems", "at most % items"},
                                                                               {"maxProperties", "at most % members"},
                                                                               {"default", "% when not given"}}};
        std::string out;
        for (const auto& [name, text] : names)
            if (const auto bound = schema.find(name)) {
                auto said = std::string(text);
                said.replace(said.find('%'), 1, bound->dump());
                out += (out.empty() ? "" : "; ") + escape_html(said);
            }
        if (const auto values = schema.find("enum"); values && values->size() <= 20) {
            std::string list;
            values->each_element([&](value v) { list += (list.empty() ? "" : ", ") + code(example_text(v)); });
            out += (out.empty() ? "" : "; ") + std::string("one of ") + list;
        }
        return out.empty() ? "" : "<p class=\"bounds\">" + out + "</p>";
    }

    void members(const value& schema, int depth) {
        const auto items = schema.find("items");
        if (items && !schema.find("properties") && depth < schema_depth_max)
            return members(resolved(*items), depth + 1);
        const auto properties = schema.find("properties");
        if (!properties) {
            if (depth == 0)
                out_ += "<p class=\"type\">" + type_text(schema) + "</p>\n";
            return;
        }
        std::vector<std::string> required;
        if (const auto list = schema.find("required"))
            list->each_element([&](value v) { required.emplace_back(v.as_string().value_or("")); });
        out_ += "<dl>\n";
        properties->each_member([&](std::string_view name, value each) {
            const auto s = resolved(each);
            bool needed = false;
            for (const auto& r : required)
                needed = needed || r == name;
            out_ += "<dt>" + code(name) + " <span class=\"type\">" + type_text(s) + "</span>" +
                    (needed ? " <strong>required</strong>" : "") + "</dt>\n<dd>" +
                    markdown_to_html(s.text_or("description")) + bounds(s);
            if (depth < schema_depth_max && (s.find("properties") || s.find("items")))
                members(s, depth + 1);
            out_ += "</dd>\n";
        });
        out_ += "</dl>\n";
    }

    void schemas() {
        out_ += "<section id=\"schemas\">\n<h2>Schemas</h2>\n";
        root_.pointer("/components/schemas").value_or(root_).each_member([&](std::string_view name, value schema) {
            out_ += "<details class=\"schema\" id=\"schema-" + escape_html(name) + "\">\n<summary>" + code(name) +
                    "</summary>\n" + markdown_to_html(schema.text_or("description"));
            members(schema, 0);
            out_ += "</details>\n";
        });
        out_ += "</section>\n";
    }

    void problems() {
        out_ += "<section id=\"problems\">\n<h2>Problem codes</h2>\n<dl class=\"errors\">\n";
        root_.pointer("/components/examples").value_or(root_).each_member([&](std::string_view name, value example) {
            const auto status = example.pointer("/value/status");
            out_ += "<dt id=\"problem-" + escape_html(name) + "\">" + code(name) + " <span class=\"status\">" +
                    escape_html(status ? status->dump() : "") + "</span></dt>\n<dd><p>" +
                    escape_html(example.text_or("summary")) + ".</p>" +
                    markdown_to_html(example.text_or("description")) + "</dd>\n";
        });
        out_ += "</dl>\n</section>\n";
    }

    value root_;
    std::string out_;
};

} // namespace

std::string make_docs_page(std::string_view openapi) {
    const auto document = json::document::parse(openapi);
    return document ? page_writer(document->root()).write() : std::string();
}

} // namespace troupe::net
