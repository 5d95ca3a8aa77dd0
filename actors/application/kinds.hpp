#pragma once

#include "actors/erasure/erasure_model.hpp"
#include "actors/run/run_model.hpp"
#include "actors/secret/keyring_model.hpp"
#include "runtime/entity/kind.hpp"
#include "runtime/services.hpp"

namespace troupe::actors {

/// Every entity kind of the product. Without performers (for rebuilds of views) runs, rotations and erasures do
/// nothing.
runtime::kind_registry entity_kinds(runtime::performer_of<run_model> run_performer,
                                    runtime::performer_of<keyring_model> keyring_performer = {},
                                    runtime::performer_of<erasure_model> erasure_performer = {});

/// What has to be done with stored contents before a node starts: rows of older versions are sealed, and what a kill or
/// a restore left of an erasure goes.
expected<void> prepare_contents(const runtime::services& s, const runtime::kind_registry& kinds);

} // namespace troupe::actors
