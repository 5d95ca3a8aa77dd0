#include "actors/common/upload.hpp"

#include "actors/common/media_type.hpp"
#include "schemas/base/clock.hpp"
#include "storage/usage.hpp"

#include <algorithm>
#include <charconv>

namespace troupe::actors {

expected<void> upload::take(std::string_view piece) {
    beginning += piece.substr(0, media_type_bytes - std::min(beginning.size(), media_type_bytes));
    return content.append(piece);
}

expected<void> upload::finish() {
    auto stored = content.finish();
    if (!stored) {
        return stored.error();
    }
    sha256 = std::move(*stored);
    return {};
}

expected<void> check_room(const runtime::services& s, const uuid& organization, std::int64_t more) {
    if (auto space = s.store->check_space(s.store->free_bytes_min()); !space) {
        return space;
    }
    storage::usage_claim given_back;
    return more > 0 ? s.store->usage().take(given_back, organization, "storage_bytes", more, system_now())
                    : expected<void>();
}

std::uint64_t content_length(const net::request& r) {
    const auto text = r.header("content-length").value_or("1");
    std::uint64_t out = 1;
    std::from_chars(text.data(), text.data() + text.size(), out);
    return out;
}

} // namespace troupe::actors
