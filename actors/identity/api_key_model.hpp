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

/// An API key of a person, an agent or a service. Lives in the organization `system`; the key itself is never stored,
/// only its SHA-256. Pure.
namespace troupe::actors {

struct create_api_key {
    uuid organization_id;
    std::string name;
    std::string owner; ///< "user/…", "agent/…" or "service".
    std::string role;
    std::vector<std::string> scopes;
    std::string prefix;
    std::string hash; ///< Hexadecimal.
    std::optional<timestamp> expires_at;
};
BOOST_DESCRIBE_STRUCT(create_api_key, (), (organization_id, name, owner, role, scopes, prefix, hash, expires_at))

struct revoke_api_key {};
BOOST_DESCRIBE_STRUCT(revoke_api_key, (), ())

/// Of the node: the key was used. Nothing changes within `api_key_use_ms` of the last time.
struct note_api_key_use {
    std::string address;
};
BOOST_DESCRIBE_STRUCT(note_api_key_use, (), (address))
inline constexpr std::int64_t api_key_use_ms = 10LL * 60 * 1000;

struct api_key_created : create_api_key {};
BOOST_DESCRIBE_STRUCT(api_key_created, (create_api_key), ())

struct api_key_revoked {};
BOOST_DESCRIBE_STRUCT(api_key_revoked, (), ())

struct api_key_used {
    std::string address;
};
BOOST_DESCRIBE_STRUCT(api_key_used, (), (address))

struct api_key_state {
    static constexpr int version = 1;
    api_key_document shown;
    std::string hash;
};
BOOST_DESCRIBE_STRUCT(api_key_state, (), (shown, hash))

/// What stands beside the document, for the node itself; no route shows it.
struct api_key_hash {
    std::string hash;
};
BOOST_DESCRIBE_STRUCT(api_key_hash, (), (hash))
inline constexpr std::string_view hash_collection = "hash";
inline constexpr std::string_view hash_key = "current";

entity_address api_key_address(const uuid& id);

} // namespace troupe::actors

TROUPE_NAMED(troupe::actors::create_api_key)
TROUPE_NAMED(troupe::actors::revoke_api_key)
TROUPE_NAMED(troupe::actors::note_api_key_use)
TROUPE_NAMED(troupe::actors::api_key_created)
TROUPE_NAMED(troupe::actors::api_key_revoked)
TROUPE_NAMED(troupe::actors::api_key_used)

namespace troupe::actors {

struct api_key_model {
    static constexpr std::string_view kind = "api_key";
    using state = api_key_state;
    using command = std::variant<create_api_key, revoke_api_key, note_api_key_use>;
    using event = std::variant<api_key_created, api_key_revoked, api_key_used>;

    static expected<std::vector<event>> decide(const state&, const command&, const runtime::context&);
    static state apply(state, const event&, const runtime::event_context&);
    static uuid subject(const state&);
    static std::vector<runtime::effect> resume(const state&);
    static runtime::entity_view view(const state&, const runtime::view_context&);
    static std::vector<runtime::item> items(const state& after, const event&, const runtime::event_context&);
};

} // namespace troupe::actors
