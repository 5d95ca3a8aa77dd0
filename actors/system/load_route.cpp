#include "actors/system/other_nodes.hpp"
#include "actors/system/system_routes.hpp"
#include "runtime/entity/host.hpp"
#include "runtime/entity/troubles.hpp"
#include "runtime/metrics/metrics.hpp"
#include "runtime/metrics/process.hpp"
#include "runtime/supervision/dead_letters.hpp"
#include "runtime/supervision/tree.hpp"
#include "schemas/load.hpp"

#include <charconv>

namespace troupe::actors {

namespace {

constexpr std::size_t busiest_default = 10;
constexpr std::size_t busiest_max = 100;

/// The tree's own JSON, read as the API's type: unknown members are passed over.
std::vector<busy_entry> busiest(const runtime::supervision_tree& tree, std::size_t limit) {
    std::vector<busy_entry> out;
    const auto parsed = json::document::parse(tree.busiest(limit));
    if (parsed) {
        parsed->root().each_element([&](json::value item) {
            busy_entry e;
            e.path = item.text_or("path");
            e.kind = item.text_or("kind");
            e.status = item.text_or("status");
            const auto number = [&](std::string_view name) {
                const auto member = item.find(name);
                return member ? member->as_uint() : std::nullopt;
            };
            e.restarts = number("restarts").value_or(0);
            e.uptime_ms = number("uptime_ms").value_or(0);
            e.mailbox_depth = number("mailbox_depth");
            e.messages = number("messages");
            e.memory_bytes = number("memory_bytes");
            out.push_back(std::move(e));
        });
    }
    return out;
}

load_document load_of(const system_parts& parts, const uuid& organization, std::size_t limit) {
    const auto& s = parts.node->parts();
    const auto statistics = parts.node->statistics();
    const auto process = runtime::read_process();
    const auto& latency = runtime::metrics().make_histogram("troupe_command_seconds", "");
    load_document out;
    out.at = system_now();
    out.node = s.settings->cluster_name;
    out.status = parts.ready() ? "ok" : "draining";
    out.version = TROUPE_VERSION;
    out.uptime_ms = out.at - parts.started_at;
    out.commands_accepted = statistics.commands_accepted;
    out.commands_refused = statistics.commands_refused;
    out.commands_repeated = statistics.commands_repeated;
    out.command_latency = {latency.bounds(), latency.counts()};
    out.commands_outstanding = statistics.commands_outstanding;
    out.commands_outstanding_max = static_cast<std::uint64_t>(s.settings->limits_outstanding_commands);
    out.bytes_outstanding = statistics.bytes_outstanding;
    out.bytes_outstanding_max = static_cast<std::uint64_t>(s.settings->limits_outstanding_bytes);
    out.commits = statistics.commits;
    out.appends = statistics.appends;
    out.entities_active = statistics.entities_active;
    out.runs_running = count_runs(s, organization, "running");
    out.runs_waiting = count_runs(s, organization, "waiting");
    out.performing = statistics.performing;
    out.performing_max = runtime::performing_max;
    out.connections = parts.connections ? parts.connections() : 0;
    out.subscribers = statistics.subscribers;
    out.resident_bytes = process.resident_bytes;
    out.cpu_seconds = process.cpu_seconds;
    out.threads = process.threads;
    out.disk_free_bytes = s.store->free_bytes();
    out.disk_free_bytes_min = static_cast<std::uint64_t>(s.settings->storage_free_bytes_min);
    for (const auto& [kind, count] : s.letters->counts()) {
        out.dead_letters += count;
    }
    out.entities_in_trouble = s.troubles->entities();
    out.busiest = busiest(*s.tree, limit);
    return out;
}

void load(const system_parts& parts, const net::request& r, const net::responder& respond) {
    std::size_t limit = busiest_default;
    if (const auto text = r.query_value("limit")) {
        const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), limit);
        if (error != std::errc() || end != text->data() + text->size() || limit > busiest_max) {
            const auto why = "is not a number up to " + std::to_string(busiest_max);
            respond(net::to_response({code::invalid_request, "limit " + why, {{"limit", why}}}, r));
            return;
        }
    }
    net::response out;
    out.body = to_json(load_of(parts, r.who.organization, limit));
    respond(std::move(out));
}

} // namespace

net::route load_route(const system_parts& parts) {
    return {.verb = net::verb::get,
            .path = "/load",
            .operation = "load",
            .summary = "What the node does now, and who is busiest: counts since the start, two answers give a rate.",
            .tag = "system",
            .permission = "system:read",
            .query = {{"limit", "How many of the busiest actors.",
                       R"({"type":"integer","minimum":0,"maximum":100,"default":10})"},
                      node_parameter()},
            .reply = net::reply_of<load_document>("load"),
            .errors = {code::not_found, code::unavailable, code::overloaded},
            .run = at_any_node(parts, "load", [&parts](const net::request& r, const net::responder& respond) {
                load(parts, r, respond);
            })};
}

} // namespace troupe::actors
