#include "actors/application/configured_models.hpp"

#include "actors/provider/cassette_player.hpp"
#include "actors/run/run_context.hpp"
#include "runtime/metrics/metrics.hpp"

#include <algorithm>
#include <utility>

namespace troupe::actors {
namespace {

/// The largest window of a route's models; 0: of one it is not known, so that nothing is too long.
std::uint32_t widest_window(const runtime::model_route& route, const model_registry& models) {
    std::uint32_t widest = 0;
    for (const auto& one : route.models) {
        const auto* facts = models.facts(one.model);
        const auto window = facts ? facts->context_tokens.value_or(0) : 0;
        if (window == 0) {
            return 0;
        }
        widest = std::max(widest, window);
    }
    return widest;
}

} // namespace

expected<provider_settings> providers_of(const runtime::config& c) {
    auto providers = runtime::parse_model_providers(c.model_providers);
    if (!providers) {
        return providers.error();
    }
    auto routes = runtime::parse_model_routes(c.model_routes);
    if (!routes) {
        return routes.error();
    }
    auto prices = runtime::parse_prices(c.model_prices);
    if (!prices) {
        return prices.error();
    }
    provider_settings out;
    out.default_model = c.model_default;
    out.openai_base_url = c.model_openai_base_url;
    out.openai_api_key = c.model_openai_api_key;
    out.openai_model = c.model_openai_model;
    out.openai_ca_file = c.model_openai_ca_file;
    out.providers = std::move(*providers);
    out.routes = std::move(*routes);
    out.prices = std::move(*prices);
    out.scripts = c.model_scripts;
    return with_environment(std::move(out));
}

std::optional<model_price> price_of(std::string_view asked, const model_registry& models) {
    if (asked.starts_with("rehearsal") || asked.starts_with(cassette_prefix)) {
        return model_price{};
    }
    const auto name = cassette_desk::recorded_model(asked);
    if (const auto* route = models.route_of(name)) {
        std::optional<model_price> dearest;
        for (const auto& one : route->models) {
            if (const auto price = price_of(one.model, models)) {
                dearest = dearest.value_or(model_price{});
                dearest->input_micros = std::max(dearest->input_micros, price->input_micros);
                dearest->output_micros = std::max(dearest->output_micros, price->output_micros);
            }
        }
        return dearest;
    }
    const auto found = models.price(name);
    return found ? std::optional(model_price{found->input_micros, found->output_micros}) : std::nullopt;
}

chosen_model chosen_as(const std::string& name, std::shared_ptr<net::model> model, const model_registry& models) {
    const auto real = cassette_desk::recorded_model(name);
    chosen_model out{.model = std::move(model), .name = name, .provider_name = models.model_name(real)};
    if (const auto* route = models.route_of(real)) {
        out.provider = every_provider;
        out.context_tokens = widest_window(*route, models);
    } else if (const auto* provider = models.provider_of(real)) {
        out.provider = provider->name;
    }
    if (const auto* facts = models.facts(real)) {
        out.reasoning =
            std::ranges::find(facts->capabilities, model_capability::reasoning) != facts->capabilities.end();
        out.context_tokens = facts->context_tokens.value_or(0);
        out.output_tokens_max = facts->output_tokens.value_or(0);
    }
    return out;
}

runtime::supervised_child providers_child(const model_registry& models, runtime::supervision_tree* tree) {
    std::vector<runtime::supervised_child> children;
    for (const auto& [name, desk] : models.desks()) {
        children.push_back(runtime::nudged_child(desk->part()));
    }
    return runtime::supervisor_child({.id = "providers", .kind = runtime::child_kind::supervisor}, {},
                                     std::move(children), tree);
}

void publish_model_metrics(const model_registry& models) {
    auto& m = runtime::metrics();
    for (const auto& [name, desk] : models.desks()) {
        const auto read = [desk = desk](auto figure) {
            return [=] { return static_cast<double>(desk->health().*figure); };
        };
        m.read_gauge("troupe_model_calls_at_work", "Calls of models at work, by provider.",
                     read(&provider_health::calls_at_work), {{"provider", name}});
        m.read_gauge("troupe_model_calls_waiting", "Calls that wait for a place at their provider.",
                     read(&provider_health::calls_waiting), {{"provider", name}});
        m.read_gauge("troupe_model_provider_state", "How a provider does: 0 healthy, 1 degraded, 2 left alone.",
                     read(&provider_health::status), {{"provider", name}});
    }
}

} // namespace troupe::actors
