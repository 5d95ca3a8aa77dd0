#pragma once

#include "actors/compliance/compliance_model.hpp"
#include "actors/run/run_model.hpp"
#include "actors/secret/keyring_model.hpp"
#include "runtime/entity/kind.hpp"

namespace troupe::actors {

/// Every entity kind of the product. Without performers (for rebuilds of views) runs, rotations and evaluations do
/// nothing.
runtime::kind_registry entity_kinds(runtime::performer_of<run_model> run_performer,
                                    runtime::performer_of<keyring_model> keyring_performer = {},
                                    runtime::performer_of<compliance_model> compliance_performer = {});

} // namespace troupe::actors
