#include "schemas/base/unified_diff.hpp"

#include <git2/buffer.h>
#include <git2/global.h>
#include <git2/patch.h>

#include <memory>

namespace troupe {
namespace {

/// libgit2 takes null for a file that is not there; an empty one must not look like that.
const char* data_of(const std::optional<std::string_view>& content) {
    return !content ? nullptr : content->empty() ? "" : content->data();
}

} // namespace

std::string unified_diff(std::string_view path, std::optional<std::string_view> before,
                         std::optional<std::string_view> after) {
    [[maybe_unused]] static const int started = git_libgit2_init();
    if (before == after) {
        return {};
    }
    const std::string name(path);
    git_patch* made = nullptr;
    if (git_patch_from_buffers(&made, data_of(before), before.value_or("").size(), name.c_str(), data_of(after),
                               after.value_or("").size(), name.c_str(), nullptr) != 0) {
        return {};
    }
    const std::unique_ptr<git_patch, decltype(&git_patch_free)> patch(made, git_patch_free);
    git_buf text = GIT_BUF_INIT;
    std::string out;
    if (git_patch_to_buf(&text, patch.get()) == 0) {
        out.assign(text.ptr, text.size);
    }
    git_buf_dispose(&text);
    return out;
}

} // namespace troupe
