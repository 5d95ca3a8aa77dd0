#include "runtime/backup/restore.hpp"

#include "schemas/base/durable_file.hpp"
#include "storage/backup.hpp"
#include "storage/cut.hpp"
#include "storage/erase.hpp"
#include "storage/file_hash.hpp"
#include "storage/key_store.hpp"
#include "storage/log_reader.hpp"
#include "storage/store.hpp"

#include <algorithm>
#include <limits>
#include <memory>
#include <system_error>
#include <utility>

namespace troupe::runtime {

namespace {

namespace fs = std::filesystem;

problem folder_problem(std::string_view doing, const fs::path& folder, const std::error_code& error) {
    return file_problem(doing, folder.native(), error.value());
}

/// The target, empty but for the folder to work in.
expected<fs::path> prepare_target(const restore_options& options, std::uint64_t bytes) {
    std::error_code failed;
    const auto& target = options.target;
    const auto unfinished = target / storage::restoring_name; // inside, so that the target may be a mount of its own
    fs::create_directories(target, failed);
    std::error_code unseen; // what cannot be seen is not empty either
    if (!failed && fs::exists(unfinished, unseen) && !fs::exists(target / "identity.json", unseen)) {
        for (const auto& left : {target / "db", unfinished}) { // by a restore that was killed
            fs::remove_all(left, failed);
        }
    }
    const bool empty = !failed && fs::is_empty(target, failed);
    if (!failed && !empty) {
        return problem{code::conflict, target.string() + " is not empty, and nothing is restored over data; choose a "
                                                         "folder that does not exist"};
    }
    const auto space = failed ? fs::space_info{} : fs::space(target, failed);
    if (!failed && space.available < bytes + options.free_bytes_min) {
        return problem{code::storage_full, "the disk of " + target.string() + " has " +
                                               std::to_string(space.available >> 20) + " MiB free; the backup takes " +
                                               std::to_string(bytes >> 20) + " MiB, and " +
                                               std::to_string(options.free_bytes_min >> 20) + " MiB have to be left"};
    }
    if (!failed) {
        fs::permissions(target, fs::perms::owner_all, failed);
    }
    if (!failed) {
        fs::create_directories(unfinished / "db", failed);
    }
    return failed ? expected<fs::path>(folder_problem("create", target, failed)) : expected<fs::path>(unfinished);
}

expected<void> copy_files(const backup_manifest& from, const fs::path& to,
                          const std::function<void(std::string_view)>& progress) {
    std::size_t count = 0;
    for (const auto& file : from.files) {
        progress("copying file " + std::to_string(++count) + " of " + std::to_string(from.files.size()));
        const auto source = fs::path(from.directory) / file.path;
        const auto hash = storage::copy_and_hash_file(source, to / file.path);
        if (!hash && hash.error().code != code::not_found) {
            return hash.error();
        }
        if (!hash || *hash != file.sha256) {
            return problem{code::journal_damaged, "the backup is damaged: " + source.string() +
                                                      (hash ? " is not what was written" : " is missing") +
                                                      "; nothing was restored, take another backup"};
        }
    }
    return {};
}

/// The copy is a data directory of its own: the same cluster, another replica.
expected<void> rename_replica(const fs::path& folder) {
    const auto file = folder / "identity.json";
    const auto text = read_whole_file(file, 64 * 1024);
    auto who =
        text ? from_json<storage::identity>(*text, strictness::stored) : expected<storage::identity>(text.error());
    if (!who) {
        return who.error();
    }
    who->replica = make_uuid();
    return replace_file(file, to_json(*who) + "\n");
}

/// The keys of the contents, from the copy of the backup or from beside it.
expected<void> take_keys(const fs::path& backup, const fs::path& folder) {
    const auto into = storage::store::keys_folder(folder);
    for (const auto& from : {storage::store::keys_folder(backup), storage::store::keys_folder(backup.parent_path())}) {
        const auto files = storage::read_key_files(from);
        if (!files) {
            return files.error();
        }
        if (auto merged = files->empty() ? expected<void>() : storage::merge_key_files(*files, into); !merged) {
            return merged;
        }
    }
    return storage::owe_removal(into);
}

/// Cuts and checks the copy, which is closed again at the end.
expected<void> make_good(const fs::path& folder, const restore_options& options, const kind_registry& kinds,
                         restore_result& result, const std::function<void(std::string_view)>& progress) {
    storage::store_options opening;
    opening.directory = folder;
    opening.must_exist = true;
    opening.dedup_window_ms = std::numeric_limits<std::int64_t>::max(); // the node that starts here knows its window
    const auto store = storage::store::open(opening);
    if (!store) {
        return store.error();
    }
    // Of a replica: what it had beyond what was applied nobody had decided yet, or others know of.
    if (const auto dropped = storage::drop_unapplied(**store); !dropped) {
        return dropped.error();
    }
    if (options.until) {
        const auto cut = storage::cut_journal(**store, *options.until, [&](std::uint64_t records) {
            progress("looking for the moment: " + std::to_string(records) + " records");
        });
        if (!cut) {
            return cut.error();
        }
        result.records_cut = cut->records_cut;
        if (auto unlocked = options.unlock ? options.unlock(**store) : expected<void>(); !unlocked) {
            return unlocked.error();
        }
        auto views = cut->records_cut == 0
                         ? expected<rebuild_result>(rebuild_result{})
                         : rebuild_views(**store, kinds, true, [&](std::uint64_t entities) {
                               progress("making the views again: " + std::to_string(entities) + " entities");
                           });
        if (!views) {
            return views.error();
        }
        result.quarantined = std::move(views->quarantined);
    }
    const auto found = storage::verify_journal(**store, [&](std::uint64_t records) {
        progress("checking the journal: " + std::to_string(records) + " records");
    });
    if (found.first_bad) {
        return *found.first_bad;
    }
    if (options.until && found.blobs_missing > 0) {
        return problem{code::not_found,
                       std::to_string(found.blobs_missing) +
                           " contents of files that were there at that moment had been collected before the backup "
                           "was made; nothing was restored. Choose a later moment, or a backup made sooner after it"};
    }
    if (options.until && found.records == 0 && result.records_cut > 0) {
        return problem{code::invalid_request, "at " + to_string(*options.until) +
                                                  " there was nothing yet: all that is in the backup is later; nothing "
                                                  "was restored. Choose a later moment"};
    }
    result.damaged_content = found.first_bad_blob;
    result.records = found.records;
    return (*store)->flush();
}

/// The database first: without its identity no node starts on it.
expected<void> move_into_place(const fs::path& from, const fs::path& target) {
    for (const auto* name : {"db", "keys", "identity.json"}) {
        std::error_code failed;
        if (!fs::exists(from / name, failed) && !failed) {
            continue; // a backup of before there were keys
        }
        fs::rename(from / name, target / name, failed);
        if (failed) {
            return folder_problem("rename", from / name, failed);
        }
        if (auto synced = sync_folder(target); !synced) {
            return synced;
        }
    }
    std::error_code ignored; // an empty folder that nobody reads
    fs::remove_all(from, ignored);
    return {};
}

} // namespace

expected<restore_result> restore_backup(const restore_options& options, const kind_registry& kinds,
                                        const std::function<void(std::string_view)>& progress) {
    auto manifest = storage::read_manifest(options.backup);
    if (!manifest) {
        return manifest.error();
    }
    if (const auto known = std::max(manifest->created_at, manifest->newest_record_at.value_or(timestamp{}));
        options.until && *options.until > known) {
        return problem{code::invalid_request, "the backup was made at " + to_string(manifest->created_at) +
                                                  " and knows nothing of what came until " + to_string(*options.until) +
                                                  "; choose an earlier moment or a later backup, or leave the moment "
                                                  "out to restore all of it"};
    }
    const auto folder = prepare_target(options, manifest->bytes);
    if (!folder) {
        return folder.error();
    }
    restore_result result;
    result.from = std::move(*manifest);
    auto done = copy_files(result.from, *folder, progress);
    if (done) {
        done = take_keys(options.backup, *folder);
    }
    if (done) {
        done = rename_replica(*folder);
    }
    if (done) {
        done = make_good(*folder, options, kinds, result, progress);
    }
    if (!done) {
        std::error_code ignored;
        fs::remove_all(*folder, ignored);
        return done.error();
    }
    auto moved = move_into_place(*folder, options.target); // half of it shows by the folder that is left
    return moved ? expected<restore_result>(std::move(result)) : expected<restore_result>(moved.error());
}

} // namespace troupe::runtime
