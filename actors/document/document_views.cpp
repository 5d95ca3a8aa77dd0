#include "actors/document/document_model.hpp"

#include "actors/common/model.hpp"

#include <algorithm>

namespace troupe::actors {
namespace {

/// FILTER=VALUE, all by which documents are listed.
std::vector<std::string> filters_of(const document_state& s) {
    std::vector<std::string> out{"type=" + std::string(detail::enum_name(s.type)), "created_by=" + s.created_by,
                                 std::string("is_template=") + (s.is_template ? "true" : "false")};
    if (s.task_id) {
        out.push_back("task_id=" + to_string(*s.task_id));
    }
    if (s.project_id) {
        out.push_back("project_id=" + to_string(*s.project_id));
    }
    for (const auto& label : s.labels) {
        out.push_back("label=" + label);
    }
    return out;
}

std::vector<runtime::index_key> keys_of(const document_state& s) {
    const auto sort = runtime::sort_key(s.created_at);
    const bool open = s.organization_access != document_access::none;
    std::vector<runtime::index_key> keys{{"", sort}};
    if (open) {
        keys.push_back({"organization", sort});
    }
    for (const auto& filter : filters_of(s)) {
        keys.push_back({filter, sort});
        if (open) {
            keys.push_back({"organization," + filter, sort});
        }
    }
    if (!open) {
        keys.push_back({"reader=" + s.created_by, sort});
        for (const auto& share : s.shared_with) {
            if (const auto name = "user/" + to_string(share.user_id); name != s.created_by) {
                keys.push_back({"reader=" + name, sort});
            }
        }
    }
    return keys;
}

} // namespace

runtime::entity_view document_model::view(const state& s, const runtime::view_context&) {
    if (s.id.is_nil() || s.deleted || s.versions.empty()) {
        return {.document = "", .keys = {}, .exists = false};
    }
    const auto visibility = s.organization_access == document_access::none ? "private" : "organization";
    return {to_json(document_document{s.id, s.title, s.type, s.task_id, s.project_id, s.labels, visibility,
                                      s.organization_access, s.shared_with, s.is_template, s.newest,
                                      s.versions.back().bytes, s.created_by, s.created_at, s.updated_by, s.updated_at}),
            keys_of(s), true};
}

std::vector<runtime::item> document_model::items(const state& after, const event& e, const runtime::event_context& at) {
    const std::string collection(document_versions_collection);
    std::vector<runtime::item> out;
    if (const auto* written = std::get_if<document_written>(&e)) {
        out.push_back({collection, document_version_key(after.newest),
                       to_json(document_version{after.newest, written->content.bytes, written->content.sha256,
                                                written->by, at.time, written->restored_from})});
        if (after.newest > document_versions_max) {
            out.push_back({collection, document_version_key(after.newest - document_versions_max), ""});
        }
    }
    if (std::holds_alternative<document_deleted>(e)) {
        for (auto number = oldest_document_version(after.newest); number <= after.newest; ++number) {
            out.push_back({collection, document_version_key(number), ""});
        }
    }
    return out;
}

} // namespace troupe::actors
