#include "actors/mcp/mcp_usage_routes.hpp"

#include "actors/common/day_range.hpp"
#include "actors/common/routes.hpp"
#include "actors/mcp/mcp_usage_keeper.hpp"
#include "actors/mcp/mcp_usage_model.hpp"
#include "net/http/handlers.hpp"
#include "schemas/base/log.hpp"
#include "schemas/quota.hpp"
#include "storage/views.hpp"

#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

namespace troupe::actors {
namespace {

using net::request;
using net::responder;
using net::response;
using net::verb;

/// Tool, agent, day: of which one is told apart, the others are empty.
using group = std::tuple<std::optional<std::string>, std::optional<uuid>, std::optional<std::string>>;

group group_of(mcp_usage_by by, const mcp_usage_row& row, const std::string& day) {
    switch (by) {
    case mcp_usage_by::agent:
        return {std::nullopt, row.agent_id, std::nullopt};
    case mcp_usage_by::day:
        return {std::nullopt, std::nullopt, day};
    case mcp_usage_by::tool:
        break;
    }
    return {row.tool, std::nullopt, std::nullopt};
}

mcp_usage_document document_of(const group& g, const mcp_usage_row& sum) {
    const auto& [tool, agent, day] = g;
    return {tool,
            agent,
            day,
            sum.calls,
            sum.errors,
            sum.failures,
            sum.calls > 0 ? sum.total_ms / static_cast<std::int64_t>(sum.calls) : 0,
            time_of_share(sum, 0.5),
            time_of_share(sum, 0.95),
            time_of_share(sum, 0.99),
            sum.max_ms,
            sum.bytes};
}

expected<mcp_usage_by> grouping(const request& r) {
    const auto text = r.query_value("by");
    const auto by = text ? detail::enum_value<mcp_usage_by>(*text) : std::optional(mcp_usage_by::tool);
    return by ? expected<mcp_usage_by>(*by)
              : problem{code::invalid_request, "`by` is tool, agent or day", {{"by", "is none of them"}}};
}

expected<std::map<group, mcp_usage_row>> sums(const runtime::services& s, const uuid& organization, day_range days,
                                              mcp_usage_by by) {
    std::map<group, mcp_usage_row> out;
    for (auto day = days.from; day <= days.to; ++day) {
        const auto text = day_text(day);
        const auto stored = storage::read_document(
            *s.store, {organization, std::string(mcp_usage_model::kind), mcp_usage_id(organization, text)});
        if (!stored) {
            return stored.error();
        }
        const auto read = *stored ? from_json<mcp_day_document>((*stored)->json, strictness::stored)
                                  : expected<mcp_day_document>(mcp_day_document{});
        if (!read) {
            return read.error();
        }
        for (const auto& row : read->rows) {
            add_usage(out[group_of(by, row, text)], row);
        }
    }
    return out;
}

expected<std::string> usage_page(const runtime::services& s, mcp_hub& hub, const request& r) {
    const auto by = grouping(r);
    const auto days = by ? days_in(r) : expected<day_range>(by.error());
    if (!days) {
        return days.error();
    }
    std::vector<std::string> items;
    if (r.who.organization == hub.organization()) { // the servers are one organization's
        if (const auto stored = store_mcp_usage(s, hub); !stored) {
            log_for("mcp").warn("what MCP tools were used for is shown without the last calls: {}",
                                stored.error().detail);
        }
        const auto all = sums(s, hub.organization(), *days, *by);
        if (!all) {
            return all.error();
        }
        for (const auto& [name, sum] : *all) {
            items.push_back(to_json(document_of(name, sum)));
        }
    }
    return net::list_body(items, std::nullopt);
}

} // namespace

std::vector<net::route> mcp_usage_routes(const runtime::services& s, mcp_hub& hub) {
    auto query = day_parameters();
    query.push_back({"by", "What is told apart; tool when left out.",
                     R"({"type":"string","enum":["tool","agent","day"]})", R"("agent")"});
    return {{.verb = verb::get,
             .path = "/mcp/usage",
             .operation = "list_mcp_usage",
             .summary =
                 "How often the tools were called, how that went and how long it took, by tool, agent or day, all "
                 "on one page. A day here is one of UTC; other nodes' last ten seconds are missing.",
             .tag = "mcp",
             .permission = "mcp:read",
             .query = std::move(query),
             .reply = page_of<mcp_usage_document>("mcp_usage"),
             .run =
                 [&s, &hub](const request& r, const responder& respond) {
                     auto page = usage_page(s, hub, r);
                     respond(page ? response{.body = std::move(*page)} : net::to_response(page.error(), r));
                 },
             .blocks = [] { return true; }}};
}

} // namespace troupe::actors
