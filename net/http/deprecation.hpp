#pragma once

#include "net/http/route.hpp"

#include <string>

/// The policy of versions and deprecation in the API's description says what a client may count on; these are its
/// headers.
namespace troupe::net {

/// What is wrong with the dates of a route; empty: nothing.
std::string deprecation_mistake(const route& r);

/// `Deprecation` (RFC 9745), `Sunset` (RFC 8594) and a link to the policy, with line ends; for a deprecated route.
std::string deprecation_lines(const route& r);

} // namespace troupe::net
