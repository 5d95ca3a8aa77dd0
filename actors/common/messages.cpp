#include "actors/common/messages.hpp"

#include "actors/common/message_ids.hpp"
#include "actors/common/stored.hpp"

#include <utility>

namespace troupe::actors {

message_document with_overlay(message_document said, const message_overlay& over) {
    if (over.deleted) {
        said.content.clear();
        said.mentions.reset();
        said.deleted = true;
    } else if (over.content) {
        said.content = *over.content;
        said.mentions = over.mentions;
    }
    said.edited_at = over.edited_at;
    if (!over.reactions.empty()) {
        said.reactions = over.reactions;
    }
    return said;
}

expected<std::optional<message_document>> find_said(const storage::store& s, const uuid& organization,
                                                    const uuid& message) {
    const std::string task_kind = "task";
    const auto place = place_of_message(message);
    if (!place) {
        return std::nullopt;
    }
    storage::list_query query;
    query.organization = organization;
    query.kind = task_kind;
    query.filter = place->filter;
    const auto tasks = storage::read_list(s, query);
    if (!tasks) {
        return tasks.error();
    }
    for (const auto& task : tasks->items) {
        auto found = read_stored<message_document>(s, {organization, task_kind, task.id}, messages_collection,
                                                   message_key(place->number));
        if (!found || (*found && (*found)->id == message)) {
            return found;
        }
    }
    return std::nullopt;
}

expected<message_document> as_it_is_now(const storage::store& s, const uuid& organization, message_document said) {
    const auto over = read_stored<message_overlay>(s, {organization, std::string(message_kind), said.id});
    if (!over) {
        return over.error();
    }
    return *over ? with_overlay(std::move(said), **over) : std::move(said);
}

} // namespace troupe::actors
