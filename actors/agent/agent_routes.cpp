#include "actors/agent/agent_routes.hpp"

#include "actors/agent/agent_model.hpp"
#include "actors/common/capabilities.hpp"
#include "actors/common/model.hpp"
#include "actors/common/names.hpp"
#include "actors/common/routes.hpp"
#include "actors/kinds/kind.hpp"
#include "net/http/handlers.hpp"
#include "schemas/name_messages.hpp"
#include "storage/views.hpp"

#include <functional>
#include <string>
#include <utility>

namespace troupe::actors {
namespace {

using net::route;
using net::verb;

const std::string kind{agent_model::kind};
const std::string plural = "agents";
const std::string by_name = "name";
const std::vector<net::query_parameter> which{{"id", "Its id or name.", R"({"type":"string"})", R"("scout")"}};

wanted_name name_of(const net::request& r, std::string name, const uuid& agent) {
    return {r.who.organization, kind, std::move(name), agent};
}

/// Reserves the name for the agent, lets `go_on` send the command that takes it, and gives the reservation up when
/// that command was refused. `go_on` answers through the responder that it gets.
void with_name(const runtime::services& s, net::request r, std::string name, uuid agent, net::responder respond,
               std::function<void(net::request, net::responder)> go_on) {
    const auto wanted = name_of(r, std::move(name), agent);
    reserve(s, r, wanted, [&s, r, wanted, respond = std::move(respond), go_on = std::move(go_on)](expected<void> has) {
        if (!has) {
            respond(net::to_response(has.error(), r));
            return;
        }
        go_on(r, [&s, r, wanted, respond](net::response answer) {
            if (answer.status < 400) {
                respond(std::move(answer));
                return;
            }
            release(s, r, wanted, 0, [respond, answer = std::move(answer)] { respond(answer); });
        });
    });
}

/// What a list is asked for beyond name and status.
bool is_wanted(const net::request& r, std::string_view document) {
    const auto a = from_json<agent_document>(document, strictness::stored);
    if (!a) {
        return false;
    }
    const auto same = [&](std::string_view name, const std::string& value) {
        const auto given = r.query_value(name);
        return !given || fold_name(std::string(*given)) == fold_name(value);
    };
    const auto places = a->settings.max_concurrent_tasks;
    const bool is_free = a->status != agent_status::offline && a->status != agent_status::error && !a->paused &&
                         a->queued.empty() && a->running.size() < places;
    const auto free = r.query_value("free");
    return same("kind", a->settings.kind) && same("role", a->settings.role) &&
           (!free || is_free == (*free == "true")) &&
           has_all(a->settings.capabilities, r.query_value("capability").value_or(""));
}

std::string name_in(const storage::stored_document& agent) {
    auto decoded = from_json<agent_document>(agent.json, strictness::stored);
    return decoded ? std::move(decoded->settings.name) : std::string();
}

/// Who is answered that a name was given up finds it free. The agent's outbox releases it too, should the node end
/// meanwhile.
net::responder once_released(const runtime::services& s, net::request r, std::string name, uuid agent,
                             net::responder respond) {
    return [&s, r = std::move(r), name = std::move(name), agent, respond = std::move(respond)](net::response answer) {
        const auto version = net::version_made(answer);
        if (!version) {
            respond(std::move(answer));
            return;
        }
        release(s, r, name_of(r, name, agent), *version, [respond, answer = std::move(answer)] { respond(answer); });
    };
}

net::handler create(const runtime::services& s) {
    return [&s](net::request r, net::responder respond) {
        auto settings = from_json<agent_settings>(r.body, strictness::input);
        const auto fits = settings ? check_agent_settings(*settings) : expected<void>(settings.error());
        if (!fits) {
            respond(net::to_response(fits.error(), r));
            return;
        }
        if (!r.header("idempotency-key")) {
            r.headers["idempotency-key"] = to_string(make_uuid()); // one id for the name's owner and the agent
        }
        const auto id = net::id_for_create(r, "create_agent");
        with_name(s, std::move(r), settings->name, id, std::move(respond),
                  net::create_entity(s, kind, plural, "create_agent", net::body_as("create_agent")));
    };
}

net::handler update(const runtime::services& s) {
    return [&s, change = net::change_entity(s, kind, net::body_as("update_agent"), 200, by_name)](
               net::request r, net::responder respond) {
        auto body = from_json<update_agent_body>(r.body, strictness::input);
        if (body && !body->name) {
            change(std::move(r), std::move(respond));
            return;
        }
        auto id = body ? net::resolve_id(s, r, kind, by_name) : expected<uuid>(body.error());
        auto document = id ? storage::read_document(*s.store, {r.who.organization, kind, *id})
                           : expected<std::optional<storage::stored_document>>(id.error());
        if (!document || !*document) {
            respond(net::to_response(document ? no_such(kind, *id) : document.error(), r));
            return;
        }
        r.params["id"] = to_string(*id);
        if (const auto before = name_in(**document); fold_name(before) != fold_name(*body->name)) {
            respond = once_released(s, r, before, *id, std::move(respond));
        }
        with_name(s, std::move(r), *body->name, *id, std::move(respond), change);
    };
}

void list_kinds(const net::responder& respond) {
    std::vector<std::string> items;
    for (const auto& one : all_kinds()) {
        agent_kind_document shown{std::string(one.name),
                                  std::string(one.description),
                                  std::string(one.instructions),
                                  {one.tools.begin(), one.tools.end()},
                                  {},
                                  {},
                                  {one.verified_by.begin(), one.verified_by.end()},
                                  !one.rehearsal.empty()};
        if (auto takes = json::make_raw(parameters_schema_of(one))) {
            shown.parameters_schema = std::move(*takes);
        }
        if (auto gives = json::make_raw(result_schema_of(one))) {
            shown.result_schema = std::move(*gives);
        }
        items.push_back(to_json(shown));
    }
    net::response out;
    out.body = net::list_body(items, std::nullopt);
    respond(std::move(out));
}

net::handler remove(const runtime::services& s) {
    return [&s, change = net::change_entity(s, kind, net::empty_command("delete_agent"), 204, by_name)](
               net::request r, net::responder respond) {
        const auto id = net::resolve_id(s, r, kind, by_name);
        const auto document = id ? storage::read_document(*s.store, {r.who.organization, kind, *id})
                                 : expected<std::optional<storage::stored_document>>(id.error());
        if (document && *document) {
            respond = once_released(s, r, name_in(**document), *id, std::move(respond));
        }
        change(std::move(r), std::move(respond));
    };
}

route lifecycle(const runtime::services& s, const std::string& verb_name, std::string summary,
                std::string permission = "agent:write") {
    return {.verb = verb::post,
            .path = "/agents/{id}/" + verb_name,
            .operation = verb_name + "_agent",
            .summary = std::move(summary),
            .tag = plural,
            .permission = std::move(permission),
            .in_path = which,
            .reply = net::reply_of<agent_document>("agent"),
            .errors = {code::not_found},
            .reply_headers = net::changed_headers(),
            .run = net::change_entity(s, kind, net::empty_command(verb_name + "_agent"), 200, by_name)};
}

} // namespace

std::vector<net::route> agent_routes(const runtime::services& s) {
    const std::vector<std::string> filters{"name", "status"};
    auto shown = net::list_parameters(filters, {{"status", json_schema<agent_status>()}});
    shown.push_back({"capability", "Only those that can do this; several with commas between: all of it.",
                     R"({"type":"string"})", R"("python,sql")"});
    shown.push_back({"kind", "Only those of this kind."});
    shown.push_back({"role", "Only those in this role."});
    shown.push_back({"free", "Only those with a free place and nothing that waits.", R"({"type":"boolean"})"});
    const auto document = net::reply_of<agent_document>("agent");
    const auto update_route = [&](verb v, std::string operation) {
        return route{.verb = v,
                     .path = "/agents/{id}",
                     .operation = std::move(operation),
                     .summary = "Replaces the settings that are given.",
                     .tag = plural,
                     .permission = "agent:write",
                     .in_path = which,
                     .body = net::body_of<update_agent_body>("update_agent"),
                     .reply = document,
                     .errors = {code::not_found, code::already_exists, code::precondition_failed},
                     .reply_headers = net::changed_headers(),
                     .run = update(s)};
    };
    return {
        {.verb = verb::get,
         .path = "/agents",
         .operation = "list_agents",
         .summary = "Lists agents, newest first.",
         .tag = plural,
         .permission = "agent:read",
         .query = shown,
         .reply = page_of<agent_document>("agent_list"),
         .run = net::list_entities(s, kind, filters, {{"capability", "kind", "role", "free"}, is_wanted})},
        {.verb = verb::post,
         .path = "/agents",
         .operation = "create_agent",
         .summary = "Creates an agent with a name that is unique in the organization.",
         .tag = plural,
         .permission = "agent:write",
         .body = net::body_of<agent_settings>("create_agent"),
         .reply = document,
         .success = 201,
         .errors = {code::already_exists, code::quota_exceeded},
         .reply_headers = net::created_headers(),
         .run = create(s)},
        {.verb = verb::get,
         .path = "/agent-kinds",
         .operation = "list_agent_kinds",
         .summary = "The kinds of agents: what each is for, takes and gives. All on one page.",
         .tag = plural,
         .permission = "agent:read",
         .reply = page_of<agent_kind_document>("agent_kind_list"),
         .run = [](const net::request&, const net::responder& respond) { list_kinds(respond); }},
        {.verb = verb::get,
         .path = "/agents/{id}",
         .operation = "get_agent",
         .summary = "Shows an agent, by its id or name.",
         .tag = plural,
         .permission = "agent:read",
         .in_path = which,
         .reply = document,
         .errors = {code::not_found},
         .reply_headers = net::read_headers(),
         .run = net::read_entity(s, kind, by_name)},
        update_route(verb::put, "update_agent"),
        update_route(verb::patch, "patch_agent"),
        {.verb = verb::del,
         .path = "/agents/{id}",
         .operation = "delete_agent",
         .summary = "Deletes an agent: its runs are cancelled, its queued tasks go back to the inbox.",
         .tag = plural,
         .permission = "agent:write",
         .in_path = which,
         .success = 204,
         .errors = {code::not_found, code::precondition_failed},
         .reply_headers = net::changed_headers(),
         .run = remove(s)},
        lifecycle(s, "start", "Starts a stopped agent: it works on its queue again."),
        lifecycle(s, "stop", "Stops an agent: what runs goes on, nothing new starts, it shows as offline."),
        lifecycle(s, "pause", "Pauses an agent: what runs goes on, nothing new starts."),
        lifecycle(s, "resume", "Resumes a paused agent."),
        lifecycle(
            s, "restart",
            "Restarts an agent: what it works on is broken off and begun anew, and it works again if it was stopped "
            "or paused."),
        lifecycle(s, "heartbeat", "Notes that the agent is alive.", "agent:heartbeat"),
    };
}

} // namespace troupe::actors
