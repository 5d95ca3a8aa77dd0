#pragma once

#include "schemas/base/problem.hpp"

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::runtime {

/// A place for objects under names, outside of this machine. Keys are relative to the place. All calls block; one
/// thread at a time, but for `cancel`. `not_found` for an object that is not there; `connection_failed`,
/// `unauthenticated` and others name the place and what to do.
class object_store {
public:
    virtual ~object_store() = default;

    /// Breaks off what is under way and whatever comes later, as `cancelled`. From any thread.
    virtual void cancel() = 0;
    /// "s3://bucket/prefix": for people.
    [[nodiscard]] virtual std::string place() const = 0;
    /// Replaces the object by the file, which has this hash (lower-case hexadecimal): the place checks it.
    virtual expected<void> put_file(std::string_view key, const std::filesystem::path& file,
                                    std::string_view sha256) = 0;
    virtual expected<void> put(std::string_view key, std::string_view content) = 0;
    virtual expected<std::string> get(std::string_view key, std::size_t bytes_max) = 0;
    /// Into a file that is not there yet.
    virtual expected<void> get_file(std::string_view key, const std::filesystem::path& file) = 0;
    /// All keys that begin with the prefix.
    virtual expected<std::vector<std::string>> list(std::string_view prefix) = 0;
    /// An object that is not there is removed.
    virtual expected<void> remove(std::string_view key) = 0;
};

} // namespace troupe::runtime
