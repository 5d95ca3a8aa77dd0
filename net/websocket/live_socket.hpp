#pragma once

#include "net/http/edge.hpp"
#include "net/http/edge_socket.hpp"
#include "net/http/route.hpp"
#include "schemas/base/problem.hpp"

#include <memory>
#include <optional>
#include <string_view>

namespace troupe::net {

/// What an upgrade to WebSocket hands over: the socket and what was asked.
struct socket_upgrade {
    edge_socket socket;
    request asked;                 ///< Authenticated.
    const route* target = nullptr; ///< A route whose stream is shown at once; none: the client subscribes.
};

/// Accepts the upgrade and serves the protocol of `schemas/live_protocol.md` until one side ends it.
void serve_live_socket(std::shared_ptr<edge> e, io_thread& io, socket_upgrade upgrade);

/// The subprotocols that a client may offer: this one is chosen when it is offered, …
inline constexpr std::string_view live_subprotocol = "troupe.v1";
/// … and this one carries an API key where a browser cannot set a header.
inline constexpr std::string_view key_subprotocol = "troupe.key.";

/// The key in a `Sec-WebSocket-Protocol` header, if there is one.
std::optional<std::string_view> key_in_subprotocols(std::string_view header);

} // namespace troupe::net
