#pragma once

#include "schemas/backup.hpp"
#include "schemas/base/problem.hpp"
#include "storage/log_reader.hpp"
#include "storage/store.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

/// Backups in a folder, each in one of its own:
///   ID/identity.json   what the data directory is
///   ID/db/             a checkpoint of RocksDB: log, derived tables and blobs as of one moment
///   ID/manifest.json   written last; with the SHA-256 of every file
/// On the file system of the data directory unchanged files are hard links, so a further backup costs what is new; on
/// another one everything is copied. Keys (admin.key, cursor.key) are not part of a backup, nor are the caches of
/// projects and the files of the runner. All functions block, and may be called from any thread.
namespace troupe::storage {

/// Makes a backup while commits go on: all that was applied before the call is in it (`store::applied`). Entries of a
/// replica that wait are in its files, but not counted, and a restore drops them. A repeat with the same
/// `request_key` (not empty) gives the backup that the first call made. One at a time in a folder, else `conflict`.
/// `storage_full` when less than the store's `free_bytes_min` would be left; `unavailable` when a content that the
/// tables name is not here yet, and cannot be had from the other nodes of a cluster now.
expected<backup_manifest> create_backup(store& s, const std::filesystem::path& directory, backup_maker made_by,
                                        std::string_view request_key = {});

/// The backups of a folder, newest first; none when there is no such folder. Folders without a good manifest are none.
expected<std::vector<backup_manifest>> list_backups(const std::filesystem::path& directory);

/// `not_found` when there is no backup of that id.
expected<backup_manifest> find_backup(const std::filesystem::path& directory, std::string_view id);

/// `not_found` when there is none; `conflict` while one is being made.
expected<void> delete_backup(const std::filesystem::path& directory, std::string_view id);

/// Deletes those on schedule but the newest `keep`. Gives the ids of what was deleted.
expected<std::vector<std::string>> retain_backups(const std::filesystem::path& directory, std::size_t keep);

/// The manifest of the backup in that folder. `not_found` without one, `journal_damaged` when it cannot be read,
/// `data_dir_newer` for a newer format.
expected<backup_manifest> read_manifest(const std::filesystem::path& backup);

/// A manifest from its text, which may be anybody's; `place` is for sentences. `journal_damaged`, `data_dir_newer`.
expected<backup_manifest> parse_manifest(std::string_view text, std::string_view place);

/// Checks every file against the manifest, then the whole journal inside. `journal_damaged` names the first bad place.
expected<verification> verify_backup(const std::filesystem::path& backup,
                                     const std::function<void(std::uint64_t records)>& progress);

} // namespace troupe::storage
