#include "actors/common/webhook.hpp"

#include "schemas/base/cipher.hpp"
#include "schemas/base/ids.hpp"

namespace troupe::actors {

std::string webhook_signature(std::string_view secret, std::int64_t seconds, std::string_view body) {
    const auto mac = hmac_sha256(secret, std::to_string(seconds) + "." + std::string(body));
    return "t=" + std::to_string(seconds) + ",v1=" + to_hex({reinterpret_cast<const char*>(mac.data()), mac.size()});
}

} // namespace troupe::actors
