#include "actors/common/working_folders.hpp"

#include "schemas/base/unified_diff.hpp"
#include "storage/blobs.hpp"

#include <fmt/format.h>

namespace troupe::actors {
namespace {

/// A diff of more is not read by anybody.
constexpr std::size_t content_bytes_max = 1 << 20;

expected<std::string> content_of(const storage::store& s, const uuid& organization,
                                 const std::optional<std::string>& sha256) {
    return sha256 ? storage::get_blob(s, organization, *sha256, content_bytes_max)
                  : expected<std::string>(std::string());
}

} // namespace

expected<std::string> diff_of(const storage::store& s, const uuid& organization,
                              const std::vector<project_change>& changes, std::size_t bytes_max) {
    std::string all;
    std::size_t left_out = 0;
    for (const auto& change : changes) {
        if (all.size() >= bytes_max) {
            ++left_out;
            continue;
        }
        const auto before = content_of(s, organization, change.before_sha256);
        const auto after = content_of(s, organization, change.after_sha256);
        for (const auto* content : {&before, &after}) {
            if (!*content && content->error().code != code::payload_too_large) {
                return content->error();
            }
        }
        auto diff = before && after ? unified_diff(change.path, *before, *after) : std::string();
        const bool fits = before && after && all.size() + diff.size() <= bytes_max;
        all += fits ? diff : fmt::format("diff of {} left out: it is too large\n", change.path);
    }
    return left_out == 0 ? all : all + fmt::format("{} more files changed\n", left_out);
}

} // namespace troupe::actors
