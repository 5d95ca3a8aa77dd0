#pragma once

#include "actors/provider/provider.hpp"
#include "actors/run/run_performer.hpp"
#include "runtime/config/config.hpp"
#include "runtime/config/prices.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

/// The models of a configuration, as runs have them.
namespace troupe::actors {

/// With what the environment adds.
expected<provider_settings> providers_of(const runtime::config& c);

/// By full name: of `model.prices`, else of `model.providers`.
expected<std::map<std::string, runtime::token_price>> prices_of(const runtime::config& c, const model_registry& models);

/// None of a rehearsal, which costs nothing, and where nobody said it.
std::optional<runtime::token_price> token_price_of(std::string_view name, const model_registry& models,
                                                   const std::map<std::string, runtime::token_price>& prices);

/// A rehearsal costs nothing; of others only the configuration knows.
std::optional<model_price> price_of(std::string_view name, const model_registry& models,
                                    const std::map<std::string, runtime::token_price>& prices);

/// `model` under its name, with what the configuration says of it.
chosen_model chosen_as(const std::string& name, std::shared_ptr<net::model> model, const model_registry& models);

} // namespace troupe::actors
