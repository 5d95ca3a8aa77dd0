#pragma once

#include "actors/common/debts.hpp"
#include "runtime/entity/entity.hpp"
#include "schemas/base/described.hpp"
#include "schemas/erasure_messages.hpp"
#include "schemas/organization_messages.hpp"
#include "schemas/user.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// A person. Lives in the organization `system`. Never sees a password: routes hash and compare (password.hpp). Pure.
namespace troupe::actors {

/// The e-mail address is reserved for this id before (actors/name).
struct create_user {
    std::string email;
    std::string name;
    std::string password_hash;
    bool node_admin = false;
};
BOOST_DESCRIBE_STRUCT(create_user, (), (email, name, password_hash, node_admin))

/// What is given is replaced; another e-mail address is reserved before.
struct update_user {
    std::optional<std::string> name;
    std::optional<std::string> email;
    std::optional<user_status> status;
    std::optional<bool> node_admin;
    std::optional<std::string> password_hash; ///< Ends all sessions.
};
BOOST_DESCRIBE_STRUCT(update_user, (), (name, email, status, node_admin, password_hash))

/// Too many attempts failed. Nothing changes when it is locked longer already.
struct lock_user {
    timestamp until;
};
BOOST_DESCRIBE_STRUCT(lock_user, (), (until))

struct unlock_user {};
BOOST_DESCRIBE_STRUCT(unlock_user, (), ())

/// Logs out everywhere.
struct end_sessions {};
BOOST_DESCRIBE_STRUCT(end_sessions, (), ())

/// A second factor on its way: nothing is asked for until it is enabled. The seed comes sealed (mfa_routes.cpp).
struct begin_mfa {
    std::string sealed_seed;
};
BOOST_DESCRIBE_STRUCT(begin_mfa, (), (sealed_seed))

/// The person showed a code of the pending seed, which the route has checked; `step` is that code's.
struct enable_mfa {
    std::string sealed_seed; ///< The pending one that the code belongs to.
    std::uint64_t step = 0;
    std::vector<std::string> recovery_hashes;
};
BOOST_DESCRIBE_STRUCT(enable_mfa, (), (sealed_seed, step, recovery_hashes))

/// A code was shown; one that was shown before is refused.
struct use_mfa_code {
    std::uint64_t step = 0;
};
BOOST_DESCRIBE_STRUCT(use_mfa_code, (), (step))

struct use_recovery_code {
    std::string hash;
};
BOOST_DESCRIBE_STRUCT(use_recovery_code, (), (hash))

/// New recovery codes in the place of those that are left. `conflict` without a second factor.
struct renew_recovery_codes {
    std::vector<std::string> recovery_hashes;
};
BOOST_DESCRIBE_STRUCT(renew_recovery_codes, (), (recovery_hashes))

struct disable_mfa {};
BOOST_DESCRIBE_STRUCT(disable_mfa, (), ())

/// Its memberships and its address are given up; then its erasure begins.
struct user_closed {};
BOOST_DESCRIBE_STRUCT(user_closed, (), ())

struct user_created {
    std::string email;
    std::string name;
    std::string password_hash;
    bool node_admin = false;
};
BOOST_DESCRIBE_STRUCT(user_created, (), (email, name, password_hash, node_admin))

struct user_updated {
    std::optional<std::string> name;
    std::optional<std::string> email;
    std::optional<user_status> status;
    std::optional<bool> node_admin;
};
BOOST_DESCRIBE_STRUCT(user_updated, (), (name, email, status, node_admin))

struct password_changed {
    std::string password_hash;
};
BOOST_DESCRIBE_STRUCT(password_changed, (), (password_hash))

struct user_locked {
    timestamp until;
};
BOOST_DESCRIBE_STRUCT(user_locked, (), (until))

struct user_unlocked {};
BOOST_DESCRIBE_STRUCT(user_unlocked, (), ())

struct sessions_ended {};
BOOST_DESCRIBE_STRUCT(sessions_ended, (), ())

struct membership_noted {
    uuid organization_id;
    std::uint64_t version = 0;
    std::string role;
    bool active = true;
    bool removed = false;
};
BOOST_DESCRIBE_STRUCT(membership_noted, (), (organization_id, version, role, active, removed))

struct mfa_begun {
    std::string sealed_seed;
};
BOOST_DESCRIBE_STRUCT(mfa_begun, (), (sealed_seed))

struct mfa_enabled {
    std::uint64_t step = 0;
    std::vector<std::string> recovery_hashes;
};
BOOST_DESCRIBE_STRUCT(mfa_enabled, (), (step, recovery_hashes))

struct mfa_code_used {
    std::uint64_t step = 0;
};
BOOST_DESCRIBE_STRUCT(mfa_code_used, (), (step))

struct recovery_code_used {
    std::string hash;
};
BOOST_DESCRIBE_STRUCT(recovery_code_used, (), (hash))

struct recovery_codes_renewed {
    std::vector<std::string> recovery_hashes;
};
BOOST_DESCRIBE_STRUCT(recovery_codes_renewed, (), (recovery_hashes))

struct mfa_disabled {};
BOOST_DESCRIBE_STRUCT(mfa_disabled, (), ())

/// A membership as the organization told it last; what is removed stays, so that late news do not bring it back.
struct noted_membership {
    uuid organization_id;
    std::uint64_t version = 0;
    std::string role;
    bool active = true;
    bool removed = false;
};
BOOST_DESCRIBE_STRUCT(noted_membership, (), (organization_id, version, role, active, removed))

/// The second factor as it is kept.
struct user_mfa {
    std::string pending; ///< Sealed seed that is not enabled yet.
    std::string sealed;  ///< Sealed seed; empty: none is asked for.
    std::uint64_t last_step = 0;
    std::vector<std::string> recovery_hashes; ///< Not used yet.
};
BOOST_DESCRIBE_STRUCT(user_mfa, (), (pending, sealed, last_step, recovery_hashes))

/// What stands beside the document, for the node itself; no route shows it.
struct user_credential {
    std::string password_hash;
    std::uint64_t generation = 0; ///< Sessions of an older one are ended.
    user_mfa mfa;
};
BOOST_DESCRIBE_STRUCT(user_credential, (), (password_hash, generation, mfa))
inline constexpr std::string_view credential_collection = "credential";
inline constexpr std::string_view credential_key = "current";

/// Hashes of the passwords before, the newest first, for policies that do not want them again. No route shows it.
struct former_passwords {
    std::vector<std::string> hashes;
};
BOOST_DESCRIBE_STRUCT(former_passwords, (), (hashes))
inline constexpr std::string_view former_collection = "former";
inline constexpr std::string_view former_key = "current";

namespace v1 {

struct user_state {
    static constexpr int version = 1;
    uuid id;
    std::string email;
    std::string name;
    user_status status = user_status::active;
    bool node_admin = false;
    user_credential credential;
    std::vector<noted_membership> memberships;
    timestamp created_at;
    timestamp updated_at;
    timestamp password_changed_at;
    std::optional<timestamp> locked_until;
    debts owed;
};
BOOST_DESCRIBE_STRUCT(user_state, (),
                      (id, email, name, status, node_admin, credential, memberships, created_at, updated_at,
                       password_changed_at, locked_until, owed))

} // namespace v1

struct user_state {
    static constexpr int version = 2;
    using previous = v1::user_state;
    uuid id;
    std::string email;
    std::string name;
    user_status status = user_status::active;
    bool node_admin = false;
    user_credential credential;
    std::vector<noted_membership> memberships;
    timestamp created_at;
    timestamp updated_at;
    timestamp password_changed_at;
    std::vector<std::string> former_hashes; ///< Of the passwords before, the newest first.
    std::optional<timestamp> locked_until;
    debts owed;
    bool closing = false;
};
BOOST_DESCRIBE_STRUCT(user_state, (),
                      (id, email, name, status, node_admin, credential, memberships, created_at, updated_at,
                       password_changed_at, former_hashes, locked_until, owed, closing))

namespace v1 {

troupe::actors::user_state upcast(user_state old);

} // namespace v1

entity_address user_address(const uuid& id);

} // namespace troupe::actors

TROUPE_NAMED(troupe::actors::create_user)
TROUPE_NAMED(troupe::actors::update_user)
TROUPE_NAMED(troupe::actors::lock_user)
TROUPE_NAMED(troupe::actors::unlock_user)
TROUPE_NAMED(troupe::actors::end_sessions)
TROUPE_NAMED(troupe::actors::begin_mfa)
TROUPE_NAMED(troupe::actors::enable_mfa)
TROUPE_NAMED(troupe::actors::use_mfa_code)
TROUPE_NAMED(troupe::actors::use_recovery_code)
TROUPE_NAMED(troupe::actors::renew_recovery_codes)
TROUPE_NAMED(troupe::actors::recovery_codes_renewed)
TROUPE_NAMED(troupe::actors::disable_mfa)
TROUPE_NAMED(troupe::actors::mfa_begun)
TROUPE_NAMED(troupe::actors::mfa_enabled)
TROUPE_NAMED(troupe::actors::mfa_code_used)
TROUPE_NAMED(troupe::actors::recovery_code_used)
TROUPE_NAMED(troupe::actors::mfa_disabled)
TROUPE_NAMED(troupe::actors::user_created)
TROUPE_NAMED(troupe::actors::user_closed)
TROUPE_NAMED(troupe::actors::user_updated)
TROUPE_NAMED(troupe::actors::password_changed)
TROUPE_NAMED(troupe::actors::user_locked)
TROUPE_NAMED(troupe::actors::user_unlocked)
TROUPE_NAMED(troupe::actors::sessions_ended)
TROUPE_NAMED(troupe::actors::membership_noted)

namespace troupe::actors {

struct user_model {
    static constexpr std::string_view kind = "user";
    using state = user_state;
    using command = std::variant<create_user, update_user, lock_user, unlock_user, end_sessions, begin_mfa, enable_mfa,
                                 use_mfa_code, use_recovery_code, renew_recovery_codes, disable_mfa, note_membership,
                                 close_for_erasure, debt_settled>;
    using event = std::variant<user_created, user_updated, password_changed, user_locked, user_unlocked, sessions_ended,
                               mfa_begun, mfa_enabled, mfa_code_used, recovery_code_used, recovery_codes_renewed,
                               mfa_disabled, membership_noted, user_closed, debt_cleared>;

    static expected<std::vector<event>> decide(const state&, const command&, const runtime::context&);
    static state apply(state, const event&, const runtime::event_context&);
    static uuid subject(const state& s) { return s.id; }
    static std::vector<runtime::effect> resume(const state&);
    static runtime::entity_view view(const state&, const runtime::view_context&);
    static std::vector<runtime::item> items(const state& after, const event&, const runtime::event_context&);
};

} // namespace troupe::actors
