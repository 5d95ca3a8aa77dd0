#pragma once

#include "schemas/base/problem.hpp"

#include <filesystem>
#include <string>
#include <string_view>

namespace troupe::actors {

/// The key of the administrator of a node: DIR/admin.key, mode 600, made on the first start.
class admin_key {
public:
    static expected<admin_key> open(const std::filesystem::path& directory);

    /// Compares in constant time.
    [[nodiscard]] bool matches(std::string_view key) const;
    [[nodiscard]] const std::filesystem::path& file() const { return file_; }

private:
    std::filesystem::path file_;
    std::string hash_; ///< SHA-256: the key itself is not kept in memory.
};

} // namespace troupe::actors
