#pragma once

#include "schemas/base/clock.hpp"
#include "schemas/base/described.hpp"

#include <optional>
#include <string>
#include <vector>

/// How a node is let in at servers of the Model Context Protocol that ask for OAuth 2.1.
namespace troupe {

/// open: the server has asked for nothing so far. authorized: there is a token. needed: somebody has to open `url`;
/// where there is none, POST …/auth makes one.
BOOST_DEFINE_ENUM_CLASS(mcp_auth_status, open, authorized, needed)

/// GET /mcp/servers/{id}/auth. Tokens are never shown.
struct mcp_auth_document {
    std::string server;
    mcp_auth_status status = mcp_auth_status::open;
    std::optional<std::string> url; ///< To open in a browser, within `url_until`.
    std::optional<timestamp> url_until;
    std::optional<std::string> issuer;   ///< The authorization server.
    std::vector<std::string> scopes;     ///< That were asked for.
    std::optional<timestamp> expires_at; ///< Of the token, which is renewed before.
    std::optional<std::string> error;    ///< What went wrong last.
};
BOOST_DESCRIBE_STRUCT(mcp_auth_document, (), (server, status, url, url_until, issuer, scopes, expires_at, error))

} // namespace troupe
