#include "actors/tool/policies.hpp"

#include "actors/tool/fetch_tool.hpp"
#include "actors/tool/tool.hpp"

#include <algorithm>
#include <set>
#include <string_view>

namespace troupe::actors {

expected<void> check_policies(const std::map<std::string, tool_policy>& policies) {
    // A node may have it switched off: it can be forbidden all the same.
    std::set<std::string_view> known = {fetch_tool_name, fetch_permission};
    for (const auto& tool : all_tools()) {
        known.insert({tool.name, tool.permission});
    }
    problem wrong{code::invalid_request, ""};
    for (const auto& [name, policy] : policies) {
        if (!known.contains(name) && !find_tool(name)) {
            wrong.errors.push_back({"/tools/" + name, "there is no tool and no permission of this name"});
        }
    }
    if (wrong.errors.empty()) {
        return {};
    }
    for (const auto name : known) {
        wrong.detail += (wrong.detail.empty() ? "" : ", ") + std::string(name);
    }
    wrong.detail = "A policy names a tool that does not exist. There are: " + wrong.detail + ".";
    return wrong;
}

} // namespace troupe::actors
