#include "schemas/mcp.hpp"
#include "bin/cli/commands.hpp"
#include "bin/cli/mcp_progress.hpp"
#include "bin/cli/print.hpp"
#include "bin/cli/text.hpp"
#include "schemas/mcp_auth.hpp"
#include "schemas/mcp_usage.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <vector>

/// Servers of the Model Context Protocol that the node is connected to.
namespace troupe::cli {
namespace {

struct server_list_document {
    std::vector<mcp_server_document> items;
};
BOOST_DESCRIBE_STRUCT(server_list_document, (), (items))

struct tool_list_document {
    std::vector<mcp_tool_document> items;
};
BOOST_DESCRIBE_STRUCT(tool_list_document, (), (items))

struct usage_list_document {
    std::vector<mcp_usage_document> items;
};
BOOST_DESCRIBE_STRUCT(usage_list_document, (), (items))

constexpr std::string_view none_words = "There is no server. See mcp.servers in the configuration.\n";

std::string path_of(const context& c, std::string_view end) {
    return "/mcp/servers/" + encode_segment(c.args().operand(0)) + std::string(end);
}

cell status_of(const mcp_health_document& h) {
    const std::string name(detail::enum_name(h.status));
    const auto how = h.status == mcp_status::healthy    ? tone::good
                     : h.status == mcp_status::error    ? tone::bad
                     : h.status == mcp_status::starting ? tone::plain
                                                        : tone::warn;
    return {h.error ? name + " (" + *h.error + ")" : name, how};
}

std::string shown(const screen& s, const std::vector<mcp_server_document>& servers) {
    std::vector<std::vector<cell>> rows;
    for (const auto& one : servers) {
        const auto& h = one.health;
        rows.push_back({{one.id, tone::accent},
                        status_of(h),
                        {one.protocol_version.value_or("")},
                        {std::to_string(one.tools)},
                        {h.latency_ms ? duration_text(*h.latency_ms) : ""},
                        {std::to_string(h.restarts)},
                        {one.server_name.value_or("") + " " + one.server_version.value_or(""), tone::faint}});
    }
    return table(s,
                 {{"SERVER"},
                  {"STATUS", false, true, 12},
                  {"PROTOCOL"},
                  {"TOOLS", true},
                  {"LATENCY", true},
                  {"RESTARTS", true},
                  {"WHAT", false, true}},
                 rows);
}

expected<int> mcp_list(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    return print_document<server_list_document>(c, (*node)->get("/mcp/servers/installed"), [&](const auto& list) {
        return list.items.empty() ? std::string(none_words) : shown(c.out_screen(), list.items);
    });
}

/// Prints what to open, and waits until somebody did.
expected<int> mcp_auth(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    const auto path = path_of(c, "/auth");
    if (c.args().has("forget")) {
        return print_done(c, (*node)->remove(path), "Its tokens are forgotten.");
    }
    auto begun = (*node)->post(path, "");
    if (!begun) {
        return begun.error();
    }
    auto now = from_json<mcp_auth_document>(*begun, strictness::stored);
    if (!now || !now->url) {
        return now ? problem{code::conflict, "The server asks for no authorization."} : now.error();
    }
    c.print(fmt::format("Open this in a browser:\n\n  {}\n\n", *now->url));
    if (c.args().has("detach")) {
        return 0;
    }
    c.note("It waits until somebody did. Ctrl-C ends the waiting only.");
    for (int unclear = 0; now->status != mcp_auth_status::authorized;) {
        std::this_thread::sleep_for(std::chrono::seconds(1));
        const auto shown = (*node)->get(path);
        now = shown ? from_json<mcp_auth_document>(*shown, strictness::stored)
                    : expected<mcp_auth_document>(shown.error());
        if (!now) {
            return now.error();
        }
        unclear += now->url || now->status == mcp_auth_status::authorized ? 0 : 1; // the code is changed for a token
        if (now->error || unclear > 20) {
            return problem{code::unauthenticated, now->error.value_or("The authorization took too long.")};
        }
    }
    c.print(fmt::format("The node is authorized at {}.\n", clean_line(now->issuer.value_or("the server"))));
    return 0;
}

expected<int> mcp_tools(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    return print_document<tool_list_document>(c, (*node)->get("/mcp/tools"), [&](auto list) {
        const auto wanted = c.args().operands().empty() ? std::string() : c.args().operand(0);
        std::vector<std::vector<cell>> rows;
        for (const auto& t : list.items) {
            if (wanted.empty() || t.server == wanted) {
                rows.push_back({{t.id, tone::accent},
                                {t.server},
                                {t.changed ? "changed" : "", tone::warn},
                                {t.description, tone::faint}});
            }
        }
        return rows.empty() ? std::string("There is no tool.\n")
                            : table(c.out_screen(), {{"TOOL"}, {"SERVER"}, {""}, {"WHAT", false, true, 24}}, rows);
    });
}

expected<int> mcp_usage(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    const auto path = with_query("/mcp/usage", {{"by", c.args().value_or("by", "")},
                                                {"from", c.args().value_or("from", "")},
                                                {"to", c.args().value_or("to", "")}});
    return print_document<usage_list_document>(c, (*node)->get(path), [&](auto list) {
        std::vector<std::vector<cell>> rows;
        for (const auto& u : list.items) {
            const auto name = u.tool       ? *u.tool
                              : u.agent_id ? to_string(*u.agent_id)
                              : u.day      ? *u.day
                                           : std::string("no agent");
            rows.push_back({{name, tone::accent},
                            {std::to_string(u.calls)},
                            {std::to_string(u.errors), u.errors > 0 ? tone::warn : tone::faint},
                            {std::to_string(u.failures), u.failures > 0 ? tone::warn : tone::faint},
                            {fmt::format("{} ms", u.p50_ms)},
                            {fmt::format("{} ms", u.p95_ms)},
                            {fmt::format("{} ms", u.p99_ms)},
                            {bytes_text(u.bytes)}});
        }
        return rows.empty() ? std::string("No tool of a server was called.\n")
                            : table(c.out_screen(),
                                    {{"WHAT"},
                                     {"CALLS", true},
                                     {"ERRORS", true},
                                     {"FAILED", true},
                                     {"P50", true},
                                     {"P95", true},
                                     {"P99", true},
                                     {"ANSWERS", true}},
                                    rows);
    });
}

expected<int> mcp_accept(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    const auto path = "/mcp/tools/" + encode_segment(c.args().operand(0)) + "/accept";
    return print_document<mcp_tool_document>(c, (*node)->post(path, ""), [](const auto& t) {
        return fmt::format("{} is accepted as it is now: {}\n", clean_line(t.id), clean_line(t.description));
    });
}

/// Texts as they are, of everything else what it is.
std::string text_of(const mcp_result_document& r) {
    std::string out;
    if (const auto parsed = json::document::parse(r.content.text)) {
        parsed->root().each_element([&](json::value part) {
            const auto type = part.text_or("type");
            out += type == "text" ? clean(part.text_or("text")) : fmt::format("[{}]", clean_line(type));
            out += out.ends_with('\n') ? "" : "\n";
        });
    }
    return out;
}

expected<int> mcp_call(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    const auto given = c.args().text_from(1);
    const auto arguments = json::make_raw(given.empty() ? "{}" : given);
    if (!arguments) {
        return c.usage({code::invalid_request, "The arguments are no JSON: " + arguments.error().detail});
    }
    const auto answer = call_with_progress(c, c.args().operand(0), *arguments);
    if (!answer) {
        return answer.error();
    }
    const auto result = from_json<mcp_result_document>(*answer, strictness::stored);
    if (!result) {
        return result.error();
    }
    c.json() ? c.print_json(*answer) : c.print(text_of(*result));
    return result->is_error ? 1 : 0;
}

expected<int> mcp_logs(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    return print_document<mcp_logs_document>(c, (*node)->get(path_of(c, "/logs")), [](const auto& logs) {
        std::string out;
        for (const auto& line : logs.lines) {
            out += clean_line(line) + "\n";
        }
        return out;
    });
}

expected<int> change(context& c, std::string_view what) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    return print_document<mcp_server_document>(c, (*node)->post(path_of(c, what), "{}"),
                                               [&](const auto& one) { return shown(c.out_screen(), {one}); });
}

} // namespace

std::vector<command> mcp_commands() {
    const grammar which{.operands = "SERVER", .operands_min = 1, .operands_max = 1};
    return {{"mcp list",
             "The MCP servers that the node is connected to, and how they do.",
             {},
             "troupe mcp list",
             mcp_list},
            {"mcp auth",
             "Let the node in at a server that asks for OAuth: shows what to open, and waits.",
             {.flags = {{"detach", "", "Only show what to open.", 'd'}, {"forget", "", "Forget its tokens."}},
              .operands = "SERVER",
              .operands_min = 1,
              .operands_max = 1},
             "troupe mcp auth far",
             mcp_auth},
            {"mcp tools",
             "Their tools, as agents call them.",
             {.operands = "[SERVER]", .operands_max = 1},
             "troupe mcp tools files",
             mcp_tools},
            {"mcp usage",
             "How often their tools were called, how that went and how long it took.",
             {.flags = {{"by", "WHAT", "tool (the default), agent or day."},
                        {"from", "DAY", "The first day, as 2026-11-21; 30 days when left out."},
                        {"to", "DAY", "The last day."}}},
             "troupe mcp usage --by agent --from 2026-11-01",
             mcp_usage},
            {"mcp accept",
             "Accept what a tool says of itself now: it changed since it was first seen, and agents do not see it.",
             {.operands = "TOOL", .operands_min = 1, .operands_max = 1},
             "troupe mcp accept mcp_files_read",
             mcp_accept},
            {"mcp call",
             "Call a tool with arguments as JSON.",
             {.operands = "TOOL [JSON]", .operands_min = 1, .operands_max = any_number},
             "troupe mcp call mcp_files_read '{\"path\":\"a.txt\"}'",
             mcp_call},
            {"mcp logs", "The last of what a server wrote to its standard error.", which, "troupe mcp logs files",
             mcp_logs},
            {"mcp start", "Connect to a server that was stopped.", which, "troupe mcp start files",
             [](context& c) { return change(c, "/start"); }},
            {"mcp stop", "End a server until it is started again.", which, "troupe mcp stop files",
             [](context& c) { return change(c, "/stop"); }},
            {"mcp restart", "End a server and start it anew.", which, "troupe mcp restart files",
             [](context& c) { return change(c, "/restart"); }}};
}

} // namespace troupe::cli
