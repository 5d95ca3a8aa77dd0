#pragma once

#include "runtime/entity/entity.hpp"
#include "schemas/base/described.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// A secret: one per organization and name. It only ever sees ciphertext: values are encrypted at the edge
/// (secret_routes.cpp), bound to organization, name and version. Pure.
namespace troupe::actors {

/// The next value. `version` is what the ciphertext is bound to: the one after the current, else `conflict`.
struct set_secret {
    std::string name;
    std::uint64_t version = 0;
    std::string sealed; ///< See secret_crypto.hpp.
};
BOOST_DESCRIBE_STRUCT(set_secret, (), (name, version, sealed))

/// The same value under another data key. Nothing changes when it has another value, or none, by now.
struct reseal_secret {
    std::uint64_t version = 0;
    std::string sealed;
};
BOOST_DESCRIBE_STRUCT(reseal_secret, (), (version, sealed))

struct delete_secret {};
BOOST_DESCRIBE_STRUCT(delete_secret, (), ())

struct secret_set {
    std::string name;
    std::uint64_t version = 0;
    std::string sealed;
};
BOOST_DESCRIBE_STRUCT(secret_set, (), (name, version, sealed))

struct secret_resealed {
    std::uint64_t version = 0;
    std::string sealed;
};
BOOST_DESCRIBE_STRUCT(secret_resealed, (), (version, sealed))

struct secret_deleted {};
BOOST_DESCRIBE_STRUCT(secret_deleted, (), ())

/// What stands beside the document, for the node itself; no route shows it.
struct sealed_secret {
    std::uint64_t version = 0;
    std::string sealed; ///< Empty: deleted.
};
BOOST_DESCRIBE_STRUCT(sealed_secret, (), (version, sealed))
inline constexpr std::string_view sealed_collection = "sealed";
inline constexpr std::string_view sealed_key = "current";

struct secret_values {
    static constexpr int version = 1;
    std::string name;
    sealed_secret current;
    std::string updated_by;
    timestamp created_at; ///< Of the first value, or of the first after a delete.
    timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(secret_values, (), (name, current, updated_by, created_at, updated_at))

/// 1 to 128 of letters, digits, '_', '-' and '.', the first one a letter or a digit.
bool is_secret_name(std::string_view name);

/// The entity of a name; names that differ in case are different.
entity_address secret_address(const uuid& organization, std::string_view name);

} // namespace troupe::actors

TROUPE_NAMED(troupe::actors::set_secret)
TROUPE_NAMED(troupe::actors::reseal_secret)
TROUPE_NAMED(troupe::actors::delete_secret)
TROUPE_NAMED(troupe::actors::secret_set)
TROUPE_NAMED(troupe::actors::secret_resealed)
TROUPE_NAMED(troupe::actors::secret_deleted)

namespace troupe::actors {

struct secret_model {
    static constexpr std::string_view kind = "secret";
    using state = secret_values;
    using command = std::variant<set_secret, reseal_secret, delete_secret>;
    using event = std::variant<secret_set, secret_resealed, secret_deleted>;

    static expected<std::vector<event>> decide(const state&, const command&, const runtime::context&);
    static state apply(state, const event&, const runtime::event_context&);
    static std::vector<runtime::effect> resume(const state&);
    static runtime::entity_view view(const state&, const runtime::view_context&);
    static std::vector<runtime::item> items(const state& after, const event&, const runtime::event_context&);
};

} // namespace troupe::actors
