#pragma once

#include "runtime/services.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/problem.hpp"

#include <optional>
#include <vector>

/// What ties tasks to each other, as requests name it.
namespace troupe::actors {

/// All that is named is there, and closes no circle: `invalid_request` or `conflict` with the keys of those on the way.
/// `self`: the task that is changed; nothing for a new one, to which nothing leads.
expected<void> check_task_links(const runtime::services& s, const uuid& organization, const std::optional<uuid>& self,
                                const std::optional<uuid>& parent, const std::vector<uuid>& depends_on);

} // namespace troupe::actors
