#pragma once

#include "actors/compliance/compliance_model.hpp"
#include "runtime/entity/kind.hpp"
#include "runtime/services.hpp"

namespace troupe::actors {

/// Collects the facts of an evaluation and judges them. The node's also begins to watch organizations that nobody
/// watches yet. `s` outlives it.
runtime::performer_of<compliance_model> make_compliance_performer(const runtime::services& s);

/// The node evaluates itself, and with it its organizations, from now on; the first time soon after the first start.
/// Returns at once.
void watch_node_compliance(const runtime::services& s);

} // namespace troupe::actors
