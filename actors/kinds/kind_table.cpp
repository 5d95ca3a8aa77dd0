#include "actors/kinds/declared_kinds.hpp"
#include "actors/kinds/kind.hpp"

#include <array>

namespace troupe::actors {

std::span<const agent_kind> product_kinds() {
    static const std::array table = {
        agent_kind{.name = "custom",
                   .description = "Works with its own instructions and the tools that it is given.",
                   .instructions = ""},
        code_generator_kind(),
        debugger_kind(),
        tester_kind(),
        security_auditor_kind(),
        browser_kind(),
        deployer_kind(),
        orchestrator_kind(),
    };
    return table;
}

} // namespace troupe::actors
