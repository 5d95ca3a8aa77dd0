#include "actors/tool/tool_routes.hpp"

#include "actors/common/routes.hpp"
#include "actors/kinds/kind.hpp"
#include "actors/tool/tool.hpp"
#include "net/http/handlers.hpp"
#include "schemas/tool.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace troupe::actors {
namespace {

tool_repeat repeat_of(repeat_safety safety) {
    switch (safety) {
    case repeat_safety::idempotent:
        return tool_repeat::repeated;
    case repeat_safety::recorded:
        return tool_repeat::recorded;
    case repeat_safety::control:
        return tool_repeat::by_the_run;
    case repeat_safety::once:
        break;
    }
    return tool_repeat::as_the_run_says;
}

tool_document shown(const tool_info& tool) {
    tool_document out{std::string(tool.name),
                      std::string(tool.description),
                      std::string(tool.permission),
                      tool.needs_project,
                      tool.writes,
                      repeat_of(tool.safety),
                      {},
                      {}};
    for (const auto& kind : all_kinds()) {
        if (std::ranges::count(kind.tools, tool.name) > 0) {
            out.kinds.emplace_back(kind.name);
        }
    }
    if (auto schema = json::make_raw(tool.schema())) {
        out.parameters = std::move(*schema);
    }
    return out;
}

void list_tools(const uuid& organization, const net::responder& respond) {
    std::vector<std::string> items;
    for (const auto& tool : all_tools()) {
        if (!tool.organization || tool.organization == organization) {
            items.push_back(to_json(shown(tool)));
        }
    }
    net::response out;
    out.body = net::list_body(items, std::nullopt);
    respond(std::move(out));
}

} // namespace

std::vector<net::route> tool_routes() {
    return {
        {.verb = net::verb::get,
         .path = "/tools",
         .operation = "list_tools",
         .summary = "The tools that agents may call, with the JSON Schema of their arguments, all on one page.",
         .tag = "tools",
         .permission = "agent:read",
         .reply = page_of<tool_document>("tools"),
         .run = [](const net::request& r, const net::responder& respond) { list_tools(r.who.organization, respond); }}};
}

} // namespace troupe::actors
