#pragma once

#include "schemas/base/ids.hpp"

#include <string>

namespace troupe {

/// From where somebody acts, as the edge saw it: for the audit log and the list of sessions. Empty for what the node
/// does by itself.
struct client_info {
    std::string address; ///< IP, as text.
    std::string program; ///< What the `User-Agent` says: anything, cut at 200 bytes.
    uuid organization;   ///< In which it acts, whatever it changes; nil: none.

    bool operator==(const client_info&) const = default;
};

} // namespace troupe
