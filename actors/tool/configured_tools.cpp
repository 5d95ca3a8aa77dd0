#include "actors/tool/configured_tools.hpp"

#include "actors/tool/fetch_tool.hpp"

namespace troupe::actors {

expected<std::shared_ptr<void>> add_configured_tools(const runtime::config& settings, std::vector<custom_tool> own) {
    auto fetch = runtime::fetch_policy::parse(settings.tools_fetch_allow);
    if (!fetch) {
        return fetch.error();
    }
    if (!fetch->is_off()) {
        own.push_back(make_fetch_tool(std::move(*fetch)));
    }
    return add_tools(std::move(own));
}

} // namespace troupe::actors
