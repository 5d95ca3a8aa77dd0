#pragma once

#include "net/http/route.hpp"
#include "schemas/base/problem.hpp"

#include <cstdint>
#include <vector>

namespace troupe::actors {

struct day_range {
    std::uint32_t from = 0; ///< Since 1970.
    std::uint32_t to = 0;   ///< Of these days, too.
};

/// The query `from` and `to`: at most a year, the last 30 days when nothing is said. `invalid_request`.
expected<day_range> days_in(const net::request& r);
/// What the document says of them.
std::vector<net::query_parameter> day_parameters();

} // namespace troupe::actors
