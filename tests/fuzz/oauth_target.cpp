// What a server of the Model Context Protocol and its authorization server say to a client that wants in. The first
// byte chooses.
#include "net/mcp/oauth.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace troupe::fuzz {

namespace {

using namespace net::mcp;

const std::string server = "https://mcp.example.com/a/mcp";
const std::string issuer = "https://login.example.com/t1";
const timestamp noon{1'800'000'000'000};

void challenges(std::string_view text) {
    const auto c = read_challenge(text);
    claim(c.scopes == read_scopes(scope_text(c.scopes)), "scopes are written as they are read");
    for (const auto& url : resource_metadata_urls(server, c))
        claim(!url.empty() && url.find_first_of(" \r\n") == url.npos, "a URL is one word");
    if (const auto more = step_up(c.scopes, c))
        claim(false, "what was asked for is nothing new");
}

void metadata(std::string_view text) {
    if (const auto r = read_resource_metadata(text, server))
        claim(origin_of(r->resource).size() >= 22, "a resource is at its server");
    if (const auto at = read_issuer_metadata(text, issuer)) {
        claim(at->issuer == issuer && is_good_endpoint(at->token_endpoint), "tokens are asked for with TLS");
        claim(from_json<issuer_metadata>(to_json(*at), strictness::stored).has_value(), "it can be kept");
    }
    (void)read_registration(text, client_proof::secret_post);
}

void urls(std::string_view text) {
    const auto origin = origin_of(text);
    claim(text.substr(0, origin.size()) == origin, "an origin is the beginning of its URL");
    for (const auto& url : issuer_metadata_urls(text))
        claim(url.substr(0, origin.size()) == origin, "metadata is at the issuer");
    if (is_good_endpoint(text))
        claim(!host_of(text).empty() && text.find('@') != 8, "a good endpoint has a host");
}

void redirects(std::string_view text) {
    authorization_request a;
    a.state = "s3cret";
    a.issuer.issuer = issuer;
    a.issuer.names_itself = true;
    if (const auto code = read_redirect(a, text)) {
        claim(text.find("s3cret") != text.npos || text.find('%') != text.npos, "a redirect brings its state");
        claim(code_request(a, *code).body.find_first_of(" \r\n") == std::string::npos, "a form is one word");
    }
}

void tokens(std::string_view text) {
    oauth_grant g;
    if (take_tokens(g, 200, text, noon)) {
        claim(g.access_token.find_first_of(" \r\n") == std::string::npos, "a token fits into a header");
        claim(g.expires_at.ms == 0 || noon < g.expires_at, "a token is good for a while");
        claim(from_json<oauth_grant>(to_json(g), strictness::stored).has_value(), "it can be kept");
    }
}

} // namespace

void try_input(std::string_view input) {
    cutter in(input);
    switch (in.byte() % 5) {
    case 0:
        return challenges(in.rest());
    case 1:
        return metadata(in.rest());
    case 2:
        return urls(in.rest());
    case 3:
        return redirects(in.rest());
    default:
        return tokens(in.rest());
    }
}

} // namespace troupe::fuzz
