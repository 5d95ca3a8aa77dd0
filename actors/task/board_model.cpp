#include "actors/task/board_model.hpp"

namespace troupe::actors {

expected<std::vector<board_model::event>> board_model::decide(const state& s, const command& c,
                                                              const runtime::context&) {
    return std::vector<event>{task_number_taken{std::get<take_task_number>(c).task_id, s.numbers + 1}};
}

board_state board_model::apply(state s, const event& e, const runtime::event_context&) {
    s.numbers = std::get<task_number_taken>(e).number;
    return s;
}

std::vector<runtime::effect> board_model::resume(const state&) { return {}; }

runtime::entity_view board_model::view(const state&, const runtime::view_context&) {
    return {.document = "", .keys = {}, .exists = false};
}

std::string board_model::answer(const state& after, const std::vector<event>& events, const runtime::view_context&) {
    const auto* taken = events.empty() ? nullptr : std::get_if<task_number_taken>(&events.back());
    return to_json(task_number{taken ? taken->number : after.numbers});
}

} // namespace troupe::actors
