#include "net/mcp/oauth.hpp"

#include "net/http/text.hpp"
#include "schemas/base/json.hpp"
#include "schemas/base/network.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

namespace troupe::net::mcp {
namespace {

constexpr std::size_t url_bytes_max = 2048;
constexpr std::size_t list_max = 100; // servers and scopes of one document
constexpr std::string_view resource_place = "/.well-known/oauth-protected-resource";
constexpr std::string_view issuer_place = "/.well-known/oauth-authorization-server";
constexpr std::string_view openid_place = "/.well-known/openid-configuration";
constexpr std::string_view offline = "offline_access";

problem wrong(std::string why) { return {code::unavailable, std::move(why)}; }

/// Printable, as a header or query may carry it.
bool is_plain(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

bool has(const std::vector<std::string>& list, std::string_view text) {
    return std::find(list.begin(), list.end(), text) != list.end();
}

void add(std::vector<std::string>& list, std::string text) {
    if (!has(list, text)) {
        list.push_back(std::move(text));
    }
}

/// The texts of a list; empty when there is none.
std::vector<std::string> texts(const json::value& root, std::string_view name) {
    std::vector<std::string> out;
    const auto list = root.find(name);
    if (list && list->type() == json::kind::array) {
        list->each_element([&](json::value v) {
            const auto text = v.as_string();
            if (text && !text->empty() && is_plain(*text) && text->size() <= url_bytes_max && out.size() < list_max) {
                add(out, std::string(*text));
            }
        });
    }
    return out;
}

bool is_true(const json::value& root, std::string_view name) {
    const auto flag = root.find(name);
    return flag && flag->as_bool().value_or(false);
}

/// "/mcp" of "https://example.com/mcp/?a=b"
std::string path_of(std::string_view url) {
    auto rest = url.substr(std::min(origin_of(url).size(), url.size()));
    rest = rest.substr(0, rest.find_first_of("?#"));
    while (!rest.empty() && rest.back() == '/') {
        rest.remove_suffix(1);
    }
    return std::string(rest);
}

/// Scheme and host in small letters, no standard port: for comparing only.
std::string folded_origin(std::string_view url) {
    auto out = lower_case(origin_of(url));
    const std::string_view port = out.rfind("https://", 0) == 0 ? ":443" : ":80";
    if (out.size() > port.size() && out.compare(out.size() - port.size(), port.size(), port) == 0) {
        out.resize(out.size() - port.size());
    }
    return out;
}

/// Whether a resource's identifier covers the server: the same place or one above it.
bool covers(std::string_view resource, std::string_view server_url) {
    const auto above = path_of(resource);
    const auto path = path_of(server_url);
    const bool below = path.compare(0, above.size(), above) == 0 &&
                       (path.size() == above.size() || above.empty() || path[above.size()] == '/');
    return !origin_of(resource).empty() && folded_origin(resource) == folded_origin(server_url) && below &&
           resource.find('#') == resource.npos;
}

expected<json::document> read_object(std::string_view json, std::string_view what) {
    auto parsed = json::document::parse(json);
    if (!parsed || parsed->root().type() != json::kind::object) {
        return wrong(fmt::format("{} is no JSON object", what));
    }
    return parsed;
}

struct header_reader {
    std::string_view rest;

    void skip(std::string_view letters) { rest.remove_prefix(std::min(rest.find_first_not_of(letters), rest.size())); }
    std::string_view token() {
        const auto out = rest.substr(0, rest.find_first_of(" \t,=\""));
        rest.remove_prefix(out.size());
        return out;
    }
    std::string quoted() {
        std::string out;
        rest.remove_prefix(1);
        while (!rest.empty() && rest.front() != '"') {
            if (rest.front() == '\\' && rest.size() > 1) {
                rest.remove_prefix(1);
            }
            out += rest.front();
            rest.remove_prefix(1);
        }
        rest.remove_prefix(rest.empty() ? 0 : 1);
        return out;
    }
};

void take_parameter(auth_challenge& c, std::string_view name, const std::string& value) {
    if (equal_ignoring_case(name, "resource_metadata") && c.resource_metadata.empty()) {
        c.resource_metadata = is_plain(value) && value.size() <= url_bytes_max ? value : std::string();
    } else if (equal_ignoring_case(name, "scope") && c.scopes.empty()) {
        c.scopes = read_scopes(value);
    } else if (equal_ignoring_case(name, "error") && c.error.empty() && is_plain(value) && value.size() <= 64) {
        c.error = value;
    }
}

} // namespace

auth_challenge read_challenge(std::string_view www_authenticate) {
    auth_challenge out;
    header_reader in{www_authenticate};
    bool bearer = false;
    while (true) {
        in.skip(" \t,");
        if (in.rest.empty()) {
            return out;
        }
        const auto name = in.token();
        const auto after = in.rest;
        in.skip(" \t");
        if (in.rest.empty() || in.rest.front() != '=') { // a scheme: what follows belongs to it
            bearer = equal_ignoring_case(name, "bearer");
            in.rest = after;
            if (name.empty()) {
                in.rest.remove_prefix(1); // a quote where none may be
            }
            continue;
        }
        in.skip("=");
        in.skip(" \t");
        const bool quoted = !in.rest.empty() && in.rest.front() == '"';
        const auto value = quoted ? in.quoted() : std::string(in.token());
        if (bearer) {
            take_parameter(out, name, value);
        }
    }
}

std::vector<std::string> read_scopes(std::string_view text) {
    std::vector<std::string> out;
    while (!text.empty() && out.size() < list_max) {
        const auto end = std::min(text.find(' '), text.size());
        const auto one = text.substr(0, end);
        if (!one.empty() && is_plain(one) && one.find_first_of("\"\\") == one.npos) { // RFC 6749, 3.3
            add(out, std::string(one));
        }
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return out;
}

std::string scope_text(const std::vector<std::string>& scopes) {
    std::string out;
    for (const auto& s : scopes) {
        out += (out.empty() ? "" : " ") + s;
    }
    return out;
}

std::vector<std::string> joined_scopes(std::vector<std::string> first, const std::vector<std::string>& second) {
    for (const auto& s : second) {
        add(first, s);
    }
    return first;
}

bool is_good_endpoint(std::string_view url) {
    const auto parsed = boost::urls::parse_uri(url);
    if (!parsed || url.size() > url_bytes_max || !is_plain(url) || parsed->has_fragment() || parsed->has_userinfo()) {
        return false;
    }
    const auto scheme = lower_case(std::string(parsed->scheme()));
    return !host_of(url).empty() && (scheme == "https" || (scheme == "http" && is_here(url)));
}

std::string origin_of(std::string_view url) {
    const auto parsed = boost::urls::parse_uri(url);
    const auto scheme = url.find("://");
    if (!parsed || parsed->encoded_host().empty() || scheme == url.npos) {
        return {};
    }
    const auto host = scheme + 3; // not what the library calls it: it takes 127.0.0.1 out of 127.0.0.1.example
    return std::string(url.substr(0, url.find_first_of("/?#", host)));
}

std::string host_of(std::string_view url) {
    auto host = lower_case(origin_of(url));
    host = host.substr(std::min(host.find("://") + 3, host.size()));
    const auto port = host.rfind(':');
    return port != host.npos && host.find(']', port) == host.npos ? host.substr(0, port) : host;
}

bool is_here(std::string_view url) {
    const auto host = host_of(url);
    const auto address = parse_ip(host);
    return host == "localhost" || (address && is_loopback(*address));
}

std::vector<std::string> resource_metadata_urls(std::string_view server_url, const auth_challenge& challenge) {
    if (!challenge.resource_metadata.empty()) {
        return {challenge.resource_metadata};
    }
    const auto root = origin_of(server_url) + std::string(resource_place);
    std::vector<std::string> out{root + path_of(server_url)};
    add(out, root);
    return out;
}

std::vector<std::string> issuer_metadata_urls(std::string_view issuer) {
    const auto root = origin_of(issuer);
    const auto path = path_of(issuer);
    std::vector<std::string> out{root + std::string(issuer_place) + path};
    add(out, root + std::string(openid_place) + path);
    add(out, root + path + std::string(openid_place));
    return out;
}

expected<resource_metadata> read_resource_metadata(std::string_view json, std::string_view server_url) {
    const auto parsed = read_object(json, "the server's metadata");
    if (!parsed) {
        return parsed.error();
    }
    resource_metadata out;
    out.resource = parsed->root().text_or("resource");
    out.authorization_servers = texts(parsed->root(), "authorization_servers");
    out.scopes_supported = texts(parsed->root(), "scopes_supported");
    if (!is_plain(out.resource) || !covers(out.resource, server_url)) {
        return wrong("the metadata says `resource` of another server: no token is asked for that could be taken there");
    }
    if (out.authorization_servers.empty()) {
        return wrong("the server's metadata names no authorization server");
    }
    return out;
}

expected<issuer_metadata> read_issuer_metadata(std::string_view json, std::string_view issuer) {
    const auto parsed = read_object(json, "the authorization server's metadata");
    if (!parsed) {
        return parsed.error();
    }
    const auto root = parsed->root();
    if (root.text_or("issuer") != issuer) { // RFC 8414, 3.3: to the letter
        return wrong("the authorization server's metadata says that it is another issuer");
    }
    issuer_metadata out;
    out.issuer = issuer;
    out.authorization_endpoint = root.text_or("authorization_endpoint");
    out.token_endpoint = root.text_or("token_endpoint");
    out.registration_endpoint = root.text_or("registration_endpoint");
    for (const auto* url : {&out.authorization_endpoint, &out.token_endpoint, &out.registration_endpoint}) {
        if (url == &out.token_endpoint ? !is_good_endpoint(*url) : !url->empty() && !is_good_endpoint(*url)) {
            return wrong("the authorization server lacks an endpoint, or has one without https");
        }
    }
    const auto types = texts(root, "response_types_supported");
    if (!types.empty() && !has(types, "code")) {
        return wrong("the authorization server does not offer the authorization code flow");
    }
    const auto methods = texts(root, "code_challenge_methods_supported");
    if (!out.authorization_endpoint.empty() && !has(methods, "S256")) { // also when it says nothing of it
        return wrong("the authorization server does not offer PKCE with S256");
    }
    out.scopes_supported = texts(root, "scopes_supported");
    const auto proofs = texts(root, "token_endpoint_auth_methods_supported");
    if (proofs.empty() || has(proofs, "client_secret_basic")) {
        out.proofs.push_back(client_proof::secret_basic);
    }
    if (has(proofs, "client_secret_post")) {
        out.proofs.push_back(client_proof::secret_post);
    }
    if (proofs.empty() || has(proofs, "none")) {
        out.proofs.push_back(client_proof::none);
    }
    out.names_itself = is_true(root, "authorization_response_iss_parameter_supported");
    out.reads_clients = is_true(root, "client_id_metadata_document_supported");
    return out;
}

issuer_metadata default_endpoints(std::string_view server_url) {
    const auto root = origin_of(server_url);
    issuer_metadata out;
    out.issuer = root;
    out.authorization_endpoint = root + "/authorize";
    out.token_endpoint = root + "/token";
    out.registration_endpoint = root + "/register";
    out.proofs = {client_proof::secret_basic, client_proof::none};
    return out;
}

std::vector<std::string> choose_scopes(const auth_challenge& challenge, const std::vector<std::string>& of_server,
                                       const issuer_metadata& issuer) {
    auto out = challenge.scopes.empty() ? of_server : challenge.scopes;
    if (has(issuer.scopes_supported, offline)) {
        add(out, std::string(offline));
    }
    return out;
}

std::optional<std::vector<std::string>> step_up(const std::vector<std::string>& asked,
                                                const auth_challenge& challenge) {
    auto all = joined_scopes(asked, challenge.scopes);
    return all.size() > asked.size() ? std::optional(std::move(all)) : std::nullopt;
}

} // namespace troupe::net::mcp
