#pragma once

#include "actors/secret/secret_crypto.hpp"
#include "runtime/entity/entity.hpp"
#include "schemas/base/described.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// The keyring of an organization: its data keys, each wrapped with the node's master key. It is an entity of the
/// `system` organization, whose id is the organization's, so that all of them are found in one list. Pure.
///
/// Key 0 keys the hashes of requests that carry values; the last one encrypts new values; all of them open old ones.
/// Keys are never dropped: a value may have been encrypted with an older one at the moment of a rotation.
namespace troupe::actors {

/// Their numbers go on from those that are there, else `conflict`.
struct add_data_keys {
    std::vector<wrapped_key> keys;
};
BOOST_DESCRIBE_STRUCT(add_data_keys, (), (keys))

/// The same keys under another master key. Numbers that are not there are left out.
struct rewrap_data_keys {
    std::vector<wrapped_key> keys;
};
BOOST_DESCRIBE_STRUCT(rewrap_data_keys, (), (keys))

/// Of the performer: every secret is encrypted with the key of that number, or a later one.
struct finish_rotation {
    std::uint32_t key = 0;
};
BOOST_DESCRIBE_STRUCT(finish_rotation, (), (key))

struct data_keys_added {
    std::vector<wrapped_key> keys;
};
BOOST_DESCRIBE_STRUCT(data_keys_added, (), (keys))

struct data_keys_rewrapped {
    std::vector<wrapped_key> keys;
};
BOOST_DESCRIBE_STRUCT(data_keys_rewrapped, (), (keys))

struct rotation_finished {
    std::uint32_t key = 0;
};
BOOST_DESCRIBE_STRUCT(rotation_finished, (), (key))

/// The effect of a rotation: encrypts all secrets with the newest key.
inline constexpr std::string_view reseal_effect = "reseal";
/// Rotations of an organization; each leaves a key of about 200 bytes.
inline constexpr std::size_t data_keys_max = 1000;

struct keyring_state {
    static constexpr int version = 1;
    uuid organization;
    std::vector<wrapped_key> keys; ///< By number, from 0.
    std::uint32_t finished = 1;    ///< The newest key whose rotation is over.
    timestamp created_at;

    [[nodiscard]] std::uint32_t current() const {
        return keys.empty() ? 0 : static_cast<std::uint32_t>(keys.size() - 1);
    }
    [[nodiscard]] bool rotating() const { return current() > finished; }
};
BOOST_DESCRIBE_STRUCT(keyring_state, (), (organization, keys, finished, created_at))

/// The keyring of an organization.
entity_address keyring_address(const uuid& organization);

} // namespace troupe::actors

TROUPE_NAMED(troupe::actors::add_data_keys)
TROUPE_NAMED(troupe::actors::rewrap_data_keys)
TROUPE_NAMED(troupe::actors::finish_rotation)
TROUPE_NAMED(troupe::actors::data_keys_added)
TROUPE_NAMED(troupe::actors::data_keys_rewrapped)
TROUPE_NAMED(troupe::actors::rotation_finished)

namespace troupe::actors {

struct keyring_model {
    static constexpr std::string_view kind = "keyring";
    using state = keyring_state;
    using command = std::variant<add_data_keys, rewrap_data_keys, finish_rotation>;
    using event = std::variant<data_keys_added, data_keys_rewrapped, rotation_finished>;

    static expected<std::vector<event>> decide(const state&, const command&, const runtime::context&);
    static state apply(state, const event&, const runtime::event_context&);
    static uuid subject(const state& s) { return s.organization; }
    static std::vector<runtime::effect> resume(const state&);
    /// The document is the state itself: no route shows it.
    static runtime::entity_view view(const state&, const runtime::view_context&);
};

} // namespace troupe::actors
