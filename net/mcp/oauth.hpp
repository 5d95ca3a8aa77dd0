#pragma once

#include "net/client/oauth_wire.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/base/described.hpp"
#include "schemas/base/problem.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// OAuth 2.1 as the Model Context Protocol wants it of clients: what is read, chosen, checked and written. Pure: no
/// network, no clock, no generator; the steps are in oauth_client.hpp.
namespace troupe::net::mcp {

/// What a server asks for with 401 or 403 (RFC 6750, RFC 9728).
struct auth_challenge {
    std::string resource_metadata; ///< A URL; empty: not said.
    std::vector<std::string> scopes;
    std::string error; ///< "invalid_token", "insufficient_scope", …

    [[nodiscard]] bool wants_more() const { return error == "insufficient_scope"; }
};
/// The `Bearer` challenge of a WWW-Authenticate header, which may hold others, too; an empty one when there is none.
auth_challenge read_challenge(std::string_view www_authenticate);

std::vector<std::string> read_scopes(std::string_view text);
std::string scope_text(const std::vector<std::string>& scopes);
/// Both, each once, those of `first` first.
std::vector<std::string> joined_scopes(std::vector<std::string> first, const std::vector<std::string>& second);

/// Whether tokens and codes may go there: with TLS, or on this machine; no fragment, nobody's name in it.
bool is_good_endpoint(std::string_view url);
/// "https://mcp.example.com", without its path; empty for what is no URL.
std::string origin_of(std::string_view url);
/// In small letters, without its port.
std::string host_of(std::string_view url);
/// Whether its host is this machine.
bool is_here(std::string_view url);

/// Where a server's metadata may be, in the order to be asked (RFC 9728): what the challenge says, then the well-known
/// place of its path, then that of its root.
std::vector<std::string> resource_metadata_urls(std::string_view server_url, const auth_challenge& challenge);
/// Where an authorization server's metadata may be: RFC 8414 with its path inserted, OpenID Connect with its path
/// inserted and appended.
std::vector<std::string> issuer_metadata_urls(std::string_view issuer);

struct resource_metadata {
    std::string resource; ///< As it is written there: it goes into requests to the letter (RFC 8707).
    std::vector<std::string> authorization_servers;
    std::vector<std::string> scopes_supported;
};
/// `unavailable` says what is wrong: above all a `resource` that is not that server.
expected<resource_metadata> read_resource_metadata(std::string_view json, std::string_view server_url);

/// How a client shows at the token endpoint who it is.
enum class client_proof : std::uint8_t { none, secret_basic, secret_post };
BOOST_DESCRIBE_ENUM(client_proof, none, secret_basic, secret_post)

struct issuer_metadata {
    std::string issuer;
    std::string authorization_endpoint; ///< Empty: only for grants without a person.
    std::string token_endpoint;
    std::string registration_endpoint; ///< Empty: clients cannot register themselves.
    std::vector<std::string> scopes_supported;
    std::vector<client_proof> proofs;
    bool names_itself = false;  ///< Each redirect carries `iss` (RFC 9207).
    bool reads_clients = false; ///< A client's id may be the URL of its metadata document.
};
BOOST_DESCRIBE_STRUCT(issuer_metadata, (),
                      (issuer, authorization_endpoint, token_endpoint, registration_endpoint, scopes_supported, proofs,
                       names_itself, reads_clients))
/// `unavailable` says what is wrong: another issuer, endpoints without TLS, no code flow, no PKCE with S256.
expected<issuer_metadata> read_issuer_metadata(std::string_view json, std::string_view issuer);
/// The endpoints of revision 2025-03-26, for a server that has no metadata at all.
issuer_metadata default_endpoints(std::string_view server_url);

/// A client as the authorization server knows it. It is good at that issuer only.
struct oauth_client_id {
    std::string id;
    std::string secret; ///< Empty: a public client.
    client_proof proof = client_proof::none;
};
BOOST_DESCRIBE_STRUCT(oauth_client_id, (), (id, secret, proof))
/// The strongest proof that both have; `unavailable` when there is none.
expected<client_proof> choose_proof(const issuer_metadata& issuer, bool has_secret);

/// The body of a dynamic registration (RFC 7591).
std::string registration_body(std::string_view client_name, std::string_view redirect_uri, client_proof proof,
                              const std::vector<std::string>& scopes);
expected<oauth_client_id> read_registration(std::string_view json, client_proof asked);
/// The document that stands at `client_id` when that is a URL.
std::string client_document(std::string_view client_id, std::string_view client_name, std::string_view redirect_uri);

/// The scopes of a first authorization: those of the challenge, else those of the server's metadata, else none; and
/// `offline_access` where the issuer knows it.
std::vector<std::string> choose_scopes(const auth_challenge& challenge, const std::vector<std::string>& of_server,
                                       const issuer_metadata& issuer);
/// What to ask for after a 403: what there is and what is missing. None: nothing new is asked for, so that asking again
/// would not help.
std::optional<std::vector<std::string>> step_up(const std::vector<std::string>& asked, const auth_challenge& challenge);

/// What has to be kept while a person is at the authorization server. `verifier` and `state` are secret.
struct authorization_request {
    std::string server_url;
    std::string resource;
    std::string redirect_uri;
    std::string state;
    std::string verifier;
    std::vector<std::string> scopes;
    issuer_metadata issuer;
    oauth_client_id client;
};
BOOST_DESCRIBE_STRUCT(authorization_request, (),
                      (server_url, resource, redirect_uri, state, verifier, scopes, issuer, client))

std::string authorization_url(const authorization_request& a);
/// The code of a redirect, given as its query. `invalid_credentials`: another `state` or `iss` (compared to the
/// letter), or the person said no.
expected<std::string> read_redirect(const authorization_request& a, std::string_view query);

/// What a server lets in with. Secret as a whole; stored encrypted only.
struct oauth_grant {
    std::string server_url;
    std::string resource;
    std::string redirect_uri; ///< The client is registered with it.
    issuer_metadata issuer;
    oauth_client_id client;
    std::vector<std::string> scopes; ///< That were asked for.
    std::string access_token;
    std::string refresh_token; ///< Empty: none.
    timestamp expires_at;      ///< 0: not said.

    /// So long before its end a token is renewed: a call that takes its time is not to outlive it.
    static constexpr std::int64_t renew_before_ms = 60'000;
    [[nodiscard]] bool is_fresh(timestamp now) const {
        return expires_at.ms == 0 || now < expires_at + -renew_before_ms;
    }
};
BOOST_DESCRIBE_STRUCT(oauth_grant, (),
                      (server_url, resource, redirect_uri, issuer, client, scopes, access_token, refresh_token,
                       expires_at))

/// A POST to a token endpoint.
struct token_request {
    std::string url;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
};
token_request code_request(const authorization_request& a, std::string_view code);
token_request refresh_request(const oauth_grant& g);
/// The grant without a person (client credentials).
token_request credentials_request(const oauth_grant& g);
/// Takes the answer of a token endpoint into the grant. `invalid_credentials` (the code or refresh token is not, or no
/// longer, good), `unavailable` (anything else); neither repeats anything secret.
expected<void> take_tokens(oauth_grant& g, int status, std::string_view json, timestamp now);

} // namespace troupe::net::mcp
