#pragma once

#include "actors/system/system_routes.hpp"
#include "net/http/route.hpp"
#include "runtime/cluster/cluster_glance.hpp"
#include "schemas/base/problem.hpp"

#include <functional>
#include <memory>
#include <string>

/// Requests about one node that any node of its cluster answers: it asks the other one.
namespace troupe::actors {

/// What this node knows of its cluster; null at a node alone, and before it has joined.
std::shared_ptr<const runtime::cluster::cluster_glance> cluster_of(const system_parts& parts);

/// From now on other nodes may ask this one for what `run` answers: JSON, of the query and the organization of a
/// request. Permissions are a matter of the node that was asked first. `run` does what `net::handler` has to.
void answer_others(const system_parts& parts, std::string question, net::handler run);

/// Asks that node, which `answer_others` there; 2 s at most.
void ask_other(const system_parts& parts, const runtime::cluster::cluster_node& node, std::string question,
               const net::request& r, std::function<void(expected<std::string>)> then);

/// `run`, here or at the node that `?node=` names. For others it is the question of that name.
net::handler at_any_node(const system_parts& parts, std::string question, net::handler run);
/// For the routes that have it.
net::query_parameter node_parameter();

} // namespace troupe::actors
