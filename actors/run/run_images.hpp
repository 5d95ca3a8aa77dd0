#pragma once

#include "actors/run/run_context.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/problem.hpp"
#include "schemas/run.hpp"
#include "storage/store.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Pictures of runs: bytes as blobs, from what a caller gives to what a provider is sent.
namespace troupe::actors {

/// Of a request that may bring some.
inline constexpr std::size_t images_body_bytes_max = 16 << 20;

/// Stores them. `pointer` is where they stand in the request: problems name the place. Blocks on the disk.
expected<std::vector<run_image>> keep_images(storage::store& s, const uuid& organization,
                                             const std::vector<image_body>& given, const std::string& pointer);

/// Those that a run's request needs. Blocks on the disk, and on other nodes in a cluster.
expected<loaded_images> load_images(const storage::store& s, const run_state& run);

} // namespace troupe::actors
