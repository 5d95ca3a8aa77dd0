#pragma once

#include "net/body.hpp"
#include "net/http/route.hpp"
#include "runtime/services.hpp"
#include "storage/blobs.hpp"

#include <cstdint>
#include <string>

namespace troupe::actors {

/// A content on its way into the store, as the body of a request brings it.
struct upload final : net::body_sink {
    upload(storage::store& s, const uuid& organization) : content(s, organization) {}
    expected<void> take(std::string_view piece) override;
    expected<void> finish() override;

    storage::blob_writer content;
    std::string beginning; ///< The first `media_type_bytes`.
    std::string sha256;    ///< Once it is finished.
};

/// Whether disk and the organization's plan have room for so many bytes more now. The command decides; this spares
/// uploads.
expected<void> check_room(const runtime::services& s, const uuid& organization, std::int64_t more);

/// As its header says; a request that does not say has at least a byte.
std::uint64_t content_length(const net::request& r);

} // namespace troupe::actors
