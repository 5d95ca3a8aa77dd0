#include "actors/project/project_manifest.hpp"

#include "actors/tool/project_folder.hpp"
#include "schemas/base/json.hpp"
#include "schemas/base/limits.hpp"

#include <algorithm>
#include <climits>

namespace troupe::actors {
namespace {

problem bad_path(code c, std::string_view path, std::string_view what) {
    const auto shown = json::quoted(path.substr(0, 200));
    return {c, "The path " + shown + " " + std::string(what), {{"/path", std::string(what)}}};
}

} // namespace

expected<void> check_project_path(std::string_view path) {
    if (path.empty()) {
        return bad_path(code::invalid_request, path,
                        "is empty. Give a path relative to the project, such as src/main.py.");
    }
    if (path.size() > project_path_bytes_max) {
        return bad_path(code::invalid_request, path,
                        "is longer than " + std::to_string(project_path_bytes_max) + " bytes. Shorten it.");
    }
    if (path.find('\0') != std::string_view::npos) {
        return bad_path(code::invalid_request, path, "has a NUL byte. Remove it.");
    }
    if (path.front() == '/') {
        return bad_path(code::path_outside_project, path, "is absolute. Give it relative to the project.");
    }
    for (std::size_t begin = 0; begin <= path.size();) {
        const auto end = std::min(path.find('/', begin), path.size());
        const auto segment = path.substr(begin, end - begin);
        if (segment == "..") {
            return bad_path(code::path_outside_project, path, "has a '..' segment. A path may not leave the project.");
        }
        if (segment == limits::node_data_name) {
            return bad_path(code::path_outside_project, path,
                            "leads into the data of a node, which is no part of the project.");
        }
        if (segment == git_data_name) {
            return bad_path(code::path_outside_project, path,
                            "leads into git's own data, which is no part of the project. Choose another path.");
        }
        if (segment.size() > NAME_MAX) {
            return bad_path(code::invalid_request, path,
                            "has a name of more than " + std::to_string(NAME_MAX) +
                                " bytes, which no file can have. Shorten it.");
        }
        if (segment.empty() || segment == ".") {
            return bad_path(code::invalid_request, path,
                            "has an empty or '.' segment. Write each folder once, then the file.");
        }
        begin = end + 1;
    }
    return {};
}

bool is_sha256(std::string_view text) {
    return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool manifest_draft::contains(std::string_view path) const {
    const auto changed = changed_.find(path);
    return changed != changed_.end() ? changed->second : base_.contains(std::string(path));
}

bool manifest_draft::is_folder(std::string_view path) const {
    const auto prefix = std::string(path) + '/';
    for (auto i = base_.lower_bound(prefix); i != base_.end() && i->first.starts_with(prefix); ++i) {
        if (contains(i->first)) {
            return true;
        }
    }
    for (auto i = changed_.lower_bound(prefix); i != changed_.end() && i->first.starts_with(prefix); ++i) {
        if (i->second) {
            return true;
        }
    }
    return false;
}

expected<void> manifest_draft::save(const std::string& path) {
    if (auto ok = check_project_path(path); !ok) {
        return ok;
    }
    if (contains(path)) {
        return {};
    }
    for (auto slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
        if (const auto folder = path.substr(0, slash); contains(folder)) {
            return problem{code::conflict, "'" + folder + "' is a file, so '" + path +
                                               "' cannot be in it. Delete the file or choose another path."};
        }
    }
    if (is_folder(path)) {
        return problem{code::conflict, "'" + path + "' is a folder with files. Choose another path, or delete them."};
    }
    if (count_ >= project_files_max) {
        return problem{code::conflict, "The project has " + std::to_string(count_) +
                                           " files, which is the limit, so '" + path +
                                           "' was not saved. Delete what is not needed, or use a second project."};
    }
    changed_[path] = true;
    ++count_;
    return {};
}

void manifest_draft::remove(const std::string& path) {
    if (contains(path)) {
        changed_[path] = false;
        --count_;
    }
}

} // namespace troupe::actors
