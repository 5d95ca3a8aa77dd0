#include "actors/goal/goal_routes.hpp"

#include "actors/common/references.hpp"
#include "actors/common/routes.hpp"
#include "actors/goal/goal_model.hpp"
#include "actors/goal/plan.hpp"
#include "net/http/handlers.hpp"

#include <string>
#include <utility>

namespace troupe::actors {
namespace {

using net::verb;

const std::string kind{goal_model::kind};
const std::string plural = "goals";

/// With the tasks of its roadmap or template; what is wrong with a roadmap is said at once.
net::to_command create_command(const runtime::services& s, permission_check may) {
    return [&s, may = std::move(may)](const net::request& r) -> expected<net::command_payload> {
        auto body = from_json<create_goal_body>(r.body, strictness::input);
        if (!body) {
            return body.error();
        }
        if (auto allowed = body->agents_max == 0 ? expected<void>() : may(r.who, "agent:write"); !allowed) {
            return allowed.error();
        }
        if (auto named = check_named(s, r, "project", body->project_id); !named) {
            return named.error();
        }
        create_goal out{std::move(*body)};
        if (!out.roadmap.empty()) {
            auto tasks = read_roadmap(out.roadmap);
            if (!tasks) {
                return tasks.error();
            }
            out.tasks = std::move(*tasks);
            out.roadmap.clear();
        } else if (out.from_template) {
            out.tasks = plan_of(*out.from_template, out.title);
        }
        return net::command_payload{std::string(wire_name<create_goal>::value), to_json(out)};
    };
}

void show_plan(const net::request& r, const net::responder& respond) {
    const auto body = from_json<plan_goal_body>(r.body, strictness::input);
    auto tasks = body ? read_roadmap(body->roadmap) : expected<std::vector<planned_task>>(body.error());
    if (!tasks) {
        return respond(net::to_response(tasks.error(), r));
    }
    respond({.body = to_json(goal_plan{std::move(*tasks)})});
}

} // namespace

std::vector<net::route> goal_routes(const runtime::services& s, permission_check may) {
    const std::vector<std::string> filters{"status"};
    const auto document = net::reply_of<goal_document>("goal");
    const std::vector<net::query_parameter> which{{"id", "The goal's id.", R"({"type":"string","format":"uuid"})"}};
    return {
        {.verb = verb::get,
         .path = "/goals",
         .operation = "list_goals",
         .summary = "Lists goals, newest first.",
         .tag = plural,
         .permission = "task:read",
         .query = net::list_parameters(filters, {{"status", json_schema<goal_status>()}}),
         .reply = page_of<goal_document>("goal_list"),
         .run = net::list_entities(s, kind, filters)},
        {.verb = verb::post,
         .path = "/goals",
         .operation = "create_goal",
         .summary = "Sets a goal: it becomes tasks, which agents do, one after the other or side by side.",
         .description = "The tasks come from `roadmap`, else from `from_template`, else a model is asked for them. "
                        "With `agents_max` the permission agent:write is needed, too.",
         .tag = plural,
         .permission = "task:write",
         .body = net::body_of<create_goal_body>("create_goal"),
         .reply = document,
         .success = 201,
         .reply_headers = net::created_headers(),
         .run = net::create_entity(s, kind, plural, "create_goal", create_command(s, std::move(may)))},
        {.verb = verb::post,
         .path = "/goals/plan",
         .operation = "plan_goal",
         .summary = "Shows the tasks that a roadmap would become. Nothing is made.",
         .tag = plural,
         .permission = "task:read",
         .body = net::body_of<plan_goal_body>("plan_goal"),
         .reply = net::reply_of<goal_plan>("goal_plan"),
         .run = [](const net::request& r, const net::responder& respond) { show_plan(r, respond); }},
        {.verb = verb::get,
         .path = "/goals/{id}",
         .operation = "get_goal",
         .summary = "Shows a goal: its tasks, how far they are, and what holds them up.",
         .tag = plural,
         .permission = "task:read",
         .in_path = which,
         .reply = document,
         .errors = {code::not_found},
         .reply_headers = net::read_headers(),
         .run = net::read_entity(s, kind)},
        {.verb = verb::post,
         .path = "/goals/{id}/cancel",
         .operation = "cancel_goal",
         .summary = "Gives a goal up: its tasks that are not done are cancelled.",
         .tag = plural,
         .permission = "task:write",
         .in_path = which,
         .reply = document,
         .errors = {code::not_found, code::conflict, code::precondition_failed},
         .reply_headers = net::changed_headers(),
         .run = net::change_entity(s, kind, net::empty_command("cancel_goal"), 200)},
        {.verb = verb::del,
         .path = "/goals/{id}",
         .operation = "delete_goal",
         .summary = "Deletes a goal. One that is not over is given up first; its tasks stay on the board.",
         .tag = plural,
         .permission = "task:write",
         .in_path = which,
         .success = 204,
         .errors = {code::not_found, code::precondition_failed},
         .run = net::change_entity(s, kind, net::empty_command("delete_goal"), 204)},
    };
}

} // namespace troupe::actors
