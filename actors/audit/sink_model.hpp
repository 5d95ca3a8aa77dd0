#pragma once

#include "runtime/entity/entity.hpp"
#include "schemas/base/described.hpp"

#include <cstdint>
#include <map>
#include <string_view>
#include <variant>
#include <vector>

/// How far an outside system has the audit log: a place in each shard, durable, so that a restart goes on there. Pure.
namespace troupe::actors {

/// Up to this line the other side has taken all of a shard.
struct audit_position {
    std::uint32_t shard = 0;
    std::uint64_t seq = 0;
    timestamp time; ///< Of that line.
};
BOOST_DESCRIBE_STRUCT(audit_position, (), (shard, seq, time))

struct note_delivered {
    std::vector<audit_position> positions;
};
BOOST_DESCRIBE_STRUCT(note_delivered, (), (positions))

struct audit_delivered {
    std::vector<audit_position> positions;
};
BOOST_DESCRIBE_STRUCT(audit_delivered, (), (positions))

/// Also the document.
struct audit_sink_state {
    static constexpr int version = 1;
    std::vector<audit_position> positions; ///< By shard; those without one are at the beginning.
};
BOOST_DESCRIBE_STRUCT(audit_sink_state, (), (positions))

/// One for each place that is configured: another address begins anew.
entity_address audit_sink_address(std::string_view place);

} // namespace troupe::actors

TROUPE_NAMED(troupe::actors::note_delivered)
TROUPE_NAMED(troupe::actors::audit_delivered)

namespace troupe::actors {

struct sink_model {
    static constexpr std::string_view kind = "audit_sink";
    using state = audit_sink_state;
    using command = std::variant<note_delivered>;
    using event = std::variant<audit_delivered>;

    static expected<std::vector<event>> decide(const state&, const command&, const runtime::context&);
    static state apply(state, const event&, const runtime::event_context&);
    static std::vector<runtime::effect> resume(const state&);
    static runtime::entity_view view(const state&, const runtime::view_context&);
};

} // namespace troupe::actors
