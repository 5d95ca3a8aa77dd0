#pragma once

#include "net/http/route.hpp"
#include "runtime/node.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Routes about the node itself: health, status, metrics, supervision, events, why, problems, OpenAPI.
namespace troupe::actors {

/// The API's descriptions, made once when the routes are known.
struct api_documents {
    std::string openapi;
    std::string asyncapi;
    std::string page; ///< The first as HTML.
};

struct system_parts {
    runtime::node* node = nullptr;
    timestamp started_at;
    std::function<std::string()> url; ///< Known once the edge listens.
    std::function<bool()> ready;      ///< False while starting and draining.
    std::function<const api_documents&()> documents;
    std::string model;           ///< What the default model is, for people.
    std::string sandbox;         ///< What confines commands, for people.
    std::string sandbox_problem; ///< Why commands cannot be confined; empty: they can.
    /// Why no model of that name ("": the default) can be had.
    std::function<std::optional<problem>(std::string_view name)> model_problem;
    std::function<std::size_t()> connections; ///< Open ones of the edge.
};

/// `parts` outlives the routes.
std::vector<net::route> system_routes(const system_parts& parts);
/// The API's descriptions: `GET /openapi.json`, `/asyncapi.json`, `/docs`.
std::vector<net::route> document_routes(const system_parts& parts);
/// `GET /supervision`: the tree over all nodes.
net::route supervision_route(const system_parts& parts);
/// `GET /load`: what the node does now, for `troupe top`.
net::route load_route(const system_parts& parts);
/// `GET /poison`, `/dead-letters`, `/system/failures`: what was set aside, what nobody worked on, what went wrong.
std::vector<net::route> trouble_routes(const system_parts& parts);
/// `/cluster…`: who is there, who has which shard, and what people change of that.
std::vector<net::route> cluster_routes(const system_parts& parts);
/// `GET /why/{kind}/{id}`.
net::route why_route(const system_parts& parts);

/// Runs with that status, at most `limits::page_max` are counted.
std::uint64_t count_runs(const runtime::services& s, const uuid& organization, std::string_view status);

} // namespace troupe::actors
