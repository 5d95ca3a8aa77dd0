#pragma once

#include "net/http/route.hpp"
#include "schemas/base/problem.hpp"

#include <string>
#include <string_view>

/// What people read who log in at an issuer of OpenID Connect.
namespace troupe::actors {

/// A problem for whoever asks: people who stand before a browser get a page.
net::response refusal_page(const problem& p, const net::request& r);

/// Before a program gets what the issuer gave the browser: whoever only followed somebody's link sees it, and stops.
/// `to` is the program's address; see `check_of`.
net::response question_page(const std::string& to, const std::string& check);

/// What anybody may know when an issuer does not work: names of secrets, files and hosts are in the log only.
problem without_reason(const problem& p, std::string_view provider, const net::request& r);
void log_refusal(const problem& p, const net::request& r);

} // namespace troupe::actors
