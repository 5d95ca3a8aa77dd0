#include "bin/cli/find_task.hpp"

#include "bin/cli/resolve.hpp"

namespace troupe::cli {

expected<named_task> find_task(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    const auto id = resolve_task(**node, c.args().operand(0));
    return id ? expected<named_task>(named_task{*node, *id}) : expected<named_task>(id.error());
}

} // namespace troupe::cli
