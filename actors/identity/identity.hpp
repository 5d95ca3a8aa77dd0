#pragma once

#include "actors/identity/access.hpp"
#include "actors/identity/admin_key.hpp"
#include "actors/identity/identity_keys.hpp"
#include "actors/identity/login_guard.hpp"
#include "actors/identity/password.hpp"
#include "net/http/route.hpp"
#include "runtime/services.hpp"
#include "schemas/auth.hpp"
#include "schemas/organization.hpp"
#include "schemas/user.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// People, keys and organizations, put together: what the routes of identity share.
namespace troupe::actors {

class oidc_desk;

class identity {
public:
    /// Makes the node's keys and the default organization where they are missing. After the node has started, before it
    /// serves; blocks. Everything given outlives this object.
    static expected<std::unique_ptr<identity>> open(const runtime::services& s, node_secrets secrets,
                                                    const admin_key& key);
    ~identity();
    identity(const identity&) = delete;
    identity& operator=(const identity&) = delete;

    const runtime::services& services;
    std::unique_ptr<identity_keys> keys;
    std::unique_ptr<access> doors;
    /// Failed logins of an account from one network, so that nobody keeps others out; and from everywhere, so that
    /// guessing from many places is slow, too.
    attempts by_account;
    attempts by_account_everywhere;
    attempts by_address;                ///< Failed logins, registrations and refreshes, by the client's network.
    std::unique_ptr<oidc_desk> issuers; ///< Null when there are none.
    password_desk passwords;            ///< The last: its threads use all of the others.

    /// No callback of the desks comes after it. Before the node ends.
    void stop();
    /// A new signing key, when the present one has signed for long enough. Returns at once.
    void rotate_keys_when_due();

private:
    explicit identity(const runtime::services& s);
};

/// All routes of the feature. `who` outlives them.
std::vector<net::route> identity_routes(identity& who);

// The parts of it, one file each.
std::vector<net::route> login_routes(identity& me);
std::vector<net::route> profile_routes(identity& me);
std::vector<net::route> mfa_routes(identity& me);
std::vector<net::route> oidc_routes(identity& me);
std::vector<net::route> linked_identity_routes(identity& me);
std::vector<net::route> user_routes(identity& me);
std::vector<net::route> api_key_routes(identity& me);
std::vector<net::route> organization_routes(identity& me);
std::vector<net::route> member_routes(identity& me);
std::vector<net::route> deletion_routes(identity& me);

} // namespace troupe::actors
