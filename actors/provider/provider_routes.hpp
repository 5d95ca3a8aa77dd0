#pragma once

#include "actors/provider/provider.hpp"
#include "net/http/route.hpp"

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

namespace troupe::actors {

/// What the routes show; outlives them.
struct provider_parts {
    const model_registry* models = nullptr;
    std::function<std::optional<runtime::token_price>(std::string_view name)> price; ///< Of the model of that name.
};

/// `GET /models` and `GET /providers`.
std::vector<net::route> provider_routes(const provider_parts& parts);

} // namespace troupe::actors
