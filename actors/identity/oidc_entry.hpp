#pragma once

#include "actors/identity/accounts.hpp"
#include "actors/identity/id_token.hpp"
#include "actors/identity/oidc_state.hpp"
#include "runtime/config/oidc.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

/// Whom the account belongs to that an issuer's word opens.
namespace troupe::actors {

struct oidc_person {
    user_document user;
    std::vector<std::string> methods; ///< "oidc", and "mfa" when the issuer asked for a second factor.
    bool needs_code = false;          ///< The person has a second factor here, and the issuer asked for none.
    std::uint64_t generation = 0;     ///< Of the person's credential.
};

/// Finds the person by (issuer, sub). Somebody unknown is linked to the account of a verified e-mail address where the
/// configuration allows it (never to one of an administrator of the node, or with a second factor), or gets an account,
/// a role in its organization, and the link, in this order: what a crash leaves is found and completed by the next
/// login. With `attempt.link` the identity is linked to that person, if the session that asked for it lasts: else
/// `unauthenticated`. `forbidden` (who may not enter, and why), `conflict` (another account has the identity or the
/// address), `organization_suspended`. `done` is called exactly once, from any thread.
void enter_by_oidc(identity& me, const net::request& r, const runtime::oidc_provider& provider,
                   const oidc_attempt& attempt, id_token_claims claims,
                   std::function<void(expected<oidc_person>)> done);

} // namespace troupe::actors
