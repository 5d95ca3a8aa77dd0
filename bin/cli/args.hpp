#pragma once

#include "schemas/base/problem.hpp"

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// A small declarative parser for flags and operands. Pure: it prints nothing and reads no environment.
namespace troupe::cli {

/// One flag of a command: `--name VALUE`, `--name=VALUE`, or a switch when `value` is empty.
struct flag {
    std::string_view name;  ///< Without dashes: "max-steps".
    std::string_view value; ///< What stands for its value in help: "N"; empty for a switch.
    std::string_view doc;
    char letter = 0;       ///< "-f"; 0: none.
    bool repeated = false; ///< May be given more than once.
};

/// What a command accepts.
struct grammar {
    std::vector<flag> flags = {};
    std::string_view operands = {}; ///< As in help: "RUN [REASON]".
    std::size_t operands_min = 0;
    std::size_t operands_max = 0;
};

inline constexpr std::size_t any_number = std::numeric_limits<std::size_t>::max();

/// Flags that every command takes, before or after its name.
std::span<const flag> global_flags();

/// What was given, by name.
class arguments {
public:
    [[nodiscard]] bool has(std::string_view name) const { return values_.contains(name); }
    [[nodiscard]] std::optional<std::string> value(std::string_view name) const;
    [[nodiscard]] std::string value_or(std::string_view name, std::string_view fallback) const;
    [[nodiscard]] std::vector<std::string> values(std::string_view name) const;
    /// The flag as a whole number within the bounds, or nothing when it was not given.
    [[nodiscard]] expected<std::optional<std::uint64_t>> number(std::string_view name, std::uint64_t min,
                                                                std::uint64_t max) const;
    [[nodiscard]] const std::vector<std::string>& operands() const { return operands_; }
    [[nodiscard]] const std::string& operand(std::size_t index) const { return operands_.at(index); }
    /// The operands from `index` on, joined with spaces: texts need no quotes.
    [[nodiscard]] std::string text_from(std::size_t index) const;

private:
    friend expected<arguments> parse_arguments(const grammar&, std::span<const std::string>);
    std::map<std::string, std::vector<std::string>, std::less<>> values_;
    std::vector<std::string> operands_;
};

/// Parses what follows the command's name. `invalid_request` names the mistake and the nearest flag.
/// "--" ends the flags; "-" alone is an operand.
expected<arguments> parse_arguments(const grammar& g, std::span<const std::string> words);

/// Takes the global flags that stand before the command's name from `words`; returns how many words they are.
std::size_t leading_flags(std::span<const std::string> words);

/// The candidate that was most likely meant, or empty when none is near.
std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);

} // namespace troupe::cli
