#include "actors/run/run_routes.hpp"

#include "actors/common/model.hpp"
#include "actors/common/references.hpp"
#include "actors/common/routes.hpp"
#include "actors/run/agent_wish.hpp"
#include "actors/run/run_finish.hpp"
#include "actors/run/run_images.hpp"
#include "actors/run/run_model.hpp"
#include "actors/tool/policies.hpp"
#include "net/http/handlers.hpp"
#include "net/http/stream_query.hpp"
#include "schemas/agent.hpp"
#include "schemas/run.hpp"
#include "schemas/run_messages.hpp"
#include "storage/base.hpp"
#include "storage/views.hpp"

#include <fmt/format.h>

#include <functional>
#include <string>
#include <type_traits>
#include <utility>

namespace troupe::actors {
namespace {

using net::route;
using net::verb;

const std::string kind{run_model::kind};
const std::string plural = "runs";

/// Of GET /runs/{id}/diff: an answer is one piece of memory.
constexpr std::size_t diff_bytes_max = 8 << 20;

expected<net::command_payload> create_payload(const runtime::services& s, const net::request& r) {
    auto body = from_json<create_run_body>(r.body, strictness::input);
    if (!body) {
        return body.error();
    }
    create_run c;
    c.goal = std::move(body->goal);
    c.project_id = body->project_id;
    c.agent_id = body->agent_id;
    c.instructions = std::move(body->instructions);
    c.model = std::move(body->model);
    c.tools = std::move(body->tools);
    c.limits = body->limits;
    c.parameters = std::move(body->parameters);
    c.result_schema = std::move(body->result_schema);
    c.approvals = body->approvals.value_or(approval_terms{});
    c.created_by = r.who.name;
    if (auto named = check_named(s, r, "project", c.project_id); !named) {
        return named.error();
    }
    if (auto known = check_policies(c.tools); !known) {
        return known.error();
    }
    auto on_unknown = unknown_policy::ask;
    if (c.agent_id) {
        const auto text = read_named(s, r, "agent", *c.agent_id);
        const auto agent =
            text ? from_json<agent_document>(*text, strictness::stored) : expected<agent_document>(text.error());
        if (!agent) {
            return agent.error();
        }
        fill_from_agent(c, agent->settings);
        on_unknown = agent->settings.on_unknown;
    }
    if (body->kind && c.agent_id && *body->kind != c.kind) {
        return problem{code::invalid_request,
                       "The agent is of the kind '" + c.kind + "'. Leave the kind out, or the agent.",
                       {{"/kind", "the agent has another kind"}}};
    }
    c.kind = body->kind.value_or(c.kind);
    if (auto fits = check_wish(c); !fits) {
        return fits.error();
    }
    c.on_unknown = body->on_unknown.value_or(on_unknown);
    if (body->images) {
        auto kept = keep_images(*s.store, r.who.organization, *body->images, "/images");
        if (!kept) {
            return kept.error();
        }
        c.images = std::move(*kept);
    }
    auto payload = to_json(c);
    if (payload.size() > limits::body_bytes_max) { // the body may be larger, for its pictures
        return problem{code::payload_too_large,
                       fmt::format("A run without its pictures has at most {} bytes.", limits::body_bytes_max)};
    }
    return net::command_payload{std::string(wire_name<create_run>::value), std::move(payload)};
}

expected<std::string> diff_of_run(const runtime::services& s, const working_folders& folders, const net::request& r) {
    const auto id = net::resolve_id(s, r, kind);
    if (!id) {
        return id.error();
    }
    const entity_address address{r.who.organization, kind, *id};
    const auto stored = storage::read_document(*s.store, address);
    if (!stored || !*stored) {
        return stored ? no_such(kind, *id) : stored.error();
    }
    const auto run = from_json<run_document>((*stored)->json, strictness::stored);
    if (!run) {
        return run.error();
    }
    if (!run->project_id) {
        return std::string();
    }
    const entity_address project{r.who.organization, "project", *run->project_id};
    const auto begin = storage::read_base_mark(*s.store, project);
    if (begin && begin->version > 0 && run->created_at <= begin->time) {
        return problem{code::not_found, "what the run changed is not kept any more: the history of its project begins "
                                        "after " +
                                            to_string(begin->time)};
    }
    const auto changes = folders.changes_by(project, to_string(address));
    return changes ? diff_of(*s.store, r.who.organization, *changes, diff_bytes_max)
                   : expected<std::string>(changes.error());
}

net::handler read_diff(const runtime::services& s, const working_folders& folders) {
    return [&s, &folders](const net::request& r, const net::responder& respond) {
        auto diff = diff_of_run(s, folders, r);
        respond(
            diff ? net::response{.status = 200, .body = std::move(*diff), .content_type = "text/x-diff; charset=utf-8"}
                 : net::to_response(diff.error(), r));
    };
}

net::stream_handler watch(const runtime::services& s) {
    return [&s](const net::request& r, const std::function<void(expected<net::stream_spec>)>& answer) {
        const auto id = net::resolve_id(s, r, kind);
        const auto run = id ? storage::read_document(*s.store, {r.who.organization, kind, *id})
                            : expected<std::optional<storage::stored_document>>(id.error());
        if (!run || !*run) {
            answer(run ? no_such(kind, *id) : run.error());
            return;
        }
        answer(net::stream_spec{{"runs/" + to_string(*id)}, ""});
    };
}

std::vector<route> life_routes(const runtime::services& s) {
    const std::vector<std::string> filters{"forked_from", "parent_run_id", "agent_id", "project_id",
                                           "task_id",     "status"}; // the first that is given is looked up
    const auto document = net::reply_of<run_document>("run");
    return {{.verb = verb::get,
             .path = "/runs",
             .operation = "list_runs",
             .summary = "Lists runs, newest first.",
             .tag = plural,
             .permission = "run:read",
             .query = net::list_parameters(filters, {{"status", json_schema<run_status>()}}),
             .reply = page_of<run_document>("run_list"),
             .run = net::list_entities(s, kind, filters)},
            {.verb = verb::post,
             .path = "/runs",
             .operation = "create_run",
             .summary = "Starts a run: an agent's work on one goal.",
             .tag = plural,
             .permission = "run:write",
             .body = net::body_of<create_run_body>("create_run", images_body_bytes_max),
             .reply = document,
             .success = 201,
             .reply_headers = net::created_headers(),
             .run = net::create_entity(s, kind, plural, "create_run",
                                       [&s](const net::request& r) { return create_payload(s, r); }),
             .blocks = net::blocks_on_contents(s)},
            {.verb = verb::get,
             .path = "/runs/{id}",
             .operation = "get_run",
             .summary = "Shows a run: where it stands and what it waits for.",
             .tag = plural,
             .permission = "run:read",
             .reply = document,
             .errors = {code::not_found},
             .reply_headers = net::read_headers(),
             .run = net::read_entity(s, kind)},
            {.verb = verb::post,
             .path = "/runs/{id}/cancel",
             .operation = "cancel_run",
             .summary = "Ends a run. One that has ended stays as it is.",
             .tag = plural,
             .permission = "run:write",
             .body = net::body_of<cancel_run_body>("cancel_run"),
             .reply = document,
             .errors = {code::not_found, code::precondition_failed},
             .reply_headers = net::changed_headers(),
             .run = net::change_entity(s, kind, net::body_as(std::string(wire_name<cancel_run>::value)))}};
}

} // namespace

std::vector<net::route> run_routes(const runtime::services& s, const working_folders& folders) {
    auto routes = life_routes(s);
    routes.push_back({.verb = verb::get,
                      .path = "/runs/{id}/steps",
                      .operation = "list_steps",
                      .summary = "Lists the model and tool calls of a run, oldest first.",
                      .tag = plural,
                      .permission = "run:read",
                      .query = net::page_parameters(),
                      .reply = page_of<step_document>("step_list"),
                      .errors = {code::not_found},
                      .run = net::list_items(s, kind, "steps")});
    routes.push_back({.verb = verb::get,
                      .path = "/runs/{id}/diff",
                      .operation = "get_run_diff",
                      .summary = "What the run changed in its project, as a unified diff.",
                      .tag = plural,
                      .permission = "run:read",
                      .reply = net::body_type{.name = "diff",
                                              .schema = [] { return R"({"type":"string"})"; },
                                              .check = nullptr,
                                              .content_type = "text/x-diff"},
                      .errors = {code::not_found},
                      .run = read_diff(s, folders),
                      .blocks = net::blocks_on_contents(s)});
    routes.push_back({.verb = verb::get,
                      .path = "/runs/{id}/events",
                      .operation = "watch_run",
                      .summary = "The events of a run as they come, with tokens and output, as text/event-stream.",
                      .tag = plural,
                      .permission = "run:read",
                      .query = net::stream_parameters(),
                      .errors = {code::not_found},
                      .stream = watch(s)});
    return routes;
}

} // namespace troupe::actors
