#include "actors/erasure/erasure_model.hpp"

#include "actors/common/model.hpp"

namespace troupe::actors {
namespace {

using events = std::vector<erasure_model::event>;
using decision_result = expected<events>;

/// A step is taken once; said again, or late, it changes nothing.
template <class Event>
events step(const erasure_state& s, std::initializer_list<erasure_status> from, Event e) {
    const bool due = std::find(from.begin(), from.end(), s.status) != from.end();
    return due ? events{std::move(e)} : events{};
}

decision_result decide(const erasure_state& s, const request_erasure& c) {
    const bool anew = s.id.is_nil() || s.status == erasure_status::refused;
    return anew ? events{erasure_requested{c.subject}} : events{};
}

decision_result decide(const erasure_state& s, const close_settled& c) {
    return c.ok ? step(s, {erasure_status::requested}, subject_closed{})
                : step(s, {erasure_status::requested}, erasure_refused{c.detail});
}

decision_result decide(const erasure_state& s, const begin_erasure&) {
    return step(s, {erasure_status::requested, erasure_status::closing}, erasure_begun{});
}

decision_result decide(const erasure_state& s, const note_key_destroyed&) {
    return step(s, {erasure_status::destroying}, key_destroyed{});
}

decision_result decide(const erasure_state& s, const finish_erasure& c) {
    return step(s, {erasure_status::removing}, erasure_finished{c});
}

} // namespace

expected<events> erasure_model::decide(const state& s, const command& c, const runtime::context& context) {
    if (s.id.is_nil() && !std::holds_alternative<request_erasure>(c)) {
        return no_such("erasure", context.self.id);
    }
    return std::visit([&](const auto& each) { return actors::decide(s, each); }, c);
}

erasure_state erasure_model::apply(state s, const event& e, const runtime::event_context& at) {
    std::visit(visitor{[&](const erasure_requested& x) {
                           s = {};
                           s.id = at.id;
                           s.subject = x.subject;
                           s.requested_by = at.principal;
                           s.requested_at = at.time;
                       },
                       [&](const subject_closed&) { s.status = erasure_status::closing; },
                       [&](const erasure_begun&) { s.status = erasure_status::destroying; },
                       [&](const key_destroyed&) {
                           s.status = erasure_status::removing;
                           s.erased_at = at.time;
                       },
                       [&](const erasure_finished& x) {
                           s.status = erasure_status::done;
                           s.finished_at = at.time;
                           s.entities = x.entities;
                           s.contents = x.contents;
                       },
                       [&](const erasure_refused& x) {
                           s.status = erasure_status::refused;
                           s.finished_at = at.time;
                           s.reason = x.reason;
                       }},
               e);
    return s;
}

std::vector<runtime::effect> erasure_model::resume(const state& s) {
    switch (s.status) {
    case erasure_status::requested:
        if (s.id.is_nil()) {
            return {};
        }
        // The same person or organization may be asked anew after a refusal: then it is another message.
        return {runtime::send_effect{"close/" + std::to_string(s.requested_at.ms),
                                     {system_organization, std::string(detail::enum_name(s.subject)), s.id},
                                     std::string(wire_name<close_for_erasure>::value),
                                     "{}",
                                     std::string(wire_name<close_settled>::value)}};
    case erasure_status::destroying:
        return {runtime::perform_effect{"destroy", std::string(destroy_effect)}};
    case erasure_status::removing:
        return {runtime::perform_effect{"remove", std::string(remove_effect)}};
    default:
        return {};
    }
}

runtime::entity_view erasure_model::view(const state& s, const runtime::view_context&) {
    if (s.id.is_nil()) {
        return {.document = "", .keys = {}, .exists = false};
    }
    const auto sort = runtime::sort_key(s.requested_at);
    return {
        to_json<erasure_document>(s), {{"", sort}, {"status=" + std::string(detail::enum_name(s.status)), sort}}, true};
}

} // namespace troupe::actors
