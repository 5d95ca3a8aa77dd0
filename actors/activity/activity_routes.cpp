#include "actors/activity/activity_routes.hpp"

#include "actors/common/activity_log.hpp"
#include "actors/common/routes.hpp"
#include "net/http/handlers.hpp"
#include "storage/log_reader.hpp"

#include <string>
#include <utility>

namespace troupe::actors {
namespace {

using net::request;
using net::responder;
using net::verb;

const std::string tag = "activities";

const std::vector<net::query_parameter>& filter_parameters() {
    static const std::vector<net::query_parameter> out{{"type", "What sort of thing.", json_schema<activity_type>()},
                                                       {"severity", "How bad.", json_schema<activity_severity>()},
                                                       {"event_type", "The event, as `task_moved`."},
                                                       {"actor", "Who: `user/…`, `key/…`, `agent/…`, `run/…`, `node`."},
                                                       {"kind", "Of the entity, as `task`."},
                                                       {"q", "Only lines that have these words, as they stand."}};
    return out;
}

expected<activity_query> query_of(const request& r) {
    activity_query out;
    const auto limit = net::page_limit(r);
    if (!limit) {
        return limit.error();
    }
    out.limit = *limit;
    out.cursor = r.query_value("cursor").value_or("");
    for (const auto& p : filter_parameters()) {
        if (const auto value = r.query_value(p.name)) {
            if (p.name == "q") {
                out.filter.words = *value;
            } else {
                out.filter.equal.emplace(p.name, *value);
            }
        }
    }
    return out;
}

void answer(const expected<activity_page>& page, const request& r, const responder& respond) {
    if (!page) {
        return respond(net::to_response(page.error(), r));
    }
    std::vector<std::string> items;
    for (const auto& one : page->items) {
        items.push_back(to_json(one));
    }
    respond({.body = net::list_body(items, page->next_cursor)});
}

void list_all(const runtime::services& s, const request& r, const responder& respond) {
    const auto query = query_of(r);
    answer(query ? read_activities(s, r.who.organization, *query) : expected<activity_page>(query.error()), r, respond);
}

net::handler of_one(const runtime::services& s, std::string kind, std::string name_filter) {
    return [&s, kind = std::move(kind), name_filter = std::move(name_filter)](const request& r,
                                                                              const responder& respond) {
        const auto query = query_of(r);
        const auto id = query ? net::resolve_id(s, r, kind, name_filter) : expected<uuid>(query.error());
        const entity_address a{r.who.organization, kind, id ? *id : uuid{}};
        const auto version = id ? storage::read_version(*s.store, a) : expected<std::uint64_t>(id.error());
        if (!version || *version == 0) {
            const problem none{code::not_found, "There never was a " + kind + " '" + std::string(r.param("id")) + "'."};
            return respond(net::to_response(version ? none : version.error(), r));
        }
        answer(read_activities_of(s, a, *query), r, respond);
    };
}

} // namespace

std::vector<net::route> activity_routes(const runtime::services& s) {
    const auto route = [](std::string path, std::string operation, std::string summary, net::handler run) {
        net::route out{.verb = verb::get,
                       .path = std::move(path),
                       .operation = std::move(operation),
                       .summary = std::move(summary),
                       .tag = tag,
                       .permission = "event:read",
                       .query = net::page_parameters(),
                       .reply = page_of<activity_document>("activity_list"),
                       .run = std::move(run),
                       .blocks = [] { return true; }};
        out.query.insert(out.query.end(), filter_parameters().begin(), filter_parameters().end());
        return out;
    };
    std::vector<net::route> out{route("/activities", "list_activities",
                                      "What happened in the organization, newest first, as lines to read.",
                                      [&s](const request& r, const responder& respond) { list_all(s, r, respond); }),
                                route("/activities/agent/{id}", "list_agent_activities",
                                      "What happened to an agent, newest first.", of_one(s, "agent", "name")),
                                route("/activities/task/{id}", "list_task_activities",
                                      "What happened to a task, newest first.", of_one(s, "task", "key"))};
    for (auto* one : {&out[1], &out[2]}) {
        one->errors = {code::not_found};
        one->in_path = {{"id", "Its id or name.", R"({"type":"string"})", R"("scout")"}};
    }
    return out;
}

} // namespace troupe::actors
