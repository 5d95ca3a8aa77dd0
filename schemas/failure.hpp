#pragma once

#include "schemas/base/described.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace troupe {

/// What went wrong in the node, all times of it together: an item of GET /system/failures.
struct failure_document {
    std::string fingerprint; ///< 16 hexadecimal digits, of `module` and `pattern`: the same after a restart.
    std::string module;
    std::string level;       ///< "error" or "critical": the worst one.
    std::uint64_t count = 0; ///< Since the node knows of it.
    timestamp first_at;
    timestamp last_at;
    std::string pattern;                   ///< What all texts have in common.
    std::string text;                      ///< The newest one.
    std::optional<std::string> request_id; ///< The newest that is known.
    std::optional<std::string> trace_id;
};
BOOST_DESCRIBE_STRUCT(failure_document, (),
                      (fingerprint, module, level, count, first_at, last_at, pattern, text, request_id, trace_id))

} // namespace troupe
