#include "actors/tool/git_performers.hpp"
#include "actors/tool/git_repository.hpp"
#include "actors/tool/tool_performers.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/base/json.hpp"

#include <git2.h>

#include <algorithm>

namespace troupe::actors::git_tools {

namespace {

using diff_ptr = git_owned<git_diff, git_diff_free>;

constexpr std::size_t answer_bytes_max = tool_content_bytes_max - 1024;
constexpr std::size_t listed_max = 500;
/// A path that nobody changed must not take the whole history.
constexpr std::size_t looked_at_commits_max = 20'000;

tool_result told(std::string text, std::string details = {}) {
    tool_result r;
    r.content = std::move(text);
    r.details.text = details.empty() ? "{}" : std::move(details);
    return r;
}

/// Paths are taken as they are: no patterns. Submodules lie elsewhere.
git_diff_options diff_options(const std::vector<std::string>& paths, std::vector<char*>& pointers) {
    git_diff_options options = GIT_DIFF_OPTIONS_INIT;
    options.flags = GIT_DIFF_DISABLE_PATHSPEC_MATCH | GIT_DIFF_IGNORE_SUBMODULES;
    options.ignore_submodules = GIT_SUBMODULE_IGNORE_ALL;
    for (const auto& path : paths) {
        pointers.push_back(const_cast<char*>(path.c_str()));
    }
    options.pathspec = {pointers.data(), pointers.size()};
    return options;
}

git_tree* tree_of(const git_object* commit, git_object_ptr& owner) {
    git_object* tree = nullptr;
    if (commit && git_object_peel(&tree, commit, GIT_OBJECT_TREE) == 0) {
        owner.reset(tree);
    }
    return reinterpret_cast<git_tree*>(tree);
}

expected<diff_ptr> compare_trees(git_repository& repository, const git_object* from, const git_object* to,
                                 const std::vector<std::string>& paths) {
    std::vector<char*> pointers;
    const auto options = diff_options(paths, pointers);
    git_object_ptr from_tree, to_tree;
    git_diff* made = nullptr;
    if (git_diff_tree_to_tree(&made, &repository, tree_of(from, from_tree), tree_of(to, to_tree), &options) != 0) {
        return git_problem("compare");
    }
    return diff_ptr(made);
}

struct diff_text {
    std::string text;
    std::size_t files = 0;
};

expected<diff_text> text_of(git_diff& diff) {
    git_diff_find_options renames = GIT_DIFF_FIND_OPTIONS_INIT;
    renames.flags = GIT_DIFF_FIND_RENAMES;
    if (git_diff_find_similar(&diff, &renames) != 0) {
        return git_problem("compare");
    }
    // Line by line, so that a huge diff ends early.
    const auto add = [](const git_diff_delta*, const git_diff_hunk*, const git_diff_line* line, void* to) {
        auto& text = *static_cast<std::string*>(to);
        if (line->origin == GIT_DIFF_LINE_CONTEXT || line->origin == GIT_DIFF_LINE_ADDITION ||
            line->origin == GIT_DIFF_LINE_DELETION) {
            text += line->origin;
        }
        text.append(line->content, line->content_len);
        return text.size() > answer_bytes_max ? GIT_EUSER : 0;
    };
    diff_text out;
    out.files = git_diff_num_deltas(&diff);
    const int ended = git_diff_print(&diff, GIT_DIFF_FORMAT_PATCH, add, &out.text);
    if (ended != 0 && ended != GIT_EUSER) {
        return git_problem("write the diff");
    }
    if (ended == GIT_EUSER) {
        out.text = std::string(utf8_prefix(out.text, answer_bytes_max)) + "\n[… the rest is left out; name paths …]\n";
    }
    return out;
}

std::string line_of(const git_commit& commit) {
    const auto* author = git_commit_author(&commit);
    const auto* summary = git_commit_summary(const_cast<git_commit*>(&commit));
    return fmt::format("{} {} {}: {}\n", short_id(*git_commit_id(&commit)),
                       to_string(timestamp{author->when.time * 1000}).substr(0, 10), author->name,
                       summary ? summary : "");
}

std::string head_line(git_repository& repository) {
    git_reference* head = nullptr;
    const int found = git_repository_head(&head, &repository);
    if (found == GIT_EUNBORNBRANCH) {
        return "there is no commit yet\n";
    }
    if (found != 0) {
        return "HEAD cannot be read\n";
    }
    const git_owned<git_reference, git_reference_free> owner(head);
    const auto commit = find_commit(repository, {});
    return fmt::format("{} {}, at {}", git_repository_head_detached(&repository) == 1 ? "no branch:" : "branch",
                       git_reference_shorthand(head),
                       commit ? line_of(*reinterpret_cast<git_commit*>(commit->get())) : "no commit\n");
}

/// Two letters, as `git status --short` has them.
std::string status_letters(unsigned status) {
    if ((status & GIT_STATUS_CONFLICTED) != 0) {
        return "UU";
    }
    if ((status & GIT_STATUS_WT_NEW) != 0 && (status & GIT_STATUS_INDEX_DELETED) == 0) {
        return "??";
    }
    const auto letter = [&](unsigned made, unsigned changed, unsigned gone, unsigned renamed, unsigned type) {
        return (status & made) != 0      ? 'A'
               : (status & changed) != 0 ? 'M'
               : (status & gone) != 0    ? 'D'
               : (status & renamed) != 0 ? 'R'
               : (status & type) != 0    ? 'T'
                                         : ' ';
    };
    return {letter(GIT_STATUS_INDEX_NEW, GIT_STATUS_INDEX_MODIFIED, GIT_STATUS_INDEX_DELETED, GIT_STATUS_INDEX_RENAMED,
                   GIT_STATUS_INDEX_TYPECHANGE),
            letter(GIT_STATUS_WT_NEW, GIT_STATUS_WT_MODIFIED, GIT_STATUS_WT_DELETED, GIT_STATUS_WT_RENAMED,
                   GIT_STATUS_WT_TYPECHANGE)};
}

/// Whether the commit changed that path against its first parent.
expected<bool> changes(git_repository& repository, const git_commit& commit, const std::vector<std::string>& paths) {
    git_commit* parent = nullptr;
    if (git_commit_parentcount(&commit) > 0 && git_commit_parent(&parent, &commit, 0) != 0) {
        return git_problem("read a commit");
    }
    const git_object_ptr owner(reinterpret_cast<git_object*>(parent));
    const auto diff = compare_trees(repository, owner.get(), reinterpret_cast<const git_object*>(&commit), paths);
    return diff ? expected<bool>(git_diff_num_deltas(diff->get()) > 0) : diff.error();
}

tool_result show_file(const git_object& commit, const std::string& path) {
    const auto clean = git_paths({path});
    if (!clean || clean->empty()) {
        return clean ? refuse("the path names the project itself") : refuse(clean.error());
    }
    git_object* found = nullptr;
    if (git_object_lookup_bypath(&found, &commit, clean->front().c_str(), GIT_OBJECT_BLOB) != 0) {
        return refuse(problem{code::not_found,
                              fmt::format("there is no file {} in {}", path, short_id(*git_object_id(&commit)))});
    }
    const git_object_ptr owner(found);
    const auto* blob = reinterpret_cast<const git_blob*>(found);
    const auto size = static_cast<std::size_t>(git_blob_rawsize(blob));
    const std::string_view content(static_cast<const char*>(git_blob_rawcontent(blob)), size);
    return is_binary(content) ? refuse(fmt::format("{} is a binary file of {} bytes there", path, size))
                              : told(shorten(content, answer_bytes_max));
}

} // namespace

tool_result status(const git_status_arguments&, const tool_environment& where) {
    const auto repository = open_repository(where.project);
    if (!repository) {
        return refuse(repository.error());
    }
    git_status_options options = GIT_STATUS_OPTIONS_INIT;
    options.flags = GIT_STATUS_OPT_INCLUDE_UNTRACKED | GIT_STATUS_OPT_EXCLUDE_SUBMODULES |
                    GIT_STATUS_OPT_RENAMES_HEAD_TO_INDEX | GIT_STATUS_OPT_SORT_CASE_SENSITIVELY;
    git_status_list* made = nullptr;
    if (git_status_list_new(&made, repository->get(), &options) != 0) {
        return refuse(git_problem("look through the project"));
    }
    const git_owned<git_status_list, git_status_list_free> list(made);
    const auto count = git_status_list_entrycount(made);
    auto text = head_line(**repository);
    if (git_repository_state(repository->get()) != GIT_REPOSITORY_STATE_NONE) {
        text += "a merge, rebase or the like is in progress\n";
    }
    for (std::size_t i = 0; i < std::min(count, listed_max) && text.size() < answer_bytes_max; ++i) {
        const auto* entry = git_status_byindex(made, i);
        const auto* delta = entry->index_to_workdir ? entry->index_to_workdir : entry->head_to_index;
        const auto* before = entry->head_to_index;
        text +=
            status_letters(entry->status) + " " +
            ((entry->status & GIT_STATUS_INDEX_RENAMED) != 0 && before ? fmt::format("{} -> ", before->old_file.path)
                                                                       : std::string()) +
            delta->new_file.path + "\n";
    }
    text += count == 0           ? "nothing is changed\n"
            : count > listed_max ? fmt::format("[… {} more left out …]\n", count - listed_max)
                                 : "";
    return told(std::move(text), fmt::format("{{\"changed\":{}}}", count));
}

tool_result diff(const git_diff_arguments& a, const tool_environment& where) {
    const auto repository = open_repository(where.project);
    const auto paths = repository ? git_paths(a.paths) : expected<std::vector<std::string>>(repository.error());
    if (!paths) {
        return refuse(paths.error());
    }
    if (a.staged && !a.to.empty()) {
        return refuse("`staged` and `to` exclude each other: say what is compared");
    }
    auto from = find_commit(**repository, a.from);
    if (!from && !a.from.empty()) {
        return refuse(from.error());
    }
    const auto* from_commit = from ? from->get() : nullptr; // before the first commit all is new
    std::vector<char*> pointers;
    const auto options = diff_options(*paths, pointers);
    git_object_ptr owner;
    git_diff* made = nullptr;
    expected<diff_ptr> diff = diff_ptr();
    if (!a.to.empty()) {
        const auto to = find_commit(**repository, a.to);
        diff = to ? compare_trees(**repository, from_commit, to->get(), *paths) : expected<diff_ptr>(to.error());
    } else {
        auto* tree = tree_of(from_commit, owner);
        const int failed = a.staged ? git_diff_tree_to_index(&made, repository->get(), tree, nullptr, &options)
                                    : git_diff_tree_to_workdir_with_index(&made, repository->get(), tree, &options);
        diff = failed == 0 ? expected<diff_ptr>(diff_ptr(made)) : git_problem("compare");
    }
    const auto text = diff ? text_of(**diff) : expected<diff_text>(diff.error());
    if (!text) {
        return refuse(text.error());
    }
    return told(text->files == 0 ? "no difference (new files count only when they are staged)\n" : text->text,
                fmt::format("{{\"files\":{}}}", text->files));
}

tool_result log(const git_log_arguments& a, const tool_environment& where) {
    const auto repository = open_repository(where.project);
    const auto start =
        repository ? find_commit(**repository, a.revision) : expected<git_object_ptr>(repository.error());
    const auto paths = start ? git_paths({a.path}) : expected<std::vector<std::string>>(start.error());
    if (!paths) {
        return refuse(paths.error());
    }
    git_revwalk* made = nullptr;
    if (git_revwalk_new(&made, repository->get()) != 0) {
        return refuse(git_problem("read the history"));
    }
    const git_owned<git_revwalk, git_revwalk_free> walk(made);
    git_revwalk_sorting(made, GIT_SORT_TOPOLOGICAL | GIT_SORT_TIME);
    git_revwalk_push(made, git_object_id(start->get()));
    std::string text;
    std::size_t shown = 0, seen = 0;
    git_oid id{};
    while (shown < a.count && text.size() < answer_bytes_max && !where.stop.stop_requested() &&
           git_revwalk_next(&id, made) == 0) {
        if (++seen > looked_at_commits_max) {
            text += fmt::format("[… only the last {} commits were looked at …]\n", looked_at_commits_max);
            break;
        }
        git_commit* commit = nullptr;
        if (git_commit_lookup(&commit, repository->get(), &id) != 0) {
            return refuse(git_problem("read a commit"));
        }
        const git_owned<git_commit, git_commit_free> owner(commit);
        const auto wanted = paths->empty() ? expected<bool>(true) : changes(**repository, *commit, *paths);
        if (!wanted) {
            return refuse(wanted.error());
        }
        if (*wanted) {
            text += line_of(*commit);
            ++shown;
        }
    }
    return told(text.empty() ? "no commit\n" : std::move(text), fmt::format("{{\"commits\":{}}}", shown));
}

tool_result show(const git_show_arguments& a, const tool_environment& where) {
    const auto repository = open_repository(where.project);
    const auto found =
        repository ? find_commit(**repository, a.revision) : expected<git_object_ptr>(repository.error());
    if (!found) {
        return refuse(found.error());
    }
    if (!a.path.empty()) {
        return show_file(**found, a.path);
    }
    const auto* commit = reinterpret_cast<const git_commit*>(found->get());
    git_commit* parent = nullptr;
    if (git_commit_parentcount(commit) > 0 && git_commit_parent(&parent, commit, 0) != 0) {
        return refuse(git_problem("read the commit before"));
    }
    const git_object_ptr owner(reinterpret_cast<git_object*>(parent));
    const auto diff = compare_trees(**repository, owner.get(), found->get(), {});
    const auto text = diff ? text_of(**diff) : expected<diff_text>(diff.error());
    if (!text) {
        return refuse(text.error());
    }
    const auto* author = git_commit_author(commit);
    char id[GIT_OID_HEXSZ + 1] = {};
    git_oid_tostr(id, sizeof id, git_commit_id(commit));
    auto head =
        fmt::format("commit {}\nAuthor: {} <{}>\nDate: {}\n\n{}\n\n", id, author->name, author->email,
                    to_string(timestamp{author->when.time * 1000}), utf8_prefix(git_commit_message(commit), 4096));
    return told(shorten(head + text->text, answer_bytes_max + 1000), fmt::format("{{\"files\":{}}}", text->files));
}

} // namespace troupe::actors::git_tools
