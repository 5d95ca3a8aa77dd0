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
    /// In a cluster: DIR/admin.key is a copy of that file, which all nodes have.
    static expected<admin_key> open_copy(const std::filesystem::path& directory, const std::filesystem::path& of);
    /// A file with a fresh key. `already_exists` when it is there.
    static expected<void> make(const std::filesystem::path& file);

    /// Compares in constant time.
    [[nodiscard]] bool matches(std::string_view key) const;
    [[nodiscard]] const std::filesystem::path& file() const { return file_; }

private:
    std::filesystem::path file_;
    std::string hash_; ///< SHA-256: the key itself is not kept in memory.
};

} // namespace troupe::actors
