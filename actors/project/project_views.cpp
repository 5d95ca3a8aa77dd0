#include "actors/common/model.hpp"
#include "actors/project/project_model.hpp"

namespace troupe::actors {

runtime::entity_view project_model::view(const state& s, const runtime::view_context& context) {
    if (s.id.is_nil() || s.deleted) {
        return {.document = "", .keys = {}, .exists = false};
    }
    const auto sort = runtime::sort_key(s.created_at);
    std::vector<runtime::index_key> keys{{"", sort}, {"name=" + s.name, sort}};
    if (s.folder) {
        keys.push_back({"folder=" + *s.folder, sort});
    }
    return {to_json(project_document{s.id, s.name, s.description, s.folder, s.files.size(), s.bytes, context.version,
                                     s.created_by, s.created_at, s.updated_at}),
            std::move(keys), true};
}

std::vector<runtime::item> project_model::items(const state&, const event& e, const runtime::event_context& at) {
    using items = std::vector<runtime::item>;
    return std::visit(visitor{[&](const file_saved& x) {
                                  return items{
                                      {std::string(files_collection), x.path,
                                       to_json(file_document{x.path, x.bytes, x.sha256, x.executable, at.time, x.by})}};
                              },
                              [](const file_deleted& x) {
                                  return items{{std::string(files_collection), x.path, ""}};
                              },
                              [](const auto&) { return items{}; }},
                      e);
}

std::vector<std::string_view> project_model::blobs(const state& s) {
    std::vector<std::string_view> out;
    out.reserve(s.files.size());
    for (const auto& [path, file] : s.files) {
        out.emplace_back(file.sha256);
    }
    return out;
}

std::string project_model::answer(const state& after, const std::vector<event>& events,
                                  const runtime::view_context& context) {
    save_files_result result{context.version, {}, {}, {}};
    for (const auto& e : events) {
        std::visit(visitor{[&](const file_saved& x) { result.saved.push_back(x.path); },
                           [&](const file_deleted& x) { result.deleted.push_back(x.path); },
                           [&](const file_refused& x) {
                               result.refused.push_back({x.path, x.code, x.detail});
                           },
                           [](const auto&) {}},
                   e);
    }
    const bool about_files = !result.saved.empty() || !result.deleted.empty() || !result.refused.empty();
    return about_files ? to_json(result) : view(after, context).document;
}

} // namespace troupe::actors
