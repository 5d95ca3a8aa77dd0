#pragma once

#include "schemas/base/clock.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/security_policy.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace troupe {

enum class credential_kind : std::uint8_t { admin_key, session, api_key };

/// What `access` found out about a caller. Immutable.
struct credentials {
    credential_kind kind = credential_kind::session;
    std::optional<uuid> user; ///< Who logged in, or whose key it is.
    std::optional<uuid> session;
    std::optional<uuid> key;
    std::string role;                              ///< In the organization of the request; empty: none.
    std::vector<std::string> permissions;          ///< Of that role.
    std::vector<std::string> scopes;               ///< Of a key; empty: no narrower than the role.
    bool suspended = false;                        ///< The organization may only be read.
    timestamp authenticated_at;                    ///< When the person proved last who it is.
    timestamp expires_at;                          ///< Of what was sent; the epoch: never.
    std::uint64_t generation = 0;                  ///< Of `access`: nothing about anybody has changed while it stays.
    std::shared_ptr<const security_policy> policy; ///< Of the organization; null: none, or none that binds the caller.
    policy_facts facts;                            ///< That it judges, but for the address.
    policy_breach breach = policy_breach::none;    ///< What this request does not fulfil.

    [[nodiscard]] bool has_expired(timestamp now) const { return expires_at.ms != 0 && now >= expires_at; }
    /// Whether the other may do the same.
    [[nodiscard]] bool equals(const credentials& o) const {
        return role == o.role && permissions == o.permissions && scopes == o.scopes && suspended == o.suspended &&
               breach == o.breach;
    }
};

} // namespace troupe
