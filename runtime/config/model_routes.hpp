#pragma once

#include "schemas/base/problem.hpp"
#include "schemas/model.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::runtime {

struct route_model {
    std::string model; ///< PROVIDER, PROVIDER/MODEL, a rehearsal or a program's own model; not a route.
    std::uint32_t weight = 1;
};

/// A choice among models, as `model.routes` lists it; agents and runs write `route:NAME`.
struct model_route {
    std::string name; ///< [a-z0-9_-]+
    route_policy policy = route_policy::priority;
    std::vector<route_model> models; ///< One at least.
};

/// Reads a JSON list of them; an empty text is an empty list. Numbers may be given as text. `config_invalid` has all
/// that is wrong, by JSON pointers. Whether the models are there the registry knows.
expected<std::vector<model_route>> parse_model_routes(std::string_view text);

// What is wrong with the text of the configuration, or nothing; see `property::check`.
std::optional<std::string> check_model_routes(std::string_view text);
std::vector<field_error> check_model_route_list(std::string_view text);

} // namespace troupe::runtime
