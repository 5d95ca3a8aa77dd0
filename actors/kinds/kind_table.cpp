#include "actors/kinds/kind.hpp"

#include <array>

namespace troupe::actors {

namespace {

constexpr std::array table = {
    agent_kind{.name = "custom",
               .description = "Works with its own instructions and the tools that it is given.",
               .instructions = ""},
};

} // namespace

std::span<const agent_kind> product_kinds() { return table; }

} // namespace troupe::actors
