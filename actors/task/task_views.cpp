#include "actors/task/task_model.hpp"

#include "actors/common/message_ids.hpp"
#include "actors/common/task_numbers.hpp"

namespace troupe::actors {
namespace {

message_document document_of(const task_state& s, const message_added& e) {
    message_document out{e.id, s.id, e.author, e.type, e.content, e.reply_to, s.updated_at};
    if (!e.mentions.empty()) {
        out.mentions = e.mentions;
    }
    if (!e.attachments.empty()) {
        out.attachments = e.attachments;
    }
    return out;
}

template <class T>
std::optional<std::vector<T>> unless_empty(const std::vector<T>& all) {
    return all.empty() ? std::nullopt : std::optional(all);
}

task_document document_of(const task_state& s) {
    task_document d{s.id,       s.title,      s.description, s.status,     s.priority,   s.labels,
                    s.due,      s.project_id, s.agent_id,    s.run_id,     s.result,     s.error,
                    s.messages, s.created_by, s.created_at,  s.updated_at, s.parameters, s.output};
    if (s.number != 0) {
        d.key = task_key(s.number);
    }
    if (s.subtasks.total != 0) {
        d.subtasks = s.subtasks;
    }
    d.assignees = unless_empty(s.assignees);
    d.parent_id = s.parent_id;
    d.depends_on = unless_empty(s.depends_on);
    d.waiting_for = unless_empty(s.unmet);
    if (!s.rank.empty()) {
        d.rank = s.rank;
    }
    d.capabilities = unless_empty(s.capabilities);
    d.goal_id = s.goal_id;
    if (s.attempts != 0) {
        d.attempts = s.attempts;
    }
    d.again_at = s.again_at;
    return d;
}

} // namespace

runtime::entity_view task_model::view(const state& s, const runtime::view_context&) {
    if (s.id.is_nil() || s.deleted) {
        return {.document = "", .keys = {}, .exists = false};
    }
    const auto sort = runtime::sort_key(s.created_at);
    const std::string status(detail::enum_name(s.status));
    std::vector<runtime::index_key> keys{{"", sort}, {"status=" + status, sort}};
    if (!s.rank.empty()) {
        keys.push_back({"board=" + status, s.rank});
    }
    if (s.agent_id) {
        keys.push_back({"agent_id=" + to_string(*s.agent_id), sort});
    }
    if (s.project_id) {
        keys.push_back({"project_id=" + to_string(*s.project_id), sort});
    }
    if (s.parent_id) {
        keys.push_back({"parent_id=" + to_string(*s.parent_id), sort});
    }
    if (s.goal_id) {
        keys.push_back({"goal_id=" + to_string(*s.goal_id), sort});
    }
    if (s.number != 0) {
        keys.push_back({"key=" + task_key(s.number), sort});
    }
    if (s.messages > 0 && s.number != 0) {
        keys.push_back({message_filter(s.id), sort});
    }
    for (const auto& id : s.assignees) {
        keys.push_back({"assignee=" + to_string(id), sort});
    }
    return {to_json(document_of(s)), std::move(keys), true};
}

std::vector<runtime::item> task_model::items(const state& after, const event& e, const runtime::event_context&) {
    if (const auto* added = std::get_if<message_added>(&e)) {
        const auto key = message_key(after.messages);
        const auto document = to_json(document_of(after, *added));
        std::vector<runtime::item> out{{"messages", key, document}};
        if (added->reply_to) {
            out.push_back({"replies/" + to_string(*added->reply_to), key, document});
        }
        return out;
    }
    const std::string attachments(attachments_collection);
    if (const auto* attached = std::get_if<file_attached>(&e)) {
        return {{attachments, message_key(attached->number), to_json(after.attachments.back())}};
    }
    if (const auto* removed = std::get_if<attachment_removed>(&e)) {
        return {{attachments, message_key(removed->number), ""}};
    }
    return {};
}

std::string task_model::answer(const state& after, const std::vector<event>& events,
                               const runtime::view_context& context) {
    if (events.size() == 1) {
        if (const auto* added = std::get_if<message_added>(&events.front())) {
            return to_json(document_of(after, *added));
        }
        if (std::holds_alternative<file_attached>(events.front())) {
            return to_json(after.attachments.back());
        }
    }
    return view(after, context).document;
}

} // namespace troupe::actors
