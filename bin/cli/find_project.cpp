#include "bin/cli/find_project.hpp"

#include "bin/cli/resolve.hpp"
#include "schemas/base/described.hpp"

#include <fmt/format.h>

#include <system_error>
#include <utility>

namespace troupe::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t projects_max = 10'000;

expected<project_document> project_in(api& node, const fs::path& folder) {
    std::error_code failed;
    const auto absolute = fs::canonical(folder, failed);
    if (failed || !fs::is_directory(absolute, failed)) {
        return problem{code::not_found,
                       fmt::format("{} is no folder: name an existing one, or a project (`troupe project list`).",
                                   folder.string())};
    }
    auto known = node.list<project_document>("/projects", {}, projects_max);
    if (!known) {
        return known.error();
    }
    for (auto& p : known->items) {
        if (p.folder == absolute.string()) {
            return std::move(p);
        }
    }
    auto name = absolute.filename().string();
    create_project_body body{name.empty() ? "root" : name, "", absolute.string()};
    auto made = node.post("/projects", to_json(body));
    return made ? from_json<project_document>(*made, strictness::stored) : expected<project_document>(made.error());
}

} // namespace

bool means_folder(std::string_view word) {
    return word == "." || word == ".." || word.find('/') != std::string_view::npos;
}

expected<project_document> find_project(api& node, std::string_view word, const fs::path& working_folder) {
    const auto folder = working_folder / word;
    if (means_folder(word)) {
        return project_in(node, folder);
    }
    const auto id = resolve_project(node, word);
    std::error_code ignored; // unreadable: no folder of ours
    if (!id && id.error().code == code::not_found && fs::is_directory(folder, ignored)) {
        return project_in(node, folder);
    }
    return id ? node.get_as<project_document>("/projects/" + to_string(*id)) : expected<project_document>(id.error());
}

} // namespace troupe::cli
