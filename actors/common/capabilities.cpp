#include "actors/common/capabilities.hpp"

#include "schemas/name_messages.hpp"

#include <algorithm>

namespace troupe::actors {

bool has_capability(const std::vector<std::string>& all, const std::string& wanted) {
    return std::ranges::any_of(all, [&](const auto& one) { return fold_name(one) == fold_name(wanted); });
}

std::vector<std::string> capabilities_in(std::string_view list) {
    std::vector<std::string> out;
    while (!list.empty()) {
        const auto comma = std::min(list.find(','), list.size());
        auto one = list.substr(0, comma);
        list.remove_prefix(std::min(comma + 1, list.size()));
        const auto begin = one.find_first_not_of(' ');
        if (begin != std::string_view::npos) {
            out.emplace_back(one.substr(begin, one.find_last_not_of(' ') - begin + 1));
        }
    }
    return out;
}

bool has_all(const std::vector<std::string>& all, std::string_view list) {
    return std::ranges::all_of(capabilities_in(list), [&](const auto& one) { return has_capability(all, one); });
}

} // namespace troupe::actors
