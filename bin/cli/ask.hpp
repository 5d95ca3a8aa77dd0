#pragma once

#include "bin/cli/commands.hpp"
#include "schemas/base/problem.hpp"

#include <optional>
#include <string>
#include <string_view>

/// Asking a person, and taking what must not stand on a command line.
namespace troupe::cli {

/// A line from the terminal, with and without showing what is typed. The prompt goes to standard error. Nothing when
/// the input ended; Ctrl-C ends the program and leaves the terminal as it was.
std::optional<std::string> ask(const std::string& prompt);
std::optional<std::string> ask_unseen(const std::string& prompt);

/// Text of a file, or of standard input when it is "-", without one line end at its end: the one that an editor or
/// `echo` adds.
expected<std::string> text_of(context& c, const std::string& file);

/// A text as a person left it in an editor, and the file that has it: to be removed, or to be named to the person when
/// the text could not be used.
struct edited_text {
    std::string text;
    std::string path;
    void remove() const;
};
/// Opens $VISUAL, $EDITOR or vi. `ending` of the file tells the editor what it is: ".md". `cancelled` when the editor
/// ended with an error.
expected<edited_text> edit_text(std::string_view text, std::string_view ending);

/// A password from the file that `flag` names, asked for at a terminal, or from standard input. `twice`: a new one, in
/// which nobody sees a mistake. Never empty.
expected<std::string> read_password(context& c, std::string_view flag, const std::string& prompt, bool twice);

} // namespace troupe::cli
