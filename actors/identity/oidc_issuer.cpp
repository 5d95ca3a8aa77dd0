#include "actors/identity/oidc_issuer.hpp"

#include "net/client/http_client.hpp"
#include "net/client/oauth_wire.hpp"
#include "schemas/base/cipher.hpp"
#include "schemas/base/json.hpp"
#include "schemas/base/log.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <utility>

namespace troupe::actors {
namespace {

constexpr std::int64_t connect_ms = 5000;
constexpr std::size_t reply_bytes_max = 512 << 10; // discovery documents and key sets have some kilobytes
constexpr std::int64_t fresh_ms = 3'600'000;
constexpr std::int64_t failure_ms = 5000;      // so long nobody asks an issuer again that did not answer
constexpr std::int64_t keys_again_ms = 10'000; // the least time between two searches for an unknown key
constexpr std::size_t secret_bytes_max = 4096;
constexpr std::string_view well_known = "/.well-known/openid-configuration";

/// Whether the list names the value; true when there is no such list.
bool lists(const json::value& root, std::string_view name, std::string_view value, bool without) {
    const auto list = root.find(name);
    if (!list || list->type() != json::kind::array) {
        return without;
    }
    bool found = false;
    list->each_element([&](json::value v) { found = found || v.as_string() == value; });
    return found;
}

/// With TLS; without it only what is on this machine as the issuer itself.
bool is_good_endpoint(std::string_view url, std::string_view issuer) {
    const bool printable = std::ranges::all_of(url, [](char c) { return c > 0x20 && c < 0x7f; });
    const bool plain = url.starts_with("http://") && runtime::is_loopback_url(url) && issuer.starts_with("http://");
    return printable && url.find('#') == url.npos && (url.starts_with("https://") || plain);
}

std::string trimmed(std::string text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) {
        text.pop_back();
    }
    return text;
}

} // namespace

expected<issuer_description> read_description(std::string_view json, std::string_view issuer) {
    const auto wrong = [](std::string why) { return problem{code::unavailable, std::move(why)}; };
    const auto parsed = json::document::parse(json);
    if (!parsed || parsed->root().type() != json::kind::object) {
        return wrong("its description is no JSON object");
    }
    const auto root = parsed->root();
    if (root.text_or("issuer") != issuer) { // OpenID Connect Discovery, 4.3: to the letter
        return wrong("its description says that it is another issuer: write `issuer` exactly as it says, also the "
                     "slash at the end");
    }
    issuer_description out;
    out.authorization_endpoint = root.text_or("authorization_endpoint");
    out.token_endpoint = root.text_or("token_endpoint");
    out.jwks_uri = root.text_or("jwks_uri");
    out.userinfo_endpoint = root.text_or("userinfo_endpoint");
    for (const auto* url : {&out.authorization_endpoint, &out.token_endpoint, &out.jwks_uri}) {
        if (!is_good_endpoint(*url, issuer)) {
            return wrong("its description lacks an endpoint, or has one without https");
        }
    }
    if (!out.userinfo_endpoint.empty() && !is_good_endpoint(out.userinfo_endpoint, issuer)) {
        return wrong("its description has an endpoint without https");
    }
    if (!lists(root, "response_types_supported", "code", true)) {
        return wrong("it does not offer the authorization code flow");
    }
    if (!lists(root, "code_challenge_methods_supported", "S256", true)) {
        return wrong("it does not offer PKCE with S256");
    }
    const auto named = root.find("authorization_response_iss_parameter_supported");
    out.names_itself = named && named->as_bool().value_or(false);
    const std::string_view methods = "token_endpoint_auth_methods_supported";
    out.secret_in_body =
        !lists(root, methods, "client_secret_basic", true) && lists(root, methods, "client_secret_post", false);
    return out;
}

oidc_issuer::oidc_issuer(runtime::oidc_provider settings, secret_finder find_secret)
    : settings_(std::move(settings)), find_secret_(std::move(find_secret)) {}

problem oidc_issuer::unavailable(std::string_view why) const {
    return {code::unavailable, "logging in with '" + settings_.name + "' (" + settings_.issuer +
                                   ") does not work now: " + std::string(why) +
                                   ". Try again, or log in in another way; an administrator looks at `identity.oidc`."};
}

problem oidc_issuer::refused(std::string_view why) const {
    return {code::invalid_credentials,
            "logging in with '" + settings_.name + "' failed: " + std::string(why) + ". Begin again."};
}

expected<oidc_issuer::answer> oidc_issuer::get(const std::string& url, const std::string& bearer,
                                               const std::stop_token& stop) const {
    net::client_request call;
    call.url = url;
    call.headers = {{"Accept", "application/json"}};
    if (!bearer.empty()) {
        call.headers.emplace_back("Authorization", "Bearer " + bearer);
    }
    call.ca_file = settings_.ca_file.value_or("");
    call.connect_time_out_ms = connect_ms;
    call.time_out_ms = call_ms;
    call.reply_bytes_max = reply_bytes_max;
    auto reply = net::fetch(call, stop);
    if (!reply) {
        return unavailable(reply.error().detail.substr(0, reply.error().detail.find_last_not_of('.') + 1));
    }
    return answer{reply->status, std::move(reply->body)};
}

expected<oidc_issuer::description> oidc_issuer::fetch_description(const std::stop_token& stop) {
    auto base = settings_.issuer;
    while (base.ends_with('/')) {
        base.pop_back();
    }
    const auto reply = get(base + std::string(well_known), "", stop);
    if (!reply) {
        return reply.error();
    }
    if (reply->status != 200) {
        return unavailable("it answers " + std::to_string(reply->status) + " for its description at " +
                           std::string(well_known));
    }
    auto read = read_description(reply->body, settings_.issuer);
    if (!read) {
        return unavailable(read.error().detail);
    }
    return std::make_shared<const issuer_description>(std::move(*read));
}

expected<oidc_issuer::description> oidc_issuer::describe(const std::stop_token& stop) {
    const std::lock_guard lock(mutex_);
    const auto now = monotonic_ms();
    if (description_ && now < description_until_ms_) {
        return description_;
    }
    if (failure_ && now < failure_until_ms_) {
        return *failure_;
    }
    auto fresh = fetch_description(stop);
    if (!fresh) {
        failure_ = fresh.error();
        failure_until_ms_ = monotonic_ms() + failure_ms;
        return fresh.error();
    }
    failure_.reset();
    description_ = *fresh;
    description_until_ms_ = monotonic_ms() + fresh_ms;
    return description_;
}

expected<std::string> oidc_issuer::authorization_url(const authorization& a, std::stop_token stop) {
    const auto d = describe(stop);
    if (!d) {
        return d.error();
    }
    std::string scope;
    for (const auto& s : settings_.scopes) {
        scope += (scope.empty() ? "" : " ") + s;
    }
    std::vector<std::pair<std::string, std::string>> fields{{"response_type", "code"},
                                                            {"client_id", settings_.client_id},
                                                            {"redirect_uri", a.redirect_uri},
                                                            {"scope", scope},
                                                            {"state", a.state},
                                                            {"nonce", a.nonce},
                                                            {"code_challenge", a.challenge},
                                                            {"code_challenge_method", "S256"}};
    if (a.max_age_ms > 0) {
        fields.emplace_back("max_age", std::to_string(std::max<std::int64_t>(1, a.max_age_ms / 1000)));
    }
    const auto& to = (*d)->authorization_endpoint;
    return net::with_query(to, fields);
}

/// Keys that the issuer changed are asked for when a token names one that is not known, though not for each such token.
expected<oidc_issuer::key_set> oidc_issuer::keys_for(std::string_view token, const issuer_description& d,
                                                     const std::stop_token& stop) {
    const std::lock_guard lock(keys_mutex_);
    const auto now = monotonic_ms();
    const bool known = keys_ && keys_->has_key_of(token);
    if (keys_ && (known ? now < keys_until_ms_ : now < unknown_until_ms_)) {
        return keys_;
    }
    if (keys_ && !known) {
        unknown_until_ms_ = now + keys_again_ms;
    }
    const auto reply = get(d.jwks_uri, "", stop);
    auto keys = reply && reply->status == 200 ? issuer_keys::parse(reply->body) : expected<issuer_keys>(problem{});
    if (!keys && known) {
        return keys_; // it may be back later: what was good an hour ago still proves the token
    }
    if (!keys) {
        return reply ? unavailable("its keys at `jwks_uri` cannot be read") : reply.error();
    }
    keys_ = std::make_shared<const issuer_keys>(std::move(*keys));
    keys_until_ms_ = now + fresh_ms;
    return keys_;
}

expected<std::string> oidc_issuer::client_secret() const {
    const std::string_view reference = *settings_.client_secret;
    const auto colon = reference.find(':');
    const auto kind = reference.substr(0, colon);
    const std::string name(reference.substr(colon + 1));
    if (kind == "secret") {
        auto found = find_secret_(name);
        return found ? found : unavailable("the secret '" + name + "' of its client cannot be read");
    }
    if (kind == "env") {
        const char* value = std::getenv(name.c_str()); // nothing of this process writes the environment
        return value != nullptr && *value != '\0'
                   ? expected<std::string>(value)
                   : unavailable("the environment variable " + name + " with its client's secret is not set");
    }
    std::ifstream in(name, std::ios::binary);
    std::string text(secret_bytes_max, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(std::max<std::streamsize>(0, in.gcount())));
    text = trimmed(std::move(text));
    return text.empty() ? unavailable("the file " + name + " with its client's secret cannot be read, or is empty")
                        : expected<std::string>(std::move(text));
}

expected<std::string> oidc_issuer::ask_for_tokens(const authorization_answer& a, const issuer_description& d,
                                                  const std::stop_token& stop) {
    std::vector<std::pair<std::string, std::string>> fields{{"grant_type", "authorization_code"},
                                                            {"code", a.code},
                                                            {"redirect_uri", a.redirect_uri},
                                                            {"code_verifier", a.verifier}};
    net::client_request call;
    call.method = "POST";
    call.url = d.token_endpoint;
    call.headers = {{"Accept", "application/json"}, {"Content-Type", "application/x-www-form-urlencoded"}};
    if (settings_.client_secret) {
        auto secret = client_secret();
        if (!secret) {
            return secret.error();
        }
        if (d.secret_in_body) {
            fields.emplace_back("client_id", settings_.client_id);
            fields.emplace_back("client_secret", *secret);
        } else {
            call.headers.emplace_back("Authorization", net::basic_authorization(settings_.client_id, *secret));
        }
        wipe(*secret);
    } else {
        fields.emplace_back("client_id", settings_.client_id);
    }
    call.body = net::form_of(fields);
    call.ca_file = settings_.ca_file.value_or("");
    call.connect_time_out_ms = connect_ms;
    call.time_out_ms = call_ms;
    call.reply_bytes_max = reply_bytes_max;
    auto reply = net::fetch(call, stop);
    wipe(call.body);
    if (!reply) {
        return unavailable(reply.error().detail.substr(0, reply.error().detail.find_last_not_of('.') + 1));
    }
    if (reply->status == 200) {
        return std::move(reply->body);
    }
    const auto word = net::oauth_error(reply->body);
    if (word == "invalid_grant") {
        return refused("the issuer does not accept this code (any more)");
    }
    if (word == "invalid_client" || reply->status == 401) {
        return unavailable("it does not accept this client: `client_id` or `client_secret` is wrong");
    }
    return unavailable("it answers " + std::to_string(reply->status) + (word.empty() ? "" : " " + word) +
                       " when the code is brought to it");
}

/// Many issuers give the address here only. An answer that cannot be had costs no more than what it would have said:
/// whoever is linked enters without it.
expected<void> oidc_issuer::ask_about_person(id_token_claims& claims, const std::string& access_token,
                                             const issuer_description& d, const std::stop_token& stop) {
    const bool clean = std::ranges::all_of(access_token, [](char c) { return c > 0x20 && c < 0x7f; });
    if (!claims.email.empty() || d.userinfo_endpoint.empty() || access_token.empty() || !clean) {
        return {};
    }
    const auto reply = get(d.userinfo_endpoint, access_token, stop);
    if (!reply || reply->status != 200) {
        claims.not_told =
            reply ? unavailable("it answers " + std::to_string(reply->status) + " when it is asked who the person is")
                  : reply.error();
        log_for("identity").warn("{}", claims.not_told->detail);
        return {};
    }
    const auto taken = add_user_info(claims, reply->body);
    return taken ? taken : refused(taken.error().detail);
}

expected<id_token_claims> oidc_issuer::exchange(const authorization_answer& a, std::stop_token stop) {
    const auto d = describe(stop);
    if (!d) {
        return d.error();
    }
    // Another issuer's answer, brought here by its own trick (RFC 9207).
    if (a.iss ? *a.iss != settings_.issuer : (*d)->names_itself) {
        return refused("the answer is of another issuer");
    }
    auto body = ask_for_tokens(a, **d, stop);
    if (!body) {
        return body.error();
    }
    const auto parsed = json::document::parse(*body);
    const auto token = parsed ? parsed->root().text_or("id_token") : std::string();
    const auto access_token = parsed ? parsed->root().text_or("access_token") : std::string();
    wipe(*body);
    if (token.empty()) {
        return unavailable("it gives no ID token: is `openid` one of the scopes?");
    }
    const auto keys = keys_for(token, **d, stop);
    if (!keys) {
        return keys.error();
    }
    auto claims = verify_id_token(
        **keys, {settings_.issuer, settings_.client_id, a.nonce, a.started_at, system_now(), a.max_age_ms}, token);
    if (!claims) {
        return refused(claims.error().detail);
    }
    if (const auto told = ask_about_person(*claims, access_token, **d, stop); !told) {
        return told.error();
    }
    return claims;
}

} // namespace troupe::actors
