#include "actors/kinds/code_generator/code_measure.hpp"

#include <algorithm>
#include <array>

namespace troupe::actors {

namespace {

using words = std::initializer_list<std::string_view>;

struct measured_language {
    std::string_view name;
    words suffixes;
    words decisions;          ///< Words that make another path.
    words functions;          ///< Words that begin a function; empty: known by their form.
    bool c_comments = true;   ///< Else "#".
    bool arrows = false;      ///< "=>" begins a function.
    bool question = true;     ///< "a ? b : c" is a decision.
    bool backticks = false;   ///< Texts in them.
    bool single_texts = true; ///< Texts in single quotes, else characters only.
};

bool is_one_of(std::string_view word, words all) { return std::ranges::find(all, word) != all.end(); }

const std::array<measured_language, 7>& languages() {
    static const std::array<measured_language, 7> all = {{
        {"python",
         {".py"},
         {"if", "elif", "for", "while", "except", "and", "or", "case"},
         {"def", "lambda"},
         false,
         false,
         false},
        {"javascript",
         {".js", ".mjs", ".cjs", ".jsx"},
         {"if", "for", "while", "case", "catch"},
         {"function"},
         true,
         true,
         true,
         true},
        {"typescript",
         {".ts", ".tsx", ".mts"},
         {"if", "for", "while", "case", "catch"},
         {"function"},
         true,
         true,
         true,
         true},
        {"java", {".java"}, {"if", "for", "while", "case", "catch"}, {}},
        {"go", {".go"}, {"if", "for", "case"}, {"func"}, true, false, false, true},
        {"c++", {".cpp", ".cc", ".cxx", ".c", ".hpp", ".hh", ".h"}, {"if", "for", "while", "case", "catch"}, {}},
        {"rust", {".rs"}, {"if", "for", "while"}, {"fn"}, true, true, false, false, false},
    }};
    return all;
}

const measured_language* language_of(std::string_view path) {
    const auto dot = path.rfind('.');
    const auto suffix = dot == path.npos ? std::string_view() : path.substr(dot);
    const auto found = std::ranges::find_if(languages(), [&](const auto& l) { return is_one_of(suffix, l.suffixes); });
    return suffix.empty() || found == languages().end() ? nullptr : &*found;
}

bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           static_cast<unsigned char>(c) >= 0x80;
}

/// Goes once through a text, past comments and texts.
class source_reader {
public:
    source_reader(const measured_language& l, std::string_view text) : l_(l), text_(text) {}

    code_measure read() {
        m_.language = l_.name;
        m_.files = 1;
        while (at_ < text_.size()) {
            step();
        }
        end_line();
        m_.lines = static_cast<std::uint64_t>(std::ranges::count(text_, '\n')) +
                   (text_.empty() || text_.ends_with('\n') ? 0 : 1);
        m_.complexity = m_.decisions + m_.functions;
        return m_;
    }

private:
    [[nodiscard]] bool at(std::string_view part) const { return text_.substr(at_).starts_with(part); }

    void step() {
        const char c = text_[at_];
        if (c == '\n') {
            end_line();
            ++at_;
        } else if (c == ' ' || c == '\t' || c == '\r') {
            ++at_;
        } else if (l_.c_comments ? at("//") : c == '#') {
            at_ = std::min(text_.find('\n', at_), text_.size());
        } else if (l_.c_comments && at("/*")) {
            pass_to("*/", 2, false);
        } else if (c == '"' || (c == '\'' && !is_lifetime()) || (c == '`' && l_.backticks)) {
            pass_text(c);
        } else if (is_word(c)) {
            word();
        } else {
            sign(c);
        }
    }

    void end_line() {
        m_.code_lines += code_ ? 1 : 0;
        code_ = false;
    }

    /// Passes over what ends with `end`, counting lines of code in between when it is code.
    void pass_to(std::string_view end, std::size_t skip, bool is_code) {
        const auto found = text_.find(end, at_ + skip);
        const auto stop = found == text_.npos ? text_.size() : found + end.size();
        for (; at_ < stop; ++at_) {
            if (text_[at_] == '\n') {
                end_line();
            } else {
                code_ = code_ || is_code;
            }
        }
    }

    /// 'a in Rust is no character.
    [[nodiscard]] bool is_lifetime() const {
        const auto rest = text_.substr(at_);
        return !l_.single_texts && !(rest.size() > 2 && (rest[2] == '\'' || rest[1] == '\\'));
    }

    void pass_text(char quote) {
        const std::string three(3, quote);
        if (!l_.c_comments && at(three)) { // Python: a text that stands alone is a comment
            const bool alone = !code_;
            return pass_to(three, 3, !alone);
        }
        code_ = true;
        for (++at_; at_ < text_.size() && text_[at_] != quote; ++at_) {
            const bool escaped = text_[at_] == '\\' && at_ + 1 < text_.size();
            at_ += escaped ? 1 : 0;
            if (text_[at_] != '\n') {
                code_ = true;
            } else if (escaped || quote == '`') {
                end_line();
            } else { // it was none
                return;
            }
        }
        at_ = std::min(at_ + 1, text_.size());
        last_ = {};
    }

    void word() {
        const auto begin = at_;
        while (at_ < text_.size() && is_word(text_[at_])) {
            ++at_;
        }
        const auto word = text_.substr(begin, at_ - begin);
        code_ = true;
        m_.decisions += is_one_of(word, l_.decisions) ? 1 : 0;
        m_.functions += is_one_of(word, l_.functions) ? 1 : 0;
        type_ = type_ ||
                is_one_of(word, {"class", "struct", "namespace", "interface", "enum", "union", "extern", "record"});
        last_ = word;
    }

    void sign(char c) {
        code_ = true;
        if (at("&&") || at("||")) {
            m_.decisions += l_.c_comments ? 1 : 0;
            ++at_;
        } else if (at("=>")) {
            // In Rust an arm of a match: another path; in JavaScript a function.
            m_.functions += l_.arrows && l_.name != "rust" ? 1 : 0;
            m_.decisions += l_.name == "rust" ? 1 : 0;
            ++at_;
        } else if (c == '?' && l_.question) {
            // "a?.b" and "a ?? b" read on; "b?: T" declares.
            const auto next = text_.substr(at_ + 1, 1);
            m_.decisions +=
                next != "." && next != ":" && next != "?" && text_.substr(at_ == 0 ? 0 : at_ - 1, 1) != "?" ? 1 : 0;
        } else if (l_.functions.size() == 0) {
            shape(c);
        }
        ++at_;
        if (c != '(' && c != ')') {
            last_ = {};
        }
    }

    /// Functions of C++ and Java by their form: "name(…) … {" where no function is open.
    void shape(char c) {
        if (c == '(') {
            if (parentheses_++ == 0 && !named_) {
                named_ = !last_.empty() && !is_one_of(last_, {"if", "for", "while", "switch", "catch", "return",
                                                              "sizeof", "alignas", "decltype"});
            }
        } else if (c == ')') {
            parentheses_ -= parentheses_ > 0 ? 1 : 0;
        } else if (parentheses_ > 0) {
            return;
        } else if (c == '{') {
            if (inside_ > 0) {
                ++inside_;
            } else if (named_ && !type_ && !assigned_) {
                ++m_.functions;
                inside_ = 1;
            } else if (!type_) {
                inside_ = 1; // an initializer or a body of something else: no functions in it
            }
            named_ = type_ = assigned_ = false;
        } else if (c == '}') {
            inside_ -= inside_ > 0 ? 1 : 0;
            named_ = type_ = assigned_ = false;
        } else if (c == ';') {
            named_ = type_ = assigned_ = false;
        } else if (c == '=' && inside_ == 0 && last_ != "operator") {
            assigned_ = true;
        }
    }

    const measured_language& l_;
    std::string_view text_;
    std::size_t at_ = 0;
    code_measure m_;
    std::string_view last_; ///< The word right before.
    bool code_ = false;     ///< The line has code.
    bool named_ = false;    ///< A name with parentheses stands in this declaration,
    bool type_ = false;     ///< "class", "namespace" or the like,
    bool assigned_ = false; ///< or "=".
    std::uint64_t parentheses_ = 0;
    std::uint64_t inside_ = 0; ///< How many braces are open in a function.
};

} // namespace

code_measure& code_measure::operator+=(const code_measure& other) {
    files += other.files;
    lines += other.lines;
    code_lines += other.code_lines;
    functions += other.functions;
    decisions += other.decisions;
    complexity += other.complexity;
    return *this;
}

std::optional<code_measure> measure_source(std::string_view path, std::string_view text) {
    const auto* language = language_of(path);
    return language ? std::optional(source_reader(*language, text).read()) : std::nullopt;
}

} // namespace troupe::actors
