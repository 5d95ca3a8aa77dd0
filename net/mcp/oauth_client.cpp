#include "net/mcp/oauth_client.hpp"

#include "schemas/base/cipher.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace troupe::net::mcp {
namespace {

constexpr std::int64_t call_ms = 15'000;
constexpr std::size_t reply_bytes_max = 512 << 10; // metadata and tokens have some kilobytes

/// Where the server says that tokens for it are given.
struct discovered {
    std::string resource;
    std::vector<std::string> scopes;
    issuer_metadata issuer;
};

expected<client_response> get(const std::string& url, const oauth_fetch& fetch) {
    client_request call;
    call.url = url;
    call.headers = {{"Accept", "application/json"}, {"MCP-Protocol-Version", "2025-11-25"}};
    return fetch(call);
}

/// The first document that is there; none when all places say that there is none.
expected<std::optional<std::string>> first_of(const std::vector<std::string>& urls, const oauth_fetch& fetch) {
    for (const auto& url : urls) {
        if (!is_good_endpoint(url)) {
            return problem{code::unavailable, fmt::format("metadata is not asked for without https: {}", url)};
        }
        auto reply = get(url, fetch);
        if (!reply) {
            return reply.error();
        }
        if (reply->status == 200) {
            return std::optional(std::move(reply->body));
        }
        if (reply->status / 100 == 5) {
            return problem{code::unavailable, fmt::format("{} answers {}", url, reply->status)};
        }
    }
    return std::optional<std::string>();
}

/// A server of revision 2025-03-26 is its own authorization server, or says where that is at its root.
expected<discovered> discover_old(const std::string& server_url, const oauth_fetch& fetch) {
    const auto root = origin_of(server_url);
    const auto document = first_of(issuer_metadata_urls(root), fetch);
    if (!document) {
        return document.error();
    }
    auto issuer = *document ? read_issuer_metadata(**document, root) : default_endpoints(server_url);
    if (!issuer) {
        return issuer.error();
    }
    return discovered{server_url, {}, std::move(*issuer)};
}

expected<discovered> discover(const std::string& server_url, const auth_challenge& challenge, const oauth_grant* known,
                              const oauth_fetch& fetch) {
    if (!is_good_endpoint(server_url)) {
        return problem{code::invalid_request, "a server that wants tokens needs https, or has to be on this machine"};
    }
    const auto document = first_of(resource_metadata_urls(server_url, challenge), fetch);
    if (!document) {
        return document.error();
    }
    if (!*document) {
        return challenge.resource_metadata.empty()
                   ? discover_old(server_url, fetch)
                   : problem{code::unavailable, "the server's metadata is not where it says"};
    }
    const auto resource = read_resource_metadata(**document, server_url);
    if (!resource) {
        return resource.error();
    }
    const auto& servers = resource->authorization_servers;
    const bool stays =
        known != nullptr && std::find(servers.begin(), servers.end(), known->issuer.issuer) != servers.end();
    const auto& issuer = stays ? known->issuer.issuer : servers.front();
    const auto found = first_of(issuer_metadata_urls(issuer), fetch);
    if (!found) {
        return found.error();
    }
    if (!*found) {
        return problem{code::unavailable, fmt::format("the authorization server {} has no metadata", issuer)};
    }
    auto described = read_issuer_metadata(**found, issuer);
    if (!described) {
        return described.error();
    }
    return discovered{resource->resource, resource->scopes_supported, std::move(*described)};
}

expected<oauth_client_id> register_client(const oauth_settings& s, const issuer_metadata& issuer,
                                          const std::vector<std::string>& scopes, const oauth_fetch& fetch) {
    if (issuer.proofs.empty()) {
        return problem{code::unavailable, "the authorization server wants clients to prove themselves in a way that is "
                                          "not known here"};
    }
    client_request call;
    call.method = "POST";
    call.url = issuer.registration_endpoint;
    call.headers = {{"Accept", "application/json"}, {"Content-Type", "application/json"}};
    call.body = registration_body(s.client_name, s.redirect_uri, issuer.proofs.front(), scopes);
    auto reply = fetch(call);
    if (!reply) {
        return reply.error();
    }
    if (reply->status != 200 && reply->status != 201) {
        const auto word = oauth_error(reply->body);
        return problem{code::unavailable, fmt::format("the registration of the client is answered with {}{}{}",
                                                      reply->status, word.empty() ? "" : " ", word)};
    }
    return read_registration(reply->body, issuer.proofs.front());
}

expected<oauth_client_id> configured_client(const oauth_settings& s, const issuer_metadata& issuer) {
    const auto proof = choose_proof(issuer, !s.client_secret.empty());
    if (!proof) {
        return proof.error();
    }
    return oauth_client_id{s.client_id, s.client_secret, *proof};
}

expected<oauth_client_id> client_for(const oauth_settings& s, const discovered& at, const oauth_grant* known,
                                     const std::vector<std::string>& scopes, const oauth_fetch& fetch) {
    const bool same_issuer = known != nullptr && known->issuer.issuer == at.issuer.issuer;
    if (!s.client_id.empty()) {
        if (known != nullptr && !same_issuer && known->client.id == s.client_id) {
            return problem{code::unavailable,
                           fmt::format("the server now names the authorization server {}, for which `oauth.client_id` "
                                       "is not meant: look whether that is right, then forget the authorization",
                                       at.issuer.issuer)};
        }
        return configured_client(s, at.issuer);
    }
    if (same_issuer && known->redirect_uri == s.redirect_uri) {
        return known->client;
    }
    if (at.issuer.reads_clients && !s.client_document_url.empty()) {
        return oauth_client_id{s.client_document_url, "", client_proof::none};
    }
    if (at.issuer.registration_endpoint.empty()) {
        return problem{code::unavailable, fmt::format("the authorization server {} registers no clients by itself: "
                                                      "register one there and write it into `oauth`",
                                                      at.issuer.issuer)};
    }
    return register_client(s, at.issuer, scopes, fetch);
}

expected<oauth_grant> ask_for_tokens(oauth_grant g, const token_request& r, const oauth_fetch& fetch, timestamp now) {
    client_request call;
    call.method = "POST";
    call.url = r.url;
    call.headers = r.headers;
    call.body = r.body;
    auto reply = fetch(call);
    wipe(call.body);
    if (!reply) {
        return reply.error();
    }
    const auto taken = take_tokens(g, reply->status, reply->body, now);
    wipe(reply->body);
    if (!taken) {
        return taken.error();
    }
    return g;
}

} // namespace

oauth_fetch guarded_fetch(const std::string& server_url, std::stop_token stop) {
    const auto own = host_of(server_url);
    const bool here = is_here(server_url);
    return [own, here, stop](const client_request& request) {
        auto call = request;
        call.connect_time_out_ms = 5'000;
        call.time_out_ms = call_ms;
        call.reply_bytes_max = reply_bytes_max;
        call.may_reach = [own, here](const std::string& host, const std::optional<ip_bytes>& address) {
            return !address || host == own || is_public(*address) || (here && is_loopback(*address));
        };
        auto reply = net::fetch(call, stop);
        wipe(call.body);
        return reply;
    };
}

expected<authorization_request> begin_authorization(const oauth_settings& s, const auth_challenge& challenge,
                                                    const oauth_grant* known, const oauth_fetch& fetch) {
    auto at = discover(s.server_url, challenge, known, fetch);
    if (!at) {
        return at.error();
    }
    if (at->issuer.authorization_endpoint.empty()) {
        return problem{code::unavailable, "the authorization server has no page for people"};
    }
    const bool same_issuer = known != nullptr && known->issuer.issuer == at->issuer.issuer;
    auto scopes = joined_scopes(choose_scopes(challenge, at->scopes, at->issuer), s.scopes);
    if (same_issuer) {
        if (challenge.wants_more() && !step_up(known->scopes, challenge)) {
            return problem{code::forbidden, "the server asks for rights that it was already authorized for"};
        }
        scopes = joined_scopes(known->scopes, scopes);
    }
    auto client = client_for(s, *at, known, scopes, fetch);
    if (!client) {
        return client.error();
    }
    return authorization_request{s.server_url,
                                 std::move(at->resource),
                                 s.redirect_uri,
                                 to_base64url(random_bytes(32)),
                                 to_base64url(random_bytes(32)),
                                 std::move(scopes),
                                 std::move(at->issuer),
                                 std::move(*client)};
}

expected<oauth_grant> finish_authorization(const authorization_request& a, std::string_view query,
                                           const oauth_fetch& fetch, timestamp now) {
    const auto code = read_redirect(a, query);
    if (!code) {
        return code.error();
    }
    oauth_grant g{a.server_url, a.resource, a.redirect_uri, a.issuer, a.client, a.scopes, {}, {}, {}};
    return ask_for_tokens(std::move(g), code_request(a, *code), fetch, now);
}

expected<oauth_grant> refresh_grant(oauth_grant g, const oauth_fetch& fetch, timestamp now) {
    if (g.refresh_token.empty()) {
        return problem{code::invalid_credentials, "the authorization is over, and cannot be renewed by itself"};
    }
    const auto request = refresh_request(g);
    return ask_for_tokens(std::move(g), request, fetch, now);
}

expected<oauth_grant> grant_by_credentials(const oauth_settings& s, const auth_challenge& challenge,
                                           const oauth_fetch& fetch, timestamp now) {
    auto at = discover(s.server_url, challenge, nullptr, fetch);
    if (!at) {
        return at.error();
    }
    auto client = configured_client(s, at->issuer);
    if (!client) {
        return client.error();
    }
    auto scopes = joined_scopes(challenge.scopes.empty() ? at->scopes : challenge.scopes, s.scopes);
    oauth_grant g{s.server_url,
                  std::move(at->resource),
                  {},
                  std::move(at->issuer),
                  std::move(*client),
                  std::move(scopes),
                  {},
                  {},
                  {}};
    return grant_again(std::move(g), fetch, now);
}

expected<oauth_grant> grant_again(oauth_grant g, const oauth_fetch& fetch, timestamp now) {
    const auto request = credentials_request(g);
    return ask_for_tokens(std::move(g), request, fetch, now);
}

} // namespace troupe::net::mcp
