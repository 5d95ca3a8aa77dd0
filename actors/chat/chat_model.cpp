#include "actors/chat/chat_model.hpp"

#include "actors/common/message_ids.hpp"
#include "actors/common/model.hpp"
#include "schemas/run_messages.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <type_traits>
#include <utility>

namespace troupe::actors {
namespace {

using events = std::vector<chat_model::event>;
using decision_result = expected<events>;

constexpr std::string_view run_kind = "run";

/// Of the answer that is wanted once there are so many messages.
uuid run_of(const runtime::context& context, std::uint64_t messages) {
    return derive_uuid(
        {"chat_answer", to_string(context.self.organization), to_string(context.self.id), std::to_string(messages)});
}

/// How an answer ended, and the next one, when something was said meanwhile.
events ended(const chat_state& s, const runtime::context& context, std::string content, std::string error) {
    events decided{chat_answered{*s.run_id, std::move(content), std::move(error)}};
    if (s.unanswered > 0) {
        decided.emplace_back(answer_wanted{run_of(context, s.messages + 1)});
    }
    return decided;
}

decision_result decide(const chat_state& s, const create_chat& c, const runtime::context& context) {
    if (!s.id.is_nil()) {
        return exists_already("chat", context.self.id);
    }
    return events{chat_created{c, context.self.organization}};
}

decision_result decide(const chat_state& s, const update_chat& c, const runtime::context&) {
    return c.title == s.about.title ? events{} : events{chat_renamed{c.title}};
}

decision_result decide(const chat_state& s, const say& c, const runtime::context& context) {
    events decided{chat_said{std::string(context.principal), c.content}};
    if (s.about.agent_id && !s.run_id) {
        decided.emplace_back(answer_wanted{run_of(context, s.messages + 1)});
    }
    return decided;
}

decision_result decide(const chat_state& s, const stop_answer&, const runtime::context& context) {
    if (!s.run_id) {
        return problem{code::conflict, "Nobody answers just now."};
    }
    auto decided = ended(s, context, "", "It was stopped.");
    decided.insert(decided.begin(), answer_stopped{});
    return decided;
}

decision_result decide(const chat_state&, const delete_chat&, const runtime::context&) {
    return events{chat_deleted{}};
}

decision_result decide(const chat_state& s, const note_answer_begun& c, const runtime::context& context) {
    if (s.run_id != c.run_id && c.problem.empty()) {
        return events{answer_unwanted{c.run_id}}; // it was stopped while the run was being made
    }
    if (s.run_id != c.run_id || s.begun) {
        return events{};
    }
    return c.problem.empty() ? events{answer_begun{}} : ended(s, context, "", c.problem);
}

decision_result decide(const chat_state& s, const run_ended& c, const runtime::context& context) {
    if (s.run_id != c.run_id) {
        return events{};
    }
    if (c.status != run_status::succeeded) {
        return ended(s, context, "", c.error.value_or("Its run did not end well."));
    }
    const auto content = c.result.value_or("");
    return ended(s, context, content, content.empty() ? "Its run ended without a text." : "");
}

decision_result decide(const chat_state& s, const debt_settled& c, const runtime::context&) {
    const auto* paid = find_debt(s.owed, c.key);
    return paid ? events{cleared(*paid, c)} : events{};
}

// ---- what follows

/// No more than an answer looks back on; the first one left is a person's.
void forget_old(std::vector<chat_turn>& turns) {
    std::size_t bytes = 0;
    std::size_t kept = 0;
    for (auto t = turns.rbegin(); t != turns.rend() && kept < turns_max; ++t, ++kept) {
        bytes += t->text.size();
        if (bytes > turn_bytes_max && kept > 0) {
            break;
        }
    }
    turns.erase(turns.begin(), turns.end() - static_cast<std::ptrdiff_t>(kept));
    const auto person = std::ranges::find(turns, false, &chat_turn::by_agent);
    turns.erase(turns.begin(), person);
}

void leave_answer(chat_state& s) {
    s.run_id.reset();
    s.begun = false;
}

/// Also a run of which nobody said yet that it is there: a kill may have been faster than whoever made it.
void cancel(chat_state& s, std::string why) {
    if (s.run_id) {
        owe(s.owed, run_kind, *s.run_id, cancel_run{std::move(why)});
    }
}

void apply(chat_state& s, const chat_created& e, const runtime::event_context& at) {
    s.id = at.id;
    s.organization = e.organization;
    s.about = e;
    s.created_by = at.principal;
    s.created_at = s.updated_at = at.time;
}

void apply(chat_state& s, const chat_renamed& e, const runtime::event_context&) { s.about.title = e.title; }

void apply(chat_state& s, const chat_said& e, const runtime::event_context& at) {
    ++s.messages;
    ++s.unanswered;
    s.turns.push_back({false, e.content});
    forget_old(s.turns);
    s.updated_at = at.time;
}

void apply(chat_state& s, const answer_wanted& e, const runtime::event_context&) {
    s.run_id = e.run_id;
    s.begun = false;
    s.unanswered = 0;
}

void apply(chat_state& s, const answer_begun&, const runtime::event_context&) { s.begun = true; }

/// A model sees the answer before what was said while it was made.
void apply(chat_state& s, const chat_answered& e, const runtime::event_context& at) {
    ++s.messages;
    if (!e.content.empty()) {
        const auto later = std::min<std::size_t>(s.unanswered, s.turns.size());
        s.turns.insert(s.turns.end() - static_cast<std::ptrdiff_t>(later), {true, e.content});
        forget_old(s.turns);
    }
    leave_answer(s);
    s.updated_at = at.time;
}

void apply(chat_state& s, const answer_stopped&, const runtime::event_context&) {
    cancel(s, "Its answer is not wanted any more.");
}

void apply(chat_state& s, const chat_deleted&, const runtime::event_context&) {
    cancel(s, "The chat was deleted.");
    leave_answer(s);
    s.turns.clear();
    s.deleted = true;
}

void apply(chat_state& s, const answer_unwanted& e, const runtime::event_context&) {
    owe(s.owed, run_kind, e.run_id, cancel_run{"Its answer is not wanted any more."});
}

void apply(chat_state& s, const debt_cleared& e, const runtime::event_context&) { clear_debt(s.owed, e.number); }

// ---- what is shown

std::string agent_of(const chat_state& s) { return "agent/" + to_string(s.about.agent_id.value_or(uuid())); }

chat_document document_of(const chat_state& s) {
    return {s.id,       s.about.title, s.about.agent_id, s.about.task_id, s.about.project_id,
            s.messages, s.run_id,      s.created_by,     s.created_at,    s.updated_at};
}

/// Of an event that is a message.
std::optional<chat_message> message_of(const chat_state& after, const chat_model::event& e) {
    if (const auto* said = std::get_if<chat_said>(&e)) {
        return chat_message{after.messages, said->author, said->content, after.updated_at};
    }
    const auto* answered = std::get_if<chat_answered>(&e);
    if (!answered) {
        return std::nullopt;
    }
    chat_message out{after.messages, agent_of(after), answered->content, after.updated_at, answered->run_id};
    if (!answered->error.empty()) {
        out.error = answered->error;
    }
    return out;
}

/// What the host and runs report is taken even after the end; it changes nothing that is shown.
template <class Command>
constexpr bool is_report = std::is_same_v<Command, note_answer_begun> || std::is_same_v<Command, run_ended> ||
                           std::is_same_v<Command, debt_settled>;

} // namespace

expected<std::vector<chat_model::event>> chat_model::decide(const state& s, const command& c,
                                                            const runtime::context& context) {
    return std::visit(
        [&]<class Command>(const Command& each) -> decision_result {
            if constexpr (!is_report<Command> && !std::is_same_v<Command, create_chat>) {
                if (s.id.is_nil() || s.deleted) {
                    return no_such("chat", context.self.id);
                }
            }
            return actors::decide(s, each, context);
        },
        c);
}

chat_state chat_model::apply(state s, const event& e, const runtime::event_context& at) {
    std::visit([&](const auto& each) { actors::apply(s, each, at); }, e);
    return s;
}

std::vector<runtime::effect> chat_model::resume(const state& s) {
    auto out = effects_of(s.owed, s.organization);
    if (s.run_id && !s.begun) {
        out.emplace_back(runtime::perform_effect{"answer/" + to_string(*s.run_id), "answer"});
    }
    return out;
}

runtime::entity_view chat_model::view(const state& s, const runtime::view_context&) {
    if (s.id.is_nil() || s.deleted) {
        return {.document = "", .keys = {}, .exists = false};
    }
    const auto sort = runtime::sort_key(s.created_at);
    std::vector<runtime::index_key> keys{{"", sort}};
    for (const auto& [name, id] : {std::pair("agent_id=", s.about.agent_id), std::pair("task_id=", s.about.task_id),
                                   std::pair("project_id=", s.about.project_id)}) {
        if (id) {
            keys.push_back({name + to_string(*id), sort});
        }
    }
    return {to_json(document_of(s)), std::move(keys), true};
}

std::vector<runtime::item> chat_model::items(const state& after, const event& e, const runtime::event_context&) {
    const auto said = message_of(after, e);
    return said ? std::vector<runtime::item>{{std::string(chat_messages_collection), message_key(said->number),
                                              to_json(*said)}}
                : std::vector<runtime::item>{};
}

std::string chat_model::answer(const state& after, const std::vector<event>& events,
                               const runtime::view_context& context) {
    const bool spoken = !events.empty() && std::holds_alternative<chat_said>(events.front());
    return spoken ? to_json(*message_of(after, events.front())) : view(after, context).document;
}

} // namespace troupe::actors
