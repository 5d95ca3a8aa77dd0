#pragma once

#include "runtime/entity/entity.hpp"
#include "schemas/base/described.hpp"
#include "schemas/mcp_usage.hpp"

#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// What the tools of MCP servers were used for on one day, of one organization. Pure.
namespace troupe::actors {

/// Tools and agents of a day that are kept apart; what is beyond is counted under the tool "".
inline constexpr std::size_t mcp_rows_max = 2000;

/// Command of a node: what it counted since it last said so.
struct add_mcp_usage {
    std::string day; ///< "2026-11-21"
    std::vector<mcp_usage_row> rows;
};
BOOST_DESCRIBE_STRUCT(add_mcp_usage, (), (day, rows))

struct mcp_usage_added {
    std::string day;
    std::vector<mcp_usage_row> rows;
};
BOOST_DESCRIBE_STRUCT(mcp_usage_added, (), (day, rows))

struct mcp_usage_state {
    static constexpr int version = 1;
    std::string day;
    std::vector<mcp_usage_row> rows; ///< By tool and agent.
};
BOOST_DESCRIBE_STRUCT(mcp_usage_state, (), (day, rows))

struct mcp_usage_model {
    static constexpr std::string_view kind = "mcp_usage";
    using state = mcp_usage_state;
    using command = std::variant<add_mcp_usage>;
    using event = std::variant<mcp_usage_added>;

    static expected<std::vector<event>> decide(const state&, const command&, const runtime::context&);
    static state apply(state, const event&, const runtime::event_context&);
    static std::vector<runtime::effect> resume(const state&);
    static runtime::entity_view view(const state&, const runtime::view_context&);
};

/// Of the day's entity.
uuid mcp_usage_id(const uuid& organization, std::string_view day);

} // namespace troupe::actors

TROUPE_NAMED(troupe::actors::add_mcp_usage)
TROUPE_NAMED(troupe::actors::mcp_usage_added)
