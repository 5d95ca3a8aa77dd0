#include "actors/kinds/kind.hpp"

#include <algorithm>
#include <array>

namespace troupe::actors {

namespace {

constexpr std::array table = {
    agent_kind{.name = "custom",
               .description = "Works with its own instructions and the tools that it is given.",
               .instructions = ""},
};

} // namespace

std::span<const agent_kind> all_kinds() { return table; }

const agent_kind* find_kind(std::string_view name) {
    const auto found = std::ranges::find(table, name, &agent_kind::name);
    return found == table.end() ? nullptr : &*found;
}

} // namespace troupe::actors
