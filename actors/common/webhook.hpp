#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace troupe::actors {

/// The header `Troupe-Signature` of what the node posts: "t=SECONDS,v1=HEX", HEX the HMAC-SHA-256 of "SECONDS.BODY".
std::string webhook_signature(std::string_view secret, std::int64_t seconds, std::string_view body);

} // namespace troupe::actors
