#pragma once

#include "schemas/base/problem.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace troupe::actors {

inline constexpr std::size_t result_schema_bytes_max = 64 << 10;

/// A JSON Schema that a caller gave for results, ready to be checked against and to be put into another schema: its
/// references to its own parts are replaced by them. `invalid_request`: no schema of an object, one that refers to
/// itself or to other documents, and what takes too long to check (patterns, unique items). Pure.
expected<std::string> usable_result_schema(std::string_view schema);

} // namespace troupe::actors
