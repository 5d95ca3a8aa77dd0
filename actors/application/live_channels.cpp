#include "actors/application/live_channels.hpp"

#include "actors/agent/agent_model.hpp"
#include "actors/approval/approval_model.hpp"
#include "actors/project/project_model.hpp"
#include "actors/run/run_model.hpp"
#include "actors/secret/secret_model.hpp"
#include "actors/task/task_model.hpp"
#include "schemas/run.hpp"

#include <algorithm>
#include <array>
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

constexpr std::array<std::pair<std::string_view, std::string_view>, 6> named{{
    {"agent_status", "agent:read"},
    {"task_completion", "task:read"},
    {"activities", "event:read"},
    {"supervision", "system:read"},
    {"system_metrics", "system:read"},
    {"system_alerts", "system:read"},
}};

/// Whether a pattern with a trailing "*" shows the channel.
bool shows(std::string_view pattern, std::string_view channel) {
    return pattern.ends_with('*') && channel.starts_with(pattern.substr(0, pattern.size() - 1));
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
    out.push_back({"activities", "activities", "Every journaled event of the organization.", {}, true});
    out.push_back({"task_completion", "task_completion",
                   "Tasks on which an agent ended its work, or that were moved over the board.",
                   net::messages_of<std::variant<work_finished, task_moved>>(), true});
    out.push_back(
        {"agent_status", "agent_status", "What happens to agents.", net::messages_of<agent_model::event>(), true});
    out.push_back({"supervision",
                   "supervision",
                   "Parts of the node that start, fail and end.",
                   {{"changed", [] { return std::string(supervision_schema); }, true}}});
    return out;
}

std::string channel_permission(std::string_view channel) {
    for (const auto& [name, permission] : named) {
        if (name == channel) {
            return std::string(permission);
        }
    }
    if (const auto slash = channel.find('/');
        slash != std::string_view::npos && slash > 1 && channel[slash - 1] == 's') {
        return std::string(channel.substr(0, slash - 1)) + ":read";
    }
    const bool of_node =
        std::ranges::any_of(named, [&](const auto& n) { return n.second == "system:read" && shows(channel, n.first); });
    return of_node ? "system:read" : "event:read";
}

} // namespace troupe::actors
