#include "actors/task/task_routes.hpp"

#include "actors/common/assignment.hpp"
#include "actors/common/capabilities.hpp"
#include "actors/common/members.hpp"
#include "actors/common/model.hpp"
#include "actors/common/references.hpp"
#include "actors/common/routes.hpp"
#include "actors/common/stored.hpp"
#include "actors/common/task_numbers.hpp"
#include "actors/kinds/kind.hpp"
#include "actors/task/attachment_routes.hpp"
#include "actors/task/task_board.hpp"
#include "actors/task/task_links.hpp"
#include "actors/task/task_model.hpp"
#include "actors/task/working_routes.hpp"
#include "net/http/handlers.hpp"
#include "schemas/task_messages.hpp"
#include "storage/views.hpp"

#include <algorithm>
#include <functional>
#include <iterator>
#include <span>
#include <string>
#include <utility>

namespace troupe::actors {
namespace {

using net::route;
using net::verb;

const std::string kind = "task";
const std::string plural = "tasks";
const std::string key_filter{task_key_filter};

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

/// All that a new task names is there.
expected<void> check_creation(const runtime::services& s, const net::request& r, const create_task_body& body) {
    auto named = check_named(s, r, "agent", body.agent_id);
    named = named ? check_named(s, r, "project", body.project_id) : named;
    named = named ? check_parameters_of(s, r, body) : named;
    named = named ? check_members(*s.store, r.who.organization, body.assignees, "/assignees") : named;
    return named ? check_task_links(s, r.who.organization, std::nullopt, body.parent_id, body.depends_on) : named;
}

/// A task to be made, with the reasons for its agent where that was chosen.
struct wanted_task {
    create_task_body body;
    std::string reasons = {};
    std::vector<std::string> capabilities = {};
};
using to_task = std::function<expected<wanted_task>(const net::request&)>;

/// Answers, and says on the task why it was given to its agent, for whoever asks later; not for a repeated request.
/// Should the message fail, the task is given all the same.
net::responder with_reasons(const runtime::services& s, const net::request& r, const uuid& task, std::string reasons,
                            net::responder respond) {
    if (reasons.empty()) {
        return respond;
    }
    add_message said;
    said.content = std::move(reasons);
    said.type = message_type::status_update;
    auto c = net::caller_command(r, {r.who.organization, kind, task}, wire_name<add_message>::value, to_json(said));
    return [&s, c = std::move(c), respond = std::move(respond)](net::response answer) mutable {
        if (net::version_made(answer)) {
            s.submit(std::move(c), [](const runtime::reply&) {});
        }
        respond(std::move(answer));
    };
}

/// The board gives it a number first; then it is made. A repeated request gets the number that it had.
net::handler create_numbered(const runtime::services& s, std::string operation, to_task make) {
    return [&s, operation = std::move(operation), make = std::move(make)](net::request r, net::responder respond) {
        auto wanted = make(r);
        if (auto sound = wanted ? check_creation(s, r, wanted->body) : expected<void>(wanted.error()); !sound) {
            return respond(net::to_response(sound.error(), r));
        }
        const auto id = net::id_for_create(r, operation);
        auto asked = number_command(r.who.organization, id, r.who.name);
        asked.correlation = r.id;
        asked.trace = r.trace;
        asked.deadline_ms = r.deadline_ms;
        s.submit(std::move(asked), [&s, id, r = std::move(r), wanted = std::move(*wanted),
                                    respond = std::move(respond)](const runtime::reply& answer) mutable {
            const auto number = number_in(answer);
            auto c = number ? net::make_command(
                                  r, {r.who.organization, kind, id}, wire_name<create_task>::value,
                                  to_json(create_task{std::move(wanted.body), *number, std::move(wanted.capabilities)}))
                            : expected<runtime::command>(number.error());
            if (!c) {
                return respond(net::to_response(c.error(), r));
            }
            auto told = with_reasons(s, r, id, std::move(wanted.reasons), std::move(respond));
            net::submit_and_answer(s, std::move(r), std::move(*c), 201, "/" + plural + "/" + to_string(id),
                                   std::move(told));
        });
    };
}

/// POST /tasks: with capabilities in place of an agent, that is chosen.
to_task task_in_body(const runtime::services& s) {
    return [&s](const net::request& r) -> expected<wanted_task> {
        auto body = from_json<create_task_request>(r.body, strictness::input);
        if (!body) {
            return body.error();
        }
        wanted_task out{std::move(*body)};
        if (!body->capabilities.empty() && !out.body.agent_id) {
            const auto chosen = choose_agent(s, r.who.organization, body->capabilities);
            if (!chosen) {
                return chosen.error();
            }
            out.body.agent_id = chosen->agent_id;
            out.reasons = explain(*chosen);
        }
        out.capabilities = std::move(body->capabilities);
        return out;
    };
}

/// POST /agents/{id}/tasks: the agent is the one of the path, by id or name.
to_task task_for_agent(const runtime::services& s) {
    return [&s](const net::request& r) -> expected<wanted_task> {
        const auto agent = net::resolve_id(s, r, "agent", "name");
        const auto document = agent ? storage::read_document(*s.store, {r.who.organization, "agent", *agent})
                                    : expected<std::optional<storage::stored_document>>(agent.error());
        if (!document || !*document) {
            return document ? no_such("agent", *agent) : document.error();
        }
        auto body = from_json<create_task_body>(r.body, strictness::input);
        if (!body) {
            return body.error();
        }
        body->agent_id = *agent;
        return wanted_task{std::move(*body)};
    };
}

/// The agent that a body names has to be there; without one the best is chosen.
net::handler assign(const runtime::services& s) {
    return [&s](net::request r, net::responder respond) {
        const auto refuse = [&](const problem& p) { respond(net::to_response(p, r)); };
        const auto body = from_json<assign_task_request>(r.body, strictness::input);
        const auto id = body ? net::resolve_id(s, r, kind, task_key_filter) : expected<uuid>(body.error());
        if (!id) {
            return refuse(id.error());
        }
        auto agent = body->agent_id;
        std::string reasons;
        if (!agent) {
            const auto chosen = choose_agent(s, r.who.organization, body->capabilities);
            if (!chosen) {
                return refuse(chosen.error());
            }
            agent = chosen->agent_id;
            reasons = explain(*chosen);
        } else if (auto named = check_named(s, r, "agent", agent); !named) {
            return refuse(named.error());
        }
        auto c =
            net::make_command(r, {r.who.organization, kind, *id}, "assign_task", to_json(assign_task_body{*agent}));
        if (!c) {
            return refuse(c.error());
        }
        auto told = with_reasons(s, r, *id, std::move(reasons), std::move(respond));
        net::submit_and_answer(s, std::move(r), std::move(*c), 200, {}, std::move(told));
    };
}

void list_candidates(const runtime::services& s, const net::request& r, const net::responder& respond) {
    const auto id = net::resolve_id(s, r, kind, task_key_filter);
    const auto task = id ? read_stored<task_document>(*s.store, {r.who.organization, kind, *id})
                         : expected<std::optional<task_document>>(id.error());
    if (!task || !*task) {
        return respond(net::to_response(task ? no_such("task", *id) : task.error(), r));
    }
    const auto capabilities = capabilities_in(r.query_value("capabilities").value_or(""));
    const auto limit = net::page_limit(r);
    const auto found = limit ? find_candidates(s, r.who.organization, capabilities)
                             : expected<std::vector<assignment_candidate>>(limit.error());
    if (!found) {
        return respond(net::to_response(found.error(), r));
    }
    std::vector<std::string> items;
    for (const auto& one : std::span(*found).first(std::min(*limit, found->size()))) {
        items.push_back(to_json(one));
    }
    respond({.body = net::list_body(items, std::nullopt)});
}

/// Whether a body says that it is to be without that member: null, where leaving it out means "as it was".
bool is_null_in(const std::string& body, std::string_view member) {
    const auto parsed = json::document::parse(body);
    const auto found = parsed ? parsed->root().find(member) : std::nullopt;
    return found && found->type() == json::kind::null;
}

/// Of a body whose member may be null.
net::body_type with_null(net::body_type body, const std::string& member) {
    body.schema = [schema = std::move(body.schema), begins = json::quoted(member) + R"(:{"type":"string")"] {
        auto out = schema();
        if (const auto at = out.find(begins); at != std::string::npos) {
            out.insert(at + begins.size() - 8, "[").insert(at + begins.size() + 1, R"(,"null"])");
        }
        return out;
    };
    return body;
}

/// People and other tasks that a body names have to be there.
net::to_command updated(const runtime::services& s) {
    return [&s](const net::request& r) -> expected<net::command_payload> {
        const auto body = from_json<update_task_body>(r.body, strictness::input);
        const auto id = body ? net::resolve_id(s, r, kind, task_key_filter) : expected<uuid>(body.error());
        if (!id) {
            return id.error();
        }
        auto named =
            check_members(*s.store, r.who.organization, body->assignees.value_or(std::vector<uuid>()), "/assignees");
        named = named ? check_task_links(s, r.who.organization, *id, body->parent_id,
                                         body->depends_on.value_or(std::vector<uuid>()))
                      : named;
        if (!named) {
            return named.error();
        }
        update_task c{*body};
        c.no_due = is_null_in(r.body, "due");
        return net::command_payload{std::string(wire_name<update_task>::value), to_json(c)};
    };
}

std::vector<route> own_routes(const runtime::services& s) {
    const std::vector<std::string> filters{"key",       "assignee", "agent_id", "project_id",
                                           "parent_id", "goal_id",  "status"};
    const auto document = net::reply_of<task_document>("task");
    const auto change = [&](verb v, std::string path, std::string operation, std::string summary, net::body_type body,
                            net::to_command command) {
        return route{.verb = v,
                     .path = std::move(path),
                     .operation = std::move(operation),
                     .summary = std::move(summary),
                     .tag = plural,
                     .permission = "task:write",
                     .in_path = {task_in_path()},
                     .body = std::move(body),
                     .reply = document,
                     .errors = {code::not_found, code::conflict, code::precondition_failed},
                     .reply_headers = net::changed_headers(),
                     .run = net::change_entity(s, kind, std::move(command), 200, key_filter)};
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
         .summary = "Creates a task; with an agent, or what one has to be able to do, it is queued for work at once.",
         .tag = plural,
         .permission = "task:write",
         .body = net::body_of<create_task_request>("create_task"),
         .reply = document,
         .success = 201,
         .errors = {code::conflict, code::quota_exceeded, code::limit_reached},
         .reply_headers = net::created_headers(),
         .run = create_numbered(s, "create_task", task_in_body(s))},
        {.verb = verb::get,
         .path = "/tasks/{id}",
         .operation = "get_task",
         .summary = "Shows a task.",
         .tag = plural,
         .permission = "task:read",
         .in_path = {task_in_path()},
         .reply = document,
         .errors = {code::not_found},
         .reply_headers = net::read_headers(),
         .run = net::read_entity(s, kind, key_filter)},
        change(verb::put, "/tasks/{id}", "update_task", "Replaces what is given.",
               with_null(net::body_of<update_task_body>("update_task"), "due"), updated(s)),
        change(verb::patch, "/tasks/{id}", "patch_task", "Replaces what is given.",
               with_null(net::body_of<update_task_body>("update_task"), "due"), updated(s)),
        {.verb = verb::post,
         .path = "/tasks/{id}/assign",
         .operation = "assign_task",
         .summary = "Gives the task to an agent, which queues it: the one that is named, or the best that can do it.",
         .tag = plural,
         .permission = "task:write",
         .in_path = {task_in_path()},
         .body = net::body_of<assign_task_request>("assign_task"),
         .reply = document,
         .errors = {code::not_found, code::conflict, code::precondition_failed},
         .reply_headers = net::changed_headers(),
         .run = assign(s)},
        {.verb = verb::get,
         .path = "/tasks/{id}/candidates",
         .operation = "list_candidates",
         .summary =
             "Who could do the task, the best first, with the reasons: capabilities, free places, what became of "
             "earlier tasks.",
         .tag = plural,
         .permission = "task:read",
         .query = {{"capabilities", "What is needed, with commas between.", R"({"type":"string"})", R"("python,sql")"},
                   net::page_parameters().front()},
         .in_path = {task_in_path()},
         .reply = page_of<assignment_candidate>("candidate_list"),
         .errors = {code::not_found},
         .run = [&s](const net::request& r, const net::responder& respond) { list_candidates(s, r, respond); }},
        {.verb = verb::del,
         .path = "/tasks/{id}",
         .operation = "delete_task",
         .summary = "Deletes a task. An agent that works on it stops.",
         .tag = plural,
         .permission = "task:write",
         .in_path = {task_in_path()},
         .success = 204,
         .errors = {code::not_found, code::precondition_failed},
         .reply_headers = net::changed_headers(),
         .run = net::change_entity(s, kind, net::empty_command("delete_task"), 204, key_filter)},
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
         .run = create_numbered(s, "create_agent_task", task_for_agent(s))},
    };
}

} // namespace

std::vector<net::route> task_routes(const runtime::services& s) {
    auto routes = own_routes(s);
    std::ranges::move(board_routes(s), std::back_inserter(routes));
    std::ranges::move(working_routes(s), std::back_inserter(routes));
    std::ranges::move(attachment_routes(s), std::back_inserter(routes));
    return routes;
}

} // namespace troupe::actors
