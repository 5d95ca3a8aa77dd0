#pragma once

#include "schemas/base/clock.hpp"
#include "schemas/base/problem.hpp"
#include "storage/blob_hash.hpp"
#include "storage/store.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

/// The rows of blobs: a head, pieces from 1 on, and perhaps a mark. For this floor only, but for what a head says.
namespace troupe::storage {

/// The place of the mark: no blob has so many pieces.
inline constexpr std::uint32_t blob_mark_piece = UINT32_MAX;

struct blob_head {
    std::uint64_t size = 0;
    bool sealed = false; ///< Its pieces are (storage/sealing.hpp).
};
std::string encode_blob_head(const blob_head& head);
expected<std::optional<blob_head>> read_blob_head(const store& s, const uuid& organization, const blob_hash& hash);

/// Since when nothing was seen to name the blob.
std::string encode_blob_mark(timestamp since);
expected<std::optional<timestamp>> read_blob_mark(const store& s, const uuid& organization, const blob_hash& hash);

struct blob_row {
    uuid organization;
    blob_hash hash{};
    std::optional<blob_head> head; ///< Nothing: pieces of a content that was never written to its end.
    std::optional<timestamp> mark;
};

/// Visits the blobs after a place (as of `keys::blob_name`; "": from the start) in order, until `visit` returns false.
/// Their pieces are not read.
expected<void> each_blob(const store& s, const std::string& after, const std::function<bool(const blob_row&)>& visit);

/// The names (`keys::blob_name`) of those from `first` to `last` that some state names, in order.
expected<std::vector<std::string>> named_blobs(const store& s, const std::string& first, const std::string& last);

} // namespace troupe::storage
