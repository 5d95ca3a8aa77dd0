#pragma once

#include "bin/cli/commands.hpp"

#include <string>
#include <string_view>

namespace troupe::cli {

/// A task at its node.
struct named_task {
    api* node = nullptr;
    uuid id;
    [[nodiscard]] std::string path(std::string_view rest = "") const {
        return "/tasks/" + to_string(id) + std::string(rest);
    }
};

/// The one that the first operand means: a key, an id or its beginning.
expected<named_task> find_task(context& c);

} // namespace troupe::cli
