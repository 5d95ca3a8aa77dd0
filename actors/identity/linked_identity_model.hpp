#pragma once

#include "runtime/entity/entity.hpp"
#include "schemas/auth.hpp"
#include "schemas/base/described.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// That a person at an issuer (OpenID Connect: `iss` and `sub`) is a person here. Lives in the organization `system`
/// under an id that is made of both, so that nobody can be two people. Pure.
namespace troupe::actors {

struct link_identity {
    uuid user_id;
    std::string provider;
    std::string issuer;
    std::string subject;
    std::string email;
    bool anew = false; ///< Also when it was unlinked before: the person itself asks for it.
};
BOOST_DESCRIBE_STRUCT(link_identity, (), (user_id, provider, issuer, subject, email, anew))

/// Nothing opens the account by it any more, before somebody links it anew.
struct unlink_identity {};
BOOST_DESCRIBE_STRUCT(unlink_identity, (), ())

/// Of the node: somebody logged in by it. Nothing changes within `identity_use_ms` of the last time.
struct note_identity_use {
    std::string email;
};
BOOST_DESCRIBE_STRUCT(note_identity_use, (), (email))
inline constexpr std::int64_t identity_use_ms = 10LL * 60 * 1000;

struct identity_linked {
    uuid user_id;
    std::string provider;
    std::string issuer;
    std::string subject;
    std::string email;
};
BOOST_DESCRIBE_STRUCT(identity_linked, (), (user_id, provider, issuer, subject, email))

struct identity_unlinked {};
BOOST_DESCRIBE_STRUCT(identity_unlinked, (), ())

struct identity_used {
    std::string email;
};
BOOST_DESCRIBE_STRUCT(identity_used, (), (email))

struct linked_identity_state {
    static constexpr int version = 1;
    linked_identity_document shown;
    uuid owner; ///< The first person.
};
BOOST_DESCRIBE_STRUCT(linked_identity_state, (), (shown, owner))

/// Of a person at an issuer. Both to the letter.
uuid linked_identity_id(std::string_view issuer, std::string_view subject);
entity_address linked_identity_address(const uuid& id);

} // namespace troupe::actors

TROUPE_NAMED(troupe::actors::link_identity)
TROUPE_NAMED(troupe::actors::unlink_identity)
TROUPE_NAMED(troupe::actors::note_identity_use)
TROUPE_NAMED(troupe::actors::identity_linked)
TROUPE_NAMED(troupe::actors::identity_unlinked)
TROUPE_NAMED(troupe::actors::identity_used)

namespace troupe::actors {

struct linked_identity_model {
    static constexpr std::string_view kind = "linked_identity";
    using state = linked_identity_state;
    using command = std::variant<link_identity, unlink_identity, note_identity_use>;
    using event = std::variant<identity_linked, identity_unlinked, identity_used>;

    static expected<std::vector<event>> decide(const state&, const command&, const runtime::context&);
    static state apply(state, const event&, const runtime::event_context&);
    /// Of its first person: what stands in its history is theirs.
    static uuid subject(const state& s) { return s.owner.is_nil() ? s.shown.user_id : s.owner; }
    static std::vector<runtime::effect> resume(const state&);
    static runtime::entity_view view(const state&, const runtime::view_context&);
};

} // namespace troupe::actors
