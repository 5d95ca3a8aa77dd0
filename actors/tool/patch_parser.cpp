#include "actors/tool/patch.hpp"

#include <fmt/format.h>

#include <charconv>
#include <utility>

namespace troupe::actors {

namespace {

std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> all;
    while (!text.empty()) {
        const auto end = text.find('\n');
        all.push_back(text.substr(0, end));
        text.remove_prefix(end == text.npos ? text.size() : end + 1);
    }
    return all;
}

/// Headers only: contents keep theirs.
std::string_view without_return(std::string_view line) {
    return line.ends_with('\r') ? line.substr(0, line.size() - 1) : line;
}

/// A name as git quotes it ("a/\303\244 b"), or as it stands.
std::string unquoted(std::string_view name) {
    if (name.size() < 2 || !name.starts_with('"') || !name.ends_with('"')) {
        return std::string(name);
    }
    static constexpr std::string_view escapes = "abtnvfr", meant = "\a\b\t\n\v\f\r";
    name = name.substr(1, name.size() - 2);
    std::string out;
    for (std::size_t i = 0; i < name.size(); ++i) {
        if (name[i] != '\\' || i + 1 == name.size()) {
            out += name[i];
            continue;
        }
        unsigned octal = 0;
        const char* begin = name.data() + ++i;
        const char* digits_end = begin + std::min<std::size_t>(3, name.size() - i);
        const auto read = std::from_chars(begin, digits_end, octal, 8);
        if (read.ec == std::errc() && read.ptr == begin + 3) {
            out += static_cast<char>(octal);
            i += 2;
        } else {
            const auto known = escapes.find(name[i]);
            out += known == escapes.npos ? name[i] : meant[known];
        }
    }
    return out;
}

/// The name in a "---" or "+++" line: what diff appends after a tab is a time. Empty for /dev/null.
std::string header_name(std::string_view line) {
    auto name = without_return(line.substr(4));
    name = name.substr(0, name.starts_with('"') ? name.rfind('"') + 1 : name.find('\t'));
    return name == "/dev/null" ? std::string() : unquoted(name);
}

/// "a/x" and "b/x" are x, where both names have these beginnings.
void strip_prefixes(std::string& old_name, std::string& new_name) {
    if ((old_name.empty() || old_name.starts_with("a/")) && (new_name.empty() || new_name.starts_with("b/"))) {
        old_name.erase(0, 2);
        new_name.erase(0, 2);
    }
}

/// The two names of "diff --git a/x b/x", which are the same here: others have lines of their own.
std::pair<std::string, std::string> git_names(std::string_view names) {
    auto middle = names.size() / 2; // of two names that differ in a letter, and a blank
    if (names.starts_with('"')) {
        middle = names.find("\" ");
        middle = middle == names.npos ? 0 : middle + 1;
    }
    if (middle == 0 || middle + 1 >= names.size() || names[middle] != ' ') {
        return {};
    }
    std::pair out(unquoted(names.substr(0, middle)), unquoted(names.substr(middle + 1)));
    strip_prefixes(out.first, out.second);
    return out.first == out.second ? out : std::pair<std::string, std::string>();
}

/// "10" or "10,6".
bool read_range(std::string_view& text, std::size_t& start, std::size_t& count) {
    const auto number = [&](std::size_t& into) {
        const auto read = std::from_chars(text.data(), text.data() + text.size(), into);
        text.remove_prefix(static_cast<std::size_t>(read.ptr - text.data()));
        return read.ec == std::errc() && into < 1'000'000'000;
    };
    count = 1;
    if (!number(start)) {
        return false;
    }
    if (text.starts_with(',')) {
        text.remove_prefix(1);
        return number(count);
    }
    return true;
}

bool skip(std::string_view& text, std::string_view part) {
    const bool there = text.starts_with(part);
    text.remove_prefix(there ? part.size() : 0);
    return there;
}

class parser {
public:
    explicit parser(std::string_view text) : lines_(lines_of(text)) {}

    expected<std::vector<file_patch>> run() {
        while (at_ < lines_.size()) {
            if (auto read = read_line(); !read) {
                return read.error();
            }
        }
        if (auto ended = end_file(); !ended) {
            return ended.error();
        }
        if (files_.empty()) {
            return wrong(0, "the patch names no file; each file begins with a line '--- a/PATH' and one '+++ b/PATH'");
        }
        return std::move(files_);
    }

private:
    [[nodiscard]] std::string_view line(std::size_t ahead = 0) const {
        return at_ + ahead < lines_.size() ? lines_[at_ + ahead] : std::string_view();
    }
    static problem wrong(std::size_t line_number, std::string_view why) {
        auto told = line_number == 0 ? std::string(why) : fmt::format("line {} of the patch: {}", line_number, why);
        return {code::tool_arguments_invalid, told, {{"/patch", told}}};
    }
    [[nodiscard]] problem wrong(std::string_view why) const { return wrong(at_ + 1, why); }

    expected<void> read_line() {
        if (line().starts_with("diff --git ")) {
            return begin_git();
        }
        if (line().starts_with("--- ") && line(1).starts_with("+++ ")) {
            return read_names();
        }
        if (line().starts_with("@@ ")) {
            return read_hunk();
        }
        if (in_git_header_) {
            return read_git_header();
        }
        ++at_; // a commit's message, an "Index:" line
        return {};
    }

    expected<void> begin_git() {
        if (auto ended = end_file(); !ended) {
            return ended;
        }
        begin();
        is_git_ = in_git_header_ = true;
        auto rest = without_return(line());
        skip(rest, "diff --git ");
        std::tie(current_.old_path, current_.new_path) = git_names(rest);
        ++at_;
        return {};
    }

    void begin() {
        current_ = {};
        begun_ = true;
        is_git_ = is_new_ = is_deleted_ = is_renamed_ = in_git_header_ = false;
        begin_line_ = at_ + 1;
    }

    expected<void> read_git_header() {
        auto rest = without_return(line());
        if (skip(rest, "new file mode ")) {
            is_new_ = true;
            return read_mode(rest);
        }
        if (skip(rest, "deleted file mode ")) {
            is_deleted_ = true;
        } else if (skip(rest, "new mode ")) {
            return read_mode(rest);
        } else if (skip(rest, "rename from ")) {
            is_renamed_ = true;
            current_.old_path = unquoted(rest);
        } else if (skip(rest, "rename to ")) {
            is_renamed_ = true;
            current_.new_path = unquoted(rest);
        } else if (rest.starts_with("copy from ")) {
            return wrong("copies are not supported; make the new file with its whole content");
        } else if (rest.starts_with("Binary files ") || rest.starts_with("GIT binary patch")) {
            return wrong("changes of binary files are not supported; leave them out");
        }
        ++at_;
        return {};
    }

    expected<void> read_mode(std::string_view mode) {
        if (!mode.starts_with("100")) {
            return wrong("symbolic links and submodules are not supported; leave them out");
        }
        current_.executable = mode == "100755";
        ++at_;
        return {};
    }

    expected<void> read_names() {
        if (!in_git_header_) {
            if (auto ended = end_file(); !ended) {
                return ended;
            }
            begin();
        }
        auto old_name = header_name(line());
        auto new_name = header_name(line(1));
        if (old_name.empty() && new_name.empty()) {
            return wrong("both names are /dev/null");
        }
        strip_prefixes(old_name, new_name);
        is_new_ = is_new_ || old_name.empty();
        is_deleted_ = is_deleted_ || new_name.empty();
        if (!is_renamed_) { // only git renames: "--- x.orig", "+++ x" is a change of x
            current_.new_path = new_name.empty() ? old_name : new_name;
            current_.old_path = current_.new_path;
        }
        in_git_header_ = false;
        at_ += 2;
        return {};
    }

    expected<void> read_hunk() {
        if (!begun_) {
            return wrong("a hunk comes before the lines '--- a/PATH' and '+++ b/PATH' of its file");
        }
        if (++hunks_ > patch_hunks_max) {
            return wrong(fmt::format("it has more than {} hunks; send it in parts", patch_hunks_max));
        }
        in_git_header_ = false;
        patch_hunk h;
        h.patch_line_number = at_ + 1;
        auto rest = line();
        if (!skip(rest, "@@ -") || !read_range(rest, h.old_start, h.old_count) || !skip(rest, " +") ||
            !read_range(rest, h.new_start, h.new_count) || !skip(rest, " @@")) {
            return wrong("a hunk begins with a line as '@@ -10,6 +10,7 @@'");
        }
        if (h.old_count + h.new_count == 0) {
            return wrong("the hunk is empty");
        }
        ++at_;
        auto left_old = h.old_count, left_new = h.new_count;
        while (at_ < lines_.size() && (left_old > 0 || left_new > 0)) {
            const char kind = line().empty() ? ' ' : line().front(); // editors strip the blank of an empty line
            const bool fits = (kind == ' ' && left_old > 0 && left_new > 0) || (kind == '-' && left_old > 0) ||
                              (kind == '+' && left_new > 0);
            if (!fits) {
                break;
            }
            left_old -= kind != '+' ? 1 : 0;
            left_new -= kind != '-' ? 1 : 0;
            h.lines.push_back({kind, std::string(line().empty() ? "" : line().substr(1)) + "\n"});
            ++at_;
            if (line().starts_with('\\')) { // "\ No newline at end of file"
                h.lines.back().text.pop_back();
                ++at_;
            }
        }
        if (left_old > 0 || left_new > 0 || is_surplus()) {
            return wrong_count(h);
        }
        current_.hunks.push_back(std::move(h));
        return {};
    }

    /// Whether the hunk goes on after as many lines as it said. A "-- " ends mails.
    [[nodiscard]] bool is_surplus() const {
        const auto next = line();
        const bool is_header = next.starts_with("--- ") && line(1).starts_with("+++ ");
        return !next.empty() && (next[0] == ' ' || next[0] == '+' || next[0] == '-') && !is_header &&
               without_return(next) != "-- ";
    }

    /// Models miscount: they are told the right numbers.
    problem wrong_count(const patch_hunk& h) {
        at_ = h.patch_line_number;
        std::size_t old_count = 0, new_count = 0;
        for (; at_ < lines_.size() && (line().starts_with('\\') || line().empty() || is_surplus()); ++at_) {
            if (line().empty() && at_ + 1 == lines_.size()) {
                break;
            }
            const char kind = line().empty() ? ' ' : line().front();
            old_count += kind == ' ' || kind == '-' ? 1 : 0;
            new_count += kind == ' ' || kind == '+' ? 1 : 0;
        }
        return wrong(h.patch_line_number,
                     fmt::format("the hunk says '-{},{} +{},{}', but {} of its lines are old (' ' and '-') and {} new "
                                 "(' ' and '+'); write '@@ -{},{} +{},{} @@' or mend the lines",
                                 h.old_start, h.old_count, h.new_start, h.new_count, old_count, new_count, h.old_start,
                                 old_count, h.new_start, new_count));
    }

    expected<void> end_file() {
        if (!std::exchange(begun_, false)) {
            return {};
        }
        in_git_header_ = false;
        if (current_.old_path.empty() || current_.new_path.empty()) {
            return wrong(begin_line_, "the file's name is missing or cannot be read; add the lines '--- a/PATH' and "
                                      "'+++ b/PATH'");
        }
        const bool changes_mode = is_git_ && current_.executable;
        if (current_.hunks.empty() && !is_new_ && !is_deleted_ && !is_renamed_ && !changes_mode) {
            return wrong(begin_line_, fmt::format("there is no change of {}", current_.new_path));
        }
        if (is_new_) {
            current_.old_path.clear();
        }
        if (is_deleted_) {
            current_.new_path.clear();
        }
        if (files_.size() == patch_files_max) {
            return wrong(begin_line_, fmt::format("more than {} files; send it in parts", patch_files_max));
        }
        files_.push_back(std::move(current_));
        return {};
    }

    const std::vector<std::string_view> lines_;
    std::size_t at_ = 0;
    std::size_t hunks_ = 0;
    std::vector<file_patch> files_;
    file_patch current_;
    std::size_t begin_line_ = 0;
    bool begun_ = false;
    bool is_git_ = false;
    bool in_git_header_ = false;
    bool is_new_ = false;
    bool is_deleted_ = false;
    bool is_renamed_ = false;
};

} // namespace

expected<std::vector<file_patch>> parse_patch(std::string_view text) { return parser(text).run(); }

} // namespace troupe::actors
