#include "bin/cli/ask.hpp"
#include "bin/cli/board_text.hpp"
#include "bin/cli/find_project.hpp"
#include "bin/cli/live_view.hpp"
#include "bin/cli/print.hpp"
#include "bin/cli/resolve.hpp"

#include <fmt/format.h>

#include <utility>

/// The board, the text of it, and what happens on it.
namespace troupe::cli {
namespace {

constexpr std::int64_t redraw_ms = 1000;

expected<int> board(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    query_list query;
    if (const auto word = c.args().value("project")) {
        const auto project = find_project(**node, *word, c.search().working_folder);
        if (!project) {
            return project.error();
        }
        query.emplace_back("project_id", to_string(project->id));
    }
    const auto path = with_query("/board", query);
    if (!c.args().has("watch") || c.json() || !c.out_screen().interactive) {
        return print_document<board_document>(c, (*node)->get(path),
                                              [&](const auto& b) { return show_board(c.out_screen(), b); });
    }
    return show_live(c, redraw_ms, [&]() -> expected<std::string> {
        const auto shown = (*node)->get_as<board_document>(path);
        return shown ? expected<std::string>(show_board(c.out_screen(), *shown)) : shown.error();
    });
}

expected<int> working_show(context& c) {
    auto node = c.node();
    return node ? print_document<working_document>(
                      c, (*node)->get(with_query("/state/working-md", {{"at", c.args().value_or("at", "")}})),
                      [](const auto& w) { return w.content; })
                : expected<int>(node.error());
}

expected<int> working_history(context& c) {
    return print_list<working_change_document>(
        c, "/state/working-md/history", {}, "Nothing has changed yet.", [&](const auto& all) {
            std::vector<std::vector<cell>> rows;
            for (const auto& one : all) {
                rows.push_back({{to_string(one.at), tone::accent}, {one.text}});
            }
            return table(c.out_screen(), {{"AT"}, {"WHAT", false, true, 20}}, rows);
        });
}

expected<int> working_restore(context& c) {
    const auto at = parse_timestamp(c.args().operand(0));
    if (!at) {
        return c.usage({code::invalid_request, "TIME is an RFC 3339 time: `troupe working-md history` shows some."});
    }
    auto node = c.node();
    return node ? print_document<working_document>(
                      c, (*node)->post("/state/working-md/restore", to_json(restore_working_body{*at})),
                      [](const auto& w) { return w.content; })
                : expected<int>(node.error());
}

expected<int> put_working(context& c, api& node, const std::string& text) {
    return print_document<working_document>(c, node.put("/state/working-md", to_json(edit_working_body{text})),
                                            [](const auto& w) { return w.content; });
}

/// What others do meanwhile is merged; where both changed the same, the text stays in its file.
expected<int> working_edit(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    if (const auto file = c.args().value("file")) {
        const auto text = text_of(c, *file);
        return text ? put_working(c, **node, *text) : expected<int>(text.error());
    }
    const auto shown = (*node)->get_as<working_document>("/state/working-md");
    auto edited = shown ? edit_text(shown->content, ".md") : expected<edited_text>(shown.error());
    if (!edited) {
        return edited.error();
    }
    if (edited->text == shown->content) {
        edited->remove();
        c.note("Nothing was changed.");
        return 0;
    }
    const auto done = put_working(c, **node, edited->text);
    if (!done) {
        c.note(fmt::format("Your text is in {0}. Change it and send it with `troupe working-md edit --file {0}`.",
                           edited->path));
        return done;
    }
    edited->remove();
    return done;
}

expected<int> activity(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    std::string path = "/activities";
    if (const auto word = c.args().value("task")) {
        const auto task = resolve_task(**node, *word);
        if (!task) {
            return task.error();
        }
        path += "/task/" + to_string(*task);
    } else if (const auto name = c.args().value("agent")) {
        const auto agent = resolve_agent(**node, *name);
        if (!agent) {
            return agent.error();
        }
        path += "/agent/" + to_string(*agent);
    }
    return print_list<activity_document>(
        c, path, {{"q", c.args().text_from(0)}, {"severity", c.args().value_or("severity", "")}},
        "Nothing happened that fits.", [&](const auto& all) { return show_activities(c.out_screen(), all, c.now()); });
}

expected<int> search(context& c) {
    std::string task;
    if (const auto word = c.args().value("task")) {
        auto node = c.node();
        const auto found = node ? resolve_task(**node, *word) : expected<uuid>(node.error());
        if (!found) {
            return found.error();
        }
        task = to_string(*found);
    }
    return print_list<search_item>(c, "/search",
                                   {{"q", c.args().text_from(0)},
                                    {"type", c.args().value_or("type", "")},
                                    {"status", c.args().value_or("status", "")},
                                    {"author", c.args().value_or("author", "")},
                                    {"task", task}},
                                   "Nothing has these words.",
                                   [&](const auto& found) { return show_found(c.out_screen(), found, c.now()); });
}

expected<int> rebuild_search(context& c) {
    auto node = c.node();
    return node ? print_done(c, (*node)->post("/search/rebuild", ""), "The index is being made anew.")
                : expected<int>(node.error());
}

} // namespace

std::vector<command> board_commands() {
    return {
        {"board",
         "The board: tasks by column, as they were ordered.",
         {.flags = {{"project", "DIR|ID|NAME", "Only tasks of this project.", 'p'},
                    {"watch", "", "Draw it again until Ctrl-C, on a terminal.", 'w'}}},
         "troupe board --watch",
         board},
        {"working-md show",
         "The board as a text, with agents and what happened last.",
         {.flags = {{"at", "TIME", "As its tasks were then."}}},
         "troupe working-md show > WORKING.md",
         working_show},
        {"working-md history",
         "What changed WORKING.md, newest first.",
         {.flags = {limit_flag()}},
         "troupe working-md history",
         working_history},
        {"working-md restore",
         "Bring the tasks back to what they were at a time.",
         {.operands = "TIME", .operands_min = 1, .operands_max = 1},
         "troupe working-md restore 2026-11-23T12:00:00.000Z",
         working_restore},
        {"working-md edit",
         "Change the board as a text in your editor: move lines, give them to @agents, write new ones.",
         {.flags = {{"file", "FILE", "Take the changed text from there; - is standard input."}}},
         "troupe working-md edit\ntroupe working-md edit --file WORKING.md",
         working_edit},
        {"activity",
         "What happened, newest first, as lines.",
         {.flags = {{"task", "TASK", "Only to this task."},
                    {"agent", "NAME", "Only to this agent."},
                    {"severity", "S", "info, warning or error."},
                    limit_flag()},
          .operands = "[WORDS]",
          .operands_max = any_number},
         "troupe activity --task TASK-017\ntroupe activity moved",
         activity},
        {"search",
         "Find tasks, messages, documents, runs and chats by their words.",
         {.flags = {{"type", "T", "task, message, document, run or chat."},
                    {"status", "S", "Tasks and runs that are so."},
                    {"author", "WHO", "As user/ID, key/ID or agent/ID."},
                    {"task", "TASK", "What belongs to this task."},
                    limit_flag()},
          .operands = "WORDS",
          .operands_max = any_number},
         "troupe search rounding of sums\ntroupe search '\"negative sums\" -tests round*' --type task",
         search},
        {"search-index rebuild",
         "Make the search index of the organization anew.",
         {},
         "troupe search-index rebuild",
         rebuild_search},
    };
}

} // namespace troupe::cli
