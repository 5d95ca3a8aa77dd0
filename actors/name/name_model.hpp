#pragma once

#include "runtime/entity/entity.hpp"
#include "schemas/base/described.hpp"
#include "schemas/name_messages.hpp"

#include <string_view>
#include <variant>
#include <vector>

/// The entity that keeps a value unique: addressed by `name_id`, held by at most one owner. Pure.
namespace troupe::actors {

BOOST_DEFINE_ENUM_CLASS(name_status, free, reserved, confirmed)

/// How long a reservation lasts without confirmation: far longer than a create takes, even with a fail-over between.
inline constexpr std::int64_t name_reservation_ms = 10LL * 60 * 1000;

/// Command of the timer: the reservation `number` was not confirmed in time.
struct expire_name {
    std::uint64_t number = 0;
};
BOOST_DESCRIBE_STRUCT(expire_name, (), (number))

/// Events hold no text: the name of a person would outlive its erasure here.
struct name_reserved {
    std::string kind;
    uuid owner;
    timestamp until;
};
BOOST_DESCRIBE_STRUCT(name_reserved, (), (kind, owner, until))

struct name_confirmed {
    std::string kind;
    uuid owner;
    std::uint64_t claim = 0;
};
BOOST_DESCRIBE_STRUCT(name_confirmed, (), (kind, owner, claim))

struct name_released {
    uuid owner;
    std::uint64_t claim = 0;
};
BOOST_DESCRIBE_STRUCT(name_released, (), (owner, claim))

struct name_expired {};
BOOST_DESCRIBE_STRUCT(name_expired, (), ())

struct name_state {
    static constexpr int version = 1;
    name_status status = name_status::free;
    std::string kind;
    uuid owner;
    timestamp until;                ///< Of a reservation.
    std::uint64_t reservations = 0; ///< Numbers them: a late timer of an older one does nothing.
    /// The owner's newest, confirmed or, of a name that is free again, given up: what comes late of older ones does
    /// nothing.
    std::uint64_t claim = 0;
};
BOOST_DESCRIBE_STRUCT(name_state, (), (status, kind, owner, until, reservations, claim))

} // namespace troupe::actors

TROUPE_NAMED(troupe::actors::expire_name)
TROUPE_NAMED(troupe::actors::name_reserved)
TROUPE_NAMED(troupe::actors::name_confirmed)
TROUPE_NAMED(troupe::actors::name_released)
TROUPE_NAMED(troupe::actors::name_expired)

namespace troupe::actors {

struct name_model {
    static constexpr std::string_view kind = "name";
    using state = name_state;
    using command = std::variant<reserve_name, confirm_name, release_name, expire_name>;
    using event = std::variant<name_reserved, name_confirmed, name_released, name_expired>;

    static expected<std::vector<event>> decide(const state&, const command&, const runtime::context&);
    static state apply(state, const event&, const runtime::event_context&);
    static std::vector<runtime::effect> resume(const state&);
    static runtime::entity_view view(const state&, const runtime::view_context&);
};

} // namespace troupe::actors
