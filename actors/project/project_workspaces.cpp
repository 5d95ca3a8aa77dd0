#include "actors/project/project_workspaces.hpp"

#include "actors/common/model.hpp"
#include "actors/project/folder_scan.hpp"
#include "actors/project/project_model.hpp"
#include "actors/tool/project_folder.hpp"
#include "schemas/base/durable_file.hpp"
#include "schemas/base/limits.hpp"
#include "schemas/base/log.hpp"
#include "storage/blobs.hpp"
#include "storage/log_reader.hpp"
#include "storage/views.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <fmt/format.h>
#include <set>
#include <system_error>
#include <utility>

namespace troupe::actors {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t index_bytes_max = 64 << 20;
/// Of one `save_files`, so that its payload and events stay small.
constexpr std::size_t changes_per_command = 500;
/// More paths that cannot be saved are not named at once: nobody reads them.
constexpr std::size_t unsaved_told_max = 20;

using remote_files = std::map<std::string, file_document>;

expected<project_document> read_project(const storage::store& s, const entity_address& project) {
    auto stored = storage::read_document(s, project);
    if (!stored || !*stored) {
        return stored ? no_such(project_model::kind, project.id) : stored.error();
    }
    return from_json<project_document>((*stored)->json, strictness::stored);
}

expected<remote_files> read_files(const storage::store& s, const entity_address& project) {
    remote_files out;
    storage::item_query query{project, std::string(files_collection), false, project_files_max, {}};
    for (;;) {
        auto page = storage::read_items(s, query);
        if (!page) {
            return page.error();
        }
        for (const auto& row : page->items) {
            auto file = from_json<file_document>(row, strictness::stored);
            if (!file) {
                return file.error();
            }
            auto path = file->path;
            out.emplace(std::move(path), std::move(*file));
        }
        if (!page->next_cursor) {
            return out;
        }
        query.cursor = *page->next_cursor;
    }
}

/// Whether the project was there and is not any more. Nothing follows its deletion.
bool was_deleted(const storage::store& s, const entity_address& project) {
    const auto version = storage::read_version(s, project);
    if (!version || *version == 0) {
        return false;
    }
    bool deleted = false;
    const auto read = storage::read_history(s, project, *version - 1, [&](storage::record&& r) -> expected<void> {
        deleted = r.type == wire_name<project_deleted>::value;
        return {};
    });
    return read && deleted;
}

fs::path folder_of(const fs::path& directory, const uuid& project) { return directory / to_string(project); }
fs::path index_of(const fs::path& directory, const uuid& project) { return directory / (to_string(project) + ".json"); }

/// Commands may have taken rights away from the owner, too, as package managers do with what they fetched.
void allow_removal(const fs::path& folder) {
    std::error_code failed;
    fs::permissions(folder, fs::perms::owner_all, fs::perm_options::add, failed);
    for (fs::directory_iterator at(folder, failed); !failed && at != fs::directory_iterator(); at.increment(failed)) {
        if (std::error_code gone; fs::is_directory(at->symlink_status(gone))) {
            allow_removal(at->path());
        }
    }
}

/// The caches of a deleted project. What cannot be removed now is tried again at the next start.
bool remove_caches(const fs::path& directory, const uuid& project) {
    bool all = true;
    for (const auto& each : {folder_of(directory, project), index_of(directory, project)}) {
        std::error_code failed;
        fs::remove_all(each, failed);
        if (failed) {
            allow_removal(each);
            fs::remove_all(each, failed);
        }
        if (failed) {
            log_for("project").warn("{} of a deleted project stays: {}", each.string(), failed.message());
            all = false;
        }
    }
    return all;
}

} // namespace

/// One folder with its index. Its mutex is held over whole merges: they are rare and mostly short.
class project_workspaces::workspace {
public:
    workspace(storage::store& store, entity_address project, const fs::path& directory)
        : store_(store),
          project_(std::move(project)),
          managed_(folder_of(directory, project_.id)),
          index_path_(index_of(directory, project_.id)) {}

    expected<prepared> prepare(bool first, runtime::effect_context& ctx) {
        const std::scoped_lock lock(mutex_);
        auto document = open();
        if (!document) {
            return document.error();
        }
        if (first && document->folder) {
            if (auto ok = save_locked("node/folder", ctx); !ok) {
                return ok.error();
            }
            document = read_project(store_, project_);
            if (!document) {
                return document.error();
            }
        }
        if (document->version != index_.version) {
            if (auto ok = merge(document->version); !ok) {
                return ok.error();
            }
        }
        return prepared{root_, document->version};
    }

    static std::shared_ptr<void> take_turn(const std::shared_ptr<workspace>& me, const std::stop_token& stop) {
        std::unique_lock lock(me->turn_mutex_);
        if (!me->turn_ended_.wait(lock, stop, [&] { return !me->turn_taken_; })) {
            return nullptr;
        }
        me->turn_taken_ = true;
        return {me.get(), [me](void*) {
                    const std::scoped_lock again(me->turn_mutex_);
                    me->turn_taken_ = false;
                    me->turn_ended_.notify_one();
                }};
    }

    expected<saved> save(const std::string& by, runtime::effect_context& ctx) {
        const std::scoped_lock lock(mutex_);
        auto document = open();
        return document ? save_locked(by, ctx) : expected<saved>(document.error());
    }

private:
    /// The project as it is, with the folder and the index at hand.
    expected<project_document> open() {
        auto document = read_project(store_, project_);
        if (!document) {
            if (was_deleted(store_, project_)) { // while a run worked in it
                remove_caches(managed_.parent_path(), project_.id);
            }
            return document;
        }
        root_ = document->folder ? fs::path(*document->folder) : managed_;
        std::error_code failed;
        const bool made = !document->folder && fs::create_directories(root_, failed);
        fs::create_directories(index_path_.parent_path(), failed);
        if (failed || !fs::is_directory(root_, failed)) {
            return problem{code::storage_failed, "The project's folder " + root_.string() + " cannot be used" +
                                                     (failed ? ": " + failed.message() : ": it is no folder.")};
        }
        if (!loaded_) {
            // A kill in the middle of a write must not show its half as a file of the project.
            if (auto clean = remove_leftovers(root_); !clean) {
                return clean.error();
            }
            const auto text = read_whole_file(index_path_, index_bytes_max);
            auto index =
                text ? from_json<folder_index>(*text, strictness::stored) : expected<folder_index>(folder_index{});
            if ((!text && text.error().code != code::not_found) || !index) {
                log_for("project").warn("the index {} cannot be read and is made anew", index_path_.string());
                index = folder_index{};
            }
            index_ = std::move(*index);
            loaded_ = true;
        }
        if (made) {
            index_ = {}; // a cache that was thrown away is filled again: nothing in it was deleted by anybody
        }
        return document;
    }

    expected<void> keep_index() { return replace_file(index_path_, to_json(index_), 0600); }

    /// The content of a file; its name.
    expected<std::string> put_blob(int fd) {
        storage::blob_writer into(store_, project_.organization);
        auto read = read_pieces(fd, "a file", [&](std::string_view piece) {
            return into.size() + piece.size() > limits::file_bytes_max
                       ? expected<void>(problem{code::payload_too_large, "It grew while it was read."})
                       : into.append(piece);
        });
        return read ? into.finish() : expected<std::string>(read.error());
    }

    // ---- manifest → folder

    expected<void> merge(std::uint64_t version) {
        auto remote = read_files(store_, project_);
        auto folder = remote ? project_folder::open(root_) : expected<project_folder>(remote.error());
        if (!folder) {
            return folder.error();
        }
        std::vector<std::string> gone;
        for (const auto& [path, base] : index_.files) {
            if (!remote->contains(path)) {
                gone.push_back(path);
            }
        }
        for (const auto& path : gone) {
            if (auto ok = take_away(path); !ok) {
                return ok;
            }
        }
        for (const auto& [path, file] : *remote) {
            const auto base = index_.files.find(path);
            if (!check_project_path(path)) {
                continue; // an older node let it in; no folder can hold it
            }
            const bool as_before = base != index_.files.end() && base->second.sha256 == file.sha256 &&
                                   base->second.executable == file.executable;
            if (!as_before) {
                if (auto ok = bring(*folder, file); !ok) {
                    return ok;
                }
            }
        }
        index_.version = version;
        return keep_index();
    }

    /// Somebody deleted it in the project. What was changed here meanwhile stays, as a new file.
    expected<void> take_away(const std::string& path) {
        auto here =
            scan_file(root_, path, index_, [](const auto&, int) { return expected<std::string>(std::string()); });
        if (!here) {
            return here.error();
        }
        if (*here && (*here)->sha256 == index_.files.at(path).sha256) {
            const auto folder = project_folder::open(root_);
            const auto place = folder ? folder->make_parents(path) : expected<project_folder::place>(folder.error());
            if (place) { // the next scan shows whether it is there
                ::unlinkat(place->folder.get(), place->name.c_str(), 0);
            }
            for (auto parent = fs::path(path).parent_path(); !parent.empty(); parent = parent.parent_path()) {
                if (::rmdir((root_ / parent).c_str()) != 0) {
                    break; // not empty
                }
            }
        }
        index_.files.erase(path);
        return {};
    }

    /// Somebody wrote it in the project: it wins over what is here.
    expected<void> bring(const project_folder& folder, const file_document& file) {
        bool unsaved = false;
        auto here = scan_file(root_, file.path, index_, [&](const auto&, int fd) {
            unsaved = true;
            return put_blob(fd);
        });
        if (!here) {
            return here.error();
        }
        const bool is_there = *here && (*here)->sha256 == file.sha256 && (*here)->executable == file.executable;
        if (!is_there) {
            if (unsaved && *here && (*here)->sha256 != file.sha256) {
                log_for("project").warn("{} in {} was changed here and in the project; the project's content is taken, "
                                        "what was here is the blob {}",
                                        file.path, root_.string(), (*here)->sha256);
            }
            if (auto ok = write(folder, file); !ok) {
                return ok;
            }
        }
        index_.files[file.path] = {};
        index_.files[file.path].sha256 = file.sha256;
        index_.files[file.path].executable = file.executable;
        return {};
    }

    expected<void> write(const project_folder& folder, const file_document& file) {
        const auto size = storage::blob_size(store_, project_.organization, file.sha256);
        if (!size || !*size) { // before anything is replaced
            return size ? problem{code::not_found, "The content of " + file.path + " is not there."} : size.error();
        }
        auto place = folder.make_parents(file.path);
        if (!place) {
            return place.error();
        }
        const auto name = path_of(place->folder) + "/" + place->name;
        const auto pour = [&](int fd) {
            expected<void> written;
            auto read = storage::read_blob(store_, project_.organization, file.sha256, 0, [&](std::string_view piece) {
                written = write_whole(fd, piece, name);
                return written.has_value();
            });
            return read ? written : read;
        };
        return replace_file(name, pour, file.executable ? 0755 : 0644);
    }

    // ---- folder → manifest

    expected<saved> save_locked(const std::string& by, runtime::effect_context& ctx) {
        auto scan = scan_folder(root_, index_, [&](const auto&, int fd) { return put_blob(fd); });
        if (!scan) {
            return scan.error();
        }
        std::vector<file_change> changes;
        for (const auto& [path, file] : scan->files) {
            const auto base = index_.files.find(path);
            if (base == index_.files.end() || base->second.sha256 != file.sha256 ||
                base->second.executable != file.executable) {
                changes.push_back({path, file.sha256, file.bytes, file.executable});
            }
        }
        for (const auto& [path, base] : index_.files) {
            if (!scan->files.contains(path) && !scan->skipped.contains(path)) {
                changes.push_back({path, std::nullopt, 0, false});
            }
        }
        auto told = index_.told;
        auto unsaved = news(scan->unsaved, by, told);
        saved out;
        for (std::size_t begin = 0; begin < changes.size(); begin += changes_per_command) {
            const auto count = std::min(changes_per_command, changes.size() - begin);
            if (auto ok = tell({changes.begin() + static_cast<std::ptrdiff_t>(begin),
                                changes.begin() + static_cast<std::ptrdiff_t>(begin + count)},
                               {}, by, ctx, out);
                !ok) {
                return ok.error();
            }
        }
        if (!unsaved.empty()) {
            if (auto ok = tell({}, std::move(unsaved), by, ctx, out); !ok) {
                return ok.error();
            }
        }
        if (!changes.empty() || told != index_.told) {
            index_.told = std::move(told);
            if (auto ok = keep_index(); !ok) {
                return ok.error();
            }
        }
        return out;
    }

    /// What the author has not heard of yet, unless it was like that before. Notes it as told.
    static std::vector<refused_file> news(const std::map<std::string, unsaved_path>& unsaved, const std::string& by,
                                          std::map<std::string, told_path>& told) {
        std::erase_if(told, [&](const auto& each) { return !unsaved.contains(each.first); });
        std::vector<refused_file> out;
        std::size_t more = 0;
        for (const auto& [path, each] : unsaved) {
            const auto [known, is_new] = told.try_emplace(path);
            if (!is_new && (known->second.changed_ns == each.changed_ns || known->second.by == by)) {
                continue;
            }
            known->second = {each.changed_ns, by};
            if (out.size() < unsaved_told_max) {
                out.push_back({path, std::string(explain(each.why.code).name), each.why.detail});
            } else {
                ++more;
            }
        }
        if (more > 0) {
            out.back().detail += fmt::format(" {} more paths were not saved either.", more);
        }
        return out;
    }

    expected<void> tell(std::vector<file_change> changes, std::vector<refused_file> unsaved, const std::string& by,
                        runtime::effect_context& ctx, saved& out) {
        runtime::command c;
        c.to = project_;
        c.type = wire_name<save_files>::value;
        c.payload = to_json(save_files{changes, index_.version, by, std::move(unsaved)});
        c.principal = by;
        const auto answer = ctx.ask(std::move(c));
        auto result = answer ? from_json<save_files_result>(answer->document, strictness::stored)
                             : expected<save_files_result>(answer.error());
        if (!result) {
            return result.error();
        }
        std::set<std::string_view> refused;
        for (const auto& each : result->refused) {
            refused.insert(each.path);
        }
        for (const auto& change : changes) {
            if (!refused.contains(change.path)) {
                const auto base = index_.files.find(change.path);
                const auto before = base == index_.files.end() ? std::nullopt : std::optional(base->second.sha256);
                out.changes.push_back({change.path, before, change.sha256});
                took(change);
            }
        }
        // Only when nobody else changed anything in between is the folder at the new version.
        const auto events = result->saved.size() + result->deleted.size() + result->refused.size();
        if (result->version == index_.version + events) {
            index_.version = result->version;
        }
        for (auto& each : result->refused) {
            if (auto ok = undo(each); !ok) {
                return ok;
            }
            out.refused.push_back(std::move(each));
        }
        return {};
    }

    void took(const file_change& change) {
        if (!change.sha256) {
            index_.files.erase(change.path);
            return;
        }
        auto& entry = index_.files[change.path];
        entry = {};
        entry.sha256 = *change.sha256;
        entry.executable = change.executable;
    }

    /// Somebody else's version stands against it: it is what the next step has to see.
    expected<void> undo(const refused_file& refused) {
        if (code_named(refused.code) != code::conflict) {
            return {};
        }
        auto row = storage::read_item(store_, project_, files_collection, refused.path);
        if (!row || !*row) {
            return row ? expected<void>() : expected<void>(row.error());
        }
        auto file = from_json<file_document>(**row, strictness::stored);
        auto folder = file ? project_folder::open(root_) : expected<project_folder>(file.error());
        return folder ? bring(*folder, *file) : expected<void>(folder.error());
    }

    storage::store& store_;
    const entity_address project_;
    const fs::path managed_;
    const fs::path index_path_;
    std::mutex turn_mutex_; ///< Only of the turn's mark; never held while waiting for `mutex_`.
    std::condition_variable_any turn_ended_;
    bool turn_taken_ = false;
    std::mutex mutex_;
    fs::path root_;
    bool loaded_ = false;
    folder_index index_;
};

project_workspaces::project_workspaces(storage::store& store, fs::path directory)
    : store_(store), directory_(std::move(directory)) {
    // What was deleted while no run of it was there to notice. The edge has one organization.
    std::error_code none;
    std::set<uuid> gone;
    for (fs::directory_iterator at(directory_, none); !none && at != fs::directory_iterator(); at.increment(none)) {
        const auto id = parse_uuid(at->path().stem().native());
        if (id && was_deleted(store_, {store_.who().default_organization, std::string(project_model::kind), *id})) {
            gone.insert(*id);
        }
    }
    for (const auto& id : gone) {
        remove_caches(directory_, id);
    }
}

project_workspaces::~project_workspaces() = default;

expected<void> project_workspaces::remove_of(const uuid& organization) {
    std::set<uuid> gone;
    std::error_code none; // no folder: no project was ever used
    for (fs::directory_iterator at(directory_, none); !none && at != fs::directory_iterator(); at.increment(none)) {
        const auto id = parse_uuid(at->path().stem().native());
        const auto version = id ? storage::read_version(store_, {organization, std::string(project_model::kind), *id})
                                : expected<std::uint64_t>(0);
        if (version && *version > 0) {
            gone.insert(*id);
        }
    }
    for (const auto& id : gone) {
        if (!remove_caches(directory_, id)) {
            return problem{code::storage_failed, "the folder of project " + to_string(id) + " cannot be removed"};
        }
    }
    return {};
}

std::shared_ptr<project_workspaces::workspace> project_workspaces::workspace_of(const entity_address& project) {
    const std::scoped_lock lock(mutex_);
    auto& found = workspaces_[project];
    if (!found) {
        found = std::make_shared<workspace>(store_, project, directory_);
    }
    return found;
}

expected<working_folders::prepared> project_workspaces::prepare(const entity_address& project, bool first,
                                                                runtime::effect_context& ctx) {
    std::shared_ptr<void> turn;
    if (first) {
        const auto document = read_project(store_, project);
        if (!document) {
            return document.error();
        }
        turn = document->folder ? take_turn(project, ctx.stop()) : nullptr; // then it saves what is there
        if (document->folder && !turn) {
            return problem{code::cancelled, "ended before the project's folder was free"};
        }
    }
    return workspace_of(project)->prepare(first, ctx);
}

expected<working_folders::saved> project_workspaces::save(const entity_address& project, const std::string& by,
                                                          runtime::effect_context& ctx) {
    return workspace_of(project)->save(by, ctx);
}

std::shared_ptr<void> project_workspaces::take_turn(const entity_address& project, std::stop_token stop) {
    return workspace::take_turn(workspace_of(project), stop);
}

} // namespace troupe::actors
