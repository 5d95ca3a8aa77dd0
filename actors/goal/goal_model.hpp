#pragma once

#include "actors/common/debts.hpp"
#include "actors/common/upcast.hpp"
#include "actors/goal/goal_v1.hpp"
#include "runtime/entity/entity.hpp"
#include "schemas/agent_messages.hpp"
#include "schemas/base/described.hpp"
#include "schemas/goal.hpp"
#include "schemas/goal_messages.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// A goal: the tasks that lead to it, and the loop that brings each of them to its end. Pure.
///
/// Its tasks are made one after the other by the performer (goal_performer), and tell where they are. What an agent
/// ended is checked by another one, when the goal says so: it is done, or a task is made that mends it, and it is
/// checked again, `checks_max` times at most. Whatever needs a person is a blocker, and told to who made the goal.
namespace troupe::actors {

inline constexpr std::uint32_t checks_max = 3;

/// `tasks`: as its roadmap or template gives them; none: a model is asked.
struct create_goal : create_goal_body {
    std::vector<planned_task> tasks = {};
};
BOOST_DESCRIBE_STRUCT(create_goal, (create_goal_body), (tasks))
struct cancel_goal {};
BOOST_DESCRIBE_STRUCT(cancel_goal, (), ())
/// Gives it up, if it is not over, and shows it no more. Its tasks stay, as they are then.
struct delete_goal {};
BOOST_DESCRIBE_STRUCT(delete_goal, (), ())

/// Which of the tasks that belong to one of the plan.
BOOST_DEFINE_ENUM_CLASS(goal_part, work, check, mend)

/// Of its performer: a task is there.
struct note_task_made {
    std::uint32_t index = 0; ///< In the plan.
    goal_part part = goal_part::work;
    std::uint32_t round = 0;
    uuid task_id;
    std::uint64_t number = 0;
    std::optional<uuid> agent_made; ///< For it.
    std::string blocker = {};       ///< Why nobody does it yet.
};
BOOST_DESCRIBE_STRUCT(note_task_made, (), (index, part, round, task_id, number, agent_made, blocker))
/// Of its own alarm.
struct stall_due {
    timestamp due;
};
BOOST_DESCRIBE_STRUCT(stall_due, (), (due))

struct goal_created {
    uuid organization;
    create_goal_body goal;
    std::optional<uuid> planner_run; ///< Without tasks.
};
BOOST_DESCRIBE_STRUCT(goal_created, (), (organization, goal, planner_run))
struct goal_planned {
    std::vector<planned_task> tasks;
};
BOOST_DESCRIBE_STRUCT(goal_planned, (), (tasks))
struct planning_failed {
    std::string error;
};
BOOST_DESCRIBE_STRUCT(planning_failed, (), (error))
struct goal_task_made {
    note_task_made what;
};
BOOST_DESCRIBE_STRUCT(goal_task_made, (), (what))
struct goal_task_moved {
    note_goal_task where;
};
BOOST_DESCRIBE_STRUCT(goal_task_moved, (), (where))
struct goal_stalled {
    std::vector<std::uint32_t> items;
};
BOOST_DESCRIBE_STRUCT(goal_stalled, (), (items))
struct goal_cancelled {};
BOOST_DESCRIBE_STRUCT(goal_cancelled, (), ())
struct goal_deleted {};
BOOST_DESCRIBE_STRUCT(goal_deleted, (), ())

/// One of the plan, and what belongs to it.
struct goal_item {
    planned_task plan;
    std::optional<uuid> task_id;
    std::uint64_t number = 0;
    std::optional<task_status> status; ///< None: there is no task yet, or it was deleted.
    timestamp since;                   ///< The last that happened on it.
    std::uint32_t checks = 0;          ///< Begun.
    std::optional<uuid> check_id;      ///< At work.
    std::optional<uuid> mend_id;       ///< At work.
    std::optional<goal_part> wants;    ///< To be made.
    std::string report;                ///< Of the last check that found something.
    std::string blocker;
    bool warned = false; ///< Of a stall, since something happened.
};
BOOST_DESCRIBE_STRUCT(goal_item, (),
                      (plan, task_id, number, status, since, checks, check_id, mend_id, wants, report, blocker, warned))

struct goal_state {
    static constexpr int version = 2;
    using previous = v1::goal_state;
    uuid id;
    uuid organization;
    create_goal_body goal;
    std::vector<goal_item> items; ///< Each behind those that it waits for.
    std::optional<uuid> planner_run;
    bool planning = false;
    bool cancelled = false;
    bool done = false;
    std::string error;
    std::vector<uuid> agents_made;
    std::string created_by;
    timestamp created_at;
    timestamp updated_at;
    debts owed;
    bool deleted = false;
};
BOOST_DESCRIBE_STRUCT(goal_state, (),
                      (id, organization, goal, items, planner_run, planning, cancelled, done, error, agents_made,
                       created_by, created_at, updated_at, owed, deleted))

namespace v1 {

inline auto upcast(const goal_state& old) { return with_defaults<troupe::actors::goal_state>(old); }

} // namespace v1

/// What the performer is asked for: the next task that is to be made.
struct wanted_goal_task {
    std::uint32_t index = 0;
    goal_part part = goal_part::work;
    std::uint32_t round = 0;
};
BOOST_DESCRIBE_STRUCT(wanted_goal_task, (), (index, part, round))

/// Whether that is the next of its parts; else nobody waits for it any more.
bool is_awaited(const goal_item& item, const note_task_made& made);

struct goal_model {
    static constexpr std::string_view kind = "goal";
    using state = goal_state;
    using command = std::variant<create_goal, cancel_goal, delete_goal, note_task_made, note_goal_task, run_ended,
                                 stall_due, debt_settled>;
    using event = std::variant<goal_created, goal_planned, planning_failed, goal_task_made, goal_task_moved,
                               goal_stalled, goal_cancelled, goal_deleted, debt_cleared>;

    static expected<std::vector<event>> decide(const state&, const command&, const runtime::context&);
    static state apply(state, const event&, const runtime::event_context&);
    static std::vector<runtime::effect> resume(const state&);
    static runtime::entity_view view(const state&, const runtime::view_context&);
};

} // namespace troupe::actors

TROUPE_NAMED(troupe::actors::create_goal)
TROUPE_NAMED(troupe::actors::cancel_goal)
TROUPE_NAMED(troupe::actors::delete_goal)
TROUPE_NAMED(troupe::actors::note_task_made)
TROUPE_NAMED(troupe::actors::stall_due)
TROUPE_NAMED(troupe::actors::goal_created)
TROUPE_NAMED(troupe::actors::goal_planned)
TROUPE_NAMED(troupe::actors::planning_failed)
TROUPE_NAMED(troupe::actors::goal_task_made)
TROUPE_NAMED(troupe::actors::goal_task_moved)
TROUPE_NAMED(troupe::actors::goal_stalled)
TROUPE_NAMED(troupe::actors::goal_cancelled)
TROUPE_NAMED(troupe::actors::goal_deleted)
