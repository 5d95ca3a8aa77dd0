#pragma once

#include "schemas/base/ids.hpp"
#include "schemas/base/problem.hpp"
#include "storage/store.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

/// Big things, content-addressed inside their organization. Written to the same WAL before the event that names them,
/// so that the event's fsync makes them durable too. All thread-safe.
namespace troupe::storage {

/// Pieces keep a blob streamable and a write batch small.
inline constexpr std::size_t blob_piece_bytes = 1 << 20;

/// Stores a whole blob (again: no new bytes). Returns its name.
expected<std::string> put_blob(store& s, const uuid& organization, std::string_view bytes);

/// The size of a blob, or nothing when it is not there.
expected<std::optional<std::uint64_t>> blob_size(const store& s, const uuid& organization, std::string_view name);

/// Gives a blob to `visit` in pieces from `offset`; `not_found` when it is not there. Returning false ends early.
expected<void> read_blob(const store& s, const uuid& organization, std::string_view name, std::uint64_t offset,
                         const std::function<bool(std::string_view)>& visit);

/// A whole blob of at most `bytes_max`.
expected<std::string> get_blob(const store& s, const uuid& organization, std::string_view name, std::size_t bytes_max);

} // namespace troupe::storage
