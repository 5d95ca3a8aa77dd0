#include "actors/tool/task_tools.hpp"

#include "actors/common/members.hpp"
#include "actors/common/message_ids.hpp"
#include "actors/common/messages.hpp"
#include "actors/common/stored.hpp"
#include "actors/common/text.hpp"
#include "actors/tool/tool_performers.hpp"
#include "schemas/run.hpp"
#include "schemas/task_messages.hpp"
#include "storage/blobs.hpp"
#include "storage/views.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace troupe::actors::task_tools {
namespace {

constexpr std::string_view task_kind = "task";
constexpr std::string_view attachments_collection = "attachments";
constexpr std::size_t messages_max = 50;
constexpr std::size_t attachments_max = 100;

/// The task that the run works on.
expected<task_document> task_of(const tool_environment& where) {
    if (!where.store || !where.ask) {
        return problem{code::unavailable, "There is no board here."};
    }
    const auto run = read_stored<run_document>(*where.store, where.run);
    if (!run || !*run || !(*run)->task_id) {
        return run ? problem{code::unavailable, "This run works on no task."} : run.error();
    }
    auto task =
        read_stored<task_document>(*where.store, {where.run.organization, std::string(task_kind), *(*run)->task_id});
    if (!task) {
        return task.error();
    }
    return *task ? expected<task_document>(std::move(**task)) : problem{code::not_found, "The task was deleted."};
}

entity_address address_of(const tool_environment& where, const task_document& task) {
    return {where.run.organization, std::string(task_kind), task.id};
}

/// The newest, in the order in which they were said.
expected<std::string> said_on(const tool_environment& where, const task_document& task) {
    const auto page = storage::read_items(
        *where.store, {address_of(where, task), std::string(messages_collection), true, messages_max, {}});
    if (!page) {
        return page.error();
    }
    std::vector<std::string> lines;
    for (const auto& json : page->items) {
        auto said = from_json<message_document>(json, strictness::stored);
        const auto now = said ? as_it_is_now(*where.store, where.run.organization, std::move(*said)) : said;
        if (!now) {
            return now.error();
        }
        if (!now->deleted.value_or(false)) {
            lines.push_back(fmt::format("{} ({}): {}\n", now->author, detail::enum_name(now->type), now->content));
        }
    }
    std::string out = page->next_cursor ? fmt::format("… only the newest {} messages.\n", messages_max) : std::string();
    for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
        out += *line;
    }
    return out;
}

expected<std::string> attached_to(const tool_environment& where, const task_document& task) {
    const auto page = storage::read_items(
        *where.store, {address_of(where, task), std::string(attachments_collection), false, attachments_max, {}});
    if (!page) {
        return page.error();
    }
    std::string out;
    for (const auto& json : page->items) {
        const auto one = from_json<attachment_document>(json, strictness::stored);
        if (!one) {
            return one.error();
        }
        out += fmt::format("{}: {} ({}, {} bytes)\n", one->number, one->name, one->media_type, one->bytes);
    }
    return out;
}

} // namespace

tool_result read(const read_task_arguments&, const tool_environment& where) {
    const auto task = task_of(where);
    const auto said = task ? said_on(where, *task) : expected<std::string>(task.error());
    const auto attached = said ? attached_to(where, *task) : expected<std::string>(said.error());
    if (!attached) {
        return refuse(attached.error());
    }
    auto out = fmt::format("{} [{}] {}\nPriority: {}\n", task->key.value_or(to_string(task->id)),
                           detail::enum_name(task->status), task->title, detail::enum_name(task->priority));
    if (task->due) {
        out += "Due: " + to_string(*task->due) + "\n";
    }
    out += "\n" + task->description + "\n\nAttachments:\n" + (attached->empty() ? "none\n" : *attached) +
           "\nMessages:\n" + (said->empty() ? "none\n" : *said);
    return {.content = shorten(out, tool_content_bytes_max)};
}

tool_result attachment(const read_attachment_arguments& a, const tool_environment& where) {
    const auto task = task_of(where);
    const auto found = task ? read_stored<attachment_document>(*where.store, address_of(where, *task),
                                                               attachments_collection, message_key(a.number))
                            : expected<std::optional<attachment_document>>(task.error());
    if (!found || !*found) {
        return refuse(found ? problem{code::not_found, fmt::format("The task has no attachment {}.", a.number)}
                            : found.error());
    }
    if (!(*found)->media_type.starts_with("text/")) {
        return refuse(fmt::format("{} is {}, and no text.", (*found)->name, (*found)->media_type));
    }
    auto text = (*found)->bytes == 0 ? expected<std::string>(std::string())
                                     : storage::read_blob_piece(*where.store, where.run.organization, (*found)->sha256,
                                                                0, tool_content_bytes_max);
    if (!text) {
        return refuse(text.error());
    }
    if (text->size() < (*found)->bytes) {
        *text = fmt::format("{}\n[… the first of {} bytes; the rest is not shown …]\n",
                            utf8_prefix(*text, tool_content_bytes_max - 100), (*found)->bytes);
    }
    return {.content = std::move(*text)};
}

tool_result say(const say_on_task_arguments& a, const tool_environment& where) {
    const auto task = task_of(where);
    auto mentioned = task ? find_mentioned(*where.store, where.run.organization, a.text)
                          : expected<std::vector<mention>>(task.error());
    if (!mentioned) {
        return refuse(mentioned.error());
    }
    add_message said;
    said.content = a.text;
    said.type = a.type;
    said.mentions = std::move(*mentioned);
    runtime::command c;
    c.to = address_of(where, *task);
    c.type = wire_name<add_message>::value;
    c.payload = to_json(said);
    c.id = key_of_call(where);
    c.principal = where.agent ? "agent/" + to_string(*where.agent) : "run/" + to_string(where.run.id);
    const auto done = where.ask(std::move(c));
    return done ? tool_result{.content = "Said.\n"} : refuse(done.error());
}

} // namespace troupe::actors::task_tools
