#pragma once

#include "net/client/http_client.hpp"
#include "net/mcp/oauth.hpp"

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

/// The steps of an authorization over HTTP. A person's part lies between `begin_authorization` and
/// `finish_authorization`. All block; thread-safe. Problems say what is wrong, and hold nothing secret.
namespace troupe::net::mcp {

/// Sends one request. What it may reach is its own affair.
using oauth_fetch = std::function<expected<client_response>(const client_request&)>;
/// Over the network, with bounds on time and size. A server chooses the addresses that are asked, so that only public
/// ones are reached, beside the host of the server itself and, when that is on this machine, this machine.
oauth_fetch guarded_fetch(const std::string& server_url, std::stop_token stop);

struct oauth_settings {
    std::string server_url;
    std::string redirect_uri;
    std::string client_name = "Troupe";
    std::string client_document_url; ///< Where `client_document` stands for all to read; empty: nowhere.
    std::string client_id;           ///< Registered beforehand; empty: the client registers itself.
    std::string client_secret;
    std::vector<std::string> scopes; ///< Beside those that the server asks for.
};

/// Finds the authorization server, makes the client known there and gives what `authorization_url` leads a person
/// through. `known` is the grant so far: its client is used again at the same issuer only. `forbidden`: the server asks
/// for what was asked for before.
expected<authorization_request> begin_authorization(const oauth_settings& s, const auth_challenge& challenge,
                                                    const oauth_grant* known, const oauth_fetch& fetch);
/// With the query that the person's browser came back with.
expected<oauth_grant> finish_authorization(const authorization_request& a, std::string_view query,
                                           const oauth_fetch& fetch, timestamp now = system_now());
/// A fresh access token. `invalid_credentials`: a person has to authorize again.
expected<oauth_grant> refresh_grant(oauth_grant g, const oauth_fetch& fetch, timestamp now = system_now());
/// The grant without a person: needs `client_id` and `client_secret`.
expected<oauth_grant> grant_by_credentials(const oauth_settings& s, const auth_challenge& challenge,
                                           const oauth_fetch& fetch, timestamp now = system_now());
/// The same once more, at the authorization server of before.
expected<oauth_grant> grant_again(oauth_grant g, const oauth_fetch& fetch, timestamp now = system_now());

} // namespace troupe::net::mcp
