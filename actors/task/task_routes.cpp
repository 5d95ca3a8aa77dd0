#include "actors/task/task_routes.hpp"

#include "actors/common/model.hpp"
#include "actors/common/references.hpp"
#include "actors/common/routes.hpp"
#include "actors/common/stored.hpp"
#include "actors/kinds/kind.hpp"
#include "net/http/handlers.hpp"
#include "schemas/task.hpp"
#include "storage/views.hpp"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

namespace troupe::actors {
namespace {

using net::route;
using net::verb;

const std::string kind = "task";
const std::string plural = "tasks";

/// Against the kind of the agent that is to work on it, before it is queued.
expected<void> check_parameters_of(const runtime::services& s, const net::request& r, const create_task_body& body) {
    if (!body.agent_id) {
        return body.parameters ? check_parameters("", body.parameters->text) : expected<void>();
    }
    const auto found = read_stored<agent_document>(*s.store, {r.who.organization, "agent", *body.agent_id});
    if (!found || !*found) {
        return found ? no_such("agent", *body.agent_id) : found.error();
    }
    return check_parameters((*found)->settings.kind, body.parameters ? body.parameters->text : "{}");
}

/// POST /agents/{id}/tasks: the agent is the one of the path, by id or name.
net::handler create_for_agent(const runtime::services& s) {
    return [&s](net::request r, net::responder respond) {
        auto agent = net::resolve_id(s, r, "agent", "name");
        auto document = agent ? storage::read_document(*s.store, {r.who.organization, "agent", *agent})
                              : expected<std::optional<storage::stored_document>>(agent.error());
        if (!document || !*document) {
            respond(net::to_response(document ? no_such("agent", *agent) : document.error(), r));
            return;
        }
        const auto with_agent = [&s, id = *agent](const net::request& from) -> expected<net::command_payload> {
            auto body = from_json<create_task_body>(from.body, strictness::input);
            if (!body) {
                return body.error();
            }
            if (auto named = check_named(s, from, "project", body->project_id); !named) {
                return named.error();
            }
            body->agent_id = id;
            if (auto fits = check_parameters_of(s, from, *body); !fits) {
                return fits.error();
            }
            return net::command_payload{"create_task", to_json(*body)};
        };
        net::create_entity(s, kind, plural, "create_agent_task", with_agent)(std::move(r), std::move(respond));
    };
}

/// The project and the agent that a body names have to be there.
template <class Body>
net::to_command with_references(const runtime::services& s, net::to_command make) {
    return [&s, make = std::move(make)](const net::request& r) -> expected<net::command_payload> {
        const auto body = from_json<Body>(r.body, strictness::input);
        if (!body) {
            return body.error();
        }
        auto named = check_named(s, r, "agent", body->agent_id);
        if constexpr (requires { body->project_id; }) {
            named = named ? check_named(s, r, "project", body->project_id) : named;
            named = named ? check_parameters_of(s, r, *body) : named;
        }
        return named ? make(r) : expected<net::command_payload>(named.error());
    };
}

std::vector<route> board_routes(const runtime::services& s) {
    const std::vector<std::string> filters{"agent_id", "project_id", "status"};
    const auto document = net::reply_of<task_document>("task");
    const auto change = [&](verb v, std::string path, std::string operation, std::string summary, net::body_type body,
                            net::to_command command) {
        return route{.verb = v,
                     .path = std::move(path),
                     .operation = std::move(operation),
                     .summary = std::move(summary),
                     .tag = plural,
                     .permission = "task:write",
                     .body = std::move(body),
                     .reply = document,
                     .errors = {code::not_found, code::conflict, code::precondition_failed},
                     .reply_headers = net::changed_headers(),
                     .run = net::change_entity(s, kind, std::move(command))};
    };
    return {
        {.verb = verb::get,
         .path = "/tasks",
         .operation = "list_tasks",
         .summary = "Lists tasks, newest first.",
         .tag = plural,
         .permission = "task:read",
         .query = net::list_parameters(filters, {{"status", json_schema<task_status>()}}),
         .reply = page_of<task_document>("task_list"),
         .run = net::list_entities(s, kind, filters)},
        {.verb = verb::post,
         .path = "/tasks",
         .operation = "create_task",
         .summary = "Creates a task; with an agent it is queued for work at once.",
         .tag = plural,
         .permission = "task:write",
         .body = net::body_of<create_task_body>("create_task"),
         .reply = document,
         .success = 201,
         .errors = {code::quota_exceeded},
         .reply_headers = net::created_headers(),
         .run = net::create_entity(s, kind, plural, "create_task",
                                   with_references<create_task_body>(s, net::body_as("create_task")))},
        {.verb = verb::get,
         .path = "/tasks/{id}",
         .operation = "get_task",
         .summary = "Shows a task.",
         .tag = plural,
         .permission = "task:read",
         .reply = document,
         .errors = {code::not_found},
         .reply_headers = net::read_headers(),
         .run = net::read_entity(s, kind)},
        change(verb::put, "/tasks/{id}", "update_task", "Replaces what is given.",
               net::body_of<update_task_body>("update_task"), net::body_as("update_task")),
        change(verb::patch, "/tasks/{id}", "patch_task", "Replaces what is given.",
               net::body_of<update_task_body>("update_task"), net::body_as("update_task")),
        change(verb::post, "/tasks/{id}/assign", "assign_task", "Gives the task to an agent, which queues it.",
               net::body_of<assign_task_body>("assign_task"),
               with_references<assign_task_body>(s, net::body_as("assign_task"))),
        change(verb::post, "/tasks/{id}/status", "move_task",
               "Moves the task over the board. An agent that works on it stops.",
               net::body_of<move_task_body>("move_task"), net::body_as("move_task")),
        {.verb = verb::del,
         .path = "/tasks/{id}",
         .operation = "delete_task",
         .summary = "Deletes a task. An agent that works on it stops.",
         .tag = plural,
         .permission = "task:write",
         .success = 204,
         .errors = {code::not_found, code::precondition_failed},
         .reply_headers = net::changed_headers(),
         .run = net::change_entity(s, kind, net::empty_command("delete_task"), 204)},
        {.verb = verb::post,
         .path = "/agents/{id}/tasks",
         .operation = "create_agent_task",
         .summary = "Creates a task for an agent, by its id or name, and queues it.",
         .tag = plural,
         .permission = "task:write",
         .in_path = {{"id", "The agent's id or name.", R"({"type":"string"})", R"("scout")"}},
         .body = net::body_of<create_task_body>("create_task"),
         .reply = document,
         .success = 201,
         .errors = {code::not_found, code::quota_exceeded},
         .reply_headers = net::created_headers(),
         .run = create_for_agent(s)},
    };
}

std::vector<route> message_routes(const runtime::services& s) {
    return {
        {.verb = verb::get,
         .path = "/tasks/{id}/messages",
         .operation = "list_messages",
         .summary = "Lists the messages of a task, oldest first.",
         .tag = plural,
         .permission = "task:read",
         .query = net::page_parameters(),
         .reply = page_of<message_document>("message_list"),
         .errors = {code::not_found},
         .run = net::list_items(s, kind, "messages")},
        {.verb = verb::post,
         .path = "/tasks/{id}/messages",
         .operation = "add_message",
         .summary = "Adds a message to a task.",
         .tag = plural,
         .permission = "task:write",
         .body = net::body_of<add_message_body>("add_message"),
         .reply = net::reply_of<message_document>("message"),
         .success = 201,
         .errors = {code::not_found},
         .reply_headers = net::changed_headers(),
         .run = net::change_entity(s, kind, net::body_as("add_message"), 201)},
    };
}

} // namespace

std::vector<net::route> task_routes(const runtime::services& s) {
    auto routes = board_routes(s);
    std::ranges::move(message_routes(s), std::back_inserter(routes));
    return routes;
}

} // namespace troupe::actors
