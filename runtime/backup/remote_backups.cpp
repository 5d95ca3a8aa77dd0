#include "runtime/backup/remote_backups.hpp"

#include "schemas/base/durable_file.hpp"
#include "storage/backup.hpp"
#include "storage/file_hash.hpp"
#include "storage/key_store.hpp"
#include "storage/store.hpp"

#include <algorithm>
#include <set>
#include <system_error>
#include <tuple>
#include <utility>

namespace troupe::runtime {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t manifest_bytes_max = 16 << 20;
constexpr std::string_view manifests = "manifests/";

std::string manifests_of(const uuid& replica) {
    return std::string(manifests) + (replica == uuid() ? std::string() : to_string(replica) + "/");
}
std::string manifest_key(const uuid& replica, std::string_view id) {
    return manifests_of(replica) + std::string(id) + ".json";
}
std::string keys_of(const uuid& replica) { return "keys/" + to_string(replica) + "/"; }
constexpr std::size_t key_file_bytes_max = 1 << 20;
std::string files_of(const uuid& replica) { return "files/" + to_string(replica) + "/"; }

expected<backup_manifest> read_copy(object_store& in, const std::string& key) {
    const auto text = in.get(key, manifest_bytes_max);
    if (!text) {
        return text.error();
    }
    auto manifest = storage::parse_manifest(*text, in.place() + "/" + key);
    if (manifest) {
        manifest->directory = in.place();
    }
    return manifest;
}

/// Files that no copy of the node names any more.
expected<void> collect_files(object_store& in, const uuid& replica) {
    const auto copies = list_copies(in, replica);
    const auto there = copies ? in.list(files_of(replica)) : expected<std::vector<std::string>>(copies.error());
    if (!there) {
        return there.error();
    }
    std::set<std::string> named;
    for (const auto& copy : *copies) {
        for (const auto& file : copy.files) {
            named.insert(files_of(replica) + file.sha256);
        }
    }
    for (const auto& key : *there) {
        if (!named.contains(key)) {
            if (auto removed = in.remove(key); !removed) {
                return removed;
            }
        }
    }
    return {};
}

expected<void> fetch_files(object_store& from, const backup_manifest& backup, const fs::path& folder,
                           const std::function<void(std::string_view)>& progress) {
    std::size_t count = 0;
    for (const auto& file : backup.files) {
        progress("fetching file " + std::to_string(++count) + " of " + std::to_string(backup.files.size()));
        const auto to = folder / file.path;
        std::error_code failed;
        fs::create_directories(to.parent_path(), failed);
        if (failed) {
            return file_problem("create", to.parent_path().native(), failed.value());
        }
        if (auto got = from.get_file(files_of(backup.replica) + file.sha256, to); !got) {
            return got;
        }
        const auto hash = storage::hash_file(to);
        if (!hash) {
            return hash.error();
        }
        if (*hash != file.sha256) {
            return problem{code::journal_damaged, "the copy of " + file.path + " in " + from.place() +
                                                      " is not what was written; take another backup"};
        }
    }
    return {};
}

expected<void> fetch_keys(object_store& from, const uuid& replica, const fs::path& into) {
    const auto names = from.list(keys_of(replica));
    if (!names) {
        return names.error();
    }
    key_files files;
    for (const auto& name : *names) {
        auto text = from.get(name, key_file_bytes_max);
        if (!text) {
            return text.error();
        }
        files.emplace_back(name.substr(keys_of(replica).size()), std::move(*text));
    }
    return files.empty() ? expected<void>() : storage::merge_key_files(files, into);
}

} // namespace

expected<void> copy_backup(object_store& to, const backup_manifest& backup) {
    const auto there = to.list(files_of(backup.replica));
    if (!there) {
        return there.error();
    }
    std::set<std::string> done(there->begin(), there->end());
    for (const auto& file : backup.files) {
        auto key = files_of(backup.replica) + file.sha256;
        if (!done.contains(key)) {
            if (auto put = to.put_file(key, fs::path(backup.directory) / file.path, file.sha256); !put) {
                return put;
            }
            done.insert(std::move(key));
        }
    }
    return to.put(manifest_key(backup.replica, backup.id), to_json(backup) + "\n");
}

expected<void> put_keys(object_store& to, const uuid& replica, const key_files& files) {
    for (const auto& [name, text] : files) {
        const auto key = keys_of(replica) + name;
        const auto there = to.get(key, key_file_bytes_max);
        if (!there && there.error().code != code::not_found) {
            return there.error();
        }
        if (there && *there == text) {
            continue;
        }
        if (auto put = to.put(key, text); !put) {
            return put;
        }
    }
    return {};
}

expected<std::vector<backup_manifest>> list_copies(object_store& in, const uuid& replica) {
    const auto keys = in.list(manifests_of(replica));
    if (!keys) {
        return keys.error();
    }
    std::vector<backup_manifest> out;
    for (const auto& key : *keys) {
        if (!key.ends_with(".json")) {
            continue; // somebody else's
        }
        auto copy = read_copy(in, key);
        if (!copy && copy.error().code != code::not_found) {
            return copy.error(); // a list that leaves one out would let its files be collected
        }
        if (copy) {
            out.push_back(std::move(*copy));
        }
    }
    std::ranges::sort(
        out, [](const auto& a, const auto& b) { return std::tie(b.created_at, b.id) < std::tie(a.created_at, a.id); });
    return out;
}

expected<void> remove_copy(object_store& in, const uuid& replica, std::string_view id) {
    if (auto removed = in.remove(manifest_key(replica, id)); !removed) {
        return removed;
    }
    return collect_files(in, replica);
}

expected<std::vector<std::string>> retain_copies(object_store& in, const uuid& replica, std::size_t keep) {
    const auto all = list_copies(in, replica);
    if (!all) {
        return all.error();
    }
    std::vector<std::string> removed;
    std::size_t kept = 0;
    for (const auto& copy : *all) {
        if (copy.made_by == backup_maker::schedule && ++kept > keep) {
            if (auto gone = remove_copy(in, replica, copy.id); !gone) {
                return gone.error();
            }
            removed.push_back(copy.id);
        }
    }
    return removed;
}

expected<backup_manifest> fetch_copy(object_store& from, std::string_view id, const fs::path& folder,
                                     const std::function<void(std::string_view)>& progress) {
    const auto all = list_copies(from);
    if (!all) {
        return all.error();
    }
    const auto found = std::ranges::find(*all, id, &backup_manifest::id);
    if (found == all->end()) {
        return problem{code::not_found, "there is no backup " + std::string(id) + " in " + from.place() +
                                            "; `troupe backup list --from " + from.place() + "` shows all"};
    }
    std::error_code failed;
    if (fs::exists(folder, failed)) {
        return problem{code::conflict, folder.string() + " is there already; choose another folder with --to"};
    }
    auto unfinished = folder;
    unfinished += ".fetching";
    fs::remove_all(unfinished, failed);
    if (!failed) {
        fs::create_directories(unfinished, failed);
    }
    if (!failed) {
        fs::permissions(unfinished, fs::perms::owner_all, failed);
    }
    if (failed) {
        return file_problem("create", unfinished.native(), failed.value());
    }
    if (auto fetched = fetch_files(from, *found, unfinished, progress); !fetched) {
        return fetched.error();
    }
    if (auto fetched = fetch_keys(from, found->replica, storage::store::keys_folder(unfinished)); !fetched) {
        return fetched.error();
    }
    if (auto written = replace_file(unfinished / "manifest.json", to_json(*found) + "\n", 0600); !written) {
        return written.error();
    }
    fs::rename(unfinished, folder, failed);
    return failed ? expected<backup_manifest>(file_problem("rename", unfinished.native(), failed.value()))
                  : storage::read_manifest(folder);
}

} // namespace troupe::runtime
