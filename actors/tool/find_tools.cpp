#include "actors/tool/glob.hpp"
#include "actors/tool/project_folder.hpp"
#include "actors/tool/tool_performers.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/base/durable_file.hpp"
#include "schemas/base/json.hpp"
#include "schemas/base/limits.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <limits>
#include <optional>
#include <regex>

namespace troupe::actors {

namespace fs = std::filesystem;

namespace {

/// A folder of a million files must not fill the memory.
constexpr std::size_t entries_max = 100'000;
constexpr std::size_t listed_max = 1'000;
constexpr std::size_t matches_max = 200;
constexpr std::size_t searched_file_bytes_max = 8 << 20;
/// A search is linear in lines, but not in the length of a line.
constexpr std::size_t searched_line_bytes_max = 4096;
constexpr std::size_t shown_line_bytes_max = 400;
constexpr std::int64_t search_time_max_ms = 20'000;
constexpr std::size_t answer_bytes_max = tool_content_bytes_max - 1024;

struct entry {
    std::string path; ///< Relative to the project.
    fs::file_type type = fs::file_type::none;
    std::uint64_t bytes = 0;
    std::string target;           ///< Of a symbolic link.
    fs::file_time_type changed{}; ///< Of a file.
};

struct listing {
    std::vector<entry> entries; ///< Sorted by path.
    bool complete = true;
};

/// Everything below a folder, without following links and without .git.
expected<listing> walk(const project_folder& project, const std::string& path, std::uint32_t depth) {
    const auto folder = project.open_at(path, O_RDONLY | O_DIRECTORY);
    if (!folder) {
        return folder.error();
    }
    const fs::path base = path_of(*folder);
    const fs::path shown = *project_folder::normalize(path);
    listing all;
    std::error_code failed;
    fs::recursive_directory_iterator it(base / ".", fs::directory_options::skip_permission_denied, failed), end;
    for (; !failed && it != end; it.increment(failed)) {
        const auto name = it->path().filename();
        if (name == ".git" || name == limits::node_data_name) {
            it.disable_recursion_pending();
            continue;
        }
        if (all.entries.size() == entries_max) {
            all.complete = false;
            break;
        }
        std::error_code gone; // What disappears while we look is left out.
        entry e{
            (shown / it->path().lexically_relative(base / ".")).native(), it->symlink_status(gone).type(), 0, {}, {}};
        if (e.type == fs::file_type::regular) {
            e.bytes = it->file_size(gone);
            e.changed = it->last_write_time(gone);
        } else if (e.type == fs::file_type::symlink) {
            e.target = fs::read_symlink(it->path(), gone).native();
        }
        if (!gone) {
            all.entries.push_back(std::move(e));
        }
        if (static_cast<std::uint32_t>(it.depth()) + 1 >= depth) {
            it.disable_recursion_pending();
        }
    }
    if (failed) {
        return file_problem("list", path.empty() ? "the project" : path, failed.value());
    }
    std::sort(all.entries.begin(), all.entries.end(), [](const entry& a, const entry& b) { return a.path < b.path; });
    return all;
}

std::string line_of(const entry& e) {
    switch (e.type) {
    case fs::file_type::directory:
        return e.path + "/\n";
    case fs::file_type::symlink:
        return e.path + " -> " + e.target + "\n";
    case fs::file_type::regular:
        return fmt::format("{} ({} bytes)\n", e.path, e.bytes);
    default:
        return e.path + " (special file)\n";
    }
}

std::string time_text(fs::file_time_type time) {
    const auto since = std::chrono::file_clock::to_sys(time).time_since_epoch();
    return to_string(timestamp{std::chrono::duration_cast<std::chrono::milliseconds>(since).count()});
}

/// Finds a pattern in a line: plain text, or a regular expression.
class matcher {
public:
    static expected<matcher> make(const search_files_arguments& a) {
        matcher m;
        m.text_ = a.pattern;
        if (a.literal) {
            return m;
        }
        try {
            // Polynomial: a pattern of the model must neither take exponential time nor recurse over a line.
            const auto flags = std::regex::ECMAScript | std::regex_constants::__polynomial;
            const std::regex checked(a.pattern, flags);
            // Begun once, at the front of the line: trying each place would make it quadratic in the line.
            m.expression_.emplace("[^]*?(?:" + a.pattern + ")", flags);
        } catch (const std::regex_error& e) {
            const std::string why =
                fmt::format("is no regular expression: {}; set literal to search for plain text", e.what());
            return problem{code::tool_arguments_invalid, "/pattern: " + why, {{"/pattern", why}}};
        }
        return m;
    }
    [[nodiscard]] bool finds(std::string_view line) const {
        const auto once = std::regex_constants::match_continuous;
        return expression_ ? std::regex_search(line.begin(), line.end(), *expression_, once)
                           : line.find(text_) != line.npos;
    }

private:
    std::string text_;
    std::optional<std::regex> expression_;
};

/// What a search has found so far, and why it stops.
struct search {
    const matcher& pattern;
    const tool_environment& where;
    std::int64_t deadline_ms = monotonic_ms() + search_time_max_ms;
    std::string text = {};
    std::size_t matches = 0;
    std::size_t files = 0;
    std::size_t skipped = 0; ///< Binary or too large.
    std::string stopped = {};

    bool go_on() {
        if (matches >= matches_max || text.size() >= answer_bytes_max) {
            stopped = "there are more matches; narrow the pattern, the path or the glob";
        } else if (where.stop.stop_requested()) {
            stopped = "the search was cancelled";
        } else if (monotonic_ms() >= deadline_ms) {
            stopped = "the search took too long; narrow the path or the glob";
        }
        return stopped.empty();
    }

    void look_into(const std::string& path, std::string_view content) {
        ++files;
        for (std::size_t number = 1; !content.empty() && go_on(); ++number) {
            const auto end = content.find('\n');
            const auto line = content.substr(0, std::min(end, searched_line_bytes_max));
            if (pattern.finds(line)) {
                ++matches;
                text += fmt::format("{}:{}: {}\n", path, number, utf8_prefix(line, shown_line_bytes_max));
            }
            content.remove_prefix(end == content.npos ? content.size() : end + 1);
        }
    }
};

/// The files below `path`, or `path` itself when it is one.
expected<listing> files_at(const project_folder& project, const std::string& path) {
    const auto fd = project.open_at(path, O_PATH);
    if (!fd) {
        return fd.error();
    }
    struct stat s = {};
    if (::fstat(fd->get(), &s) == 0 && S_ISREG(s.st_mode)) {
        listing one;
        one.entries.push_back(
            {*project_folder::normalize(path), fs::file_type::regular, static_cast<std::uint64_t>(s.st_size), {}, {}});
        return one;
    }
    return walk(project, path, std::numeric_limits<std::uint32_t>::max());
}

} // namespace

tool_result list_files(const list_files_arguments& a, const tool_environment& where) {
    const auto project = project_folder::open(where.project);
    const auto all = project ? walk(*project, a.path, a.depth) : expected<listing>(project.error());
    if (!all) {
        return refuse(all.error());
    }
    tool_result r;
    std::size_t shown = 0;
    for (const auto& e : all->entries) {
        if (shown == listed_max || r.content.size() >= answer_bytes_max) {
            break;
        }
        r.content += line_of(e);
        ++shown;
    }
    if (shown < all->entries.size() || !all->complete) {
        r.content += fmt::format("[… {}{} more left out; list a folder or a smaller depth …]\n",
                                 all->entries.size() - shown, all->complete ? "" : " or");
    }
    if (all->entries.empty()) {
        r.content = "(empty)\n";
    }
    r.details.text.clear();
    json::object_writer w(r.details.text);
    w.field("path", a.path).field("entries", std::uint64_t{all->entries.size()}).field("complete", all->complete);
    w.end();
    return r;
}

tool_result find_files(const find_files_arguments& a, const tool_environment& where) {
    const auto project = project_folder::open(where.project);
    const auto any_depth = std::numeric_limits<std::uint32_t>::max();
    auto all = project ? walk(*project, a.path, any_depth) : expected<listing>(project.error());
    if (!all) {
        return refuse(all.error());
    }
    const path_glob glob(a.glob);
    const auto base = project_folder::normalize(a.path).value(); // `walk` took it
    auto& found = all->entries;
    std::erase_if(found, [&](const entry& e) {
        // A pattern is held against what follows the folder that is searched.
        return e.type != fs::file_type::regular ||
               !glob.fits(std::string_view(e.path).substr(base.empty() ? 0 : base.size() + 1));
    });
    if (a.newest_first) {
        std::ranges::stable_sort(found, std::ranges::greater(), &entry::changed);
    }
    tool_result r;
    std::size_t shown = 0;
    for (const auto& e : found) {
        if (shown == a.limit || r.content.size() >= answer_bytes_max) {
            break;
        }
        r.content += a.newest_first ? fmt::format("{} ({} bytes, changed {})\n", e.path, e.bytes, time_text(e.changed))
                                    : line_of(e);
        ++shown;
    }
    if (shown < found.size()) {
        r.content += fmt::format("[… {} more left out; narrow the glob or the path …]\n", found.size() - shown);
    }
    if (!all->complete) {
        r.content += fmt::format("[only the first {} entries were looked at: narrow the path]\n", entries_max);
    }
    if (found.empty()) {
        r.content = fmt::format("no file fits {}\n", a.glob) + r.content;
    }
    r.details.text.clear();
    json::object_writer w(r.details.text);
    w.field("files", std::uint64_t{found.size()}).field("shown", std::uint64_t{shown});
    w.field("complete", all->complete && shown == found.size());
    w.end();
    return r;
}

tool_result search_files(const search_files_arguments& a, const tool_environment& where) {
    const auto pattern = matcher::make(a);
    if (!pattern) {
        return refuse(pattern.error());
    }
    const auto project = project_folder::open(where.project);
    const auto all = project ? files_at(*project, a.path) : expected<listing>(project.error());
    if (!all) {
        return refuse(all.error());
    }
    search s{.pattern = *pattern, .where = where};
    const path_glob glob(a.glob);
    for (const auto& e : all->entries) {
        if (e.type != fs::file_type::regular || !glob.fits(e.path)) {
            continue;
        }
        if (!s.go_on()) {
            break;
        }
        const auto fd = project->open_at(e.path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
        const auto content =
            fd ? read_whole(fd->get(), searched_file_bytes_max, e.path) : expected<std::string>(fd.error());
        if (!content || is_binary(*content)) {
            ++s.skipped;
            continue;
        }
        s.look_into(e.path, *content);
    }
    tool_result r;
    r.content = s.matches == 0 ? fmt::format("no match in {} files\n", s.files) : std::move(s.text);
    if (!s.stopped.empty() || !all->complete) {
        r.content += fmt::format("[… {} …]\n", s.stopped.empty() ? "too many files: narrow the path" : s.stopped);
    }
    if (s.skipped > 0) {
        r.content += fmt::format("[{} binary, unreadable or very large files were not searched]\n", s.skipped);
    }
    r.details.text.clear();
    json::object_writer w(r.details.text);
    w.field("matches", std::uint64_t{s.matches}).field("files", std::uint64_t{s.files});
    w.field("skipped", std::uint64_t{s.skipped}).field("complete", s.stopped.empty() && all->complete);
    w.end();
    return r;
}

} // namespace troupe::actors
