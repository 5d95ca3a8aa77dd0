#include "actors/application/configured_models.hpp"

#include "actors/provider/cassette_player.hpp"

#include <algorithm>
#include <utility>

namespace troupe::actors {

expected<provider_settings> providers_of(const runtime::config& c) {
    auto providers = runtime::parse_model_providers(c.model_providers);
    if (!providers) {
        return providers.error();
    }
    provider_settings out;
    out.default_model = c.model_default;
    out.openai_base_url = c.model_openai_base_url;
    out.openai_api_key = c.model_openai_api_key;
    out.openai_model = c.model_openai_model;
    out.openai_ca_file = c.model_openai_ca_file;
    out.providers = std::move(*providers);
    out.scripts = c.model_scripts;
    return with_environment(std::move(out));
}

expected<std::map<std::string, runtime::token_price>> prices_of(const runtime::config& c,
                                                                const model_registry& models) {
    auto out = runtime::parse_prices(c.model_prices);
    if (!out) {
        return out.error();
    }
    for (const auto& provider : models.providers()) {
        for (const auto& model : provider.models) {
            if (model.price) {
                out->emplace(provider.name + "/" + model.name, *model.price);
            }
        }
    }
    return out;
}

std::optional<runtime::token_price> token_price_of(std::string_view name, const model_registry& models,
                                                   const std::map<std::string, runtime::token_price>& prices) {
    const auto found = prices.find(models.full_name(name));
    return found == prices.end() ? std::nullopt : std::optional(found->second);
}

std::optional<model_price> price_of(std::string_view name, const model_registry& models,
                                    const std::map<std::string, runtime::token_price>& prices) {
    if (name.starts_with("rehearsal") || name.starts_with(cassette_prefix)) {
        return model_price{};
    }
    const auto found = token_price_of(cassette_desk::recorded_model(name), models, prices);
    return found ? std::optional(model_price{found->input_micros, found->output_micros}) : std::nullopt;
}

chosen_model chosen_as(const std::string& name, std::shared_ptr<net::model> model, const model_registry& models) {
    const auto real = cassette_desk::recorded_model(name);
    chosen_model out{.model = std::move(model), .name = name, .provider_name = models.model_name(real)};
    if (const auto* provider = models.provider_of(real)) {
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

} // namespace troupe::actors
