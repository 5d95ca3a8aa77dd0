#include "actors/message/message_model.hpp"

#include "actors/common/model.hpp"

#include <utility>

namespace troupe::actors {
namespace {

using events = std::vector<message_model::event>;
using decision_result = expected<events>;

constexpr std::string_view task_kind = "task";

expected<void> check_author(const said_message& said, std::string_view principal) {
    return said.author == principal
               ? expected<void>()
               : problem{code::forbidden,
                         "Only " + said.author + ", who said it, may change or take back this message."};
}

problem taken_back() { return {code::conflict, "The message was taken back."}; }

decision_result decide(const message_state& s, const edit_message& c, const runtime::context& context) {
    if (auto own = check_author(c.said, context.principal); !own) {
        return own.error();
    }
    if (s.deleted) {
        return taken_back();
    }
    return c.content == s.content.value_or(c.said.content) ? events{} : events{message_edited{c.content, c.mentions}};
}

decision_result decide(const message_state& s, const delete_message& c, const runtime::context& context) {
    if (auto own = check_author(c.said, context.principal); !own) {
        return own.error();
    }
    return s.deleted ? events{} : events{message_deleted{}};
}

decision_result decide(const message_state& s, const react& c, const runtime::context& context) {
    const std::string by(context.principal);
    const auto found = s.reactions.find(c.reaction);
    const bool there = found != s.reactions.end() && found->second.contains(by);
    if (there != c.remove) {
        return events{};
    }
    if (s.deleted) {
        return taken_back();
    }
    if (!c.remove &&
        (found == s.reactions.end() ? s.reactions.size() >= reactions_max : found->second.size() >= reacting_max)) {
        return problem{code::limit_reached, "The message has as many reactions as it can."};
    }
    return events{reaction_changed{c.reaction, by, c.remove}};
}

decision_result decide(const message_state& s, const debt_settled& c, const runtime::context&) {
    const auto* paid = find_debt(s.owed, c.key);
    return paid ? events{cleared(*paid, c)} : events{};
}

void apply(message_state& s, const message_touched& e, const runtime::event_context& at) {
    s.id = at.id;
    s.organization = e.organization;
    s.said = e.said;
}

void apply(message_state& s, const message_edited& e, const runtime::event_context& at) {
    s.content = e.content;
    s.mentions = e.mentions;
    s.edited_at = at.time;
}

void apply(message_state& s, const message_deleted&, const runtime::event_context& at) {
    s.deleted = true;
    s.content.reset();
    s.mentions.clear();
    s.reactions.clear();
    s.edited_at = at.time;
}

void apply(message_state& s, const reaction_changed& e, const runtime::event_context&) {
    auto& by = s.reactions[e.reaction];
    if (e.removed) {
        by.erase(e.by);
    } else {
        by.insert(e.by);
    }
    if (by.empty()) {
        s.reactions.erase(e.reaction);
    }
}

void apply(message_state& s, const debt_cleared& e, const runtime::event_context&) { clear_debt(s.owed, e.number); }

} // namespace

expected<std::vector<message_model::event>> message_model::decide(const state& s, const command& c,
                                                                  const runtime::context& context) {
    return std::visit(
        [&](const auto& each) -> decision_result {
            auto decided = actors::decide(s, each, context);
            if constexpr (requires { each.said; }) {
                if (decided && !decided->empty() && s.id.is_nil()) {
                    decided->insert(decided->begin(), message_touched{context.self.organization, each.said});
                }
            }
            return decided;
        },
        c);
}

message_state message_model::apply(state s, const event& e, const runtime::event_context& at) {
    std::visit([&](const auto& each) { actors::apply(s, each, at); }, e);
    const bool news = !std::holds_alternative<message_touched>(e) && !std::holds_alternative<debt_cleared>(e);
    if (news) {
        owe(s.owed, task_kind, s.said.task_id, note_message_changed{s.id}); // for those who watch the task
    }
    return s;
}

std::vector<runtime::effect> message_model::resume(const state& s) { return effects_of(s.owed, s.organization); }

runtime::entity_view message_model::view(const state& s, const runtime::view_context&) {
    message_overlay over;
    over.content = s.content;
    if (!s.mentions.empty()) {
        over.mentions = s.mentions;
    }
    over.edited_at = s.edited_at;
    over.deleted = s.deleted;
    for (const auto& [reaction, by] : s.reactions) {
        over.reactions.emplace(reaction, std::vector<std::string>(by.begin(), by.end()));
    }
    return {.document = to_json(over), .keys = {}, .exists = !s.id.is_nil()};
}

} // namespace troupe::actors
