#pragma once

#include "actors/identity/admin_key.hpp"
#include "actors/identity/credentials.hpp"
#include "actors/identity/identity_keys.hpp"
#include "net/http/route.hpp"
#include "runtime/bus/bus.hpp"
#include "runtime/services.hpp"
#include "schemas/auth.hpp"
#include "schemas/base/problem.hpp"
#include "schemas/organization.hpp"
#include "schemas/security_policy.hpp"
#include "schemas/user.hpp"

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

/// Who asks, and whether they may. From the tables, never waking an entity; remembered until something about people,
/// keys or organizations changes, which is noticed before the change is answered.
namespace troupe::actors {

/// The cookies of a browser; `__Host-` binds them to this origin and to secure transport.
inline constexpr std::string_view access_cookie = "__Host-troupe-access";
inline constexpr std::string_view refresh_cookie = "__Host-troupe-refresh";

/// Thread-safe; called on io threads.
class access {
public:
    /// All of them outlive this object. Before the edge serves.
    static std::unique_ptr<access> open(const runtime::services& s, const identity_keys& keys, const admin_key& key);

    /// From `Authorization: Bearer`, `X-Api-Key` or the cookie. The organization is the one that the path names
    /// (/organizations/{id}/…), or `X-Organization`, or the token's. `unauthenticated`, `not_found` (organization),
    /// `forbidden` (a cookie without its CSRF token).
    expected<net::principal> authenticate(const net::request& r);

    /// Of a live stream that the request opened: nothing while nothing changed, who it is now, or a problem when it is
    /// nobody any more or may do other things than before.
    expected<std::optional<net::principal>> revalidate(const net::request& r, const net::principal& before);

    /// `forbidden`, `organization_suspended`, `step_up_required`, and what the organization's security policy refuses.
    /// Deny by default.
    [[nodiscard]] expected<void> authorize(const net::principal& who, std::string_view permission) const;
    /// The same with its reason.
    [[nodiscard]] permission_decision_document explain(const net::principal& who, std::string_view permission) const;
    /// `step_up_required` for a session whose person proved who it is too long ago. Keys have no such moment.
    [[nodiscard]] expected<void> check_recent(const net::principal& who) const;

    /// What the security policy of the caller's organization refuses, for what a person may do on its own and what
    /// reaches into the organization all the same.
    [[nodiscard]] expected<void> check_policy(const net::principal& who) const;
    /// What policies judge of the caller; nothing for the administrator's key, which none binds.
    [[nodiscard]] std::optional<policy_facts> facts_of(const net::request& r) const;
    /// The security policy of an organization; null: none. From memory, or the tables when it has changed.
    [[nodiscard]] expected<std::shared_ptr<const security_policy>> policy_of(const uuid& organization) const;
    /// The strictest of a person's organizations, for what is one for all of them: passwords, and the rest of sessions.
    [[nodiscard]] expected<security_policy> policy_of(const user_document& user) const;
    /// `session_too_old` when a policy ends the session that asks for new tokens, to go on in that organization.
    [[nodiscard]] expected<void> check_refresh(const session_document& session, const user_document& user,
                                               const std::optional<uuid>& organization) const;

    /// An id or a slug.
    [[nodiscard]] expected<uuid> find_organization(std::string_view text) const;
    /// The permissions of a role of that organization; `not_found`.
    [[nodiscard]] expected<std::vector<std::string>> permissions_of(const uuid& organization,
                                                                    std::string_view role) const;

private:
    access(const runtime::services& s, const identity_keys& keys, const admin_key& key)
        : services_(s), keys_(keys), admin_(key), used_floor_(system_now()) {}

    enum class verdict : std::uint8_t { granted, nobody, not_covered, out_of_scope, refused, suspended, not_recent };
    struct judgement {
        verdict what = verdict::nobody;
        std::string_view pattern; ///< The caller's permission that covers the one asked for.
    };
    [[nodiscard]] judgement judge_permission(const net::principal& who, std::string_view permission) const;
    [[nodiscard]] bool is_recent(const net::principal& who) const;

    struct remembered {
        net::principal who;
        std::uint64_t generation = 0;
    };
    expected<net::principal> find(const net::request& r);
    [[nodiscard]] policy_breach breach_of(const credentials& c, std::string_view address) const;
    void note_use(const uuid& session, timestamp refreshed_at);
    [[nodiscard]] timestamp rests_since(const uuid& session, timestamp refreshed_at) const;
    expected<net::principal> judge(const net::request& r, std::string_view token, std::string_view organization);
    expected<net::principal> judge_admin(std::string_view organization) const;
    expected<net::principal> judge_api_key(const net::request& r, const uuid& id, std::string_view token,
                                           std::string_view organization) const;
    expected<net::principal> judge_session(std::string_view token, std::string_view organization) const;
    expected<void> enter(net::principal& who, credentials& c, const user_document& user, std::string_view organization,
                         const std::optional<uuid>& fallback) const;
    expected<void> read_organization(const uuid& id, credentials& c) const;
    expected<void> read_policy(const uuid& organization, credentials& c) const;

    const runtime::services& services_;
    const identity_keys& keys_;
    const admin_key& admin_;
    std::atomic<std::uint64_t> generation_{0};
    mutable std::mutex mutex_; ///< Of what follows.
    std::unordered_map<std::string, remembered> remembered_;
    struct known_policy {
        std::shared_ptr<const security_policy> policy;
        std::uint64_t generation = 0;
    };
    mutable std::map<uuid, known_policy> policies_;
    struct session_use {
        timestamp last;
        std::int64_t longest_rest_ms = 0; ///< What rested for too long stays so, whatever comes after.
    };
    std::map<uuid, session_use> used_;
    mutable timestamp used_floor_;               ///< What was before is not known: it counts as a use.
    mutable std::atomic<bool> notes_use_{false}; ///< Some policy asks how long sessions rest.
    std::unique_ptr<runtime::subscription> changes_;
};

} // namespace troupe::actors
