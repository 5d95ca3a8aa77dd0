#include "net/mcp/oauth.hpp"

#include "schemas/base/json.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace troupe::net::mcp {
namespace {

constexpr std::size_t text_bytes_max = 64 << 10; // tokens; ids and secrets are shorter
constexpr std::int64_t lifetime_s_max = 10LL * 365 * 24 * 3600;

using fields = std::vector<std::pair<std::string, std::string>>;

std::string_view name_of(client_proof proof) {
    switch (proof) {
    case client_proof::secret_basic:
        return "client_secret_basic";
    case client_proof::secret_post:
        return "client_secret_post";
    case client_proof::none:
        break;
    }
    return "none";
}

/// VSCHAR of RFC 6749: what may stand in a header.
bool is_token(std::string_view text) {
    return !text.empty() && text.size() <= text_bytes_max &&
           std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

token_request request_of(const issuer_metadata& issuer, const oauth_client_id& client, fields form,
                         const std::string& resource) {
    token_request out{issuer.token_endpoint,
                      {{"Accept", "application/json"}, {"Content-Type", "application/x-www-form-urlencoded"}},
                      {}};
    form.emplace_back("resource", resource);
    if (client.proof == client_proof::secret_basic) {
        out.headers.emplace_back("Authorization", basic_authorization(client.id, client.secret));
    } else {
        form.emplace_back("client_id", client.id);
    }
    if (client.proof == client_proof::secret_post) {
        form.emplace_back("client_secret", client.secret);
    }
    out.body = form_of(form);
    return out;
}

/// What every client says of itself, in a registration or in its document.
void describe_client(json::object_writer& w, std::string_view client_name, std::string_view redirect_uri) {
    const auto quoted = json::quoted(redirect_uri);
    const bool here = redirect_uri.rfind("http://", 0) == 0; // only loopback may be without TLS
    w.field("client_name", client_name)
        .raw_field("redirect_uris", "[" + quoted + "]")
        .raw_field("grant_types", R"(["authorization_code","refresh_token"])")
        .raw_field("response_types", R"(["code"])")
        .field("application_type", here ? "native" : "web");
}

} // namespace

expected<client_proof> choose_proof(const issuer_metadata& issuer, bool has_secret) {
    for (const auto proof : issuer.proofs) {
        if ((proof == client_proof::none) != has_secret) {
            return proof;
        }
    }
    return problem{code::unavailable, has_secret
                                          ? "the authorization server takes no client secrets"
                                          : "the authorization server takes only clients that have a secret: register "
                                            "one there and write it into `oauth`"};
}

std::string registration_body(std::string_view client_name, std::string_view redirect_uri, client_proof proof,
                              const std::vector<std::string>& scopes) {
    std::string out;
    json::object_writer w(out);
    describe_client(w, client_name, redirect_uri);
    w.field("token_endpoint_auth_method", name_of(proof));
    if (!scopes.empty()) {
        w.field("scope", scope_text(scopes));
    }
    w.end();
    return out;
}

expected<oauth_client_id> read_registration(std::string_view json, client_proof asked) {
    const auto parsed = json::document::parse(json);
    const auto root = parsed ? std::optional(parsed->root()) : std::nullopt;
    oauth_client_id out;
    out.id = root ? root->text_or("client_id") : std::string();
    out.secret = root ? root->text_or("client_secret") : std::string();
    if (!is_token(out.id) || (!out.secret.empty() && !is_token(out.secret))) {
        return problem{code::unavailable, "the authorization server's answer to the registration names no client"};
    }
    const auto method = root->text_or("token_endpoint_auth_method", out.secret.empty() ? "none" : name_of(asked));
    for (const auto proof : {client_proof::none, client_proof::secret_basic, client_proof::secret_post}) {
        if (method == name_of(proof) && (proof == client_proof::none || !out.secret.empty())) {
            out.proof = proof;
            return out;
        }
    }
    return problem{code::unavailable, "the authorization server wants this client to prove itself in a way that is not "
                                      "known here"};
}

std::string client_document(std::string_view client_id, std::string_view client_name, std::string_view redirect_uri) {
    std::string out;
    json::object_writer w(out);
    w.field("client_id", client_id);
    describe_client(w, client_name, redirect_uri);
    w.field("token_endpoint_auth_method", "none");
    w.end();
    return out;
}

std::string authorization_url(const authorization_request& a) {
    fields form{{"response_type", "code"},
                {"client_id", a.client.id},
                {"redirect_uri", a.redirect_uri},
                {"state", a.state},
                {"code_challenge", pkce_challenge(a.verifier)},
                {"code_challenge_method", "S256"},
                {"resource", a.resource}};
    if (!a.scopes.empty()) {
        form.emplace_back("scope", scope_text(a.scopes));
    }
    if (std::find(a.scopes.begin(), a.scopes.end(), "offline_access") != a.scopes.end()) {
        form.emplace_back("prompt", "consent"); // OpenID Connect gives it with consent only
    }
    return with_query(a.issuer.authorization_endpoint, form);
}

expected<std::string> read_redirect(const authorization_request& a, std::string_view query) {
    const auto refused = [](std::string why) {
        return problem{code::invalid_credentials, std::move(why) + ". Begin the authorization again."};
    };
    const auto form = read_form(query);
    if (!form) {
        return refused(form.error().detail);
    }
    const auto text = [&](const char* name) {
        const auto found = form->find(name);
        return found == form->end() ? std::string() : found->second;
    };
    if (a.state.empty() || text("state") != a.state) {
        return refused("the redirect belongs to another authorization");
    }
    // Before anything else of it counts, also an error: RFC 9207, 2.4.
    if (form->count("iss") != 0 ? text("iss") != a.issuer.issuer : a.issuer.names_itself) {
        return refused("the redirect does not come from the authorization server that was asked");
    }
    if (const auto error = text("error"); !error.empty()) {
        return refused(error == "access_denied"
                           ? std::string("access was denied")
                           : fmt::format("the authorization server answers {}",
                                         is_token(error) && error.size() <= 64 ? error : "an error"));
    }
    if (!is_token(text("code"))) {
        return refused("the redirect has no code");
    }
    return text("code");
}

token_request code_request(const authorization_request& a, std::string_view code) {
    return request_of(a.issuer, a.client,
                      {{"grant_type", "authorization_code"},
                       {"code", std::string(code)},
                       {"redirect_uri", a.redirect_uri},
                       {"code_verifier", a.verifier}},
                      a.resource);
}

token_request refresh_request(const oauth_grant& g) {
    return request_of(g.issuer, g.client, {{"grant_type", "refresh_token"}, {"refresh_token", g.refresh_token}},
                      g.resource);
}

token_request credentials_request(const oauth_grant& g) {
    fields form{{"grant_type", "client_credentials"}};
    if (!g.scopes.empty()) {
        form.emplace_back("scope", scope_text(g.scopes));
    }
    return request_of(g.issuer, g.client, std::move(form), g.resource);
}

expected<void> take_tokens(oauth_grant& g, int status, std::string_view json, timestamp now) {
    if (status != 200) {
        const auto word = oauth_error(json);
        if (word == "invalid_grant") {
            return problem{code::invalid_credentials, "the authorization is not, or no longer, good: authorize again"};
        }
        return problem{code::unavailable,
                       fmt::format("the token endpoint answers {}{}{}", status, word.empty() ? "" : " ", word)};
    }
    const auto parsed = json::document::parse(json);
    const auto token = parsed ? parsed->root().text_or("access_token") : std::string();
    auto type = parsed ? parsed->root().text_or("token_type") : std::string();
    std::transform(type.begin(), type.end(), type.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    if (!is_token(token) || type != "bearer") {
        return problem{code::unavailable, "the token endpoint gives no bearer token"};
    }
    const auto seconds = std::clamp<std::int64_t>(parsed->root().int_or("expires_in"), 0, lifetime_s_max);
    g.access_token = token;
    g.expires_at = seconds > 0 ? now + seconds * 1000 : timestamp{};
    const auto next = parsed->root().text_or("refresh_token");
    if (is_token(next)) { // else the old one stays, if there was one: RFC 6749, 6
        g.refresh_token = next;
    }
    return {};
}

} // namespace troupe::net::mcp
