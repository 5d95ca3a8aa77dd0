#pragma once

#include <cstddef>
#include <cstdint>

/// Every bound that more than one module has to agree on. A bound that only one module knows stands there.
namespace troupe::limits {

inline constexpr std::size_t kib = 1024;
inline constexpr std::size_t mib = 1024 * kib;

/// A request body that is not a file upload. Large contents go through blobs.
inline constexpr std::size_t body_bytes_max = 1 * mib;
/// A file of a project. Its content travels in pieces, so that this is no bound of memory.
inline constexpr std::size_t file_bytes_max = 128 * mib;
/// JSON nesting: deeper input is a mistake or an attack.
inline constexpr std::size_t json_depth_max = 64;
/// One event's payload; more belongs into a blob. Must leave room for an envelope in a commit batch.
inline constexpr std::size_t event_bytes_max = 4 * mib;
/// One commit batch: about 1 MB keeps the fsync short; a single larger append still goes alone.
inline constexpr std::size_t commit_batch_bytes = 1 * mib;
/// Outstanding commands of one node, all shards: beyond, callers get `overloaded`.
inline constexpr std::size_t outstanding_commands_max = 16384;
/// Bytes of outstanding commands of one node.
inline constexpr std::size_t outstanding_bytes_max = 64 * mib;
/// Crashes on one command before it is set aside as poison.
inline constexpr int poison_crashes = 5;
/// De-duplication window of command ids.
inline constexpr std::int64_t dedup_window_ms = 24LL * 3600 * 1000;
/// List pages.
inline constexpr std::size_t page_default = 50;
inline constexpr std::size_t page_max = 200;
/// `Idempotency-Key` and other command ids.
inline constexpr std::size_t command_id_bytes_max = 255;
/// Of a `User-Agent`, as it is kept.
inline constexpr std::size_t user_agent_bytes_max = 200;

/// A folder of this name is a node's own data, keys among it, and no part of the project that it lies in.
inline constexpr const char* node_data_name = ".troupe";

static_assert(event_bytes_max >= body_bytes_max, "a body has to fit into the event that it becomes");

} // namespace troupe::limits
