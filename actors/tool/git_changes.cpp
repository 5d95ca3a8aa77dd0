#include "actors/tool/git_performers.hpp"
#include "actors/tool/git_repository.hpp"
#include "actors/tool/project_folder.hpp"
#include "actors/tool/tool_performers.hpp"
#include "schemas/base/json.hpp"
#include "schemas/base/limits.hpp"

#include <fcntl.h>
#include <git2.h>
#include <sys/stat.h>

#include <algorithm>

namespace troupe::actors::git_tools {

namespace {

/// A trailer by which a repeat knows its own commit.
constexpr std::string_view call_trailer = "Troupe-Call: ";
constexpr std::size_t shown_conflicts_max = 20;
/// The project's files are saved by the node, .git is not.
constexpr std::string_view not_kept = "(.git stays in this folder: the node's own copies of the project have none)\n";

using index_ptr = git_owned<git_index, git_index_free>;
using tree_ptr = git_owned<git_tree, git_tree_free>;
using reference_ptr = git_owned<git_reference, git_reference_free>;
using signature_ptr = git_owned<git_signature, git_signature_free>;

tool_result told(std::string text, const git_oid* commit = nullptr) {
    tool_result r;
    r.content = std::move(text);
    r.details.text = "{}";
    if (commit) {
        char id[GIT_OID_HEXSZ + 1] = {};
        git_oid_tostr(id, sizeof id, commit);
        r.details.text = fmt::format("{{\"commit\":\"{}\"}}", id);
    }
    return r;
}

expected<index_ptr> index_of(git_repository& repository) {
    git_index* made = nullptr;
    return git_repository_index(&made, &repository) == 0 ? expected<index_ptr>(index_ptr(made))
                                                         : git_problem("read what is staged");
}

expected<void> check_no_merge(git_repository& repository) {
    return git_repository_state(&repository) == GIT_REPOSITORY_STATE_NONE
               ? expected<void>()
               : expected<void>(problem{code::conflict, "a merge, rebase or the like is in progress; finish it with "
                                                        "run_command first"});
}

bool is_below(std::string_view path, const std::string& wanted) {
    return path == wanted || (path.starts_with(wanted) && path.size() > wanted.size() && path[wanted.size()] == '/');
}

struct changed_path {
    std::string path;
    bool gone = false;
};

/// What differs from HEAD among the paths, or everywhere.
expected<std::vector<changed_path>> changed_paths(git_repository& repository, const std::vector<std::string>& wanted) {
    git_status_options options = GIT_STATUS_OPTIONS_INIT;
    options.flags =
        GIT_STATUS_OPT_INCLUDE_UNTRACKED | GIT_STATUS_OPT_RECURSE_UNTRACKED_DIRS | GIT_STATUS_OPT_EXCLUDE_SUBMODULES;
    git_status_list* made = nullptr;
    if (git_status_list_new(&made, &repository, &options) != 0) {
        return git_problem("look through the project");
    }
    const git_owned<git_status_list, git_status_list_free> list(made);
    std::vector<changed_path> out;
    for (std::size_t i = 0; i < git_status_list_entrycount(made); ++i) {
        const auto* entry = git_status_byindex(made, i);
        const auto* delta = entry->index_to_workdir ? entry->index_to_workdir : entry->head_to_index;
        const std::string path = delta->new_file.path;
        if ((entry->status & GIT_STATUS_CONFLICTED) != 0) {
            return problem{code::conflict, path + " has conflicts that are not resolved"};
        }
        // A folder with a repository of its own ends in a slash; it is no part of this one.
        const bool is_wanted =
            wanted.empty() || std::ranges::any_of(wanted, [&](const auto& w) { return is_below(path, w); });
        if (is_wanted && !path.ends_with('/')) {
            out.push_back({path, (entry->status & GIT_STATUS_WT_DELETED) != 0 ||
                                     ((entry->status & GIT_STATUS_INDEX_DELETED) != 0 &&
                                      (entry->status & GIT_STATUS_WT_NEW) == 0)});
        }
    }
    return out;
}

/// Contents go into the object database as they are: no filters of attributes.
expected<void> stage(git_index& index, const project_folder& project, const changed_path& changed) {
    if (changed.gone) {
        git_index_remove_bypath(&index, changed.path.c_str());
        return {};
    }
    const auto place = project.find_parents(changed.path);
    if (!place) {
        return place.error();
    }
    struct stat s = {};
    if (::fstatat(place->folder.get(), place->name.c_str(), &s, AT_SYMLINK_NOFOLLOW) != 0) {
        return problem{code::conflict, changed.path + " went away meanwhile"};
    }
    if (static_cast<std::size_t>(s.st_size) > limits::file_bytes_max) {
        return problem{code::payload_too_large,
                       fmt::format("{} has {} bytes, more than the {} that are committed; name other paths, or put it "
                                   "into .gitignore",
                                   changed.path, s.st_size, limits::file_bytes_max)};
    }
    return git_index_add_bypath(&index, changed.path.c_str()) == 0 ? expected<void>()
                                                                   : git_problem("stage " + changed.path);
}

/// The tree to commit: all that is staged, or HEAD's with these paths only.
expected<git_oid> tree_with(git_repository& repository, git_index& index, const git_object* head,
                            const std::vector<changed_path>& only, bool all) {
    git_oid id{};
    if (all) {
        return git_index_write_tree(&id, &index) == 0 ? expected<git_oid>(id) : git_problem("write a tree");
    }
    git_index* made = nullptr;
    if (git_index_new(&made) != 0) {
        return git_problem("begin");
    }
    const index_ptr part(made);
    git_object* tree = nullptr;
    if (head && (git_object_peel(&tree, head, GIT_OBJECT_TREE) != 0 ||
                 git_index_read_tree(made, reinterpret_cast<git_tree*>(tree)) != 0)) {
        git_object_free(tree);
        return git_problem("read HEAD");
    }
    git_object_free(tree);
    for (const auto& one : only) {
        const auto* entry = git_index_get_bypath(&index, one.path.c_str(), 0);
        if (entry ? git_index_add(made, entry) != 0 : (git_index_remove(made, one.path.c_str(), 0), false)) {
            return git_problem("stage " + one.path);
        }
    }
    return git_index_write_tree_to(&id, made, &repository) == 0 ? expected<git_oid>(id) : git_problem("write a tree");
}

expected<git_oid> write_commit(git_repository& repository, const git_oid& tree_id, const git_object* head,
                               const std::string& message, const std::string& run) {
    git_signature* made = nullptr;
    const auto mail = fmt::format("run.{}@troupe.invalid", run);
    if (git_signature_now(&made, "Troupe agent", mail.c_str()) != 0) {
        return git_problem("sign");
    }
    const signature_ptr author(made);
    git_tree* found = nullptr;
    if (git_tree_lookup(&found, &repository, &tree_id) != 0) {
        return git_problem("read the tree");
    }
    const tree_ptr tree(found);
    const auto* parent = reinterpret_cast<const git_commit*>(head);
    git_oid id{};
    const int failed = git_commit_create(&id, &repository, "HEAD", made, made, nullptr, message.c_str(), found,
                                         parent ? 1 : 0, &parent);
    return failed == 0 ? expected<git_oid>(id) : git_problem("commit");
}

std::string first_line(std::string_view text) { return std::string(utf8_prefix(text.substr(0, text.find('\n')), 200)); }

/// Says in one line each which changes stand in the way.
struct blockers {
    std::vector<std::string> paths;

    static int note(git_checkout_notify_t, const char* path, const git_diff_file*, const git_diff_file*,
                    const git_diff_file*, void* to) {
        static_cast<blockers*>(to)->paths.emplace_back(path ? path : "");
        return 0;
    }
    [[nodiscard]] std::string text() const {
        std::string out;
        for (std::size_t i = 0; i < std::min(paths.size(), shown_conflicts_max); ++i) {
            out += fmt::format("{}{}", i == 0 ? "" : ", ", paths[i]);
        }
        return out + (paths.size() > shown_conflicts_max ? ", …" : "");
    }
};

expected<reference_ptr> find_branch(git_repository& repository, const std::string& name) {
    git_reference* found = nullptr;
    return git_branch_lookup(&found, &repository, name.c_str(), GIT_BRANCH_LOCAL) == 0
               ? expected<reference_ptr>(reference_ptr(found))
               : problem{code::not_found, fmt::format("there is no branch {}", name)};
}

expected<void> make_branch(git_repository& repository, const std::string& name, const git_object& start, bool repeat) {
    int valid = 0;
    if (git_branch_name_is_valid(&valid, name.c_str()) != 0 || valid != 1) {
        return problem{code::tool_arguments_invalid, fmt::format("'{}' cannot be the name of a branch", name)};
    }
    if (const auto there = find_branch(repository, name)) {
        const auto* target = git_reference_target(there->get());
        const bool same = target && git_oid_equal(target, git_object_id(&start)) != 0;
        return repeat && same ? expected<void>()
                              : expected<void>(problem{code::already_exists, fmt::format("{} exists already", name)});
    }
    git_reference* made = nullptr;
    const int failed =
        git_branch_create(&made, &repository, name.c_str(), reinterpret_cast<const git_commit*>(&start), 0);
    const reference_ptr owner(made);
    return failed == 0 ? expected<void>() : git_problem("make the branch");
}

std::string list_branches(git_repository& repository) {
    git_branch_iterator* made = nullptr;
    if (git_branch_iterator_new(&made, &repository, GIT_BRANCH_LOCAL) != 0) {
        return "the branches cannot be read\n";
    }
    const git_owned<git_branch_iterator, git_branch_iterator_free> iterator(made);
    std::string text;
    git_reference* next = nullptr;
    git_branch_t type{};
    while (text.size() < tool_content_bytes_max / 2 && git_branch_next(&next, &type, made) == 0) {
        const reference_ptr branch(next);
        const auto* target = git_reference_target(next);
        text += fmt::format("{} {} {}\n", git_branch_is_head(next) == 1 ? "*" : " ", git_reference_shorthand(next),
                            target ? short_id(*target) : "");
    }
    return text.empty() ? "there is no branch yet\n" : text;
}

tool_result remove_branch(git_repository& repository, const git_branch_arguments& a, bool repeat) {
    const auto branch = find_branch(repository, a.name);
    if (!branch) {
        return repeat ? told(fmt::format("removed {} (it was done before the repeat)", a.name))
                      : refuse(branch.error());
    }
    const auto* target = git_reference_target(branch->get());
    const auto head = find_commit(repository, {});
    const bool merged = target && head &&
                        (git_oid_equal(target, git_object_id(head->get())) != 0 ||
                         git_graph_descendant_of(&repository, git_object_id(head->get()), target) == 1);
    if (!merged && !a.force) {
        return refuse(
            problem{code::conflict,
                    fmt::format("HEAD does not have all commits of {}; set force to remove it all the same", a.name)});
    }
    const auto was = target ? short_id(*target) : std::string();
    return git_branch_delete(branch->get()) == 0 ? told(fmt::format("removed {}, which was at {}\n", a.name, was))
                                                 : refuse(git_problem("remove the branch"));
}

} // namespace

tool_result commit(const git_commit_arguments& a, const tool_environment& where) {
    const auto repository = open_repository(where.project);
    const auto wanted = repository ? git_paths(a.paths) : expected<std::vector<std::string>>(repository.error());
    const auto project = wanted ? project_folder::open(where.project) : expected<project_folder>(wanted.error());
    if (!project) {
        return refuse(project.error());
    }
    if (auto clear = check_no_merge(**repository); !clear) {
        return refuse(clear.error());
    }
    const auto trailer = std::string(call_trailer) + where.key;
    const auto head = find_commit(**repository, {});
    const auto* head_commit = head ? head->get() : nullptr;
    if (head && where.repeat) {
        const auto* last = reinterpret_cast<const git_commit*>(head_commit);
        if (std::string_view(git_commit_message(last)).find(trailer) != std::string_view::npos) {
            return told(fmt::format("committed {} (it was done before the repeat)\n{}",
                                    short_id(*git_object_id(head_commit)), not_kept),
                        git_object_id(head_commit));
        }
    }
    const bool all = a.paths.empty();
    if (!all && wanted->empty()) {
        return refuse("paths name the project itself; leave them out to commit all that changed");
    }
    const auto changes = changed_paths(**repository, *wanted);
    const auto index = changes ? index_of(**repository) : expected<index_ptr>(changes.error());
    if (!index) {
        return refuse(index.error());
    }
    if (changes->empty()) {
        return refuse(problem{code::conflict, "there is nothing to commit: no file differs from HEAD there"});
    }
    for (const auto& one : *changes) {
        if (auto staged = stage(**index, *project, one); !staged) {
            return refuse(staged.error());
        }
    }
    const auto tree = tree_with(**repository, **index, head_commit, *changes, all);
    if (!tree) {
        return refuse(tree.error());
    }
    if (git_index_write(index->get()) != 0) {
        return refuse(git_problem("write what is staged"));
    }
    const auto message = fmt::format("{}{}\n{}\n", a.message, a.message.ends_with('\n') ? "" : "\n", trailer);
    const auto id = write_commit(**repository, *tree, head_commit, message, where.key.substr(0, where.key.find('/')));
    if (!id) {
        return refuse(id.error());
    }
    return told(
        fmt::format("committed {}: {} ({} files)\n{}", short_id(*id), first_line(a.message), changes->size(), not_kept),
        &*id);
}

tool_result branch(const git_branch_arguments& a, const tool_environment& where) {
    const auto repository = open_repository(where.project);
    if (!repository) {
        return refuse(repository.error());
    }
    if (a.name.empty()) {
        return told(list_branches(**repository));
    }
    if (a.remove) {
        return remove_branch(**repository, a, where.repeat);
    }
    const auto start = find_commit(**repository, a.start);
    const auto made = start ? make_branch(**repository, a.name, **start, where.repeat) : expected<void>(start.error());
    return made ? told(fmt::format("made the branch {} at {}\n{}", a.name, short_id(*git_object_id(start->get())),
                                   not_kept))
                : refuse(made.error());
}

tool_result checkout(const git_checkout_arguments& a, const tool_environment& where) {
    const auto repository = open_repository(where.project);
    if (!repository) {
        return refuse(repository.error());
    }
    if (auto clear = check_no_merge(**repository); !clear && !a.discard) {
        return refuse(clear.error());
    }
    if (a.create) {
        const auto head = find_commit(**repository, {});
        const auto made =
            head ? make_branch(**repository, a.revision, **head, where.repeat) : expected<void>(head.error());
        if (!made) {
            return refuse(made.error());
        }
    }
    const auto target = find_commit(**repository, a.revision);
    if (!target) {
        return refuse(target.error());
    }
    blockers in_the_way;
    git_checkout_options options = GIT_CHECKOUT_OPTIONS_INIT;
    options.checkout_strategy = (a.discard ? GIT_CHECKOUT_FORCE : GIT_CHECKOUT_SAFE) | GIT_CHECKOUT_RECREATE_MISSING |
                                GIT_CHECKOUT_DONT_OVERWRITE_IGNORED | GIT_CHECKOUT_DISABLE_PATHSPEC_MATCH;
    options.disable_filters = 1;
    options.notify_flags = GIT_CHECKOUT_NOTIFY_CONFLICT;
    options.notify_cb = blockers::note;
    options.notify_payload = &in_the_way;
    if (git_checkout_tree(repository->get(), target->get(), &options) != 0) {
        return in_the_way.paths.empty()
                   ? refuse(git_problem("check out " + a.revision))
                   : refuse(problem{code::conflict,
                                    fmt::format("changes that are not committed stand in the way: {}. Commit them, or "
                                                "set discard to throw them away. Nothing was changed.",
                                                in_the_way.text())});
    }
    const auto branch_found = find_branch(**repository, a.revision);
    const int failed = branch_found
                           ? git_repository_set_head(repository->get(), git_reference_name(branch_found->get()))
                           : git_repository_set_head_detached(repository->get(), git_object_id(target->get()));
    if (failed != 0) {
        return refuse(git_problem("set HEAD"));
    }
    return told(fmt::format("checked out {} at {}{}\n", a.revision, short_id(*git_object_id(target->get())),
                            branch_found ? "" : ", on no branch: commits there are lost unless a branch is made"),
                git_object_id(target->get()));
}

} // namespace troupe::actors::git_tools
