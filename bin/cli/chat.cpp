#include "schemas/chat.hpp"
#include "bin/cli/download.hpp"
#include "bin/cli/find_project.hpp"
#include "bin/cli/interrupt.hpp"
#include "bin/cli/print.hpp"
#include "bin/cli/resolve.hpp"
#include "bin/cli/text.hpp"
#include "schemas/agent.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

/// `troupe chat …`: people and an agent talk.
namespace troupe::cli {
namespace {

constexpr std::int64_t look_every_ms = 250;

struct named_chat {
    api* node = nullptr;
    uuid id;
    [[nodiscard]] std::string path(std::string_view rest = "") const {
        return "/chats/" + to_string(id) + std::string(rest);
    }
};

expected<named_chat> find_chat(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    const auto id = resolve_chat(**node, c.args().operand(0));
    return id ? expected<named_chat>(named_chat{*node, *id}) : expected<named_chat>(id.error());
}

std::string show_chats(context& c, const std::vector<chat_document>& chats) {
    std::vector<uuid> ids;
    std::ranges::transform(chats, std::back_inserter(ids), &chat_document::id);
    const auto length = short_length(ids);
    std::vector<std::vector<cell>> rows;
    for (const auto& one : chats) {
        rows.push_back({{short_id(one.id, length), tone::accent},
                        {one.title, tone::strong},
                        {std::to_string(one.messages)},
                        {one.answering_run_id ? "answers" : "", tone::good},
                        {relative_time(one.updated_at, c.now()), tone::faint}});
    }
    return table(c.out_screen(), {{"CHAT"}, {"TITLE", false, true, 12}, {"MESSAGES", true}, {"AGENT"}, {"CHANGED"}},
                 rows);
}

/// How the agent of a chat is called; its id where it is not there any more.
std::string name_of_agent(api& node, const chat_document& chat) {
    if (!chat.agent_id) {
        return {};
    }
    const auto agent = node.get_as<agent_document>("/agents/" + to_string(*chat.agent_id));
    return agent ? agent->settings.name : to_string(*chat.agent_id);
}

std::string show_chat(context& c, api& node, const chat_document& chat) {
    const auto id_or_none = [](const std::optional<uuid>& id) { return id ? to_string(*id) : std::string(); };
    return details(c.out_screen(),
                   {{"chat", {chat.title, tone::strong}},
                    {"id", {to_string(chat.id), tone::accent}},
                    {"agent", {name_of_agent(node, chat)}},
                    {"task", {id_or_none(chat.task_id)}},
                    {"project", {id_or_none(chat.project_id)}},
                    {"answering run", {id_or_none(chat.answering_run_id), tone::good}},
                    {"begun", {fmt::format("{} by {}", relative_time(chat.created_at, c.now()), chat.created_by)}}});
}

/// `agent`: how that of the chat is called.
std::string show_said(context& c, const std::string& agent, const std::vector<chat_message>& messages) {
    const auto& s = c.out_screen();
    std::string out;
    for (const auto& m : messages) {
        const auto author = m.author.starts_with("agent/") ? agent : m.author;
        out += (out.empty() ? "" : "\n") + paint(s, tone::strong, clean_line(author)) + " " +
               paint(s, tone::faint, relative_time(m.created_at, c.now())) + "\n";
        const auto text = m.error ? "No answer: " + *m.error : m.content;
        for (const auto& line : wrap(clean(text), s.width > 2 ? s.width - 2 : 0)) {
            out += (line.empty() ? "" : "  ") + (m.error ? paint(s, tone::bad, line) : line) + "\n";
        }
    }
    return out;
}

expected<int> chat_new(context& c) {
    create_chat_body body;
    body.title = c.args().text_from(0);
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    if (const auto word = c.args().value("agent")) {
        const auto agent = resolve_agent(**node, *word);
        if (!agent) {
            return agent.error();
        }
        body.agent_id = *agent;
    }
    if (const auto word = c.args().value("task")) {
        const auto task = resolve_task(**node, *word);
        if (!task) {
            return task.error();
        }
        body.task_id = *task;
    }
    if (const auto word = c.args().value("project")) {
        const auto project = find_project(**node, *word, c.search().working_folder);
        if (!project) {
            return project.error();
        }
        body.project_id = project->id;
    }
    return print_document<chat_document>(c, (*node)->post("/chats", to_json(body)),
                                         [&](const chat_document& chat) { return show_chat(c, **node, chat); });
}

expected<int> chat_list(context& c) {
    return print_list<chat_document>(c, "/chats", {}, "No chats. Begin one with `troupe chat new TITLE --agent NAME`.",
                                     [&](const auto& chats) { return show_chats(c, chats); });
}

expected<int> chat_show(context& c) {
    const auto chat = find_chat(c);
    const auto about = chat ? chat->node->get_as<chat_document>(chat->path()) : expected<chat_document>(chat.error());
    if (!about) {
        return about.error();
    }
    return print_list<chat_message>(
        c, chat->path("/messages"), {}, "Nobody has said anything yet.",
        [&](const auto& messages) { return show_said(c, name_of_agent(*chat->node, *about), messages); });
}

struct heard {
    std::string agent; ///< How it is called.
    std::vector<chat_message> messages;
};

/// What was said after that message, once nobody answers any more.
expected<heard> wait_for_answer(const named_chat& chat, std::uint64_t after) {
    const interrupt by;
    for (;;) {
        const auto now = chat.node->get_as<chat_document>(chat.path());
        if (!now) {
            return now.error();
        }
        if (!now->answering_run_id) {
            auto all = chat.node->list<chat_message>(chat.path("/messages"), {}, list_max);
            if (!all) {
                return all.error();
            }
            std::erase_if(all->items, [&](const chat_message& m) { return m.number <= after; });
            return heard{name_of_agent(*chat.node, *now), std::move(all->items)};
        }
        if (!by.sleep(look_every_ms)) {
            return problem{code::cancelled, "The answer is still being made. See it later with `troupe chat show`."};
        }
    }
}

expected<int> chat_say(context& c) {
    const auto chat = find_chat(c);
    if (!chat) {
        return chat.error();
    }
    const auto said = chat->node->post(chat->path("/messages"), to_json(say_body{c.args().text_from(1)}));
    const auto mine = said ? from_json<chat_message>(*said, strictness::stored) : expected<chat_message>(said.error());
    if (!mine) {
        return mine.error();
    }
    if (c.json() || c.args().has("detach")) {
        return print_done(c, said, "Said.");
    }
    const auto answers = wait_for_answer(*chat, mine->number);
    if (!answers) {
        return answers.error();
    }
    const auto& all = answers->messages;
    all.empty() ? c.note("Said.") : c.print(show_said(c, answers->agent, all));
    return !all.empty() && all.back().error ? 1 : 0;
}

expected<int> chat_stop(context& c) {
    const auto chat = find_chat(c);
    return chat ? print_done(c, chat->node->post(chat->path("/stop"), ""), "The answer is stopped.")
                : expected<int>(chat.error());
}

expected<int> chat_rename(context& c) {
    const auto chat = find_chat(c);
    return chat ? print_document<chat_document>(
                      c, chat->node->put(chat->path(), to_json(update_chat_body{c.args().text_from(1)})),
                      [&](const chat_document& now) { return show_chat(c, *chat->node, now); })
                : expected<int>(chat.error());
}

expected<int> chat_export(context& c) {
    const auto chat = find_chat(c);
    if (!chat) {
        return chat.error();
    }
    const auto format = c.json() ? "json" : "markdown";
    const auto file = c.args().operands().size() > 1 ? c.args().operand(1) : "-";
    const auto done = download_to(c, with_query(chat->path("/export"), {{"format", format}}), file);
    return done ? expected<int>(0) : expected<int>(done.error());
}

expected<int> chat_delete(context& c) {
    const auto chat = find_chat(c);
    return chat ? print_done(c, chat->node->remove(chat->path()), "The chat is deleted.") : expected<int>(chat.error());
}

grammar one_chat() { return {.operands = "CHAT", .operands_min = 1, .operands_max = 1}; }

} // namespace

std::vector<command> chat_commands() {
    return {
        {"chat new",
         "Begin a chat, perhaps with an agent that answers.",
         {.flags = {{"agent", "NAME", "Who answers."},
                    {"task", "TASK", "What it is about: the agent is told of it."},
                    {"project", "DIR|ID|NAME", "Files for the agent to work with.", 'p'}},
          .operands = "TITLE",
          .operands_min = 1,
          .operands_max = any_number},
         "troupe chat new --agent scout --task TASK-017 Why are the sums wrong?",
         chat_new},
        {"chat list", "Chats, newest first.", {.flags = {limit_flag()}}, "troupe chat list", chat_list},
        {"chat show",
         "What was said in a chat.",
         {.flags = {limit_flag()}, .operands = "CHAT", .operands_min = 1, .operands_max = 1},
         "troupe chat show \"Why are the sums wrong?\"",
         chat_show},
        {"chat say",
         "Say something, and wait for the answer.",
         {.flags = {{"detach", "", "Do not wait."}},
          .operands = "CHAT TEXT",
          .operands_min = 2,
          .operands_max = any_number},
         "troupe chat say 019ab3 \"What did the last run change?\"",
         chat_say},
        {"chat stop", "End the answer that is being made.", one_chat(), "troupe chat stop 019ab3", chat_stop},
        {"chat rename",
         "Give a chat another title.",
         {.operands = "CHAT TITLE", .operands_min = 2, .operands_max = any_number},
         "troupe chat rename 019ab3 Sums, explained",
         chat_rename},
        {"chat export",
         "Write a whole chat as Markdown (or JSON with --json) into a file; without one, to standard output.",
         {.operands = "CHAT [FILE]", .operands_min = 1, .operands_max = 2},
         "troupe chat export 019ab3 chat.md",
         chat_export},
        {"chat delete", "Delete a chat.", one_chat(), "troupe chat delete 019ab3", chat_delete},
    };
}

} // namespace troupe::cli
