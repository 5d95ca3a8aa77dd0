#include "actors/search/search_texts.hpp"

#include "actors/common/messages.hpp"
#include "actors/common/stored.hpp"
#include "actors/common/text.hpp"
#include "schemas/chat.hpp"
#include "schemas/document_messages.hpp"
#include "schemas/run.hpp"
#include "storage/blobs.hpp"
#include "storage/views.hpp"

#include <utility>

namespace troupe::actors {
namespace {

constexpr std::size_t title_bytes_max = 200;       ///< Of what has none of its own.
constexpr std::size_t chat_bytes_max = 256 * 1024; ///< Of what was said in a chat.

std::string name_of(search_type type) { return std::string(detail::enum_name(type)); }

found_text begin_text(search_type type, const uuid& id, std::string title, std::string body, std::string author,
                      timestamp at) {
    found_text out;
    out.text = {text_id(type, id), title, std::move(body), {"type=" + name_of(type), "author=" + author}, at};
    out.item.type = type;
    out.item.id = id;
    out.item.title = std::move(title);
    out.item.author = std::move(author);
    out.item.created_at = at;
    out.item.url = "/" + name_of(type) + "s/" + to_string(id);
    return out;
}

void add_status(found_text& to, std::string status) {
    to.text.filters.push_back("status=" + status);
    to.item.status = std::move(status);
}

void add_task(found_text& to, const std::optional<uuid>& task) {
    if (task) {
        to.text.filters.push_back("task=" + to_string(*task));
        to.item.task_id = task;
    }
}

void add_project(found_text& to, const std::optional<uuid>& project) {
    if (project) {
        to.text.filters.push_back("project=" + to_string(*project));
    }
}

void add_part(std::string& to, const std::optional<std::string>& part) {
    if (part && !part->empty()) {
        to += (to.empty() ? "" : "\n") + *part;
    }
}

found_text text_of(const task_document& t) {
    auto body = t.description;
    add_part(body, t.result);
    add_part(body, t.error);
    for (const auto& label : t.labels) {
        add_part(body, label);
    }
    auto out = begin_text(search_type::task, t.id, t.title, std::move(body), t.created_by, t.created_at);
    if (t.key) { // it is found by its key, too
        out.text.title += " " + *t.key;
        out.item.key = t.key;
    }
    add_status(out, std::string(detail::enum_name(t.status)));
    out.text.filters.push_back("task=" + to_string(t.id));
    add_project(out, t.project_id);
    return out;
}

found_text text_of(const run_document& r) {
    std::string body = r.goal;
    add_part(body, r.result);
    add_part(body, r.error);
    const auto title = utf8_prefix(std::string_view(r.goal).substr(0, r.goal.find('\n')), title_bytes_max);
    auto out = begin_text(search_type::run, r.id, std::string(title), std::move(body), r.created_by, r.created_at);
    add_status(out, std::string(detail::enum_name(r.status)));
    add_task(out, r.task_id);
    add_project(out, r.project_id);
    return out;
}

/// With what was said, the newest first, as far as there is room.
expected<std::optional<found_text>> text_of(const storage::store& s, const entity_address& a, const chat_document& c) {
    std::string body;
    storage::item_query query{a, "messages", true, 200, {}};
    for (bool more = true; more && body.size() < chat_bytes_max;) {
        const auto page = storage::read_items(s, query);
        if (!page) {
            return page.error();
        }
        for (const auto& json : page->items) {
            const auto said = from_json<chat_message>(json, strictness::stored);
            if (!said) {
                return said.error();
            }
            add_part(body, said->content);
        }
        more = page->next_cursor.has_value();
        query.cursor = page->next_cursor.value_or("");
    }
    auto out = begin_text(search_type::chat, c.id, c.title, std::move(body), c.created_by, c.created_at);
    add_task(out, c.task_id);
    add_project(out, c.project_id);
    return std::optional(std::move(out));
}

/// With its newest content.
expected<std::optional<found_text>> text_of(const storage::store& s, const entity_address& a, document_document d) {
    const auto newest =
        read_stored<document_version>(s, a, document_versions_collection, document_version_key(d.version));
    if (!newest || !*newest) {
        return newest ? expected<std::optional<found_text>>(std::nullopt) : newest.error();
    }
    auto content = storage::get_blob(s, a.organization, (*newest)->sha256, document_bytes_max);
    if (!content) {
        return content.error();
    }
    for (const auto& label : d.labels) {
        add_part(*content, label);
    }
    auto out = begin_text(search_type::document, d.id, d.title, std::move(*content), d.created_by, d.created_at);
    add_task(out, d.task_id);
    add_project(out, d.project_id);
    out.document = std::move(d);
    return std::optional(std::move(out));
}

} // namespace

std::string text_id(search_type type, const uuid& id) { return name_of(type) + "/" + to_string(id); }

std::optional<std::pair<search_type, uuid>> parse_text_id(std::string_view text) {
    const auto slash = text.find('/');
    const auto id = slash == std::string_view::npos ? std::nullopt : parse_uuid(text.substr(slash + 1));
    for (const auto type : search_types) {
        if (id && text.substr(0, slash) == name_of(type)) {
            return std::pair(type, *id);
        }
    }
    return std::nullopt;
}

std::string messages_filter(const uuid& task) { return "messages_of=" + to_string(task); }

std::optional<found_text> text_of(const message_document& m) {
    if (m.deleted.value_or(false)) {
        return std::nullopt;
    }
    auto out = begin_text(search_type::message, m.id, "", m.content, m.author, m.created_at);
    out.item.title = utf8_prefix(std::string_view(m.content).substr(0, m.content.find('\n')), title_bytes_max);
    add_task(out, m.task_id);
    out.text.filters.push_back(messages_filter(m.task_id));
    return out;
}

expected<std::optional<found_text>> read_text(const storage::store& s, const uuid& organization, search_type type,
                                              const uuid& id) {
    const entity_address a{organization, name_of(type), id};
    if (type == search_type::message) {
        auto said = find_said(s, organization, id);
        if (!said || !*said) {
            return said ? expected<std::optional<found_text>>(std::nullopt) : said.error();
        }
        const auto now = as_it_is_now(s, organization, std::move(**said));
        return now ? expected<std::optional<found_text>>(text_of(*now)) : now.error();
    }
    const auto as_text = [](auto found) -> expected<std::optional<found_text>> {
        if (!found || !*found) {
            return found ? expected<std::optional<found_text>>(std::nullopt) : found.error();
        }
        return std::optional(text_of(**found));
    };
    if (type == search_type::task) {
        return as_text(read_stored<task_document>(s, a));
    }
    if (type == search_type::run) {
        return as_text(read_stored<run_document>(s, a));
    }
    if (type == search_type::chat) {
        const auto chat = read_stored<chat_document>(s, a);
        if (!chat || !*chat) {
            return chat ? expected<std::optional<found_text>>(std::nullopt) : chat.error();
        }
        return text_of(s, a, **chat);
    }
    auto found = read_stored<document_document>(s, a);
    if (!found || !*found) {
        return found ? expected<std::optional<found_text>>(std::nullopt) : found.error();
    }
    return text_of(s, a, std::move(**found));
}

} // namespace troupe::actors
