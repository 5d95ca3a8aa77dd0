#include "actors/tool/policies.hpp"

#include "actors/tool/tool.hpp"

#include <algorithm>
#include <set>
#include <string_view>

namespace troupe::actors {

expected<void> check_policies(const std::map<std::string, tool_policy>& policies) {
    std::set<std::string_view> known;
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
