#pragma once

#include "net/http/route.hpp"

#include <optional>
#include <string>
#include <string_view>

/// gzip for answers. Pure.
namespace troupe::net {

/// Whether an `Accept-Encoding` takes gzip, and likes it no less than the plain content.
bool accepts_gzip(std::string_view accept_encoding);

/// Whether an answer may be compressed for clients that want it: text of a fitting size that is whole and in memory.
bool is_compressible(const response& r);

/// Compresses the body and says so in the headers. The ETag gets the suffix "-gzip" inside its quotes, since the bytes
/// are others. Does nothing when that would not make it smaller.
void compress(response& r);

/// `If-Match` and `If-None-Match` without those suffixes; nothing: there was none.
std::optional<std::string> without_gzip_suffixes(std::string_view etags);

/// The ETag of an answer without body (304) as the compressed one would have it.
void tag_as_compressed(response& r);

} // namespace troupe::net
