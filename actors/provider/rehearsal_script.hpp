#pragma once

#include "schemas/base/problem.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

/// A rehearsal script as data, read from YAML. No YAML and no regex in here.
namespace troupe::actors::rehearsal {

/// What rules have captured so far: name → text.
using captures = std::map<std::string, std::string, std::less<>>;

/// A regular expression in Perl's syntax; its named groups are captures.
class pattern {
public:
    /// What is wrong with the expression, when it is wrong.
    static boost::system::result<pattern, std::string> compile(const std::string& text);

    /// Whether it is found in `text`; then what its named groups took is put into `into`. An expression that grows
    /// too costly on this text counts as not found.
    bool find(std::string_view text, captures& into) const;
    [[nodiscard]] const std::vector<std::string>& names() const { return names_; }

private:
    struct expression;
    std::shared_ptr<const expression> expression_;
    std::vector<std::string> names_;
};

/// A text with `${name}` in it; "$${" stands for "${".
struct text_template {
    std::string text;

    /// The text with its captures, or nothing when one of them was not captured.
    [[nodiscard]] std::optional<std::string> fill(const captures& from) const;
    /// The names it refers to.
    [[nodiscard]] std::vector<std::string> names() const;
};

/// A tool's arguments with templates in their leaves.
struct argument {
    struct leaf {
        text_template text;
        bool plain = false; ///< Not quoted: a number, true, false or null if the filled text reads as one.
    };
    using list = std::vector<argument>;
    using members = std::vector<std::pair<std::string, argument>>;
    std::variant<leaf, list, members> value;

    /// Appends it as JSON; false when a capture is missing.
    bool write(std::string& json, const captures& from) const;
};

struct call {
    std::string tool;
    argument arguments{argument::members{}};
};

enum class source : std::uint8_t { result, any_result, goal };

struct capture_rule {
    source from = source::result;
    pattern matches;
};

/// Conditions; those that are not set hold.
struct condition {
    std::optional<std::size_t> step;
    std::optional<std::string> after; ///< A rule of this name was used before.
    std::optional<std::string> goal_contains;
    std::optional<pattern> goal_matches;
    std::optional<pattern> parameters_match;
    std::optional<std::string> message_contains;
    std::optional<std::string> last_tool;
    std::optional<std::string> last_result_contains;
    std::optional<pattern> last_result_matches;
    std::optional<bool> last_is_error;
    std::vector<std::string> captured;
    std::vector<std::string> tools_available;

    /// Whether one of the last tool results has to satisfy something.
    [[nodiscard]] bool asks_for_result() const {
        return last_tool || last_result_contains || last_result_matches || last_is_error;
    }
};

struct rule {
    std::string name; ///< "rule 3" where it has none.
    condition when;
    bool once = false;
    std::vector<capture_rule> capture;
    std::optional<text_template> say;
    std::vector<call> calls;
};

struct script {
    std::string name;
    std::int64_t delay_ms = 0; ///< Between two words, for demonstrations.
    std::vector<rule> rules;
};

/// Captures that are always there.
inline constexpr std::string_view builtin_captures[] = {"goal", "result", "step", "tool"};

/// Reads a script; `script_invalid` lists every error as FILE:LINE, in the order of the file.
expected<script> parse_script(std::string_view yaml, const std::string& file);

} // namespace troupe::actors::rehearsal
