#include "actors/project/project_model.hpp"

#include "actors/common/model.hpp"

#include <algorithm>
#include <filesystem>

namespace troupe::actors {
namespace {

using events = std::vector<project_model::event>;
using decision_result = expected<events>;

bool exists(const project_state& s) { return !s.id.is_nil() && !s.deleted; }

const file_entry* find_file(const project_state& s, const std::string& path) {
    const auto found = s.files.find(path);
    return found == s.files.end() ? nullptr : &found->second;
}

bool is_there(const file_entry* entry, std::string_view sha256, bool executable) {
    return entry && entry->sha256 == sha256 && entry->executable == executable;
}

expected<void> check_folder(const std::string& folder) {
    const std::filesystem::path path(folder);
    const bool plain = std::ranges::none_of(path, [](const auto& part) { return part == ".." || part == "."; });
    if (path.is_absolute() && plain && folder.find('\0') == std::string::npos) {
        return {};
    }
    return problem{
        code::invalid_request,
        "The folder has to be an absolute path on the node without '.' and '..', such as /home/me/calculator.",
        {{"/folder", "expected an absolute path without '.' and '..'"}}};
}

decision_result decide(const project_state& s, const create_project& c, const runtime::context& context) {
    if (!s.id.is_nil()) {
        return exists_already("project", context.self.id);
    }
    if (c.folder) {
        if (auto ok = check_folder(*c.folder); !ok) {
            return ok.error();
        }
    }
    return events{project_created{context.self.organization, c.name, c.description, c.folder}};
}

decision_result decide(const project_state& s, const update_project& c, const runtime::context& context) {
    if (!exists(s)) {
        return no_such("project", context.self.id);
    }
    project_updated changed;
    if (c.name && *c.name != s.name) {
        changed.name = c.name;
    }
    if (c.description && *c.description != s.description) {
        changed.description = c.description;
    }
    return changed.name || changed.description ? events{changed} : events{};
}

decision_result decide(const project_state& s, const delete_project&, const runtime::context& context) {
    if (s.deleted) {
        return events{};
    }
    return exists(s) ? decision_result(events{project_deleted{}}) : no_such("project", context.self.id);
}

problem bad_hash(const std::string& path) {
    return {code::invalid_request,
            "The hash of '" + path + "' has to be SHA-256 in 64 lower-case hexadecimal digits.",
            {{"/sha256", "expected 64 lower-case hexadecimal digits"}}};
}

/// What holds for a person's change of one file, whatever the change.
expected<void> check_file(const project_state& s, const std::string& path, const std::optional<std::string>& expect,
                          const runtime::context& context) {
    if (!exists(s)) {
        return no_such("project", context.self.id);
    }
    const auto* entry = find_file(s, path);
    if (auto ok = check_project_path(path); !ok && !entry) { // one of an older node may be deleted
        return ok;
    }
    if (s.folder) {
        return problem{code::conflict, "This project works directly in the folder " + *s.folder +
                                           " of the node. Change the file there; runs save what they find."};
    }
    if (expect && (!entry || entry->sha256 != *expect)) {
        return problem{code::precondition_failed,
                       "'" + path + "' was changed or deleted meanwhile. Read it again and make the change on top."};
    }
    return {};
}

/// What files may grow by: first what the same command gave up, then what the organization's plan has.
class space {
public:
    explicit space(const runtime::context& context) : context_(context) {}

    void give_up(const file_entry* entry) { free_ += bytes_of(entry); }

    expected<void> for_file(const file_entry* entry, std::uint64_t bytes) {
        const auto left = free_ + bytes_of(entry) - static_cast<std::int64_t>(bytes);
        if (left < 0) {
            if (auto taken = context_.take("storage_bytes", -left); !taken) {
                return taken;
            }
        }
        free_ = std::max<std::int64_t>(0, left);
        return {};
    }

private:
    static std::int64_t bytes_of(const file_entry* entry) {
        return entry ? static_cast<std::int64_t>(entry->bytes) : 0;
    }

    const runtime::context& context_;
    std::int64_t free_ = 0;
};

decision_result decide(const project_state& s, const write_file& c, const runtime::context& context) {
    if (auto ok = check_file(s, c.path, c.expect, context); !ok) {
        return ok.error();
    }
    if (!is_sha256(c.sha256)) {
        return bad_hash(c.path);
    }
    if (auto ok = manifest_draft(s.files).save(c.path); !ok) {
        return ok.error();
    }
    const auto* entry = find_file(s, c.path);
    const bool executable = c.executable.value_or(entry && entry->executable);
    if (is_there(entry, c.sha256, executable)) {
        return events{};
    }
    if (auto room = space(context).for_file(entry, c.bytes); !room) {
        return room.error();
    }
    return events{file_saved{c.path, c.sha256, c.bytes, executable, std::string(context.principal)}};
}

decision_result decide(const project_state& s, const delete_file& c, const runtime::context& context) {
    if (auto ok = check_file(s, c.path, c.expect, context); !ok) {
        return ok.error();
    }
    if (!find_file(s, c.path)) {
        return problem{code::not_found,
                       "The project has no file '" + c.path + "'. List its files to see what is there."};
    }
    return events{file_deleted{c.path, std::string(context.principal)}};
}

/// Somebody else's change that the author of this one has not seen.
expected<void> check_unseen(const file_entry* entry, const file_change& change, const save_files& c) {
    if (!entry || !c.base_version || entry->version <= *c.base_version || entry->updated_by == c.by) {
        return {};
    }
    return problem{code::conflict, "'" + change.path + "' was changed by " + entry->updated_by +
                                       " meanwhile. Read it again and make the change on top."};
}

expected<void> check_change(const file_entry* entry, const file_change& change, const save_files& c,
                            manifest_draft& draft) {
    if (auto ok = check_unseen(entry, change, c); !ok) {
        return ok;
    }
    if (!change.sha256) {
        draft.remove(change.path);
        return {};
    }
    return is_sha256(*change.sha256) ? draft.save(change.path) : expected<void>(bad_hash(change.path));
}

decision_result decide(const project_state& s, const save_files& c, const runtime::context& context) {
    if (!exists(s)) {
        return no_such("project", context.self.id);
    }
    // Deletions first, so that a file may take the place of a folder and the reverse. Of one path the last change
    // counts.
    std::map<std::string_view, const file_change*> last;
    for (const auto& change : c.changes) {
        last[change.path] = &change;
    }
    events decided;
    manifest_draft draft(s.files);
    space room(context);
    for (const bool deletions : {true, false}) {
        for (const auto& [path, change] : last) {
            const auto* entry = find_file(s, change->path);
            const bool as_is = change->sha256 ? is_there(entry, *change->sha256, change->executable) : !entry;
            if (change->sha256.has_value() == deletions || as_is) {
                continue;
            }
            auto ok = check_change(entry, *change, c, draft);
            if (ok && change->sha256) {
                ok = room.for_file(entry, change->bytes);
                if (!ok && !entry) {
                    draft.remove(change->path);
                }
            }
            if (!ok) {
                decided.emplace_back(
                    file_refused{change->path, std::string(explain(ok.error().code).name), ok.error().detail, c.by});
            } else if (change->sha256) {
                decided.emplace_back(
                    file_saved{change->path, *change->sha256, change->bytes, change->executable, c.by});
            } else {
                room.give_up(entry);
                decided.emplace_back(file_deleted{change->path, c.by});
            }
        }
    }
    for (const auto& each : c.unsaved) {
        decided.emplace_back(file_refused{each.path, each.code, each.detail, c.by});
    }
    return decided;
}

void apply(project_state& s, const project_created& e, const runtime::event_context& at) {
    s.id = at.id;
    s.organization = e.organization;
    s.name = e.name;
    s.description = e.description;
    s.folder = e.folder;
    s.created_by = at.principal;
    s.created_at = at.time;
}

void apply(project_state& s, const project_updated& e, const runtime::event_context&) {
    s.name = e.name.value_or(s.name);
    s.description = e.description.value_or(s.description);
}

void apply(project_state& s, const project_deleted&, const runtime::event_context&) {
    s.deleted = true;
    s.files.clear();
    s.bytes = 0;
}

void apply(project_state& s, const file_saved& e, const runtime::event_context& at) {
    auto& entry = s.files[e.path];
    s.bytes += e.bytes - entry.bytes;
    entry = {e.sha256, e.bytes, e.executable, at.version, at.time, e.by};
}

void apply(project_state& s, const file_deleted& e, const runtime::event_context&) {
    if (const auto found = s.files.find(e.path); found != s.files.end()) {
        s.bytes -= found->second.bytes;
        s.files.erase(found);
    }
}

void apply(project_state&, const file_refused&, const runtime::event_context&) {}

} // namespace

expected<std::vector<project_model::event>> project_model::decide(const state& s, const command& c,
                                                                  const runtime::context& context) {
    return std::visit([&](const auto& each) { return actors::decide(s, each, context); }, c);
}

project_state project_model::apply(state s, const event& e, const runtime::event_context& at) {
    std::visit([&](const auto& each) { actors::apply(s, each, at); }, e);
    s.updated_at = at.time;
    return s;
}

std::vector<runtime::effect> project_model::resume(const state&) { return {}; }

std::vector<usage_amount> project_model::holds(const state& s) {
    return s.bytes > 0 ? std::vector{usage_amount{"storage_bytes", static_cast<std::int64_t>(s.bytes)}}
                       : std::vector<usage_amount>{};
}

} // namespace troupe::actors
