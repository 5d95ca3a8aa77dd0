#pragma once

#include "schemas/base/described.hpp"

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

/// What went wrong and where, read out of what compilers, sanitizers, debuggers, run-times and tests write. Pure;
/// linear in the text.
namespace troupe::actors {

struct stack_frame {
    std::string file; ///< Of the project: relative to it; else as it was written.
    std::uint32_t line = 0;
    std::uint32_t column = 0; ///< 0: unknown.
    std::string function;
    bool in_project = false;
};
BOOST_DESCRIBE_STRUCT(stack_frame, (), (file, line, column, function, in_project))

enum class suspect_kind : std::uint8_t { compiler, linker, sanitizer, crash, exception, assertion, test };
BOOST_DESCRIBE_ENUM(suspect_kind, compiler, linker, sanitizer, crash, exception, assertion, test)

struct suspect {
    std::string language; ///< "c++", "python", "javascript", "typescript", "java", "go", "rust"; "": not known.
    suspect_kind kind = suspect_kind::exception;
    std::string message;
    std::vector<stack_frame> frames; ///< The innermost first; at most `frames_max`.
    bool in_project = false;         ///< One of the frames is.

    static constexpr std::size_t frames_max = 40;
};
BOOST_DESCRIBE_STRUCT(suspect, (), (language, kind, message, frames, in_project))

/// The files of a project, to tell its frames from those of others.
class source_index {
public:
    explicit source_index(std::vector<std::string> paths);
    /// The path in the project that a written one means, wherever the project stood then; empty: none.
    [[nodiscard]] std::string find(std::string_view written) const;

private:
    std::set<std::string, std::less<>> paths_;
    std::multiset<std::string, std::less<>> backwards_; ///< Names from the last to the first: "a.cpp/src".
};

inline constexpr std::size_t suspects_max = 50;

/// The most telling first: those with frames in the project, and of these those that stand first in the text; of a
/// chain of exceptions each is one.
std::vector<suspect> read_suspects(std::string_view text, const source_index& sources);

} // namespace troupe::actors
