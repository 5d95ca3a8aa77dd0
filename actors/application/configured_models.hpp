#pragma once

#include "actors/provider/provider.hpp"
#include "actors/run/run_performer.hpp"
#include "runtime/config/config.hpp"
#include "runtime/supervision/supervisor_actor.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

/// The models of a configuration, as runs have them.
namespace troupe::actors {

/// With what the environment adds.
expected<provider_settings> providers_of(const runtime::config& c);

/// A rehearsal costs nothing; of others only the configuration knows. Of a route: the dearest of those that are known,
/// so that a reservation covers whoever answers.
std::optional<model_price> price_of(std::string_view name, const model_registry& models);

/// `model` under its name, with what the configuration says of it.
chosen_model chosen_as(const std::string& name, std::shared_ptr<net::model> model, const model_registry& models);

/// The actors of all providers, under one supervisor "providers".
runtime::supervised_child providers_child(const model_registry& models, runtime::supervision_tree* tree);

/// Of their gates; the others count themselves. `models` lives until the metrics' functions are forgotten.
void publish_model_metrics(const model_registry& models);

} // namespace troupe::actors
