#include "actors/system/system_routes.hpp"

#include "actors/common/routes.hpp"
#include "net/http/handlers.hpp"
#include "net/http/stream_query.hpp"
#include "runtime/metrics/metrics.hpp"
#include "runtime/supervision/dead_letters.hpp"
#include "storage/views.hpp"

#include <unistd.h>

#include <algorithm>
#include <iterator>

namespace troupe::actors {

namespace {

using net::request;
using net::responder;
using net::response;
using net::route;
using net::verb;

/// GET /health and /status.
struct status_document {
    std::string status;
    std::string version;
    std::string node;
    std::string url;
    std::int64_t pid = 0;
    std::int64_t uptime_s = 0;
    std::string data_dir;
    std::uint32_t shards = 0;
    std::uint64_t entities_active = 0;
    std::uint64_t commands_total = 0;
    std::uint64_t commands_outstanding = 0;
    std::uint64_t commits_total = 0;
    std::uint64_t runs_active = 0;
    std::uint64_t subscribers = 0;
    std::string model;
    std::string sandbox;
    std::uint64_t disk_free_bytes = 0;
    std::optional<std::string> clock; ///< What is wrong with the system's clock.
    std::map<std::string, std::uint64_t> dead_letters;
};
BOOST_DESCRIBE_STRUCT(status_document, (),
                      (status, version, node, url, pid, uptime_s, data_dir, shards, entities_active, commands_total,
                       commands_outstanding, commits_total, runs_active, subscribers, model, sandbox, disk_free_bytes,
                       clock, dead_letters))

struct health_document {
    std::string status;
    std::string version;
    std::string node;
};
BOOST_DESCRIBE_STRUCT(health_document, (), (status, version, node))

/// GET /problems/{code}
struct problem_page_document {
    std::string code;
    int status = 0;
    std::string title;
    std::string cause;
    std::string remedy; ///< What to do.
};
BOOST_DESCRIBE_STRUCT(problem_page_document, (), (code, status, title, cause, remedy))

/// An item of GET /events: the envelope of the live channels.
struct event_document {
    std::string id; ///< The cursor after it.
    timestamp ts;
    std::string channel;
    std::string kind;
    json::raw data;
};
BOOST_DESCRIBE_STRUCT(event_document, (), (id, ts, channel, kind, data))

net::body_type text_reply(std::string name, std::string content_type) {
    return {std::move(name), [] { return std::string(R"({"type":"string"})"); }, nullptr, limits::body_bytes_max,
            std::move(content_type)};
}

template <class Document>
void answer(const responder& respond, const Document& document) {
    response out;
    out.body = to_json(document);
    respond(std::move(out));
}

status_document status_of(const system_parts& parts, const uuid& organization) {
    const auto& s = parts.node->parts();
    const auto statistics = parts.node->statistics();
    status_document out;
    out.status = parts.ready() ? "ok" : "draining";
    out.version = TROUPE_VERSION;
    out.node = s.settings->cluster_name;
    out.url = parts.url();
    out.pid = ::getpid();
    out.uptime_s = (system_now() - parts.started_at) / 1000;
    out.data_dir = std::filesystem::absolute(s.store->directory()).string();
    out.shards = s.store->who().shards;
    out.entities_active = statistics.entities_active;
    out.commands_total = statistics.commands_accepted;
    out.commands_outstanding = statistics.commands_outstanding;
    out.commits_total = statistics.commits;
    out.runs_active = count_runs(s, organization, "running") + count_runs(s, organization, "waiting");
    out.subscribers = statistics.subscribers;
    out.model = parts.model;
    out.sandbox = parts.sandbox;
    out.disk_free_bytes = s.store->free_bytes();
    if (statistics.clock_refused_ms != 0) {
        out.clock = "off by " + std::to_string(statistics.clock_refused_ms / 1000) +
                    " s and not followed; set it right, or restart the node if it is right";
    }
    for (const auto& [kind, count] : s.letters->counts()) {
        out.dead_letters.emplace(kind, count);
    }
    return out;
}

route health(const system_parts& parts, std::string path, std::string operation, std::string summary,
             bool needs_ready) {
    return {.verb = verb::get,
            .path = std::move(path),
            .operation = std::move(operation),
            .summary = std::move(summary),
            .tag = "system",
            .reply = net::reply_of<health_document>("health"),
            .errors = {code::unavailable},
            .run =
                [&parts, needs_ready](const request& r, const responder& respond) {
                    if (needs_ready && !parts.ready()) {
                        respond(net::to_response(
                            {code::unavailable, "the node is starting or draining; ask again in a moment", {}, 1}, r));
                        return;
                    }
                    answer(respond, health_document{"ok", TROUPE_VERSION, parts.node->parts().settings->cluster_name});
                },
            .rooted = true};
}

void events(const system_parts& parts, const request& r, const responder& respond) {
    auto limit = net::page_limit(r);
    auto page = limit ? parts.node->events(r.who.organization, r.query_value("after").value_or("start"), *limit)
                      : expected<runtime::event_page>(limit.error());
    if (!page) {
        auto why = page.error();
        for (auto& e : why.errors) {
            e.pointer = e.pointer == "since" ? "after" : e.pointer; // as streams call it
        }
        respond(net::to_response(why, r));
        return;
    }
    response out;
    out.body = net::list_body(page->envelopes, page->next);
    respond(std::move(out));
}

void problem_page(const request& r, const responder& respond) {
    const auto found = code_named(r.param("code"));
    if (!found) {
        respond(
            net::to_response({code::not_found, "there is no problem code '" + std::string(r.param("code")) + "'"}, r));
        return;
    }
    const auto& info = explain(*found);
    answer(respond, problem_page_document{std::string(info.name), info.http_status, std::string(info.title),
                                          std::string(info.cause), std::string(info.remedy)});
}

std::vector<route> open_routes(const system_parts& parts) {
    return {health(parts, "/health", "health", "Whether the node serves.", true),
            health(parts, "/health/live", "health_live", "Whether the process lives.", false),
            health(parts, "/health/ready", "health_ready", "Whether the node takes requests.", true),
            {.verb = verb::get,
             .path = "/problems/{code}",
             .operation = "explain_problem",
             .summary = "Cause and remedy of a problem code.",
             .tag = "system",
             .in_path = {{"code", "A code, as problems have it.", R"({"type":"string"})", R"("not_found")"}},
             .reply = net::reply_of<problem_page_document>("problem_page"),
             .errors = {code::not_found},
             .run = problem_page}};
}

} // namespace

std::uint64_t count_runs(const runtime::services& s, const uuid& organization, std::string_view status) {
    storage::list_query query;
    query.organization = organization;
    query.kind = "run";
    query.filter = "status=" + std::string(status);
    query.limit = limits::page_max;
    const auto page = storage::read_list(*s.store, query);
    return page ? page->items.size() : 0;
}

namespace {

std::vector<net::query_parameter> events_query() {
    std::vector<net::query_parameter> out{
        {"after", "Cursor of the page before; without one from the start. When events after it are not kept any "
                  "more, the first item is of kind `reset`."},
        net::page_parameters().front()};
    std::ranges::move(net::stream_parameters(), std::back_inserter(out));
    return out;
}

} // namespace

std::vector<route> system_routes(const system_parts& parts) {
    auto out = open_routes(parts);
    std::ranges::move(document_routes(parts), std::back_inserter(out));
    std::ranges::move(cluster_routes(parts), std::back_inserter(out));
    out.push_back({.verb = verb::get,
                   .path = "/status",
                   .operation = "status",
                   .summary = "The node in numbers.",
                   .tag = "system",
                   .permission = "system:read",
                   .reply = net::reply_of<status_document>("status"),
                   .run = [&parts](const request& r, const responder& respond) {
                       answer(respond, status_of(parts, r.who.organization));
                   }});
    out.push_back(
        {.verb = verb::get,
         .path = "/metrics",
         .operation = "metrics",
         .summary = "Metrics in Prometheus text.",
         .tag = "system",
         .permission = "system:read",
         .reply = text_reply("metrics", "text/plain; version=0.0.4"),
         .run =
             [](const request&, const responder& respond) {
                 respond({200, runtime::metrics().to_prometheus(), "text/plain; version=0.0.4; charset=utf-8", {}});
             },
         .rooted = true});
    out.push_back(supervision_route(parts));
    out.push_back(why_route(parts));
    out.push_back(load_route(parts));
    std::ranges::move(trouble_routes(parts), std::back_inserter(out));
    out.push_back({.verb = verb::get,
                   .path = "/events",
                   .operation = "list_events",
                   .summary = "The journaled events of the organization, oldest first; live as text/event-stream.",
                   .tag = "system",
                   .permission = "event:read",
                   .query = events_query(),
                   .reply = page_of<event_document>("events"),
                   .run = [&parts](const request& r, const responder& respond) { events(parts, r, respond); },
                   .stream =
                       [](const request&, const std::function<void(expected<net::stream_spec>)>& answer_stream) {
                           answer_stream(net::stream_spec{{"*"}, ""});
                       }});
    return out;
}

} // namespace troupe::actors
