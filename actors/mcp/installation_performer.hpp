#pragma once

#include "actors/mcp/installation_model.hpp"
#include "runtime/entity/kind.hpp"
#include "runtime/process/sandbox.hpp"

#include <filesystem>

namespace troupe::actors {

/// Brings packages: each attempt into a folder of its own below FOLDER/ID, which is the server's. `commands` runs the
/// tools of registries with the node's rights; scripts of packages are not run. Both outlive it.
runtime::performer_of<installation_model> make_installation_performer(runtime::sandbox& commands,
                                                                      std::filesystem::path folder);

} // namespace troupe::actors
