#pragma once

#include "schemas/base/problem.hpp"

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// What OAuth 2 and OpenID Connect write in the same way. Pure.
namespace troupe::net {

/// As application/x-www-form-urlencoded wants it.
std::string form_encoded(std::string_view text);
/// "a=1&b=2"
std::string form_of(const std::vector<std::pair<std::string, std::string>>& fields);
/// The fields of a form or query. `invalid_request`: a broken escape, or a name that comes twice (RFC 6749, 3.1).
expected<std::map<std::string, std::string>> read_form(std::string_view text);
/// The URL with one more query.
std::string with_query(std::string_view url, const std::vector<std::pair<std::string, std::string>>& fields);

/// "Basic …" of a client; both are encoded first (RFC 6749, 2.3.1).
std::string basic_authorization(std::string_view client_id, std::string_view client_secret);
/// The S256 challenge of a PKCE verifier (RFC 7636).
std::string pkce_challenge(std::string_view verifier);
/// "invalid_grant" and the like of an answer that refuses; empty: it has none. Nothing else of it is to be repeated.
std::string oauth_error(std::string_view json);

} // namespace troupe::net
