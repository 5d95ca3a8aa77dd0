#pragma once

#include "runtime/node.hpp"

namespace troupe::actors {

/// The figures of a node as metrics; `runtime::metrics().forget_functions()` before the node ends.
void publish_metrics(runtime::node& node);
/// The same of its cluster, when it has started; nothing at a node alone.
void publish_cluster_metrics(runtime::node& node);

} // namespace troupe::actors
