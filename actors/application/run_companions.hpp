#pragma once

#include "actors/kinds/browser/browser_desk.hpp"
#include "actors/tool/process_desk.hpp"
#include "runtime/config/config.hpp"
#include "storage/store.hpp"

#include <memory>

/// What runs keep at work on a node beside their steps; it ends with its run as the store has it. What is given
/// outlives the desks' `stop`.
namespace troupe::actors {

/// In the folder `browsers` of the node's data, with the addresses of `tools.fetch.allow`.
expected<std::unique_ptr<browser_desk>> make_run_browsers(const runtime::config& settings, runtime::sandbox& commands,
                                                          const storage::store& store);

/// With what they read in the folder `processes` of the node's data.
std::unique_ptr<process_desk> make_run_processes(const runtime::config& settings, runtime::sandbox& commands,
                                                 const storage::store& store);

} // namespace troupe::actors
