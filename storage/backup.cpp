#include "storage/backup.hpp"

#include "schemas/base/durable_file.hpp"
#include "schemas/base/unique_fd.hpp"
#include "storage/blob_copies.hpp"
#include "storage/blob_peers.hpp"
#include "storage/file_hash.hpp"
#include "storage/rocks.hpp"

#include <rocksdb/utilities/checkpoint.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>
#include <system_error>
#include <tuple>
#include <utility>

namespace troupe::storage {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t manifest_bytes_max = 64 << 20;
constexpr std::string_view creating_prefix = ".creating-";
constexpr std::string_view deleting_prefix = ".deleting-";

problem folder_problem(std::string_view doing, const fs::path& folder, const std::error_code& error) {
    return file_problem(doing, folder.native(), error.value());
}

problem damaged(const fs::path& place, std::string_view why) {
    return {code::journal_damaged,
            "the backup is damaged: " + place.string() + " " + std::string(why) + "; take another backup"};
}

/// Whoever changes a folder of backups holds it.
expected<unique_fd> lock_folder(const fs::path& directory) {
    const auto file = directory / ".lock";
    unique_fd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!fd) {
        return file_problem("open", file.native(), errno);
    }
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
        return problem{code::conflict, "another backup is being made or deleted in " + directory.string() +
                                           "; ask again when it is done"};
    }
    return fd;
}

/// What a kill in the middle left. With the lock held nobody else works on one.
void remove_unfinished(const fs::path& directory) {
    std::vector<fs::path> unfinished;
    std::error_code ignored; // what stays is not shown, and comes up again with the next backup
    for (fs::directory_iterator at(directory, ignored); !ignored && at != fs::directory_iterator();
         at.increment(ignored)) {
        const auto name = at->path().filename().native();
        if (name.starts_with(creating_prefix) || name.starts_with(deleting_prefix)) {
            unfinished.push_back(at->path());
        }
    }
    for (const auto& folder : unfinished) {
        fs::remove_all(folder, ignored);
    }
}

bool is_id(std::string_view text) {
    constexpr std::string_view allowed = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-";
    return !text.empty() && text.size() <= 64 && text.find_first_not_of(allowed) == std::string_view::npos;
}

/// "20261121T071441Z-3f2a91c0": sorts by time, and reads as one.
std::string make_id(timestamp now) {
    std::string out;
    for (const char c : to_string(now).substr(0, std::string_view("2026-11-21T07:14:41").size())) {
        if (c != '-' && c != ':') {
            out += c;
        }
    }
    const auto random = to_string(make_uuid());
    return out + "Z-" + random.substr(random.size() - 8);
}

/// A manifest may come from anywhere: what it names must not lead out of the backup.
bool is_inside(std::string_view path) {
    const auto name = path.substr(path.starts_with("db/") ? 3 : 0);
    return !name.empty() && name != "." && name != ".." && name.find('/') == std::string_view::npos;
}

/// As it stands in names of files elsewhere.
bool is_hash(std::string_view text) {
    return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// Files of a folder relative to `root`; without what RocksDB writes whenever it opens.
expected<std::vector<fs::path>> files_below(const fs::path& root) {
    std::vector<fs::path> out;
    std::error_code failed;
    for (fs::recursive_directory_iterator at(root, failed); !failed && at != fs::recursive_directory_iterator();
         at.increment(failed)) {
        const auto name = at->path().filename().native();
        std::error_code gone;
        if (at->is_regular_file(gone) && name != "LOCK" && name != "LOG" && !name.starts_with("LOG.") &&
            name != "manifest.json") {
            out.push_back(fs::relative(at->path(), root));
        }
    }
    if (failed) {
        return folder_problem("read", root, failed);
    }
    std::sort(out.begin(), out.end());
    return out;
}

/// The hashes of what the newest backup shares with this one: the same file, by its inode. So a further backup reads
/// only what is new, and damage of a shared file since then shows.
class known_hashes {
public:
    explicit known_hashes(const std::vector<backup_manifest>& backups) {
        if (!backups.empty()) {
            folder_ = backups.front().directory;
            for (const auto& file : backups.front().files) {
                files_.emplace(file.path, file);
            }
        }
    }
    [[nodiscard]] const std::string* find(const fs::path& root, const fs::path& name) const {
        const auto known = files_.find(name.string());
        std::error_code missing;
        return known != files_.end() && fs::equivalent(root / name, folder_ / name, missing) ? &known->second.sha256
                                                                                             : nullptr;
    }

private:
    fs::path folder_;
    std::map<std::string, backup_file> files_;
};

expected<void> list_files(const fs::path& root, const known_hashes& known, backup_manifest& into) {
    const auto names = files_below(root);
    if (!names) {
        return names.error();
    }
    for (const auto& name : *names) {
        std::error_code failed;
        backup_file file{name.string(), fs::file_size(root / name, failed), {}};
        if (failed) {
            return folder_problem("read", root / name, failed);
        }
        const auto* shared = known.find(root, name);
        auto hash = shared ? expected<std::string>(*shared) : hash_file(root / name);
        if (!hash) {
            return hash.error();
        }
        file.sha256 = std::move(*hash);
        into.bytes += file.bytes;
        into.files.push_back(std::move(file));
    }
    return {};
}

expected<std::unique_ptr<store>> open_read_only(const fs::path& backup) {
    store_options options;
    options.directory = backup;
    options.read_only = true;
    options.cache_bytes = 8 << 20;
    return store::open(options);
}

/// How far the copy goes, as it says itself: the original went on meanwhile.
expected<void> describe_contents(const fs::path& root, backup_manifest& into) {
    auto copy = open_read_only(root);
    if (!copy) {
        return copy.error();
    }
    into.cluster = (*copy)->who().cluster;
    into.replica = (*copy)->who().replica;
    into.shards = (*copy)->who().shards;
    for (std::uint32_t shard = 0; shard < into.shards; ++shard) {
        const auto last = (*copy)->applied(shard);
        into.last_seqs.push_back(last);
        const auto base = read_log_base(**copy, shard);
        if (!base) {
            return base.error();
        }
        into.records += last - base->at.seq;
        if (last > 0) {
            const auto time = last_time(**copy, shard);
            into.newest_record_at = std::max(into.newest_record_at.value_or(time), time);
        }
    }
    return {};
}

/// Bytes that a backup will take beside what is there.
std::uint64_t bytes_needed(const store& s, const fs::path& directory) {
    struct stat from {};
    struct stat to {};
    if (::stat(s.directory().c_str(), &from) == 0 && ::stat(directory.c_str(), &to) == 0 && from.st_dev == to.st_dev) {
        return 0; // hard links
    }
    std::uint64_t bytes = 0;
    std::error_code gone; // files come and go in a living database
    for (fs::directory_iterator at(s.directory() / "db", gone); !gone && at != fs::directory_iterator();
         at.increment(gone)) {
        std::error_code vanished;
        const auto size = at->file_size(vanished);
        bytes += vanished ? 0 : size;
    }
    return bytes;
}

expected<void> check_room(const store& s, const fs::path& directory) {
    std::error_code failed;
    const auto space = fs::space(directory, failed);
    if (failed) {
        return folder_problem("measure", directory, failed);
    }
    const auto needed = bytes_needed(s, directory);
    if (space.available >= needed + s.free_bytes_min()) {
        return {};
    }
    return problem{code::storage_full, "the disk of " + directory.string() + " has " +
                                           std::to_string(space.available >> 20) + " MiB free; a backup takes " +
                                           std::to_string(needed >> 20) + " MiB, and " +
                                           std::to_string(s.free_bytes_min() >> 20) +
                                           " MiB have to be left (storage.free_bytes_min): free some space, or choose "
                                           "another disk with backup.directory"};
}

/// A database that was opened has options and a write-ahead log; one with options alone has lost its log, which `store`
/// refuses. A checkpoint may need no log, because all was flushed, so it gives no options either: the manifest knows
/// which files there have to be.
expected<void> remove_options(const fs::path& database) {
    std::vector<fs::path> options;
    std::error_code failed;
    for (fs::directory_iterator at(database, failed); !failed && at != fs::directory_iterator(); at.increment(failed)) {
        if (at->path().filename().native().starts_with("OPTIONS-")) {
            options.push_back(at->path());
        }
    }
    for (const auto& file : options) {
        if (!failed) {
            fs::remove(file, failed);
        }
    }
    return failed ? expected<void>(folder_problem("tidy", database, failed)) : expected<void>();
}

expected<void> write_backup(store& s, const fs::path& root, const known_hashes& known, backup_manifest& manifest) {
    rocksdb::Checkpoint* made = nullptr;
    auto status = rocksdb::Checkpoint::Create(s.db().db.get(), &made);
    const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
    if (status.ok()) {
        status = checkpoint->CreateCheckpoint((root / "db").string());
    }
    if (!status.ok()) {
        return to_problem(status, "cannot copy the database to " + root.string());
    }
    if (auto tidy = remove_options(root / "db"); !tidy) {
        return tidy;
    }
    if (auto written = replace_file(root / "identity.json", to_json(s.who()) + "\n", 0600); !written) {
        return written;
    }
    if (auto described = describe_contents(root, manifest); !described) {
        return described;
    }
    if (auto listed = list_files(root, known, manifest); !listed) {
        return listed;
    }
    if (auto synced = sync_folder(root / "db"); !synced) {
        return synced;
    }
    return replace_file(root / "manifest.json", to_json(manifest) + "\n", 0600);
}

/// In a cluster tables may name contents that are still on their way here. What no node has is no reason to keep none
/// of the rest.
expected<void> fetch_named(const store& s) {
    auto* peers = blob_peers_of(s);
    for (std::uint32_t shard = 0; peers && shard < s.who().shards; ++shard) {
        constexpr std::size_t looked = 1024;
        std::string from;
        do {
            const auto look = find_missing_blobs(s, shard, from, looked);
            if (!look) {
                return look.error();
            }
            for (const auto& id : look->missing) {
                if (auto here = peers->fetch(id); !here && here.error().code != code::not_found) {
                    return here;
                }
            }
            from = look->next;
        } while (!from.empty());
    }
    return {};
}

} // namespace

expected<backup_manifest> create_backup(store& s, const fs::path& directory, backup_maker made_by,
                                        std::string_view request_key) {
    std::error_code failed;
    const auto folder = fs::absolute(directory);
    if (fs::create_directories(folder, failed)) {
        fs::permissions(folder, fs::perms::owner_all, failed);
    }
    if (failed) {
        return folder_problem("create", folder, failed);
    }
    const auto lock = lock_folder(folder);
    if (!lock) {
        return lock.error();
    }
    remove_unfinished(folder);
    const auto others = list_backups(folder);
    if (!others) {
        return others.error();
    }
    const auto repeated = std::ranges::find(*others, request_key, &backup_manifest::request_key);
    if (!request_key.empty() && repeated != others->end()) {
        return *repeated;
    }
    if (auto whole = fetch_named(s); !whole) {
        return whole.error();
    }
    if (auto room = check_room(s, folder); !room) {
        return room.error();
    }
    backup_manifest manifest;
    manifest.created_at = system_now();
    manifest.id = make_id(manifest.created_at);
    manifest.made_by = made_by;
    manifest.made_with = TROUPE_VERSION;
    manifest.request_key = request_key;
    manifest.directory = (folder / manifest.id).string();
    const auto unfinished = folder / (std::string(creating_prefix) + manifest.id);
    fs::create_directory(unfinished, failed);
    if (failed) {
        return folder_problem("create", unfinished, failed);
    }
    auto made = write_backup(s, unfinished, known_hashes(*others), manifest);
    if (made) {
        fs::rename(unfinished, manifest.directory, failed);
        made = failed ? expected<void>(folder_problem("rename", unfinished, failed)) : sync_folder(folder);
    }
    if (!made) {
        std::error_code ignored;
        fs::remove_all(unfinished, ignored);
        return made.error();
    }
    return manifest;
}

expected<backup_manifest> parse_manifest(std::string_view text, std::string_view place) {
    auto manifest = from_json<backup_manifest>(text, strictness::stored);
    if (manifest && manifest->format > backup_format) {
        return problem{code::data_dir_newer, "the backup in " + std::string(place) + " has format " +
                                                 std::to_string(manifest->format) + ", this version knows up to " +
                                                 std::to_string(backup_format) + "; use a newer Troupe"};
    }
    if (!manifest || !is_id(manifest->id) || manifest->shards == 0 || manifest->last_seqs.size() != manifest->shards ||
        !std::ranges::all_of(manifest->files, [](const auto& f) { return is_inside(f.path) && is_hash(f.sha256); })) {
        return damaged(place, "cannot be read");
    }
    return manifest;
}

expected<backup_manifest> read_manifest(const fs::path& backup) {
    const auto file = backup / "manifest.json";
    const auto text = read_whole_file(file, manifest_bytes_max);
    if (!text) {
        return text.error().code == code::not_found
                   ? problem{code::not_found, "there is no backup in " + backup.string() +
                                                  ": it has no manifest.json; `troupe backup list` shows all"}
                   : text.error();
    }
    auto manifest = parse_manifest(*text, file.native());
    if (!manifest) {
        return manifest;
    }
    manifest->directory = fs::absolute(backup).string();
    return manifest;
}

expected<std::vector<backup_manifest>> list_backups(const fs::path& directory) {
    std::vector<backup_manifest> out;
    std::error_code failed;
    if (!fs::exists(directory, failed)) {
        return out;
    }
    for (fs::directory_iterator at(directory, failed); !failed && at != fs::directory_iterator();
         at.increment(failed)) {
        if (is_id(at->path().filename().native())) {
            if (auto manifest = read_manifest(at->path())) {
                out.push_back(std::move(*manifest));
            }
        }
    }
    if (failed) {
        return folder_problem("read", directory, failed);
    }
    std::ranges::sort(
        out, [](const auto& a, const auto& b) { return std::tie(b.created_at, b.id) < std::tie(a.created_at, a.id); });
    return out;
}

expected<backup_manifest> find_backup(const fs::path& directory, std::string_view id) {
    if (!is_id(id)) {
        return problem{code::not_found, "there is no such backup; `troupe backup list` shows all"};
    }
    return read_manifest(directory / id);
}

expected<void> delete_backup(const fs::path& directory, std::string_view id) {
    if (auto found = find_backup(directory, id); !found && found.error().code == code::not_found) {
        return found.error();
    }
    const auto lock = lock_folder(directory);
    if (!lock) {
        return lock.error();
    }
    std::error_code failed;
    const auto unfinished = directory / (std::string(deleting_prefix) + std::string(id));
    fs::rename(directory / id, unfinished, failed); // from here on it is no backup, whatever happens
    if (!failed) {
        fs::remove_all(unfinished, failed);
    }
    return failed ? expected<void>(folder_problem("delete", directory / id, failed)) : sync_folder(directory);
}

expected<std::vector<std::string>> retain_backups(const fs::path& directory, std::size_t keep) {
    const auto all = list_backups(directory);
    if (!all) {
        return all.error();
    }
    std::vector<std::string> deleted;
    std::size_t kept = 0;
    for (const auto& backup : *all) {
        if (backup.made_by != backup_maker::schedule || ++kept <= keep) {
            continue;
        }
        if (auto gone = delete_backup(directory, backup.id); !gone) {
            return gone.error();
        }
        deleted.push_back(backup.id);
    }
    return deleted;
}

expected<verification> verify_backup(const fs::path& backup, const std::function<void(std::uint64_t)>& progress) {
    const auto manifest = read_manifest(backup);
    if (!manifest) {
        return manifest.error();
    }
    for (const auto& file : manifest->files) {
        const auto hash = hash_file(backup / file.path);
        if (!hash && hash.error().code != code::not_found) {
            return hash.error();
        }
        if (!hash || *hash != file.sha256) {
            return damaged(backup / file.path, hash ? "is not what was written" : "is missing");
        }
    }
    const auto names = files_below(backup);
    if (!names) {
        return names.error();
    }
    for (const auto& name : *names) {
        const bool of_keys = *name.begin() == "keys"; // came with a fetched copy (runtime/backup/remote_backups.hpp)
        if (!of_keys &&
            std::ranges::find(manifest->files, name.string(), &backup_file::path) == manifest->files.end()) {
            return damaged(backup / name, "is a file that the manifest does not name");
        }
    }
    const auto copy = open_read_only(backup);
    if (!copy) {
        return copy.error();
    }
    for (std::uint32_t shard = 0; shard < manifest->shards; ++shard) {
        if ((*copy)->applied(shard) != manifest->last_seqs[shard]) {
            return damaged(backup, "ends elsewhere than its manifest says, in shard " + std::to_string(shard));
        }
    }
    auto found = verify_journal(**copy, progress);
    return found.first() ? expected<verification>(*found.first()) : expected<verification>(std::move(found));
}

} // namespace troupe::storage
