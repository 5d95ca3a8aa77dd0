#pragma once

#include "actors/tool/tool.hpp"

#include <git2/types.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct git_diff;

/// libgit2 with owners, and the only way to a repository: that of the project itself.
namespace troupe::actors {

template <class T, void (*release)(T*)>
struct git_releaser {
    void operator()(T* object) const { release(object); }
};
template <class T, void (*release)(T*)>
using git_owned = std::unique_ptr<T, git_releaser<T, release>>;

void release_repository(git_repository* repository);
void release_object(git_object* object);
using git_repository_ptr = git_owned<git_repository, release_repository>;
using git_object_ptr = git_owned<git_object, release_object>;

/// The repository in the project's folder; there is no search upwards. Refused with the reason: no .git there, or one
/// that is a file or a link, holds links or special files, shares data with repositories elsewhere (worktrees,
/// alternates), or has settings that lead elsewhere. Its settings are not used, nor those of the machine; hooks and
/// filters are never run. Links that are made meanwhile are not seen.
expected<git_repository_ptr> open_repository(const std::filesystem::path& project);

/// `tool_failed` with what libgit2 said last.
problem git_problem(std::string_view doing);

/// The commit that a revision means: "" is HEAD.
expected<git_object_ptr> find_commit(git_repository& repository, const std::string& revision);

/// Ten digits, as people name commits.
std::string short_id(const git_oid& id);

/// `paths` as they stand in git, without "." and doubled slashes; the project itself is left out.
expected<std::vector<std::string>> git_paths(const std::vector<std::string>& paths);

} // namespace troupe::actors
