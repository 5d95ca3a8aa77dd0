#pragma once

#include "schemas/base/ids.hpp"

#include <filesystem>
#include <system_error>

namespace troupe::test {

/// A data directory that is removed at the end.
struct temporary_directory {
    temporary_directory() : path(std::filesystem::temp_directory_path() / ("troupe-test-" + to_string(make_uuid()))) {
        std::filesystem::create_directories(path);
    }
    temporary_directory(const temporary_directory&) = delete;
    ~temporary_directory() {
        std::error_code ignored;
        std::filesystem::remove_all(path, ignored);
    }
    std::filesystem::path path;
};

} // namespace troupe::test
