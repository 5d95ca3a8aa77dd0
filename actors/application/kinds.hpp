#pragma once

#include "actors/run/run_model.hpp"
#include "runtime/entity/kind.hpp"

namespace troupe::actors {

/// Every entity kind of the product. Without a performer (for rebuilds of views) runs do nothing.
runtime::kind_registry entity_kinds(runtime::performer_of<run_model> run_performer);

} // namespace troupe::actors
