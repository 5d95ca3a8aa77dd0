#include "actors/application/live_routes.hpp"

#include "net/http/handlers.hpp"
#include "net/http/stream_query.hpp"
#include "storage/views.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace troupe::actors {

namespace {

using net::request;
using shown = std::function<void(expected<net::stream_spec>)>;

net::route live_route(std::string path, std::string operation, std::string summary, std::string permission,
                      std::vector<code> errors, net::stream_handler stream) {
    return {.verb = net::verb::get,
            .path = std::move(path),
            .operation = std::move(operation),
            .summary = std::move(summary),
            .description = "A WebSocket with this subscription; with another `Accept` than an upgrade, "
                           "`text/event-stream`. See schemas/live_protocol.md.",
            .tag = "live",
            .permission = std::move(permission),
            .query = net::stream_parameters(),
            .errors = std::move(errors),
            .stream = std::move(stream)};
}

/// A channel of the agent that the path names, if it is there.
net::stream_handler of_agent(const runtime::services& s, std::string_view behind) {
    return [&s, behind](const request& r, const shown& answer) {
        const auto id = net::resolve_id(s, r, "agent", "name");
        const auto agent = id ? storage::read_document(*s.store, {r.who.organization, "agent", *id})
                              : expected<std::optional<storage::stored_document>>(id.error());
        if (!agent) {
            return answer(agent.error());
        }
        if (!*agent) {
            return answer(problem{code::not_found, "there is no agent " + to_string(*id)});
        }
        answer(net::stream_spec{{"agents/" + to_string(*id) + std::string(behind)}, ""});
    };
}

} // namespace

std::vector<net::route> live_routes(const runtime::services& s) {
    std::vector<net::route> out;
    out.push_back(live_route("/ws/activities", "watch_activities", "What happens in the organization, as it happens.",
                             "event:read", {}, [](const request&, const shown& answer) {
                                 answer(net::stream_spec{{"activities"}, ""});
                             }));
    out.push_back(live_route("/ws/agents/{id}", "watch_agent", "The events of an agent as they come.", "agent:read",
                             {code::not_found}, of_agent(s, "")));
    out.push_back(live_route("/ws/agents/{id}/logs", "watch_agent_logs",
                             "What the runs of an agent do, with the model's text and what commands print.", "run:read",
                             {code::not_found}, of_agent(s, "/logs")));
    out.push_back(
        live_route("/ws/engines/status", "watch_engines", "The state of engines. There are none yet: this says so.",
                   "system:read", {code::not_found}, [](const request&, const shown& answer) {
                       answer(problem{code::not_found, "this node runs no engines yet, so there is nothing to show"});
                   }));
    return out;
}

} // namespace troupe::actors
