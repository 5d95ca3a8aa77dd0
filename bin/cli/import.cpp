#include "bin/cli/import.hpp"

#include "schemas/base/limits.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <istream>
#include <string_view>
#include <system_error>

namespace troupe::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 8> left_out = {".git",   ".troupe",     "node_modules", "build",
                                                      "target", "__pycache__", ".venv",        ".cache"};
constexpr std::size_t files_max = 20'000;
constexpr std::size_t piece_bytes = 256 << 10;

} // namespace

bool is_executable(const fs::path& path) {
    std::error_code ignored; // unreadable: not executable
    return (fs::status(path, ignored).permissions() & fs::perms::owner_exec) != fs::perms::none;
}

net::body_source source_of(std::shared_ptr<std::istream> in, std::optional<std::uint64_t> bytes, std::string name) {
    return {bytes, [in = std::move(in), name = std::move(name)]() -> expected<std::string> {
                std::string piece(piece_bytes, '\0');
                in->read(piece.data(), static_cast<std::streamsize>(piece.size()));
                piece.resize(static_cast<std::size_t>(in->gcount()));
                if (in->bad()) {
                    return problem{code::invalid_request, fmt::format("{} cannot be read to its end.", name)};
                }
                return piece;
            }};
}

expected<net::body_source> open_file(const fs::path& path) {
    std::error_code failed;
    auto in = std::make_shared<std::ifstream>(path, std::ios::binary);
    const auto bytes = fs::is_regular_file(path, failed) ? fs::file_size(path, failed) : 0;
    if (!*in || failed || fs::is_directory(path, failed)) {
        return problem{code::invalid_request, fmt::format("{} cannot be read as a file.", path.string())};
    }
    const bool known = fs::is_regular_file(path, failed); // a pipe has no size
    return source_of(std::move(in), known ? std::optional<std::uint64_t>(bytes) : std::nullopt, path.string());
}

expected<std::vector<import_file>> files_to_import(const fs::path& folder) {
    std::error_code failed;
    if (!fs::is_directory(folder, failed)) {
        return problem{code::invalid_request, fmt::format("{} is no folder.", folder.string())};
    }
    std::vector<import_file> files;
    problem too_big{code::payload_too_large, fmt::format("Files over {} MiB cannot be imported: move them away first.",
                                                         limits::file_bytes_max / limits::mib)};
    auto entry = fs::recursive_directory_iterator(folder, fs::directory_options::none, failed);
    for (; !failed && entry != fs::recursive_directory_iterator(); entry.increment(failed)) {
        if (entry->is_directory(failed) && !entry->is_symlink(failed)) {
            if (std::ranges::find(left_out, entry->path().filename().string()) != left_out.end()) {
                entry.disable_recursion_pending();
            }
            continue;
        }
        const bool of_git = entry->path().filename() == ".git"; // of a linked work tree: a file
        if (of_git || entry->is_symlink(failed) || !entry->is_regular_file(failed)) {
            continue;
        }
        auto path = entry->path().lexically_relative(folder).generic_string();
        if (entry->file_size(failed) > limits::file_bytes_max) {
            too_big.errors.push_back({path, fmt::format("has {} bytes", entry->file_size(failed))});
        }
        files.push_back({std::move(path), is_executable(entry->path())});
        if (files.size() > files_max) {
            return problem{code::payload_too_large,
                           fmt::format("{} has more than {} files: import a smaller folder, or work "
                                       "in it directly with `troupe project create NAME --folder`.",
                                       folder.string(), files_max)};
        }
    }
    if (failed) {
        return problem{code::invalid_request, fmt::format("{} cannot be read: {}.", folder.string(), failed.message())};
    }
    if (!too_big.errors.empty()) {
        return too_big;
    }
    std::ranges::sort(files, {}, &import_file::path);
    return files;
}

} // namespace troupe::cli
