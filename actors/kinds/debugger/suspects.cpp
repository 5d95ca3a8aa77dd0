#include "actors/kinds/debugger/suspects.hpp"

#include "actors/kinds/scanned_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace troupe::actors {

namespace {

constexpr std::size_t message_bytes_max = 2000;

/// "src/a.cpp" as "a.cpp/src".
std::string turned(std::string_view path) {
    std::string out;
    while (!path.empty()) {
        const auto slash = path.rfind('/');
        out += out.empty() ? "" : "/";
        out += path.substr(slash == path.npos ? 0 : slash + 1);
        path = slash == path.npos ? std::string_view() : path.substr(0, slash);
    }
    return out;
}

std::string language_of(std::string_view file) {
    static constexpr std::pair<std::string_view, std::string_view> all[] = {
        {".py", "python"},      {".js", "javascript"}, {".mjs", "javascript"}, {".cjs", "javascript"},
        {".jsx", "javascript"}, {".ts", "typescript"}, {".tsx", "typescript"}, {".java", "java"},
        {".go", "go"},          {".rs", "rust"},       {".c", "c++"},          {".cc", "c++"},
        {".cpp", "c++"},        {".cxx", "c++"},       {".h", "c++"},          {".hpp", "c++"},
        {".hh", "c++"},         {".ipp", "c++"}};
    for (const auto& [suffix, language] : all) {
        if (file.ends_with(suffix)) {
            return std::string(language);
        }
    }
    return "";
}

bool has(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

stack_frame frame_at(const source_place& p, std::string_view function = {}) {
    return {p.file, p.line, p.column, std::string(trimmed(function)), false};
}

/// Goes through a text line by line. A trace is open while its lines come; each other line may begin one, or be an
/// error of its own.
class suspect_reader {
public:
    std::vector<suspect> read(std::string_view text) {
        for (line_reader in(text); in.next();) {
            const auto& line = in.line();
            if (out_.size() >= 4 * suspects_max) {
                break;
            }
            const bool taken = python(line) || native_frame(line) || java(line) || node(line) || go(line) ||
                               rust(line) || sanitizer(line) || compiler(line) || test(line);
            if (!taken) {
                remember(line);
            }
            before_ = line;
        }
        close();
        return std::move(out_);
    }

private:
    suspect& begin(suspect_kind kind, std::string_view language, std::string_view message) {
        close();
        open_.emplace();
        open_->kind = kind;
        open_->language = language;
        open_->message = trimmed(message.substr(0, message_bytes_max));
        return *open_;
    }
    void close() {
        if (open_ && (!open_->frames.empty() || open_->kind == suspect_kind::linker || keeps_without_frames_)) {
            if (python_) { // the innermost is written last
                std::ranges::reverse(open_->frames);
            }
            out_.push_back(std::move(*open_));
        }
        open_.reset();
        python_ = keeps_without_frames_ = false;
    }
    void add(stack_frame f) {
        if (open_->frames.size() < suspect::frames_max) {
            if (open_->language.empty()) {
                open_->language = language_of(f.file);
            }
            open_->frames.push_back(std::move(f));
        } else if (python_) { // those that come are further in
            open_->frames.erase(open_->frames.begin());
            open_->frames.push_back(std::move(f));
        }
    }
    void remember(std::string_view line) {
        if (!trimmed(line).empty()) {
            last_words_ = trimmed(line);
        }
    }

    // ---- Python

    bool python(std::string_view line) {
        const auto words = trimmed(line);
        if (words.starts_with("Traceback (most recent call last)")) {
            begin(suspect_kind::exception, "python", "");
            python_ = true;
            return true;
        }
        std::string_view rest;
        if (words.starts_with("File \"")) {
            const auto place = place_at(words, rest);
            if (!place) {
                return false;
            }
            scanner in(rest);
            if (!python_) { // a syntax error has no head
                begin(suspect_kind::exception, "python", "");
                python_ = true;
            }
            add(frame_at(*place, in.skip(", in ") ? in.rest() : ""));
            return true;
        }
        if (!python_) {
            return false;
        }
        if (line.starts_with(' ') || words.empty()) {
            return true; // source lines
        }
        open_->message = std::string(words.substr(0, message_bytes_max));
        if (words.starts_with("AssertionError")) {
            open_->kind = suspect_kind::assertion;
        }
        close();
        return true;
    }

    // ---- "#0 …" of gdb and of sanitizers

    bool native_frame(std::string_view line) {
        scanner in(trimmed(line));
        if (!in.skip("#")) {
            return program_received(line);
        }
        const auto number = in.number();
        if (!number || !in.rest().starts_with(' ')) {
            return false;
        }
        in.blanks();
        if (in.skip("0x")) {
            in.until(" ");
        }
        in.blanks().skip("in ");
        const auto words = in.rest();
        auto found = std::optional<source_place>();
        auto function = words.substr(0, words.rfind(" at "));
        if (const auto at = words.rfind(" at "); at != words.npos) { // gdb
            found = find_place(words.substr(at));
            function = function.substr(0, function.find(" ("));
        } else if (const auto slash = words.rfind(" /"); slash != words.npos) { // sanitizers
            found = find_place(words.substr(slash));
            function = words.substr(0, slash);
        } else {
            found = find_place(words);
        }
        if (!open_ || (*number == 0 && !open_->frames.empty() && open_->kind != suspect_kind::sanitizer)) {
            begin(suspect_kind::crash, "c++", last_words_);
        }
        // The stacks of a sanitizer's report that follow say who allocated, or the other thread: not where it happened.
        stacks_ += *number == 0 ? 1 : 0;
        if (found && stacks_ <= 1) {
            add(frame_at(*found, function));
        }
        return true;
    }

    bool program_received(std::string_view line) {
        if (line.starts_with("Program received signal ") || line.starts_with("Program terminated with signal ")) {
            begin(suspect_kind::crash, "c++", line);
            stacks_ = 0;
            return true;
        }
        return false;
    }

    bool sanitizer(std::string_view line) {
        for (const std::string_view name : {"AddressSanitizer", "ThreadSanitizer", "MemorySanitizer", "LeakSanitizer",
                                            "UndefinedBehaviorSanitizer"}) {
            const auto at = line.find(name);
            if (at == line.npos || (!has(line, "ERROR: ") && !has(line, "WARNING: "))) {
                continue;
            }
            begin(suspect_kind::sanitizer, "c++", line.substr(at));
            stacks_ = 0;
            return true;
        }
        std::string_view rest;
        const auto place = place_at(line, rest);
        constexpr std::string_view undefined = ": runtime error: ";
        if (place && rest.starts_with(undefined)) {
            begin(suspect_kind::sanitizer, "", rest.substr(undefined.size()));
            add(frame_at(*place));
            stacks_ = 1; // the stack that may follow says the same again
            return true;
        }
        return false;
    }

    // ---- Java

    bool java(std::string_view line) {
        const auto words = trimmed(line);
        scanner in(words);
        if (in.skip("at ") && words.ends_with(')') && open_ && open_->language == "java") {
            const auto function = in.until("(");
            const auto place = function ? find_place(in.rest()) : std::nullopt;
            if (place) {
                // "shop.Cart.parse" stands in the folder "shop".
                auto file = std::string(function->substr(function->rfind('/') + 1));
                file = file.substr(0, file.rfind('.'));
                const auto package = file.rfind('.');
                std::ranges::replace(file, '.', '/');
                auto folder = package == file.npos ? std::string() : file.substr(0, package + 1);
                add({folder + place->file, place->line, 0, std::string(*function), false});
            }
            return true;
        }
        if (open_ && open_->language == "java" && words.starts_with("... ")) {
            return true;
        }
        const bool cause = words.starts_with("Caused by: ");
        const bool head = words.starts_with("Exception in thread ");
        // "java.lang.IllegalStateException: bad price": a name with dots that ends so.
        const auto name = words.substr(0, words.find(':'));
        const bool bare = !line.starts_with(' ') && has(name, ".") && !has(name, " ") &&
                          (name.ends_with("Exception") || name.ends_with("Error")) && name.front() >= 'a' &&
                          name.front() <= 'z' && !has(name, "/");
        if (!cause && !head && !bare) {
            return false;
        }
        auto message = cause ? words.substr(std::string_view("Caused by: ").size()) : words;
        if (head && message.find("\" ") != message.npos) {
            message = message.substr(message.find("\" ") + 2);
        }
        begin(suspect_kind::exception, "java", message);
        return true;
    }

    // ---- Node

    bool node(std::string_view line) {
        scanner in(trimmed(line));
        if (!in.skip("at ") || !line.starts_with(' ') || (open_ && open_->language == "rust")) {
            return false;
        }
        const auto words = in.rest();
        const bool internal = has(words, "node:") || has(words, "<anonymous>)");
        auto place = find_place(words.substr(words.rfind('(') == words.npos ? 0 : words.rfind('(')));
        if (!place && !internal) {
            return false;
        }
        if (!open_ || open_->language != "javascript") {
            begin(suspect_kind::exception, "javascript", last_words_);
            if (last_words_.starts_with("AssertionError")) {
                open_->kind = suspect_kind::assertion;
            }
        }
        if (place && !has(words, "(node:") && !words.starts_with("node:")) {
            auto function = words.substr(0, words.rfind('(') == words.npos ? 0 : words.rfind('('));
            if (place->file.starts_with("file://")) {
                place->file.erase(0, std::string_view("file://").size());
            }
            add(frame_at(*place, function));
        }
        return true;
    }

    // ---- Go

    bool go(std::string_view line) {
        if (line.starts_with("panic: ") || line.starts_with("fatal error: ")) {
            begin(suspect_kind::exception, "go", line);
            return true;
        }
        if (!open_ || open_->language != "go") {
            return false;
        }
        if (line.starts_with("goroutine ")) {
            goroutines_ = open_->frames.empty() ? 1 : goroutines_ + 1;
            return true;
        }
        if (line.starts_with('\t')) {
            const auto place = find_place(line);
            if (place && goroutines_ <= 1) {
                add(frame_at(*place, before_.substr(0, before_.rfind('('))));
            }
            return true;
        }
        return line.empty() || line.starts_with("[signal ") || line.ends_with(')');
    }

    // ---- Rust

    bool rust(std::string_view line) {
        const auto words = trimmed(line);
        if (line.starts_with("thread '") && has(line, "panicked at ")) {
            scanner in(line);
            in.until("panicked at ");
            auto place = find_place(in.rest());
            begin(suspect_kind::exception, "rust", "");
            expects_message_ = true;
            if (place) {
                add(frame_at(*place));
            }
            return true;
        }
        if (std::exchange(expects_message_, false) && open_) {
            open_->message = std::string(words.substr(0, message_bytes_max));
            if (words.starts_with("assertion ")) {
                open_->kind = suspect_kind::assertion;
            }
            return true;
        }
        scanner in(words);
        if (line.starts_with("error") && (in.skip("error[") || in.skip("error: "))) {
            rust_error_ = words;
            return false; // others write "error: " too
        }
        if (in.skip("--> ") && !rust_error_.empty()) {
            if (const auto place = find_place(in.rest())) {
                begin(suspect_kind::compiler, "rust", std::exchange(rust_error_, {}));
                add(frame_at(*place));
                close();
                return true;
            }
        }
        if (open_ && open_->language == "rust" && in.skip("at ")) {
            const auto place = find_place(in.rest());
            scanner number(trimmed(before_));
            number.number();
            number.skip(": ");
            if (place && !has(place->file, "/rustc/")) {
                add(frame_at(*place, number.rest()));
            }
            return true;
        }
        if (open_ && open_->language == "rust" && open_->kind != suspect_kind::compiler) {
            return words.starts_with("stack backtrace:") || (in.number() && in.skip(": ")) ||
                   has(words, "RUST_BACKTRACE");
        }
        return false;
    }

    // ---- compilers and linkers

    bool compiler(std::string_view line) {
        std::string_view rest;
        const auto place = place_at(line, rest);
        if (const auto at = line.find("undefined reference to "); at != line.npos) {
            begin(suspect_kind::linker, "c++", line.substr(at));
            if (place) {
                add(frame_at(*place));
            }
            close_linker();
            return true;
        }
        if (!place || has(rest, "error: in \"")) { // the latter is Boost.Test's
            return assertion(line);
        }
        auto message = trimmed(rest);
        if (message.starts_with(':') || message.starts_with("- ")) { // tsc --pretty has a dash
            message = trimmed(message.substr(1));
        }
        for (const std::string_view word : {"error: ", "fatal error: ", "error TS", "error "}) {
            if (message.starts_with(word)) {
                begin(suspect_kind::compiler, language_of(place->file), message);
                add(frame_at(*place));
                close();
                return true;
            }
        }
        // Go's compiler says no word for it: "./x.go:3:5: undefined: y".
        if (place->file.ends_with(".go") && place->column > 0 && rest.starts_with(": ")) {
            begin(suspect_kind::compiler, "go", message);
            add(frame_at(*place));
            close();
            return true;
        }
        return assertion(line);
    }
    void close_linker() {
        out_.push_back(std::move(*open_));
        open_.reset();
    }

    /// "prog: a.cpp:3: int main(): Assertion `x' failed."
    bool assertion(std::string_view line) {
        if (!has(line, "Assertion `") || !has(line, "failed")) {
            return false;
        }
        const auto place = find_place(line);
        if (!place) {
            return false;
        }
        begin(suspect_kind::assertion, "", line.substr(line.find("Assertion `")));
        add(frame_at(*place));
        close();
        return true;
    }

    // ---- tests

    bool test(std::string_view line) {
        std::string_view rest;
        const auto words = trimmed(line);
        const auto place = place_at(words, rest);
        if (!place) {
            return google_message(line);
        }
        scanner in(rest);
        in.skip(":");
        in.blanks();
        if (in.skip("Failure")) { // GoogleTest: what was expected comes below
            begin(suspect_kind::test, "c++", "");
            keeps_without_frames_ = true;
            add(frame_at(*place));
            google_ = true;
            return true;
        }
        const bool boost = has(rest, "error: in \"");
        const bool pytest = in.rest().ends_with("Error") || in.rest().ends_with("Exception") || in.rest() == "Failed";
        const bool go_test = line.starts_with("    ") && place->file.ends_with("_test.go");
        if (!boost && !pytest && !go_test) {
            return false;
        }
        begin(suspect_kind::test, "", in.rest());
        if (pytest && !pytest_message_.empty()) {
            open_->message = std::exchange(pytest_message_, {});
        }
        add(frame_at(*place));
        close();
        return true;
    }

    bool google_message(std::string_view line) {
        if (line.starts_with("E   ")) { // pytest's lines about the failure that follows
            pytest_message_ = trimmed(line.substr(1));
            return false;
        }
        if (!google_ || !open_) {
            google_ = false;
            return false;
        }
        if (line.starts_with('[') || open_->message.size() > message_bytes_max) {
            google_ = false;
            close();
            return true;
        }
        open_->message += (open_->message.empty() ? "" : "\n") + std::string(line);
        return true;
    }

    std::vector<suspect> out_;
    std::optional<suspect> open_;
    std::string before_;
    std::string last_words_;
    std::string rust_error_;
    std::string pytest_message_;
    std::uint64_t stacks_ = 0;
    std::uint64_t goroutines_ = 0;
    bool python_ = false;
    bool google_ = false;
    bool expects_message_ = false;
    bool keeps_without_frames_ = false;
};

} // namespace

source_index::source_index(std::vector<std::string> paths) {
    for (auto& path : paths) {
        backwards_.insert(turned(path) + "/");
        paths_.insert(std::move(path));
    }
}

std::string source_index::find(std::string_view written) const {
    for (const std::string_view front : {"file://", "/project/", "./"}) {
        if (written.starts_with(front)) {
            written.remove_prefix(front.size());
        }
    }
    if (paths_.contains(written)) {
        return std::string(written);
    }
    if (written.starts_with("/usr/") || written.starts_with("../") || has(written, "node_modules/") ||
        has(written, "site-packages/")) {
        return {};
    }
    // All of the written path is the end of one file's alone; or all of a file's path is the end of what is written.
    const auto wanted = turned(written) + "/";
    const auto first = backwards_.lower_bound(wanted);
    if (first != backwards_.end() && first->starts_with(wanted)) {
        const auto second = std::next(first);
        const bool only = second == backwards_.end() || !second->starts_with(wanted);
        return only ? turned(std::string_view(*first).substr(0, first->size() - 1)) : std::string();
    }
    for (auto end = wanted.size(); end > 1;) {
        const auto slash = wanted.rfind('/', end - 2);
        end = slash == wanted.npos ? 0 : slash + 1;
        if (const auto part = std::string_view(wanted).substr(0, end); backwards_.contains(part)) {
            return turned(part.substr(0, part.size() - 1));
        }
    }
    return {};
}

std::vector<suspect> read_suspects(std::string_view text, const source_index& sources) {
    auto all = suspect_reader().read(text);
    for (auto& s : all) {
        for (auto& f : s.frames) {
            if (auto own = sources.find(f.file); !own.empty()) {
                f.file = std::move(own);
                f.in_project = true;
                s.in_project = true;
            }
        }
    }
    std::stable_partition(all.begin(), all.end(), [](const suspect& s) { return s.in_project; });
    if (all.size() > suspects_max) {
        all.resize(suspects_max);
    }
    return all;
}

} // namespace troupe::actors
