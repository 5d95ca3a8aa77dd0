#include "actors/common/working_folders.hpp"

#include "schemas/base/json.hpp"
#include "schemas/base/unified_diff.hpp"
#include "storage/blobs.hpp"

#include <fmt/format.h>

namespace troupe::actors {
namespace {

/// A diff of more is not read by anybody.
constexpr std::size_t content_bytes_max = 1 << 20;

using optional_text = std::optional<std::string>;

expected<optional_text> content_of(const storage::store& s, const uuid& organization, const optional_text& sha256) {
    if (!sha256) {
        return optional_text();
    }
    auto content = storage::get_blob(s, organization, *sha256, content_bytes_max);
    return content ? expected<optional_text>(std::move(*content)) : content.error();
}

expected<std::string> diff_of(const storage::store& s, const uuid& organization, const project_change& change) {
    const auto before = content_of(s, organization, change.before_sha256);
    const auto after = content_of(s, organization, change.after_sha256);
    for (const auto* content : {&before, &after}) {
        if (!*content) {
            return content->error();
        }
    }
    return unified_diff(change.path, *before, *after);
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
        const auto diff = diff_of(s, organization, change);
        if (!diff && diff.error().code != code::payload_too_large && diff.error().code != code::not_found) {
            return diff.error();
        }
        const bool fits = diff && all.size() + diff->size() <= bytes_max;
        const bool gone = !diff && diff.error().code == code::not_found;
        all += fits ? *diff
                    : fmt::format("diff of {} left out: {}\n", change.path,
                                  gone ? "a content that nothing needed any more was collected" : "it is too large");
        if (!change.unsaved.empty()) {
            all += fmt::format("{} was not saved: {}\n", json::quoted(change.path), json::quoted(change.unsaved));
        }
    }
    return left_out == 0 ? all : all + fmt::format("{} more files changed\n", left_out);
}

} // namespace troupe::actors
