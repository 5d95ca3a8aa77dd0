#include "actors/agent/report_routes.hpp"

#include "actors/agent/agent_report.hpp"
#include "actors/common/activity_log.hpp"
#include "actors/common/model.hpp"
#include "actors/common/routes.hpp"
#include "net/http/handlers.hpp"
#include "schemas/task.hpp"
#include "storage/views.hpp"

#include <algorithm>
#include <charconv>
#include <string>
#include <utility>

namespace troupe::actors {
namespace {

using net::request;
using net::responder;
using net::verb;

const std::string tag = "agents";
constexpr std::size_t counted_runs_max = 1000;
constexpr std::int64_t days_default = 30;
constexpr std::int64_t days_max = 366;
constexpr std::int64_t day_ms = 24LL * 3600 * 1000;
constexpr std::size_t logged_runs = 20;        ///< The newest ones: their lines are shown beside the agent's own.
constexpr std::size_t lines_of_one_max = 2000; ///< Of one run, or of the agent, that are looked at for a page.

/// The agent of the path, which has to be there.
expected<uuid> find_agent(const runtime::services& s, const request& r) {
    const auto id = net::resolve_id(s, r, "agent", "name");
    const auto there = id ? storage::read_document(*s.store, {r.who.organization, "agent", *id})
                          : expected<std::optional<storage::stored_document>>(id.error());
    if (!there) {
        return there.error();
    }
    return *there ? id : expected<uuid>(no_such("agent", *id));
}

storage::list_query runs_of(const request& r, const uuid& agent, std::size_t limit) {
    storage::list_query query;
    query.organization = r.who.organization;
    query.kind = "run";
    query.filter = "agent_id=" + to_string(agent);
    query.limit = limit;
    return query;
}

expected<std::int64_t> number_of(const request& r, std::string_view name, std::int64_t fallback, std::int64_t max) {
    const auto text = r.query_value(name);
    if (!text) {
        return fallback;
    }
    std::int64_t out = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), out);
    if (error != std::errc() || end != text->data() + text->size() || out < 1 || out > max) {
        const auto why = "has to be a number from 1 to " + std::to_string(max);
        return problem{code::invalid_request, std::string(name) + " " + why, {{std::string(name), why}}};
    }
    return out;
}

// ---- metrics

expected<agent_metrics_document> read_metrics(const runtime::services& s, const request& r) {
    const auto agent = find_agent(s, r);
    const auto days = agent ? number_of(r, "days", days_default, days_max) : expected<std::int64_t>(agent.error());
    const auto page = days ? storage::read_list(*s.store, runs_of(r, *agent, counted_runs_max))
                           : expected<storage::list_page>(days.error());
    if (!page) {
        return page.error();
    }
    std::vector<run_document> runs;
    const auto since = system_now().ms - *days * day_ms;
    bool all = !page->next_cursor;
    for (const auto& item : page->items) {
        auto run = from_json<run_document>(item.json, strictness::stored);
        if (!run) {
            return run.error();
        }
        if (run->created_at.ms < since) {
            all = true;
            break;
        }
        runs.push_back(std::move(*run));
    }
    return metrics_of(runs, !all);
}

// ---- logs

struct log_query {
    std::size_t limit = 0;
    std::optional<timestamp> before;
    activity_filter filter;
};

/// The newest lines of one entity that the query wants.
expected<void> gather(const runtime::services& s, const entity_address& a, const log_query& q,
                      std::vector<agent_log_line>& out) {
    activity_query query;
    query.filter = q.filter;
    std::size_t taken = 0;
    for (std::size_t seen = 0; taken < q.limit && seen < lines_of_one_max; seen += query.limit) {
        auto page = read_activities_of(s, a, query);
        if (!page) {
            return page.error();
        }
        for (auto& one : page->items) {
            if (!q.before || one.at < *q.before) {
                out.push_back({one.at, one.severity, std::move(one.text),
                               a.kind == "run" ? std::optional(a.id) : std::nullopt, std::move(one.event_type)});
                ++taken;
            }
        }
        if (!page->next_cursor) {
            break;
        }
        query.cursor = *page->next_cursor;
    }
    return {};
}

expected<log_query> log_query_of(const request& r) {
    log_query out;
    const auto limit = net::page_limit(r);
    if (!limit) {
        return limit.error();
    }
    out.limit = *limit;
    if (const auto text = r.query_value("before")) {
        out.before = parse_timestamp(*text);
        if (!out.before) {
            return problem{code::invalid_request,
                           "before: expected a time such as 2026-11-21T12:00:00Z",
                           {{"before", "is no time"}}};
        }
    }
    if (const auto level = r.query_value("level")) {
        out.filter.equal.emplace("severity", *level);
    }
    out.filter.words = r.query_value("q").value_or("");
    return out;
}

expected<std::vector<agent_log_line>> read_logs(const runtime::services& s, const request& r) {
    const auto agent = find_agent(s, r);
    const auto query = agent ? log_query_of(r) : expected<log_query>(agent.error());
    const auto runs = query ? storage::read_list(*s.store, runs_of(r, *agent, logged_runs))
                            : expected<storage::list_page>(query.error());
    if (!runs) {
        return runs.error();
    }
    std::vector<agent_log_line> out;
    auto gathered = gather(s, {r.who.organization, "agent", *agent}, *query, out);
    for (const auto& run : runs->items) {
        gathered = gathered ? gather(s, {r.who.organization, "run", run.id}, *query, out) : gathered;
    }
    if (!gathered) {
        return gathered.error();
    }
    std::ranges::stable_sort(out, [](const auto& a, const auto& b) { return a.at > b.at; });
    out.resize(std::min(out.size(), query->limit));
    return out;
}

template <class Read>
net::handler answer(const runtime::services& s, Read read) {
    return [&s, read](const request& r, const responder& respond) {
        const auto found = read(s, r);
        if constexpr (requires { found->size(); }) {
            std::vector<std::string> items;
            for (const auto& line : found ? *found : std::vector<agent_log_line>()) {
                items.push_back(to_json(line));
            }
            respond(found ? net::response{.body = net::list_body(items, std::nullopt)}
                          : net::to_response(found.error(), r));
        } else {
            respond(found ? net::response{.body = to_json(*found)} : net::to_response(found.error(), r));
        }
    };
}

/// The list of a kind with this agent as filter.
net::handler list_of_agent(const runtime::services& s, std::string kind, std::vector<std::string> filters) {
    filters.insert(filters.begin(), "agent_id");
    return [&s, list = net::list_entities(s, std::move(kind), std::move(filters))](request r, responder respond) {
        const auto agent = find_agent(s, r);
        if (!agent) {
            return respond(net::to_response(agent.error(), r));
        }
        r.query["agent_id"] = to_string(*agent);
        list(std::move(r), std::move(respond));
    };
}

} // namespace

std::vector<net::route> agent_report_routes(const runtime::services& s) {
    const auto route = [](std::string end, std::string operation, std::string summary, std::string permission,
                          std::vector<net::query_parameter> query, net::body_type reply, net::handler run) {
        return net::route{.verb = verb::get,
                          .path = "/agents/{id}/" + std::move(end),
                          .operation = std::move(operation),
                          .summary = std::move(summary),
                          .tag = tag,
                          .permission = std::move(permission),
                          .query = std::move(query),
                          .in_path = {{"id", "The agent's id or name.", R"({"type":"string"})", R"("scout")"}},
                          .reply = std::move(reply),
                          .errors = {code::not_found},
                          .run = std::move(run),
                          .blocks = [] { return true; }};
    };
    return {route("metrics", "get_agent_metrics",
                  "How an agent does: its runs by outcome and day, how long they take, what they use.", "agent:read",
                  {{"days", "How far back.", R"({"type":"integer","minimum":1,"maximum":366,"default":30})"}},
                  net::reply_of<agent_metrics_document>("agent_metrics"), answer(s, read_metrics)),
            route("logs", "list_agent_logs",
                  "What an agent and its newest 20 runs did, newest first. Live at /ws/agents/{id}/logs.", "run:read",
                  {{"limit", "Lines, 1 to 200.", R"({"type":"integer","minimum":1,"maximum":200,"default":50})"},
                   {"before", "Only what is older: the time of the last line of the page before.",
                    R"({"type":"string","format":"date-time"})", R"("2026-11-21T00:00:00Z")"},
                   {"level", "Only lines of this level.", json_schema<activity_severity>()},
                   {"q", "Only lines that have these words, as they stand."}},
                  page_of<agent_log_line>("agent_log"), answer(s, read_logs)),
            route("runs", "list_agent_runs", "Lists the runs of an agent, newest first.", "run:read",
                  net::list_parameters({"status"}, {{"status", json_schema<run_status>()}}),
                  page_of<run_document>("run_list"), list_of_agent(s, "run", {"status"})),
            route("tasks", "list_agent_tasks", "Lists the tasks that an agent has or had last, newest first.",
                  "task:read", net::list_parameters({"status"}, {{"status", json_schema<task_status>()}}),
                  page_of<task_document>("task_list"), list_of_agent(s, "task", {"status"}))};
}

} // namespace troupe::actors
