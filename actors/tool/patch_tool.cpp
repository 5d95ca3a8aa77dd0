#include "actors/tool/file_access.hpp"
#include "actors/tool/patch.hpp"
#include "actors/tool/tool_performers.hpp"

#include <ranges>
#include <set>

namespace troupe::actors {

namespace {

/// One file to be written or deleted, with what undoes it.
struct file_step {
    file_change change;
    mode_t mode_before = 0644;
    mode_t mode = 0644;
};

/// What a patch comes to, before anything is written.
struct patch_plan {
    std::vector<file_step> steps;
    std::string said;                 ///< A line for each file.
    std::vector<std::string> refused; ///< Why files do not fit.
};

mode_t with_executable(mode_t mode, const std::optional<bool>& executable) {
    return !executable ? mode : *executable ? mode | 0111U : mode & ~mode_t{0111};
}

/// On a repeat: whether the hunks made this content. They did when undoing them and doing them again leads to it.
bool is_made_by(const file_patch& p, const std::string& content) {
    const auto before = apply_hunks(reversed(p), content);
    const auto again = before ? apply_hunks(p, before->content) : before;
    return again && again->content == content;
}

class planner {
public:
    planner(const project_folder& project, bool repeat) : project_(project), repeat_(repeat) {}

    patch_plan run(const std::vector<file_patch>& files) {
        for (const auto& p : files) {
            if (auto planned = plan(p); !planned) {
                out_.refused.push_back(planned.error().detail);
            }
        }
        return std::move(out_);
    }

private:
    static problem refused(std::string why) { return {code::conflict, std::move(why)}; }

    /// Two sections for one file would each be held against what is there now.
    expected<void> take(const std::string& path) {
        const auto clean = project_folder::normalize(path);
        if (!clean) {
            return clean.error();
        }
        return taken_.insert(*clean).second
                   ? expected<void>()
                   : refused(fmt::format("{} stands twice in the patch; put its hunks together", path));
    }

    expected<void> plan(const file_patch& p) {
        const bool renames = !p.old_path.empty() && !p.new_path.empty() && p.old_path != p.new_path;
        for (const auto* path : {&p.old_path, renames || p.old_path.empty() ? &p.new_path : nullptr}) {
            if (path && !path->empty()) {
                if (auto ok = take(*path); !ok) {
                    return ok;
                }
            }
        }
        auto old_file = p.old_path.empty() ? std::optional<present_file>() : std::optional<present_file>();
        if (!p.old_path.empty()) {
            auto read = read_writable(project_, p.old_path);
            if (!read) {
                return read.error();
            }
            old_file = std::move(*read);
        }
        if (renames || p.old_path.empty()) {
            auto target = read_writable(project_, p.new_path);
            return target ? plan_new(p, std::move(old_file), std::move(*target)) : expected<void>(target.error());
        }
        if (!old_file) {
            if (p.new_path.empty() && repeat_) {
                say("deleted {} (it was done before the repeat)\n", p.old_path);
                return {};
            }
            return refused(p.old_path + " does not exist in the project");
        }
        return p.new_path.empty() ? plan_deletion(p, std::move(*old_file)) : plan_change(p, std::move(*old_file));
    }

    expected<void> plan_change(const file_patch& p, present_file file) {
        const auto mode = with_executable(file.mode, p.executable);
        if (repeat_ && mode == file.mode && is_made_by(p, file.content)) {
            say("changed {} (it was done before the repeat)\n", p.new_path);
            return {};
        }
        auto made = apply_hunks(p, file.content);
        if (!made) {
            return made.error();
        }
        say("changed {}{}\n", p.new_path, places(*made));
        step(p.new_path, std::move(file.content), std::move(made->content), file.mode, mode);
        return {};
    }

    expected<void> plan_deletion(const file_patch& p, present_file file) {
        const auto left = apply_hunks(p, file.content);
        if (!left) {
            return left.error();
        }
        if (!left->content.empty()) {
            return refused(fmt::format("{}: the patch deletes it, but leaves {} bytes of its content", p.old_path,
                                       left->content.size()));
        }
        say("deleted {}\n", p.old_path);
        step(p.old_path, std::move(file.content), std::nullopt, file.mode, file.mode);
        return {};
    }

    /// A file that is made, or another one under its new name.
    expected<void> plan_new(const file_patch& p, std::optional<present_file> from, std::optional<present_file> there) {
        const bool renames = !p.old_path.empty();
        if (renames && !from) {
            if (repeat_ && there && is_made_by(p, there->content)) {
                say("renamed {} to {} (it was done before the repeat)\n", p.old_path, p.new_path);
                return {};
            }
            return refused(p.old_path + " does not exist in the project");
        }
        auto made = apply_hunks(p, renames ? from->content : std::string());
        if (!made) {
            return made.error();
        }
        const bool is_there = there && repeat_ && there->content == made->content;
        if (there && !is_there) {
            return refused(p.new_path + " exists already");
        }
        say(renames ? "renamed {1} to {0}{2}{3}\n" : "created {0}{2}{3}\n", p.new_path, p.old_path,
            renames ? places(*made) : "", is_there ? " (it was done before the repeat)" : "");
        const auto mode = with_executable(renames ? from->mode : 0644, p.executable);
        if (!is_there) {
            step(p.new_path, std::nullopt, std::move(made->content), mode, mode);
        }
        if (renames) {
            step(p.old_path, std::move(from->content), std::nullopt, from->mode, from->mode);
        }
        return {};
    }

    template <class... Arguments>
    void say(std::string_view pattern, const Arguments&... arguments) {
        out_.said += fmt::format(fmt::runtime(pattern), arguments...);
    }

    static std::string places(const patched_text& made) {
        std::string out;
        for (std::size_t i = 0; i < made.lines.size(); ++i) {
            out += fmt::format("{}{}", i == 0 ? (made.lines.size() == 1 ? " at line " : " at lines ") : ", ",
                               made.lines[i]);
            if (made.offsets[i] != 0) {
                out += fmt::format(" ({} {} than the patch says)", std::abs(made.offsets[i]),
                                   made.offsets[i] > 0 ? "further down" : "further up");
            }
        }
        return out;
    }

    void step(const std::string& path, std::optional<std::string> before, std::optional<std::string> after,
              mode_t mode_before, mode_t mode) {
        out_.steps.push_back({{path, std::move(before), std::move(after)}, mode_before, mode});
    }

    const project_folder& project_;
    const bool repeat_;
    patch_plan out_;
    std::set<std::string> taken_;
};

expected<void> put(const project_folder& project, const std::string& path, const std::optional<std::string>& content,
                   mode_t mode) {
    return content ? put_file(project, path, *content, mode) : remove_file(project, path);
}

/// All or none. A repeat after a crash finds out which of them were done.
expected<void> perform_steps(const project_folder& project, const std::vector<file_step>& steps) {
    for (std::size_t done = 0; done < steps.size(); ++done) {
        const auto& s = steps[done];
        auto written = put(project, s.change.path, s.change.after, s.mode);
        if (written) {
            continue;
        }
        auto why = written.error();
        why.detail += "; nothing was changed";
        for (std::size_t i = done; i-- > 0;) {
            const auto& back = steps[i];
            if (auto undone = put(project, back.change.path, back.change.before, back.mode_before); !undone) {
                why.detail +=
                    fmt::format(", except that {} could not be put back: {}", back.change.path, undone.error().detail);
            }
        }
        return why;
    }
    return {};
}

} // namespace

tool_result apply_patch(const apply_patch_arguments& a, const tool_environment& where) {
    const auto files = parse_patch(a.patch);
    if (!files) {
        return refuse(files.error());
    }
    const auto project = project_folder::open(where.project);
    if (!project) {
        return refuse(project.error());
    }
    auto plan = planner(*project, where.repeat).run(*files);
    if (!plan.refused.empty()) {
        std::string why = "The patch does not fit, so nothing was changed.\n";
        for (const auto& one : plan.refused) {
            why += one + "\n";
        }
        return refuse(problem{code::conflict, shorten(why, tool_content_bytes_max - 1024)});
    }
    if (auto performed = perform_steps(*project, plan.steps); !performed) {
        return refuse(performed.error());
    }
    std::vector<file_change> changes;
    for (auto& s : plan.steps) {
        changes.push_back(std::move(s.change));
    }
    return changed(shorten(plan.said, tool_content_bytes_max - 1024), changes);
}

} // namespace troupe::actors
