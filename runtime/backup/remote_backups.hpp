#pragma once

#include "runtime/backup/object_store.hpp"
#include "schemas/backup.hpp"
#include "schemas/base/problem.hpp"

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

/// Copies of backups in an object store, each node's (a replica's) apart:
///   manifests/REPLICA/ID.json   written last: without it there is no copy
///   files/REPLICA/SHA256        a file of any of them: what two backups share is there once
/// All functions block.
namespace troupe::runtime {

/// Copies what is not there yet. A failure leaves what was copied, and a repeat goes on from it.
expected<void> copy_backup(object_store& to, const backup_manifest& backup);
/// Puts the key files of a node there (storage/key_store.hpp), in the place of those that are there: one copy only, so
/// that a key which was destroyed is so everywhere.
using key_files = std::vector<std::pair<std::string, std::string>>;
expected<void> put_keys(object_store& to, const uuid& replica, const key_files& files);

/// Copies of one node, or of all (nil), newest first. `directory` says where each lies.
expected<std::vector<backup_manifest>> list_copies(object_store& in, const uuid& replica = {});

/// Removes a copy, and the files that no other names; then a repeat changes nothing.
expected<void> remove_copy(object_store& in, const uuid& replica, std::string_view id);

/// Removes copies of backups on schedule but the newest `keep` of that node. Gives the ids of what was removed.
expected<std::vector<std::string>> retain_copies(object_store& in, const uuid& replica, std::size_t keep);

/// Makes the folder of a backup from its copy; every file is checked. `conflict` when the folder is there. What a
/// failure leaves lies beside it, in a folder that ends in ".fetching", and the next call begins anew.
expected<backup_manifest> fetch_copy(object_store& from, std::string_view id, const std::filesystem::path& folder,
                                     const std::function<void(std::string_view doing)>& progress);

} // namespace troupe::runtime
