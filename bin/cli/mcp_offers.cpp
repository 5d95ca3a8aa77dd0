#include "schemas/mcp_offers.hpp"
#include "bin/cli/commands.hpp"
#include "bin/cli/print.hpp"
#include "bin/cli/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// What servers of the Model Context Protocol offer beside tools: resources and prompts.
namespace troupe::cli {
namespace {

template <class Document>
struct page_document {
    std::vector<Document> items;
};
BOOST_DESCRIBE_STRUCT(page_document<mcp_resource_document>, (), (items))
BOOST_DESCRIBE_STRUCT(page_document<mcp_resource_template_document>, (), (items))
BOOST_DESCRIBE_STRUCT(page_document<mcp_prompt_document>, (), (items))

std::string path_of(const context& c, std::string_view end) {
    return "/mcp/servers/" + encode_segment(c.args().operand(0)) + std::string(end);
}

/// Of the server that is named, or of all.
template <class Document>
void keep_wanted(const context& c, std::vector<Document>& items) {
    if (!c.args().operands().empty()) {
        std::erase_if(items, [&](const Document& d) { return d.server != c.args().operand(0); });
    }
}

/// A template stands in the list as a resource does: its braces tell it apart.
expected<int> mcp_resources(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    const auto body = (*node)->get(c.args().has("templates") ? "/mcp/resource-templates" : "/mcp/resources");
    const auto shown = [&]<class Document>(page_document<Document> list) {
        keep_wanted(c, list.items);
        std::vector<std::vector<cell>> rows;
        for (const auto& r : list.items) {
            if constexpr (requires { r.uri; }) {
                rows.push_back({{r.uri, tone::accent}, {r.server}, {r.mime_type.value_or("")}, {r.name, tone::faint}});
            } else {
                rows.push_back(
                    {{r.uri_template, tone::accent}, {r.server}, {r.mime_type.value_or("")}, {r.name, tone::faint}});
            }
        }
        return rows.empty() ? std::string("There is none.\n")
                            : table(c.out_screen(), {{"URI"}, {"SERVER"}, {"TYPE"}, {"WHAT", false, true, 24}}, rows);
    };
    return c.args().has("templates") ? print_document<page_document<mcp_resource_template_document>>(c, body, shown)
                                     : print_document<page_document<mcp_resource_document>>(c, body, shown);
}

/// A text as it is; of everything else what it is.
std::string text_of(const json::value& part) {
    const auto inner = part.find("resource");
    const auto& from = inner ? *inner : part;
    std::string out = from.find("text") ? clean(from.text_or("text"))
                                        : fmt::format("[{} {}]", clean_line(part.text_or("type")),
                                                      clean_line(from.text_or("mimeType")));
    return out + (out.ends_with('\n') ? "" : "\n");
}

expected<int> mcp_read(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    const auto body = (*node)->post(path_of(c, "/resources/read"), to_json(mcp_resource_body{c.args().operand(1)}));
    return print_document<mcp_contents_document>(c, body, [](const auto& found) {
        std::string out;
        if (const auto parsed = json::document::parse(found.contents.text)) {
            parsed->root().each_element([&](json::value part) { out += text_of(part); });
        }
        return out;
    });
}

std::string arguments_of(const mcp_prompt_document& p) {
    std::string out;
    for (const auto& a : p.arguments) {
        out += (out.empty() ? "" : " ") + (a.required ? a.name + "=…" : "[" + a.name + "=…]");
    }
    return out;
}

expected<int> mcp_prompts(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    return print_document<page_document<mcp_prompt_document>>(c, (*node)->get("/mcp/prompts"), [&](auto list) {
        keep_wanted(c, list.items);
        std::vector<std::vector<cell>> rows;
        for (const auto& p : list.items) {
            rows.push_back({{p.name, tone::accent},
                            {p.server},
                            {arguments_of(p)},
                            {p.description.value_or(p.title.value_or("")), tone::faint}});
        }
        return rows.empty()
                   ? std::string("There is no prompt.\n")
                   : table(c.out_screen(), {{"PROMPT"}, {"SERVER"}, {"ARGUMENTS"}, {"WHAT", false, true, 24}}, rows);
    });
}

expected<int> mcp_prompt(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    mcp_prompt_body body;
    body.arguments.text.clear();
    json::object_writer arguments(body.arguments.text);
    for (std::size_t i = 2; i < c.args().operands().size(); ++i) {
        const std::string_view word = c.args().operand(i);
        const auto equals = word.find('=');
        if (equals == word.npos) {
            return c.usage({code::invalid_request, fmt::format("\"{}\" is not NAME=VALUE.", word)});
        }
        arguments.field(word.substr(0, equals), word.substr(equals + 1));
    }
    arguments.end();
    const auto answer = (*node)->post(path_of(c, "/prompts/" + encode_segment(c.args().operand(1))), to_json(body));
    return print_document<mcp_messages_document>(c, answer, [&](const auto& found) {
        std::string out;
        if (const auto parsed = json::document::parse(found.messages.text)) {
            parsed->root().each_element([&](json::value message) {
                out += paint(c.out_screen(), tone::faint, clean_line(message.text_or("role")) + ":") + "\n";
                const auto content = message.find("content");
                out += content ? text_of(*content) : "\n";
            });
        }
        return out;
    });
}

} // namespace

std::vector<command> mcp_offers_commands() {
    return {{"mcp resources",
             "What the MCP servers list to be read.",
             {.flags = {{"templates", "", "The templates of URIs in its place."}},
              .operands = "[SERVER]",
              .operands_max = 1},
             "troupe mcp resources files\ntroupe mcp resources --templates",
             mcp_resources},
            {"mcp read",
             "What a resource of a server holds.",
             {.operands = "SERVER URI", .operands_min = 2, .operands_max = 2},
             "troupe mcp read files file:///notes.md",
             mcp_read},
            {"mcp prompts",
             "The prompts of the MCP servers.",
             {.operands = "[SERVER]", .operands_max = 1},
             "troupe mcp prompts",
             mcp_prompts},
            {"mcp prompt",
             "A prompt of a server with its arguments filled in.",
             {.operands = "SERVER PROMPT [NAME=VALUE]…", .operands_min = 2, .operands_max = any_number},
             "troupe mcp prompt weather report city=Bern",
             mcp_prompt}};
}

} // namespace troupe::cli
