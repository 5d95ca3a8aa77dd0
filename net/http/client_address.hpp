#pragma once

#include "net/http/route.hpp"
#include "schemas/base/network.hpp"

#include <string>
#include <string_view>

namespace troupe::net {

/// Who a request comes from, and how.
struct client_place {
    std::string address;
    bool secure = false;
};

/// What a proxy in `trusted` says of its client in `X-Forwarded-For` or `Forwarded`: the last address that is not a
/// trusted proxy's itself, since everything before it may be the client's invention. Where the two headers disagree, or
/// nothing can be read, it is the proxy. Call it only for connections from a trusted proxy.
client_place forwarded_client(const request& r, std::string_view proxy, const network_list& trusted);

} // namespace troupe::net
