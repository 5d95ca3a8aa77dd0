#include "actors/kinds/kind.hpp"

#include "actors/kinds/declared_kinds.hpp"

#include <algorithm>
#include <array>

namespace troupe::actors {

namespace {

const auto& table() {
    static const std::array all = {
        agent_kind{.name = "custom",
                   .description = "Works with its own instructions and the tools that it is given.",
                   .instructions = ""},
        tester_kind(),
        security_auditor_kind(),
    };
    return all;
}

} // namespace

std::span<const agent_kind> all_kinds() { return table(); }

const agent_kind* find_kind(std::string_view name) {
    const auto found = std::ranges::find(table(), name, &agent_kind::name);
    return found == table().end() ? nullptr : &*found;
}

} // namespace troupe::actors
