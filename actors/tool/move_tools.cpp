#include "actors/tool/file_access.hpp"
#include "actors/tool/tool_performers.hpp"
#include "schemas/base/durable_file.hpp"
#include "schemas/base/json.hpp"
#include "schemas/base/limits.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

namespace troupe::actors {

namespace fs = std::filesystem;

namespace {

/// A folder with more is not deleted in one call: it takes long, and is seldom meant.
constexpr std::size_t deleted_entries_max = 100'000;

std::string full(const project_folder::place& place) { return path_of(place.folder) + "/" + place.name; }

/// Nothing: there is nothing. Links are not followed.
expected<std::optional<struct stat>> look_at(const expected<project_folder::place>& place, const std::string& path) {
    using found = std::optional<struct stat>;
    if (!place) {
        return place.error().code == code::not_found ? expected<found>(std::nullopt) : place.error();
    }
    struct stat s = {};
    if (::fstatat(place->folder.get(), place->name.c_str(), &s, AT_SYMLINK_NOFOLLOW) == 0) {
        return found(s);
    }
    return errno == ENOENT ? expected<found>(std::nullopt) : file_problem("look at", path, errno);
}

/// How much a folder holds. What is git's or a node's own is not to be deleted with what is around it.
expected<std::size_t> count_entries(const project_folder::place& place, const std::string& path) {
    std::size_t count = 0;
    std::error_code failed;
    fs::recursive_directory_iterator it(full(place), failed), end;
    for (; !failed && it != end; it.increment(failed)) {
        const auto name = it->path().filename();
        if (name == git_data_name || name == limits::node_data_name) {
            return problem{code::path_outside_project,
                           fmt::format("{} holds a folder {}, which is not to be deleted; delete what is beside it "
                                       "one by one",
                                       path, name.native())};
        }
        if (++count > deleted_entries_max) {
            return problem{code::payload_too_large, fmt::format("{} holds more than {} files and folders; delete its "
                                                                "folders one by one",
                                                                path, deleted_entries_max)};
        }
    }
    return failed ? expected<std::size_t>(file_problem("look through", path, failed.value()))
                  : expected<std::size_t>(count);
}

tool_result told(std::string text, std::string_view path, std::size_t entries) {
    tool_result r;
    r.content = std::move(text);
    r.details.text.clear();
    json::object_writer w(r.details.text);
    w.field("path", path).field("entries", std::uint64_t{entries});
    w.end();
    return r;
}

tool_result delete_folder(const project_folder::place& place, const delete_file_arguments& a) {
    if (!a.recursive) {
        return refuse(fmt::format("{} is a folder; set recursive to delete it with all that it holds", a.path));
    }
    const auto entries = count_entries(place, a.path);
    if (!entries) {
        return refuse(entries.error());
    }
    std::error_code failed;
    fs::remove_all(full(place), failed); // follows no link
    if (failed) {
        auto why = file_problem("delete", a.path, failed.value());
        why.detail += "; a part of it may be deleted";
        return refuse(why);
    }
    if (auto synced = sync_folder(path_of(place.folder)); !synced) {
        return refuse(synced.error());
    }
    return told(fmt::format("deleted the folder {} with {} files and folders in it", a.path, *entries), a.path,
                *entries);
}

std::string kind_of(const struct stat& s) { return S_ISDIR(s.st_mode) ? "the folder " : ""; }

/// Why what is to be moved cannot go there, or nothing.
std::optional<std::string> not_there(const struct stat& from, const std::optional<struct stat>& to,
                                     const move_file_arguments& a) {
    if (!to) {
        return std::nullopt;
    }
    if (S_ISDIR(to->st_mode)) {
        return fmt::format("{} is a folder that exists; give the whole new path, name included", a.to);
    }
    if (!a.overwrite) {
        return fmt::format("{} exists already; set overwrite to replace it", a.to);
    }
    return S_ISDIR(from.st_mode) ? std::optional(fmt::format("{} is a folder and {} a file", a.from, a.to))
                                 : std::nullopt;
}

} // namespace

tool_result delete_file(const delete_file_arguments& a, const tool_environment& where) {
    const auto project = project_folder::open(where.project);
    if (!project) {
        return refuse(project.error());
    }
    const auto place = project->find_parents(a.path);
    const auto found = look_at(place, a.path);
    if (!found) {
        return refuse(found.error());
    }
    if (!*found && where.repeat) {
        return told(fmt::format("deleted {} (it was done before the repeat)", a.path), a.path, 0);
    }
    if (!*found) {
        return refuse(problem{code::not_found, a.path + " does not exist in the project"});
    }
    if (S_ISDIR((*found)->st_mode)) {
        return delete_folder(*place, a);
    }
    // Of a file that is no text, or no file at all, the diff has nothing to say.
    auto before = S_ISREG((*found)->st_mode) ? read_writable(*project, a.path)
                                             : expected<std::optional<present_file>>(std::nullopt);
    if (auto removed = remove_file(*project, a.path); !removed) {
        return refuse(removed.error());
    }
    const auto said = fmt::format("deleted {}", a.path);
    if (!before || !*before) {
        return told(said, a.path, 1);
    }
    return changed(said, {a.path, std::move((*before)->content), std::nullopt});
}

tool_result move_file(const move_file_arguments& a, const tool_environment& where) {
    const auto project = project_folder::open(where.project);
    if (!project) {
        return refuse(project.error());
    }
    const auto from_place = project->find_parents(a.from);
    const auto from = look_at(from_place, a.from);
    const auto to_before = look_at(project->find_parents(a.to), a.to);
    if (!from || !to_before) {
        return refuse(from ? to_before.error() : from.error());
    }
    if (!*from && *to_before && where.repeat) {
        return told(fmt::format("moved {} to {} (it was done before the repeat)", a.from, a.to), a.to, 1);
    }
    if (!*from) {
        return refuse(problem{code::not_found, a.from + " does not exist in the project"});
    }
    if (auto why = not_there(**from, *to_before, a)) {
        return refuse(problem{code::conflict, std::move(*why)});
    }
    const auto to_place = project->make_parents(a.to);
    if (!to_place) {
        return refuse(to_place.error());
    }
    const unsigned flags = a.overwrite ? 0 : RENAME_NOREPLACE;
    if (::renameat2(from_place->folder.get(), from_place->name.c_str(), to_place->folder.get(), to_place->name.c_str(),
                    flags) != 0) {
        return errno == EINVAL ? refuse(problem{code::conflict, fmt::format("{} cannot be moved into itself", a.from)})
                               : refuse(file_problem("move", a.from, errno));
    }
    for (const auto* place : {&*to_place, &*from_place}) {
        if (auto synced = sync_folder(path_of(place->folder)); !synced) {
            return refuse(synced.error());
        }
    }
    return told(fmt::format("moved {}{} to {}", kind_of(**from), a.from, a.to), a.to, 1);
}

} // namespace troupe::actors
