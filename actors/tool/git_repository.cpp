#include "actors/tool/git_repository.hpp"

#include "actors/tool/project_folder.hpp"
#include "schemas/base/durable_file.hpp"

#include <fcntl.h>
#include <git2.h>
#include <git2/sys/repository.h>
#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <filesystem>

namespace troupe::actors {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t entries_max = 500'000;
constexpr std::size_t settings_bytes_max = 1 << 20;

problem refused(std::string why) { return {code::tool_failed, std::move(why)}; }

/// Once for the process: nothing of the machine is read. Whose folder it is does not matter then: what git guards
/// against are settings and hooks of others, and none are used.
void start_libgit2() {
    [[maybe_unused]] static const bool started = [] {
        git_libgit2_init();
        for (const int level :
             {GIT_CONFIG_LEVEL_PROGRAMDATA, GIT_CONFIG_LEVEL_SYSTEM, GIT_CONFIG_LEVEL_XDG, GIT_CONFIG_LEVEL_GLOBAL}) {
            git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, level, "");
        }
        git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
        return true;
    }();
}

expected<void> check_kind(const project_folder& project) {
    const auto root = project.open_at("", O_PATH | O_DIRECTORY);
    if (!root) {
        return root.error();
    }
    struct stat s = {};
    if (::fstatat(root->get(), git_data_name, &s, AT_SYMLINK_NOFOLLOW) != 0) {
        return errno == ENOENT ? refused("the project has no git repository: there is no folder .git in it. A project "
                                         "that the node manages keeps none; one on a folder of yours may have it")
                               : file_problem("look at", git_data_name, errno);
    }
    if (S_ISREG(s.st_mode)) {
        return refused("the project's .git is a file: its repository lies elsewhere (a linked worktree or a "
                       "submodule), and is not used");
    }
    return S_ISDIR(s.st_mode) ? expected<void>() : refused("the project's .git is no folder, and is not used");
}

/// libgit2 follows links and waits for pipes.
expected<void> check_content(const project_folder& project) {
    const auto folder = project.open_at(git_data_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!folder) {
        return folder.error();
    }
    std::size_t count = 0;
    std::error_code failed;
    fs::recursive_directory_iterator it(fs::path(path_of(*folder)) / ".", failed), end;
    for (; !failed && it != end; it.increment(failed)) {
        const auto type = it->symlink_status(failed).type();
        if (failed) {
            break;
        }
        if (type != fs::file_type::directory && type != fs::file_type::regular) {
            return refused(fmt::format("in the project's .git, {} is a link or a special file; such a repository is "
                                       "not used",
                                       it->path().filename().native()));
        }
        const auto name = it->path().filename();
        const auto above = it->path().parent_path().filename();
        if (name == "commondir" && it.depth() == 0) {
            return refused("the project's .git shares the data of another repository (commondir), and is not used");
        }
        if ((name == "alternates" || name == "http-alternates") && above == "info" && it->file_size(failed) > 0) {
            return refused("the project's .git takes objects from another repository (objects/info/alternates), and "
                           "is not used. `git repack -a -d` makes it whole; then remove that file");
        }
        if (++count > entries_max) {
            return refused(
                fmt::format("the project's .git holds more than {} files; `git gc` makes them fewer", entries_max));
        }
    }
    return failed ? file_problem("look through", git_data_name, failed.value()) : expected<void>();
}

/// The settings are not used, but libgit2 reads them while it opens: they must not lead elsewhere.
expected<void> check_settings(const project_folder& project) {
    for (const char* name : {".git/config", ".git/config.worktree"}) {
        const auto fd = project.open_at(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
        if (!fd && fd.error().code == code::not_found) {
            continue;
        }
        auto text = fd ? read_whole(fd->get(), settings_bytes_max, name) : expected<std::string>(fd.error());
        if (!text) {
            return text.error();
        }
        std::ranges::transform(*text, text->begin(), [](unsigned char c) { return std::tolower(c); });
        for (auto at = text->find("worktreeconfig"); at != text->npos; at = text->find("worktreeconfig", at)) {
            text->erase(at, std::string_view("worktreeconfig").size()); // harmless
        }
        if (text->find("include") != text->npos || text->find("worktree") != text->npos) {
            return refused(fmt::format("{} includes other files or names another folder (include, core.worktree); such "
                                       "a repository is not used",
                                       name));
        }
    }
    return {};
}

} // namespace

void release_repository(git_repository* repository) { git_repository_free(repository); }
void release_object(git_object* object) { git_object_free(object); }

problem git_problem(std::string_view doing) {
    const auto* last = git_error_last();
    return refused(
        fmt::format("git cannot {}: {}", doing, last && last->message ? last->message : "it does not say why"));
}

expected<git_repository_ptr> open_repository(const fs::path& path) {
    start_libgit2();
    const auto project = project_folder::open(path);
    if (!project) {
        return project.error();
    }
    for (const auto check : {check_kind, check_content, check_settings}) {
        if (auto good = check(*project); !good) {
            return good.error();
        }
    }
    git_repository* opened = nullptr;
    if (git_repository_open_ext(&opened, path.c_str(), GIT_REPOSITORY_OPEN_NO_SEARCH, nullptr) != 0) {
        return git_problem("open the project's repository");
    }
    git_repository_ptr repository(opened);
    git_config* none = nullptr;
    if (git_config_new(&none) != 0) {
        return git_problem("begin");
    }
    const git_owned<git_config, git_config_free> settings(none);
    if (git_repository_set_config(opened, none) != 0) {
        return git_problem("begin");
    }
    std::error_code failed;
    if (git_repository_is_bare(opened) || !git_repository_workdir(opened) ||
        !fs::equivalent(git_repository_workdir(opened), path, failed) || failed) {
        return refused("the project's repository has no working files in the project");
    }
    return repository;
}

expected<git_object_ptr> find_commit(git_repository& repository, const std::string& revision) {
    const auto name = revision.empty() ? std::string("HEAD") : revision;
    git_object* found = nullptr;
    if (git_revparse_single(&found, &repository, name.c_str()) != 0) {
        return revision.empty() ? refused("there is no commit yet")
                                : problem{code::not_found, fmt::format("there is no revision '{}'", revision)};
    }
    const git_object_ptr owned(found);
    git_object* commit = nullptr;
    if (git_object_peel(&commit, found, GIT_OBJECT_COMMIT) != 0) {
        return problem{code::not_found, fmt::format("'{}' is no commit", name)};
    }
    return git_object_ptr(commit);
}

std::string short_id(const git_oid& id) {
    std::string text(10, '0');
    git_oid_nfmt(text.data(), text.size(), &id);
    return text;
}

expected<std::vector<std::string>> git_paths(const std::vector<std::string>& paths) {
    std::vector<std::string> out;
    for (const auto& path : paths) {
        auto clean = project_folder::normalize(path);
        if (!clean) {
            return clean.error();
        }
        if (!clean->empty()) {
            out.push_back(std::move(*clean));
        }
    }
    return out;
}

} // namespace troupe::actors
