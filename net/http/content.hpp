#pragma once

#include "net/http/route.hpp"

#include <cstdint>
#include <functional>
#include <string>

namespace troupe::net {

/// A content that a route gives: a file, an attachment. Immutable under its ETag.
struct content {
    std::uint64_t bytes = 0;
    std::string etag; ///< With its quotes.
    std::string type = "application/octet-stream";
    /// The bytes from `offset`, at least one and at most `bytes_max`, as long as there are any. May block.
    std::function<expected<std::string>(std::uint64_t offset, std::uint64_t bytes_max)> read;
};

/// The answer to a GET: all of it, one range (`Range`, `If-Range`), or 304 (`If-None-Match`); 416 for a range that is
/// not there. What is large goes in pieces.
response to_response(content c, const request& from);

} // namespace troupe::net
