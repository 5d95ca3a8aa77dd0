#include "actors/goal/plan.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace troupe::actors {
namespace {

problem wrong(std::string where, std::string detail) {
    auto said = where + ": " + detail;
    return {code::invalid_request, std::move(said), {{std::move(where), std::move(detail)}}};
}

/// Ids are unique, and all that is waited for is there.
expected<void> check_ids(const std::vector<planned_task>& tasks) {
    std::set<std::string> ids;
    for (std::size_t i = 0; i < tasks.size(); ++i) {
        if (!ids.insert(tasks[i].id).second) {
            return wrong(fmt::format("/tasks/{}/id", i), "the id '" + tasks[i].id + "' is used twice");
        }
    }
    for (std::size_t i = 0; i < tasks.size(); ++i) {
        for (const auto& other : tasks[i].depends_on) {
            if (!ids.contains(other)) {
                return wrong(fmt::format("/tasks/{}/depends_on", i), "there is no task '" + other + "' in the plan");
            }
        }
    }
    return {};
}

} // namespace

expected<std::vector<planned_task>> ordered_plan(std::vector<planned_task> tasks) {
    if (tasks.empty() || tasks.size() > planned_tasks_max) {
        return wrong("/tasks",
                     fmt::format("a plan has 1 to {} tasks, this one has {}", planned_tasks_max, tasks.size()));
    }
    if (auto sound = check_ids(tasks); !sound) {
        return sound.error();
    }
    std::vector<planned_task> out;
    std::set<std::string> placed;
    while (!tasks.empty()) {
        const auto ready = std::find_if(tasks.begin(), tasks.end(), [&](const planned_task& t) {
            return std::all_of(t.depends_on.begin(), t.depends_on.end(),
                               [&](const auto& id) { return placed.contains(id); });
        });
        if (ready == tasks.end()) {
            std::vector<std::string> circle;
            for (const auto& t : tasks) {
                circle.push_back(t.id);
            }
            return wrong("/tasks", fmt::format("these wait for each other in a circle: {}", fmt::join(circle, ", ")));
        }
        placed.insert(ready->id);
        out.push_back(std::move(*ready));
        tasks.erase(ready);
    }
    return out;
}

std::vector<planned_task> plan_of(goal_template from, std::string_view title) {
    struct step {
        std::string_view what;
        std::string_view capability;
        std::string_view description;
    };
    static const std::map<goal_template, std::vector<step>> steps{
        {goal_template::feature,
         {{"Design", "design", "Write down how it is to work: what users see, what changes where, what may go wrong."},
          {"Build", "code", "Build it as the design says, with tests."},
          {"Test", "qa", "Test it as its users would, and what they may do wrong."},
          {"Document", "documentation", "Describe it for users, with an example that works."}}},
        {goal_template::bugfix,
         {{"Reproduce", "qa", "Find the shortest way to see the defect, and write a test that fails because of it."},
          {"Mend", "code", "Find the cause and mend it there; the test passes, and so do all others."},
          {"Verify", "qa", "Run all tests, and look for the same defect in other places."}}},
        {goal_template::research,
         {{"Collect", "research", "Collect sources, with where and when each was found."},
          {"Compare", "research", "Compare what they say, and where they differ."},
          {"Report", "documentation", "Write the report: the answer first, then what it rests on."}}},
    };
    std::vector<planned_task> out;
    for (const auto& s : steps.at(from)) {
        planned_task t;
        t.id = std::to_string(out.size() + 1);
        t.title = fmt::format("{}: {}", s.what, title);
        t.description = s.description;
        t.capabilities = {std::string(s.capability)};
        if (!out.empty()) {
            t.depends_on = {out.back().id};
        }
        out.push_back(std::move(t));
    }
    return out;
}

std::string whole_description(const planned_task& task) {
    auto out = task.description;
    const auto list = [&](std::string_view title, const std::vector<std::string>& all) {
        if (!all.empty()) {
            out += fmt::format("{}{}\n", out.empty() ? "" : "\n\n", title);
            out += fmt::format("- {}", fmt::join(all, "\n- "));
        }
    };
    list("Deliverables:", task.deliverables);
    list("It is done when:", task.acceptance);
    if (!task.estimate.empty()) {
        list("Estimate:", {task.estimate});
    }
    return out;
}

} // namespace troupe::actors
