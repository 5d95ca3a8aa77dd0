#include "runtime/config/model_routes.hpp"

#include "runtime/config/object_list.hpp"

#include <fmt/format.h>

#include <utility>

namespace troupe::runtime {

namespace {

// As they are written. A file has numbers as text, the environment has them as JSON has them.

struct written_candidate {
    std::string model;
    json::raw weight;
    static constexpr field_rule rules[] = {{.name = "model", .required = true, .min = 1, .max = 200}};
};
BOOST_DESCRIBE_STRUCT(written_candidate, (), (model, weight))

struct written_route {
    std::string name;
    route_policy policy = route_policy::priority;
    std::vector<written_candidate> models;
    static constexpr field_rule rules[] = {{.name = "name", .required = true, .min = 1, .max = 32},
                                           {.name = "models", .required = true, .min = 1, .max = 32}};
};
BOOST_DESCRIBE_STRUCT(written_route, (), (name, policy, models))

struct written_routes {
    std::vector<written_route> items;
    static constexpr field_rule rules[] = {{.name = "items", .max = 64}};
};
BOOST_DESCRIBE_STRUCT(written_routes, (), (items))

route_model read_candidate(written_candidate c, const std::string& at, std::vector<field_error>& wrong) {
    if (c.model.starts_with("route:")) {
        wrong.push_back({at + "/model", "is a route; name models only"});
    }
    route_model out{std::move(c.model)};
    if (const auto weight = read_count(c.weight, 1000)) {
        out.weight = *weight;
    } else if (!c.weight.is_null()) {
        wrong.push_back({at + "/weight", "has to be a number from 1 to 1000"});
    }
    return out;
}

} // namespace

expected<std::vector<model_route>> parse_model_routes(std::string_view text) {
    auto read = read_object_list<written_routes>(text);
    if (!read) {
        return read.error();
    }
    std::vector<model_route> out;
    std::vector<field_error> wrong;
    check_names(read->items, wrong);
    for (std::size_t i = 0; i < read->items.size(); ++i) {
        auto& written = read->items[i];
        if (!is_plain_name(written.name)) {
            wrong.push_back({fmt::format("/{}/name", i), "may have a-z, 0-9, - and _ only"});
        }
        auto& route = out.emplace_back(model_route{std::move(written.name), written.policy, {}});
        for (std::size_t n = 0; n < written.models.size(); ++n) {
            route.models.push_back(
                read_candidate(std::move(written.models[n]), fmt::format("/{}/models/{}", i, n), wrong));
        }
    }
    if (!wrong.empty()) {
        return list_problem(std::move(wrong));
    }
    return out;
}

std::vector<field_error> check_model_route_list(std::string_view text) {
    auto routes = parse_model_routes(text);
    return routes ? std::vector<field_error>() : std::move(routes.error().errors);
}

std::optional<std::string> check_model_routes(std::string_view text) {
    const auto wrong = check_model_route_list(text);
    return wrong.empty() ? std::nullopt : std::optional(wrong.front().pointer + ": " + wrong.front().message);
}

} // namespace troupe::runtime
