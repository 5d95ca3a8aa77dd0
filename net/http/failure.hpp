#pragma once

#include "net/http/route.hpp"

#include <exception>
#include <optional>
#include <string>
#include <string_view>

namespace troupe::net {

/// What the client hears of an exception; the rest of it is logged. `what` names what threw.
problem defect(std::string_view what, const std::exception& e);

/// Whether it is one: then it is in the log.
bool is_defect(const problem& p);

/// What the client was told, where an answer says that the node failed and nobody has told the node's people yet: 5xx,
/// but neither overload nor what no node can do, and nothing that was logged where it happened.
std::optional<std::string> untold_failure(const response& r);

} // namespace troupe::net
