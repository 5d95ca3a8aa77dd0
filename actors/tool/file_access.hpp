#pragma once

#include "actors/tool/project_folder.hpp"
#include "actors/tool/tool.hpp"

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What the tools that read and change files have in common.
namespace troupe::actors {

/// A file as it is, with its mode.
struct present_file {
    std::string content;
    mode_t mode = 0644;
};

/// Follows links that stay in the project. `not_found`; `payload_too_large` over `content_bytes_max`; a folder or a
/// special file is `invalid_request`.
expected<present_file> read_present(const project_folder& project, const std::string& path);

/// The file at a path that is to be written, or nothing where there is none. A symbolic link is `invalid_request` too:
/// replacing it would not change the file that it names.
expected<std::optional<present_file>> read_writable(const project_folder& project, const std::string& path);

/// Durable. Folders are made where they are missing.
expected<void> put_file(const project_folder& project, const std::string& path, std::string_view content, mode_t mode);
expected<void> remove_file(const project_folder& project, const std::string& path);

/// One change of a file: without `before` it is made, without `after` deleted.
struct file_change {
    std::string path;
    std::optional<std::string> before;
    std::optional<std::string> after;
};

/// A result that says `text`, with hashes and a diff in its details.
tool_result changed(std::string text, const file_change& c);
tool_result changed(std::string text, const std::vector<file_change>& all);

/// SHA-256 in hexadecimal digits.
std::string hash_of(std::string_view content);

} // namespace troupe::actors
