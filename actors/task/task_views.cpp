#include "actors/task/task_model.hpp"

#include <fmt/format.h>

namespace troupe::actors {
namespace {

message_document document_of(const task_state& s, const message_added& e) {
    return {e.id, s.id, e.author, e.type, e.content, e.reply_to, s.updated_at};
}

} // namespace

runtime::entity_view task_model::view(const state& s, const runtime::view_context&) {
    if (s.id.is_nil() || s.deleted) {
        return {.document = "", .keys = {}, .exists = false};
    }
    const auto sort = runtime::sort_key(s.created_at);
    std::vector<runtime::index_key> keys{{"", sort}, {"status=" + std::string(detail::enum_name(s.status)), sort}};
    if (s.agent_id) {
        keys.push_back({"agent_id=" + to_string(*s.agent_id), sort});
    }
    if (s.project_id) {
        keys.push_back({"project_id=" + to_string(*s.project_id), sort});
    }
    return {to_json(task_document{s.id, s.title, s.description, s.status, s.priority, s.labels, s.due, s.project_id,
                                  s.agent_id, s.run_id, s.result, s.error, s.messages, s.created_by, s.created_at,
                                  s.updated_at, s.parameters, s.output}),
            std::move(keys), true};
}

std::vector<runtime::item> task_model::items(const state& after, const event& e, const runtime::event_context&) {
    if (const auto* added = std::get_if<message_added>(&e)) {
        return {{"messages", fmt::format("{:012}", after.messages), to_json(document_of(after, *added))}};
    }
    return {};
}

std::string task_model::answer(const state& after, const std::vector<event>& events,
                               const runtime::view_context& context) {
    if (events.size() == 1) {
        if (const auto* added = std::get_if<message_added>(&events.front())) {
            return to_json(document_of(after, *added));
        }
    }
    return view(after, context).document;
}

} // namespace troupe::actors
