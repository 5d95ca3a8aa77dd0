#pragma once

#include "actors/common/debts.hpp"
#include "schemas/goal.hpp"

#include <optional>
#include <string>
#include <vector>

/// What goals stored before they could be deleted. Never changes.
namespace troupe::actors::v1 {

BOOST_DEFINE_ENUM_CLASS(goal_part, work, check, mend)

struct goal_item {
    planned_task plan;
    std::optional<uuid> task_id;
    std::uint64_t number = 0;
    std::optional<task_status> status;
    timestamp since;
    std::uint32_t checks = 0;
    std::optional<uuid> check_id;
    std::optional<uuid> mend_id;
    std::optional<goal_part> wants;
    std::string report;
    std::string blocker;
    bool warned = false;
};
BOOST_DESCRIBE_STRUCT(goal_item, (),
                      (plan, task_id, number, status, since, checks, check_id, mend_id, wants, report, blocker, warned))

struct goal_state {
    static constexpr int version = 1;
    uuid id;
    uuid organization;
    create_goal_body goal;
    std::vector<goal_item> items;
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
};
BOOST_DESCRIBE_STRUCT(goal_state, (),
                      (id, organization, goal, items, planner_run, planning, cancelled, done, error, agents_made,
                       created_by, created_at, updated_at, owed))

} // namespace troupe::actors::v1
