#include "actors/common/stored.hpp"
#include "actors/project/project_model.hpp"
#include "actors/project/project_workspaces.hpp"
#include "schemas/base/json.hpp"
#include "schemas/project.hpp"
#include "storage/base.hpp"
#include "storage/log_reader.hpp"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace troupe::actors {

expected<std::string> project_workspaces::changed_elsewhere(const entity_address& project, const std::string& path,
                                                            const std::string& by, timestamp since) const {
    const auto name = std::filesystem::path(path).lexically_normal().string();
    const auto file = read_stored<file_document>(store_, project, files_collection, name);
    if (!file) {
        return file.error();
    }
    const bool is_news =
        *file && (*file)->updated_by != by && (*file)->updated_at > since && (*file)->updated_by.starts_with("run/");
    return is_news ? (*file)->updated_by : std::string();
}

expected<std::vector<project_change>> project_workspaces::changes_by(const entity_address& project,
                                                                     const std::string& by) const {
    std::map<std::string, std::string> files;
    std::map<std::string, project_change> changes;
    const auto note = [&](const std::string& path, const std::string& author, std::optional<std::string> after) {
        const auto before = files.find(path);
        if (author == by) {
            auto [change, is_new] = changes.try_emplace(path);
            if (is_new) {
                change->second = {path, before == files.end() ? std::nullopt : std::optional(before->second), {}, {}};
            }
            change->second.after_sha256 = after;
            change->second.unsaved.clear();
        }
        after ? void(files.insert_or_assign(path, std::move(*after))) : void(files.erase(path));
    };
    const auto note_unsaved = [&](const file_refused& e) {
        if (e.by == by) {
            const auto now = files.find(e.path);
            const auto content = now == files.end() ? std::nullopt : std::optional(now->second);
            changes.try_emplace(e.path, project_change{e.path, content, content, {}}).first->second.unsaved = e.detail;
        }
    };
    // What was in the project where its history begins; who changed what before is not kept.
    const auto begin = storage::read_base_mark(store_, project);
    const auto before =
        begin ? storage::read_base_items(store_, project) : expected<std::map<std::string, std::string>>(begin.error());
    if (!before) {
        return before.error();
    }
    for (const auto& [key, document] : *before) {
        auto file = from_json<file_document>(document, strictness::stored);
        if (!file) {
            return file.error();
        }
        files.emplace(std::move(file->path), std::move(file->sha256));
    }
    auto read = storage::read_history(store_, project, begin->version, [&](storage::record&& r) -> expected<void> {
        if (r.type == wire_name<file_saved>::value) {
            auto e = from_json<file_saved>(r.payload, strictness::stored);
            if (!e) {
                return e.error();
            }
            note(e->path, e->by, e->sha256);
        } else if (r.type == wire_name<file_deleted>::value) {
            auto e = from_json<file_deleted>(r.payload, strictness::stored);
            if (!e) {
                return e.error();
            }
            note(e->path, e->by, std::nullopt);
        } else if (r.type == wire_name<file_refused>::value) {
            auto e = from_json<file_refused>(r.payload, strictness::stored);
            if (!e) {
                return e.error();
            }
            note_unsaved(*e);
        }
        return {};
    });
    if (!read) {
        return read.error();
    }
    std::vector<project_change> out;
    for (auto& [path, change] : changes) {
        if (change.before_sha256 != change.after_sha256 || !change.unsaved.empty()) {
            out.push_back(std::move(change));
        }
    }
    return out;
}

} // namespace troupe::actors
