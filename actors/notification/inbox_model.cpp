#include "actors/notification/inbox_model.hpp"

#include "actors/common/message_ids.hpp"

#include <algorithm>
#include <utility>

namespace troupe::actors {
namespace {

using events = std::vector<inbox_model::event>;
using decision_result = expected<events>;

bool is_wanted(const notification_preferences& p, const notify& n) {
    const bool matters = n.priority >= p.at_least || n.kind == notification_kind::mention;
    return matters && std::ranges::find(p.muted, n.kind) == p.muted.end();
}

decision_result decide(const inbox_state& s, const notify& c, const runtime::context&) {
    return is_wanted(s.preferences, c) ? events{notified{c}} : events{};
}

decision_result decide(const inbox_state& s, const mark_read& c, const runtime::context&) {
    if (c.number == 0 || c.number > s.total) {
        return problem{code::not_found, "There is no such notification here. See GET /notifications."};
    }
    return std::ranges::binary_search(s.unread, c.number) ? events{notification_read{c.number}} : events{};
}

decision_result decide(const inbox_state& s, const mark_all_read&, const runtime::context&) {
    return s.unread.empty() ? events{} : events{all_read{s.total}};
}

decision_result decide(const inbox_state& s, const set_preferences& c, const runtime::context&) {
    const notification_preferences& wanted = c;
    return to_json(wanted) == to_json(s.preferences) ? events{} : events{preferences_set{wanted}};
}

void apply(inbox_state& s, const notified&) {
    s.unread.push_back(++s.total);
    if (s.unread.size() > unread_max) {
        s.unread.erase(s.unread.begin());
    }
}

void apply(inbox_state& s, const notification_read& e) { std::erase(s.unread, e.number); }

void apply(inbox_state& s, const all_read& e) {
    std::erase_if(s.unread, [&](auto number) { return number <= e.up_to; });
}

void apply(inbox_state& s, const preferences_set& e) { s.preferences = e.preferences; }

} // namespace

expected<std::vector<inbox_model::event>> inbox_model::decide(const state& s, const command& c,
                                                              const runtime::context& context) {
    return std::visit([&](const auto& each) { return actors::decide(s, each, context); }, c);
}

inbox_state inbox_model::apply(state s, const event& e, const runtime::event_context& at) {
    s.id = at.id;
    std::visit([&](const auto& each) { actors::apply(s, each); }, e);
    return s;
}

std::vector<runtime::effect> inbox_model::resume(const state&) { return {}; }

runtime::entity_view inbox_model::view(const state& s, const runtime::view_context&) {
    return {.document = to_json(inbox_view{s.total, s.unread, s.preferences}), .keys = {}, .exists = !s.id.is_nil()};
}

std::vector<runtime::item> inbox_model::items(const state& after, const event& e, const runtime::event_context& at) {
    const auto* told = std::get_if<notified>(&e);
    if (!told) {
        return {};
    }
    const auto& n = told->what;
    return {{"notifications", message_key(after.total),
             to_json(notification_document{message_id(at.id, after.total), n.kind, n.priority, n.title, n.text,
                                           n.task_id, n.message_id, n.actor, at.time, false})}};
}

} // namespace troupe::actors
