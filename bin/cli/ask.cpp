#include "bin/cli/ask.hpp"

#include "schemas/base/durable_file.hpp"
#include "schemas/base/limits.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <termios.h>
#include <unistd.h>
#include <utility>

namespace troupe::cli {
namespace {

volatile std::sig_atomic_t ended_by = 0;

/// Hides what is typed, and puts the terminal back also when a signal ends the program.
class unseen_input {
public:
    unseen_input() : hidden_(::tcgetattr(STDIN_FILENO, &before_) == 0) {
        if (!hidden_) {
            return;
        }
        ended_by = 0;
        struct sigaction note {};
        note.sa_handler = [](int signal) { ended_by = signal; }; // without SA_RESTART: the read ends
        for (std::size_t i = 0; i < signals.size(); ++i) {
            ::sigaction(signals[i], &note, &kept_[i]);
        }
        auto unseen = before_;
        unseen.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &unseen);
    }
    ~unseen_input() {
        if (!hidden_) {
            return;
        }
        ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
        std::fputs("\n", stderr);
        for (std::size_t i = 0; i < signals.size(); ++i) {
            ::sigaction(signals[i], &kept_[i], nullptr);
        }
        if (ended_by != 0) {
            ::raise(ended_by);
        }
    }
    unseen_input(const unseen_input&) = delete;
    unseen_input& operator=(const unseen_input&) = delete;

private:
    static constexpr std::array signals{SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    termios before_{};
    std::array<struct sigaction, signals.size()> kept_{};
    bool hidden_;
};

/// Unbuffered, so that nothing of the next line is taken.
std::optional<std::string> read_line() {
    std::string line;
    for (;;) {
        char c = 0;
        const auto got = ::read(STDIN_FILENO, &c, 1);
        if (got < 0 && errno == EINTR && ended_by == 0) {
            continue;
        }
        if (got <= 0) {
            return got == 0 && !line.empty() ? std::optional(std::move(line)) : std::nullopt;
        }
        if (c == '\n') {
            return line;
        }
        line += c;
    }
}

problem no_answer() { return {code::invalid_request, "Nothing was typed."}; }

} // namespace

std::optional<std::string> ask(const std::string& prompt) {
    std::fputs(prompt.c_str(), stderr);
    return read_line();
}

std::optional<std::string> ask_unseen(const std::string& prompt) {
    std::fputs(prompt.c_str(), stderr);
    const unseen_input hidden;
    return read_line();
}

void edited_text::remove() const { ::unlink(path.c_str()); }

expected<edited_text> edit_text(std::string_view text, std::string_view ending) {
    const char* visual = std::getenv("VISUAL");
    const char* editor = visual && *visual ? visual : std::getenv("EDITOR");
    const auto folder = std::getenv("TMPDIR");
    edited_text out;
    out.path = std::string(folder && *folder ? folder : "/tmp") + "/troupe-XXXXXX" + std::string(ending);
    const int file = ::mkstemps(out.path.data(), static_cast<int>(ending.size()));
    if (file < 0) {
        return problem{code::internal, fmt::format("{} cannot be written: check TMPDIR.", out.path)};
    }
    ::close(file);
    const bool written = (std::ofstream(out.path, std::ios::binary) << text).flush().good();
    // The path is ours and holds no quotes; the editor is the user's own command line.
    const int status =
        written ? std::system(fmt::format("{} '{}'", editor && *editor ? editor : "vi", out.path).c_str()) : 0;
    std::ifstream in(out.path, std::ios::binary);
    out.text.assign(std::istreambuf_iterator<char>(in), {});
    if (!written || !in.is_open() || status != 0) {
        out.remove();
        return written ? problem{code::cancelled, "The editor ended with an error: nothing was changed."}
                       : problem{code::internal, fmt::format("{} cannot be written: check TMPDIR.", out.path)};
    }
    return out;
}

expected<std::string> text_of(context& c, const std::string& file) {
    auto text = file == "-" ? expected<std::string>(std::string(std::istreambuf_iterator<char>(std::cin), {}))
                            : read_whole_file(c.search().working_folder / file, limits::body_bytes_max);
    if (text && text->ends_with('\n')) {
        text->pop_back();
        if (text->ends_with('\r')) {
            text->pop_back();
        }
    }
    return text;
}

expected<std::string> read_password(context& c, std::string_view flag, const std::string& prompt, bool twice) {
    const auto file = c.args().value(flag);
    expected<std::string> password = std::string();
    if (file || !c.typed()) {
        password = text_of(c, file.value_or("-"));
    } else {
        const auto typed = ask_unseen(prompt + ": ");
        const auto again = typed && twice ? ask_unseen("The same again: ") : typed;
        if (!typed || !again) {
            return no_answer();
        }
        if (*typed != *again) {
            return problem{code::invalid_request, "The two are not the same: try again."};
        }
        password = *typed;
    }
    if (password && password->empty()) {
        return problem{
            code::invalid_request,
            fmt::format("The password is empty: give it with --{} FILE, by standard input or at a terminal.", flag)};
    }
    return password;
}

} // namespace troupe::cli
