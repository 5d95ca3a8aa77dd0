#include "actors/application/live_channels.hpp"

#include "actors/agent/agent_model.hpp"
#include "actors/application/live_figures.hpp"
#include "actors/approval/approval_model.hpp"
#include "actors/project/project_model.hpp"
#include "actors/run/run_model.hpp"
#include "actors/secret/secret_model.hpp"
#include "actors/task/task_model.hpp"
#include "net/http/route.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/cluster.hpp"
#include "schemas/dead_letter.hpp"
#include "schemas/mcp_offers.hpp"
#include "schemas/run.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace troupe::actors {

namespace {

/// Of `to_json(supervision_change)`.
constexpr std::string_view supervision_schema =
    R"({"type":"object","properties":{"path":{"type":"string"},"kind":{"type":"string"},"status":{"type":"string"},)"
    R"("restarts":{"type":"integer","minimum":0},"last_failure":{"type":"string"},"removed":{"type":"boolean"},)"
    R"("at":{"type":"string","format":"date-time"}},"required":["path","kind","status"]})";

/// "<kind>s/{id}": the events of one entity, as they are stored.
template <class Model>
net::live_channel own_channel(std::string name, std::string doc) {
    net::live_channel out{name, name + "/{id}", std::move(doc), net::messages_of<typename Model::event>()};
    out.messages.push_back(
        {"$poisoned", [] {
             return std::string(
                 R"({"type":"object","description":"A command was set aside: it crashed the entity again and again."})");
         }});
    return out;
}

/// Of `runtime::cluster::news_between`.
net::live_channel cluster_channel() {
    net::live_channel out{
        "cluster", "cluster", "Nodes that come and go and shards that move, as this node sees it.", {}};
    const auto add = [&]<class News>(std::initializer_list<std::string_view> kinds, const News&) {
        for (const auto kind : kinds) {
            out.messages.push_back({std::string(kind), [] { return net::document_schema<News>(); }, true});
        }
    };
    add({"node_joined", "node_up", "node_down", "node_drained", "node_resumed", "node_removed"}, cluster_node_news{});
    add({"shards_moved"}, cluster_moves_news{});
    add({"shards_closed", "shards_opened"}, cluster_quorum_news{});
    add({"lease_ended", "lease_back"}, cluster_lease_news{});
    return out;
}

struct named_channel {
    std::string_view name;
    std::string_view permission;
};
constexpr std::array<named_channel, 8> named{{
    {"agent_status", "agent:read"},
    {"task_completion", "task:read"},
    {"activities", "event:read"},
    {"mcp", "mcp:read"},
    {"supervision", "system:read"},
    {"cluster", "system:read"},
    {"system_metrics", "system:read"},
    {"system_alerts", "system:read"},
}};

/// Whether a pattern with a trailing "*" shows the channel.
bool shows(std::string_view pattern, std::string_view channel) {
    return pattern.ends_with('*') && channel.starts_with(pattern.substr(0, pattern.size() - 1));
}

problem refused(std::string_view channel, std::string why) {
    return {code::invalid_request,
            "channels: \"" + std::string(channel.substr(0, 100)) + "\" " + why,
            {{"/channels", std::move(why)}}};
}

bool is_id(std::string_view text) {
    const auto id = parse_uuid(text);
    return id && to_string(*id) == text;
}

} // namespace

std::vector<net::live_channel> live_channels() {
    std::vector<net::live_channel> out{
        own_channel<agent_model>("agents", "An agent: its settings, its state, its queue."),
        own_channel<task_model>("tasks", "A task and its messages."),
        own_channel<project_model>("projects", "A project and its files."),
        own_channel<run_model>("runs", "A run, step by step, with the model's text and what commands print."),
        own_channel<approval_model>("approvals", "What waits for a person."),
        own_channel<secret_model>("secrets", "A secret: never its value.")};
    for (auto& channel : out) {
        if (channel.name == "runs") {
            channel.messages.push_back({"token", [] { return json_schema<token_data>(); }, true});
            channel.messages.push_back({"output", [] { return json_schema<output_data>(); }, true});
        }
    }
    out.push_back({"activities",
                   "activities",
                   "What happens to everything that people work with: every journaled event, without heartbeats and "
                   "the machinery's own.",
                   {},
                   true});
    out.push_back({"task_completion", "task_completion",
                   "Tasks on which an agent ended its work, or that were moved to done, cancelled or failed.",
                   net::messages_of<std::variant<work_finished, task_moved>>(), true});
    out.push_back({"agent_status", "agent_status",
                   "Agents that came, went, started, stopped, or took up or ended work.",
                   net::messages_of<std::variant<agent_created, agent_started, agent_stopped, agent_paused,
                                                 agent_resumed, agent_deleted, task_started, task_finished>>(),
                   true});
    out.push_back({"agent_logs",
                   "agents/{id}/logs",
                   "What the runs of an agent do: their events, the model's text and what commands print.",
                   {},
                   true});
    out.push_back({"supervision",
                   "supervision",
                   "Parts of the node that start, fail and end.",
                   {{"changed", [] { return std::string(supervision_schema); }, true}}});
    out.push_back(
        {"mcp",
         "mcp",
         "Servers of the Model Context Protocol that offer something else than before, resources of theirs that "
         "changed, and how far calls are that have a name.",
         {{"mcp_list_changed", [] { return net::document_schema<mcp_list_changed>(); }, true},
          {"mcp_progress", [] { return net::document_schema<mcp_progress>(); }, true},
          {"mcp_resource_updated", [] { return net::document_schema<mcp_resource_updated>(); }, true}}});
    out.push_back(cluster_channel());
    out.push_back({"system_metrics",
                   "system_metrics",
                   "Figures of the node, every five seconds.",
                   {{"metrics", [] { return json_schema<system_figures>(); }, true}}});
    out.push_back({"system_alerts",
                   "system_alerts",
                   "Messages that nobody worked on, and how many entities are in trouble when that changes.",
                   {{"dead_letter", [] { return net::document_schema<dead_letter_document>(); }, true},
                    {"troubles", [] { return json_schema<trouble_alert>(); }, true}}});
    return out;
}

std::string channel_permission(std::string_view channel) {
    for (const auto& n : named) {
        if (n.name == channel) {
            return std::string(n.permission);
        }
    }
    if (channel.starts_with("agents/") && channel.ends_with("/logs")) {
        return "run:read";
    }
    if (const auto slash = channel.find('/');
        slash != std::string_view::npos && slash > 1 && channel[slash - 1] == 's') {
        return std::string(channel.substr(0, slash - 1)) + ":read";
    }
    const bool of_node = channel != "*" && std::ranges::any_of(named, [&](const auto& n) {
                             return n.permission == "system:read" && shows(channel, n.name);
                         });
    return of_node ? "system:read" : "event:read";
}

expected<void> check_channel(std::string_view channel, const std::set<std::string>& kinds) {
    if (channel == "*" || std::ranges::any_of(named, [&](const auto& n) { return n.name == channel; })) {
        return {};
    }
    if (channel == "engine_status") {
        return problem{code::not_found,
                       "channels: this node runs no engines yet, so engine_status has nothing to show"};
    }
    if (channel.ends_with('*')) {
        const auto start = channel.substr(0, channel.size() - 1);
        const bool whole_kind = start.ends_with("s/") && kinds.contains(std::string(start.substr(0, start.size() - 2)));
        const bool part_of_name =
            std::ranges::any_of(named, [&](const auto& n) { return n.name.starts_with(start); }) ||
            std::ranges::any_of(kinds, [&](const auto& k) { return (k + "s/").starts_with(start); });
        return whole_kind || part_of_name
                   ? expected<void>()
                   : refused(channel, "can match nothing: give a name of a channel, *, or a kind as in tasks/*");
    }
    const auto slash = channel.find('/');
    const auto kind = channel.substr(0, slash);
    if (slash == std::string_view::npos || !kind.ends_with('s') ||
        !kinds.contains(std::string(kind.substr(0, kind.size() - 1)))) {
        return refused(channel, "is no channel of this node: GET /api/v1/asyncapi.json lists them");
    }
    auto id = channel.substr(slash + 1);
    if (kind == "agents" && id.ends_with("/logs")) {
        id.remove_suffix(std::string_view("/logs").size());
    }
    return is_id(id) ? expected<void>() : refused(channel, "does not end in the id of an entity, in lower case");
}

} // namespace troupe::actors
