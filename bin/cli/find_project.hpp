#pragma once

#include "bin/cli/api.hpp"
#include "schemas/project.hpp"

#include <filesystem>
#include <string_view>

namespace troupe::cli {

/// Whether a word can only mean a folder: ".", "..", or one with a slash.
bool means_folder(std::string_view word);

/// The project that `word` means: a folder of the user's (the project that works in it is reused, otherwise made),
/// a name, an id or its beginning. A bare word is first a name, then a folder.
expected<project_document> find_project(api& node, std::string_view word, const std::filesystem::path& working_folder);

} // namespace troupe::cli
