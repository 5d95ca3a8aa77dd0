#include "actors/run/run_images.hpp"

#include "actors/common/media_type.hpp"
#include "schemas/base/cipher.hpp"
#include "storage/blobs.hpp"

#include <fmt/format.h>

#include <utility>

namespace troupe::actors {
namespace {

problem wrong(const std::string& pointer, std::string what) {
    return {code::invalid_request, "A picture " + what + ".", {{pointer, what}}};
}

expected<run_image> keep_image(storage::store& s, const uuid& organization, const image_body& given,
                               const std::string& pointer) {
    const auto bytes = from_base64(given.data);
    if (!bytes) {
        return wrong(pointer, "is given as base64, and this is none");
    }
    if (bytes->size() > image_bytes_max) {
        return wrong(pointer, fmt::format("has at most {} bytes, and this has {}", image_bytes_max, bytes->size()));
    }
    const auto type = image_type(*bytes);
    if (!type) {
        return wrong(pointer, "is a PNG, JPEG, GIF or WebP, and this is none of them");
    }
    auto blob = storage::put_blob(s, organization, *bytes);
    return blob ? expected<run_image>(run_image{std::string(*type), std::move(*blob), bytes->size()}) : blob.error();
}

} // namespace

expected<std::vector<run_image>> keep_images(storage::store& s, const uuid& organization,
                                             const std::vector<image_body>& given, const std::string& pointer) {
    std::vector<run_image> out;
    for (const auto& one : given) {
        auto kept = keep_image(s, organization, one, fmt::format("{}/{}/data", pointer, out.size()));
        if (!kept) {
            return kept.error();
        }
        out.push_back(std::move(*kept));
    }
    return out;
}

expected<loaded_images> load_images(const storage::store& s, const run_state& run) {
    loaded_images out;
    for (const auto name : blobs_of(run)) {
        if (out.find(name) != out.end()) {
            continue;
        }
        const auto bytes = storage::get_blob(s, run.progress.organization, name, image_bytes_max);
        if (!bytes) {
            return bytes.error();
        }
        out.emplace(name, to_base64(*bytes));
    }
    return out;
}

} // namespace troupe::actors
