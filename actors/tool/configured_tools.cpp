#include "actors/tool/configured_tools.hpp"

#include "actors/tool/fetch_tool.hpp"

namespace troupe::actors {

expected<std::shared_ptr<void>> add_configured_tools(const runtime::config& settings, std::vector<custom_tool> own,
                                                     secret_finder find_secret) {
    auto fetch = runtime::fetch_policy::parse(settings.tools_fetch_allow);
    if (!fetch) {
        return fetch.error();
    }
    if (!fetch->is_off()) {
        own.push_back(make_fetch_tool(std::move(*fetch)));
    }
    auto declared = runtime::parse_own_tools(settings.tools_own);
    if (!declared) {
        return declared.error();
    }
    for (auto& tool : *declared) {
        own.push_back(make_own_tool(std::move(tool), find_secret));
    }
    return add_tools(std::move(own));
}

} // namespace troupe::actors
