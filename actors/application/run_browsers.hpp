#pragma once

#include "actors/kinds/browser/browser_desk.hpp"
#include "runtime/config/config.hpp"
#include "storage/store.hpp"

#include <memory>

namespace troupe::actors {

/// The browsers of a node: in the folder `browsers` of its data, with the addresses of `tools.fetch.allow`, and each
/// ended with its run as the store has it. What is given outlives the desk's `stop`.
expected<std::unique_ptr<browser_desk>> make_run_browsers(const runtime::config& settings, runtime::sandbox& commands,
                                                          const storage::store& store);

} // namespace troupe::actors
