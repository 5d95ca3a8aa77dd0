#pragma once

#include "runtime/entity/entity.hpp"
#include "schemas/base/described.hpp"
#include "schemas/task_messages.hpp"

#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// The board of an organization (kind "board", with the organization's id): it gives each task its number. Pure.
namespace troupe::actors {

struct task_number_taken {
    uuid task_id;
    std::uint64_t number = 0;
};
BOOST_DESCRIBE_STRUCT(task_number_taken, (), (task_id, number))

struct board_state {
    static constexpr int version = 1;
    std::uint64_t numbers = 0; ///< That are given.
};
BOOST_DESCRIBE_STRUCT(board_state, (), (numbers))

struct board_model {
    static constexpr std::string_view kind = "board";
    using state = board_state;
    using command = std::variant<take_task_number>;
    using event = std::variant<task_number_taken>;

    static expected<std::vector<event>> decide(const state&, const command&, const runtime::context&);
    static state apply(state, const event&, const runtime::event_context&);
    static std::vector<runtime::effect> resume(const state&);
    static runtime::entity_view view(const state&, const runtime::view_context&);
    /// `task_number`: the one of that task.
    static std::string answer(const state& after, const std::vector<event>&, const runtime::view_context&);
};

} // namespace troupe::actors

TROUPE_NAMED(troupe::actors::task_number_taken)
