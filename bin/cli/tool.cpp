#include "schemas/tool.hpp"
#include "bin/cli/commands.hpp"
#include "bin/cli/print.hpp"
#include "bin/cli/text.hpp"

#include <algorithm>
#include <fmt/format.h>

#include <vector>

/// What agents may call.
namespace troupe::cli {
namespace {

struct tool_list_document {
    std::vector<tool_document> items;
};
BOOST_DESCRIBE_STRUCT(tool_list_document, (), (items))

std::string_view after_crash_text(tool_repeat r) {
    switch (r) {
    case tool_repeat::repeated:
        return "done again: that does no harm";
    case tool_repeat::recorded:
        return "done again only if it had not begun";
    case tool_repeat::by_the_run:
        return "the run goes on with it";
    case tool_repeat::as_the_run_says:
        break;
    }
    return "as the run's on_unknown says";
}

expected<int> tool_list(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    return print_document<tool_list_document>(c, (*node)->get("/tools"), [&](const auto& list) {
        std::vector<std::vector<cell>> rows;
        for (const auto& t : list.items) {
            rows.push_back({{t.name, tone::accent},
                            {t.permission},
                            {t.kinds.empty() ? "all" : joined(t.kinds)},
                            {t.description, tone::faint}});
        }
        return table(c.out_screen(), {{"TOOL"}, {"PERMISSION"}, {"KINDS", false, true, 12}, {"WHAT", false, true, 24}},
                     rows);
    });
}

std::string shown(const screen& s, const tool_document& t) {
    return details(s, {{"tool", {t.name, tone::accent}},
                       {"what", {t.description}},
                       {"permission", {t.permission}},
                       {"kinds", {t.kinds.empty() ? "all" : joined(t.kinds)}},
                       {"project",
                        {t.changes_project ? "changes it"
                         : t.needs_project ? "reads it"
                                           : "needs none"}},
                       {"after a crash", {std::string(after_crash_text(t.after_crash))}},
                       {"arguments", {t.parameters.text, tone::faint}}});
}

expected<int> tool_show(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    auto list = (*node)->get_as<tool_list_document>("/tools");
    if (!list) {
        return list.error();
    }
    const auto& name = c.args().operand(0);
    const auto found = std::ranges::find(list->items, name, &tool_document::name);
    if (found == list->items.end()) {
        return problem{code::not_found, fmt::format("There is no tool \"{}\". See `troupe tool list`.", name)};
    }
    return print_document<tool_document>(c, to_json(*found), [&](const auto& t) { return shown(c.out_screen(), t); });
}

} // namespace

std::vector<command> tool_commands() {
    return {{"tool list",
             "The tools that agents may call, and the permission that rules name.",
             {},
             "troupe tool list",
             tool_list},
            {"tool show",
             "One tool with the JSON Schema of its arguments.",
             {.operands = "TOOL", .operands_min = 1, .operands_max = 1},
             "troupe tool show run_command",
             tool_show}};
}

} // namespace troupe::cli
