#pragma once

#include "runtime/config/config.hpp"
#include "schemas/base/problem.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace troupe::runtime {

/// How long each kind keeps its events, in ms; 0: for ever. Reads "run=90d,task=0": KIND=NUMBER with a unit of d, h, m,
/// s or ms, by commas. `config_invalid` names the entry that is wrong.
expected<std::map<std::string, std::int64_t, std::less<>>> parse_retention_kinds(std::string_view text);

/// What is kept for how long. 0: for ever.
struct retention_policy {
    std::int64_t log_ms = 0;
    std::int64_t history_ms = 0;
    std::map<std::string, std::int64_t, std::less<>> kinds; ///< Where it is not `history_ms`.

    [[nodiscard]] std::int64_t history_of(std::string_view kind) const;
    /// The shortest of all that are not for ever; 0: there is none.
    [[nodiscard]] std::int64_t shortest_ms() const;
};

/// Of a configuration whose values were checked; kinds that cannot be read count as none.
retention_policy retention_of(const config& values);

/// A property that does not go with another one.
struct wrong_retention {
    std::string property;
    std::string message;
};
/// Every retention is at least as long as a command may be repeated.
std::optional<wrong_retention> check_retention(const config& values);

} // namespace troupe::runtime
