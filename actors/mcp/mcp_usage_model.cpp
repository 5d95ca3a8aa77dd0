#include "actors/mcp/mcp_usage_model.hpp"

#include <algorithm>
#include <tuple>

namespace troupe::actors {
namespace {

auto name_of(const mcp_usage_row& row) { return std::tie(row.tool, row.agent_id); }

/// Its row, a new one if there is room, else the one of all others.
mcp_usage_row& row_for(std::vector<mcp_usage_row>& rows, mcp_usage_row wanted) {
    const auto before = [](const auto& a, const auto& b) { return name_of(a) < name_of(b); };
    auto at = std::ranges::lower_bound(rows, wanted, before);
    const bool found = at != rows.end() && name_of(*at) == name_of(wanted);
    if (!found && !wanted.tool.empty() && rows.size() >= mcp_rows_max) {
        return row_for(rows, {});
    }
    return *(found ? at : rows.insert(at, std::move(wanted)));
}

} // namespace

expected<std::vector<mcp_usage_model::event>> mcp_usage_model::decide(const state&, const command& c,
                                                                      const runtime::context&) {
    const auto& add = std::get<add_mcp_usage>(c);
    return add.rows.empty() ? std::vector<event>{} : std::vector<event>{mcp_usage_added{add.day, add.rows}};
}

mcp_usage_state mcp_usage_model::apply(state s, const event& e, const runtime::event_context&) {
    const auto& added = std::get<mcp_usage_added>(e);
    s.day = added.day;
    for (const auto& row : added.rows) {
        add_usage(row_for(s.rows, {.tool = row.tool, .agent_id = row.agent_id}), row);
    }
    return s;
}

std::vector<runtime::effect> mcp_usage_model::resume(const state&) { return {}; }

runtime::entity_view mcp_usage_model::view(const state& s, const runtime::view_context&) {
    return {to_json(mcp_day_document{s.day, s.rows}), {{"", s.day}}, !s.day.empty()};
}

uuid mcp_usage_id(const uuid& organization, std::string_view day) {
    return derive_uuid({"mcp_usage", to_string(organization), day});
}

} // namespace troupe::actors
