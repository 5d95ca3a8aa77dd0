#pragma once

#include "net/http/route.hpp"
#include "runtime/node.hpp"

#include <functional>
#include <string>
#include <vector>

/// Routes about the node itself: health, status, metrics, supervision, events, why, problems, OpenAPI.
namespace troupe::actors {

struct system_parts {
    runtime::node* node = nullptr;
    timestamp started_at;
    std::function<std::string()> url;     ///< Known once the edge listens.
    std::function<bool()> ready;          ///< False while starting and draining.
    std::function<std::string()> openapi; ///< The document of all routes.
    std::string model;                    ///< What the default model is, for people.
    std::string sandbox;                  ///< What confines commands, for people.
};

/// `parts` outlives the routes.
std::vector<net::route> system_routes(const system_parts& parts);

} // namespace troupe::actors
