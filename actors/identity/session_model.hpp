#pragma once

#include "runtime/entity/entity.hpp"
#include "schemas/auth.hpp"
#include "schemas/base/described.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// A session: one login of a person, and the family of its refresh tokens. Lives in the organization `system`.
///
/// A refresh token is made of the session's id, a rotation number and a MAC that only the node can make (tokens.hpp),
/// so that the number is all that has to be kept. Each use takes the next number; a number that was used before ends
/// the session (RFC 9700, 4.14.2). Pure.
namespace troupe::actors {

struct open_session {
    uuid user_id;
    std::optional<uuid> organization_id;
    std::uint64_t generation = 0; ///< Of the user's credential; see user_credential.
    std::vector<std::string> methods;
    std::string address;
    std::string user_agent;
    std::int64_t valid_ms = 0;
};
BOOST_DESCRIBE_STRUCT(open_session, (), (user_id, organization_id, generation, methods, address, user_agent, valid_ms))

/// A refresh token came. One that was used before ends the session; the answer shows it.
struct rotate_session {
    std::uint64_t rotation = 0;
    std::optional<uuid> organization_id; ///< To go on in.
    std::string address;
    std::string user_agent;
    std::int64_t valid_ms = 0;
};
BOOST_DESCRIBE_STRUCT(rotate_session, (), (rotation, organization_id, address, user_agent, valid_ms))

/// The person proved again who it is.
struct confirm_session {
    std::string method;
};
BOOST_DESCRIBE_STRUCT(confirm_session, (), (method))

struct end_session {
    std::string reason;
};
BOOST_DESCRIBE_STRUCT(end_session, (), (reason))

struct session_opened {
    uuid user_id;
    std::optional<uuid> organization_id;
    std::uint64_t generation = 0;
    std::vector<std::string> methods;
    std::string address;
    std::string user_agent;
    timestamp expires_at;
};
BOOST_DESCRIBE_STRUCT(session_opened, (),
                      (user_id, organization_id, generation, methods, address, user_agent, expires_at))

struct session_rotated {
    std::uint64_t rotation = 0; ///< The new one.
    std::optional<uuid> organization_id;
    std::string address;
    std::string user_agent;
    timestamp expires_at;
};
BOOST_DESCRIBE_STRUCT(session_rotated, (), (rotation, organization_id, address, user_agent, expires_at))

struct session_confirmed {
    std::string method;
};
BOOST_DESCRIBE_STRUCT(session_confirmed, (), (method))

struct session_ended {
    std::string reason;
};
BOOST_DESCRIBE_STRUCT(session_ended, (), (reason))

struct session_state {
    static constexpr int version = 1;
    session_document shown; ///< Its document, which holds no secret.
    std::uint64_t generation = 0;
    std::uint64_t rotation = 0; ///< Of the refresh token that is good.
};
BOOST_DESCRIBE_STRUCT(session_state, (), (shown, generation, rotation))

/// What stands beside the document, for the node itself.
struct session_family {
    std::uint64_t generation = 0;
    std::uint64_t rotation = 0;
};
BOOST_DESCRIBE_STRUCT(session_family, (), (generation, rotation))
inline constexpr std::string_view family_collection = "family";
inline constexpr std::string_view family_key = "current";

inline constexpr std::string_view token_reused_reason = "token_reused";

entity_address session_address(const uuid& id);

} // namespace troupe::actors

TROUPE_NAMED(troupe::actors::open_session)
TROUPE_NAMED(troupe::actors::rotate_session)
TROUPE_NAMED(troupe::actors::confirm_session)
TROUPE_NAMED(troupe::actors::end_session)
TROUPE_NAMED(troupe::actors::session_opened)
TROUPE_NAMED(troupe::actors::session_rotated)
TROUPE_NAMED(troupe::actors::session_confirmed)
TROUPE_NAMED(troupe::actors::session_ended)

namespace troupe::actors {

struct session_model {
    static constexpr std::string_view kind = "session";
    using state = session_state;
    using command = std::variant<open_session, rotate_session, confirm_session, end_session>;
    using event = std::variant<session_opened, session_rotated, session_confirmed, session_ended>;

    static expected<std::vector<event>> decide(const state&, const command&, const runtime::context&);
    static state apply(state, const event&, const runtime::event_context&);
    /// A session that is not used ends by a timer.
    static uuid subject(const state& s) { return s.shown.user_id; }
    static std::vector<runtime::effect> resume(const state&);
    static runtime::entity_view view(const state&, const runtime::view_context&);
    static std::vector<runtime::item> items(const state& after, const event&, const runtime::event_context&);
};

} // namespace troupe::actors
