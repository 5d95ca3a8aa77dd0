#pragma once

#include "runtime/cluster/membership.hpp"
#include "runtime/config/config.hpp"
#include "runtime/services.hpp"
#include "schemas/base/problem.hpp"

#include <optional>
#include <string_view>

namespace troupe::actors {

/// The cluster that a node is configured for, with etcd and links over TCP as its ways there; nothing for a node alone.
/// `config_invalid` says what is wrong, with its place. Where the cluster file names a master key, `settings` get it.
expected<std::optional<runtime::cluster::cluster_place>> find_cluster(runtime::config& settings);

/// Whether a request to that target is about the node that it comes to, and answered also where no other is reached:
/// health, metrics, the supervision tree, what the cluster looks like from here.
bool is_of_this_node(std::string_view target);

/// Blocks until the cluster takes commands and shows what was answered. The log says what it waits for. `unavailable`
/// when the process was told to end meanwhile (SIGTERM or SIGINT, blocked and pending).
expected<void> wait_for_cluster(const runtime::services& s);

} // namespace troupe::actors
