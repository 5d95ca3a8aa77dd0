#include "actors/chat/chat_performer.hpp"

#include "actors/common/stored.hpp"
#include "actors/common/text.hpp"
#include "schemas/base/log.hpp"
#include "schemas/task.hpp"

#include <fmt/format.h>

#include <string>
#include <utility>

namespace troupe::actors {
namespace {

constexpr std::size_t task_bytes_max = 16 * 1024; ///< Of a text of the task that the agent is told.

/// Refused for good: the chat is told, and nothing is tried again.
bool is_final(code c) {
    return c == code::invalid_request || c == code::forbidden || c == code::quota_exceeded ||
           c == code::limit_reached || c == code::conflict || c == code::not_found;
}

void add_part(std::string& to, std::string_view name, const std::optional<std::string>& text) {
    if (text && !text->empty()) {
        to += fmt::format("\n{}: {}", name, utf8_prefix(*text, task_bytes_max));
    }
}

/// What the agent has to know beside what was said.
expected<std::string> background_of(const storage::store& s, const chat_state& chat) {
    auto out = "You talk with people in a chat about: " + chat.about.title;
    if (!chat.about.task_id) {
        return out;
    }
    const auto task = read_stored<task_document>(s, {chat.organization, "task", *chat.about.task_id});
    if (!task) {
        return task.error();
    }
    if (*task) {
        const auto& t = **task;
        out += fmt::format("\n\nIt is about the task {} ({}).", t.key.value_or(to_string(t.id)),
                           detail::enum_name(t.status));
        add_part(out, "Title", t.title);
        add_part(out, "Description", t.description);
        add_part(out, "Result", t.result);
        add_part(out, "Error", t.error);
    }
    return out;
}

/// What the chat is told: nothing where the run is there now; a problem that may pass is no news.
expected<std::string> begin(const runtime::services& s, const answer_run_maker& make, const chat_state& chat,
                            runtime::effect_context& context) {
    const auto agent = read_stored<agent_document>(*s.store, {chat.organization, "agent", *chat.about.agent_id});
    if (!agent) {
        return agent.error();
    }
    if (!*agent || (*agent)->status == agent_status::offline) {
        return std::string(*agent ? "Its agent is stopped. Start it, and say something again."
                                  : "Its agent is not there any more.");
    }
    auto background = background_of(*s.store, chat);
    if (!background) {
        return background.error();
    }
    auto c = make({chat.organization, "run", *chat.run_id}, (*agent)->settings,
                  {*chat.about.agent_id, "chat/" + to_string(chat.id), std::move(*background), chat.about.project_id,
                   chat.turns});
    c.principal = "agent/" + to_string(*chat.about.agent_id);
    const auto done = context.ask(std::move(c));
    if (done || done.error().code == code::already_exists) {
        return std::string();
    }
    return is_final(done.error().code) ? expected<std::string>(done.error().detail)
                                       : expected<std::string>(done.error());
}

} // namespace

runtime::performer_of<chat_model> make_chat_performer(const runtime::services& s, answer_run_maker make) {
    return [&s, make = std::move(make)](const runtime::perform_effect&, const chat_state& chat,
                                        runtime::effect_context& context) -> std::vector<runtime::self_command> {
        if (!chat.run_id || !chat.about.agent_id) {
            return {};
        }
        const auto begun = begin(s, make, chat, context);
        if (!begun) { // it is tried again after a rest
            log_for("chat").error("{}: no answer can be begun now: {}", to_string(context.self()),
                                  begun.error().detail);
            return {};
        }
        return {{std::string(wire_name<note_answer_begun>::value), to_json(note_answer_begun{*chat.run_id, *begun})}};
    };
}

} // namespace troupe::actors
