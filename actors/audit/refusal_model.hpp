#pragma once

#include "runtime/entity/entity.hpp"
#include "schemas/audit.hpp"

#include <string_view>
#include <variant>
#include <vector>

/// The refused requests of an organization and a day: each is an event, so that it stands in the audit log. Pure.
namespace troupe::actors {

struct refusal_counts {
    static constexpr int version = 1;
    std::uint64_t denied = 0;
    std::uint64_t failed = 0;
};
BOOST_DESCRIBE_STRUCT(refusal_counts, (), (denied, failed))

/// One a day (UTC), so that none grows for ever.
entity_address refusals_address(const uuid& organization, timestamp at);

struct refusal_model {
    static constexpr std::string_view kind = "refusals";
    using state = refusal_counts;
    using command = std::variant<note_refusal>;
    using event = std::variant<request_denied, login_failed>;

    static expected<std::vector<event>> decide(const state&, const command&, const runtime::context&);
    static state apply(state, const event&, const runtime::event_context&);
    static std::vector<runtime::effect> resume(const state&);
    /// Not shown: the audit log is where people look.
    static runtime::entity_view view(const state&, const runtime::view_context&);
};

} // namespace troupe::actors
