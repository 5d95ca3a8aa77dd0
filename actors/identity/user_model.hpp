#pragma once

#include "actors/common/debts.hpp"
#include "runtime/entity/entity.hpp"
#include "schemas/base/described.hpp"
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

/// A membership as the organization told it last; what is removed stays, so that late news do not bring it back.
struct noted_membership {
    uuid organization_id;
    std::uint64_t version = 0;
    std::string role;
    bool active = true;
    bool removed = false;
};
BOOST_DESCRIBE_STRUCT(noted_membership, (), (organization_id, version, role, active, removed))

/// What stands beside the document, for the node itself; no route shows it.
struct user_credential {
    std::string password_hash;
    std::uint64_t generation = 0; ///< Sessions of an older one are ended.
};
BOOST_DESCRIBE_STRUCT(user_credential, (), (password_hash, generation))
inline constexpr std::string_view credential_collection = "credential";
inline constexpr std::string_view credential_key = "current";

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

entity_address user_address(const uuid& id);

} // namespace troupe::actors

TROUPE_NAMED(troupe::actors::create_user)
TROUPE_NAMED(troupe::actors::update_user)
TROUPE_NAMED(troupe::actors::lock_user)
TROUPE_NAMED(troupe::actors::unlock_user)
TROUPE_NAMED(troupe::actors::end_sessions)
TROUPE_NAMED(troupe::actors::user_created)
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
    using command =
        std::variant<create_user, update_user, lock_user, unlock_user, end_sessions, note_membership, debt_settled>;
    using event = std::variant<user_created, user_updated, password_changed, user_locked, user_unlocked, sessions_ended,
                               membership_noted, debt_cleared>;

    static expected<std::vector<event>> decide(const state&, const command&, const runtime::context&);
    static state apply(state, const event&, const runtime::event_context&);
    static std::vector<runtime::effect> resume(const state&);
    static runtime::entity_view view(const state&, const runtime::view_context&);
    static std::vector<runtime::item> items(const state& after, const event&, const runtime::event_context&);
};

} // namespace troupe::actors
