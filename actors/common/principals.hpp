#pragma once

#include "schemas/base/ids.hpp"

#include <optional>
#include <string_view>

/// Who stands behind a principal.
namespace troupe::actors {

/// Whose inbox a principal reads: the id of "user/ID" and "key/ID"; a key without one ("key/admin") has an id made of
/// its name. Runs and the node have none.
inline std::optional<uuid> inbox_of(std::string_view principal) {
    const auto slash = principal.find('/');
    const auto sort = principal.substr(0, slash);
    if (slash == std::string_view::npos || (sort != "user" && sort != "key")) {
        return std::nullopt;
    }
    const auto id = parse_uuid(principal.substr(slash + 1));
    return id ? id : std::optional(derive_uuid({"inbox", principal}));
}

} // namespace troupe::actors
