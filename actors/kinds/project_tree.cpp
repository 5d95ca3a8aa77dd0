#include "actors/kinds/project_tree.hpp"

#include "schemas/base/durable_file.hpp"
#include "schemas/base/limits.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>

namespace troupe::actors {

namespace {

constexpr std::size_t depth_max = 40;

bool is_left_out(std::string_view name) {
    static constexpr std::array<std::string_view, 8> names = {
        git_data_name, limits::node_data_name, "node_modules", "__pycache__", ".venv", "venv", ".tox", ".mypy_cache"};
    return std::ranges::find(names, name) != names.end();
}

class walk {
public:
    walk(const project_folder& project, const std::stop_token& stop) : project_(project), stop_(stop) {}

    void folder(const std::string& path, std::size_t depth) {
        const auto fd = project_.open_at(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        if (!fd || depth > depth_max) {
            out_.complete = false;
            return;
        }
        for (const auto& name : names_of(*fd)) {
            if (out_.entries.size() >= tree_entries_max || stop_.stop_requested()) {
                out_.complete = false;
                return;
            }
            struct stat s = {};
            if (::fstatat(fd->get(), name.c_str(), &s, AT_SYMLINK_NOFOLLOW) != 0) {
                continue; // it has gone meanwhile
            }
            const auto whole = path.empty() ? name : path + "/" + name;
            out_.entries.push_back({whole, s.st_mode, static_cast<std::uint64_t>(s.st_size)});
            if (S_ISDIR(s.st_mode)) {
                folder(whole, depth + 1);
            }
        }
    }

    project_tree take() { return std::move(out_); }

private:
    std::vector<std::string> names_of(const unique_fd& folder) {
        std::vector<std::string> names;
        std::error_code failed;
        std::filesystem::directory_iterator it(path_of(folder) + "/.", failed), end;
        for (; !failed && it != end; it.increment(failed)) {
            if (names.size() == tree_entries_max) {
                out_.complete = false;
                break;
            }
            if (auto name = it->path().filename().native(); !is_left_out(name)) {
                names.push_back(std::move(name));
            }
        }
        out_.complete = out_.complete && !failed;
        std::ranges::sort(names);
        return names;
    }

    const project_folder& project_;
    const std::stop_token& stop_;
    project_tree out_;
};

} // namespace

expected<project_tree> list_tree(const project_folder& project, const std::string& path, const std::stop_token& stop) {
    const auto name = project_folder::normalize(path);
    const auto fd = name ? project.open_at(*name, O_PATH | O_NOFOLLOW) : expected<unique_fd>(name.error());
    if (!fd) {
        return fd.error();
    }
    struct stat s = {};
    if (::fstat(fd->get(), &s) != 0) {
        return file_problem("look at", path, errno);
    }
    if (!S_ISDIR(s.st_mode)) {
        return project_tree{{{*name, s.st_mode, static_cast<std::uint64_t>(s.st_size)}}, true};
    }
    walk all(project, stop);
    all.folder(*name, 0);
    return all.take();
}

expected<std::string> read_plain(const project_folder& project, const std::string& path, std::size_t bytes_max) {
    const auto fd = project.open_at(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
    if (!fd) {
        return fd.error();
    }
    struct stat s = {};
    if (::fstat(fd->get(), &s) != 0 || !S_ISREG(s.st_mode)) {
        return problem{code::invalid_request, path + " is not a plain file"};
    }
    return read_whole(fd->get(), bytes_max, path);
}

} // namespace troupe::actors
