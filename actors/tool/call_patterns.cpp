#include "actors/tool/call_patterns.hpp"

#include "actors/tool/glob.hpp"
#include "actors/tool/patch.hpp"
#include "schemas/base/json.hpp"

#include <boost/url/parse.hpp>
#include <boost/url/url.hpp>

#include <algorithm>
#include <array>
#include <filesystem>

namespace troupe::actors {

namespace {

/// By them a shell goes on to another command, or puts another's output in.
constexpr std::string_view shell_controls = ";&|<>$`(){}\n\r\\";
constexpr std::string_view separators = ";&|(){}`\n\r";

constexpr std::array path_members = {"path", "from", "to", "working_directory"};

/// They work on all that a folder holds.
constexpr std::array folder_tools = {"list_files", "find_files", "search_files", "move_file", "delete_file"};

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    return first == text.npos ? std::string_view() : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// "*" is anything but `never`; linear but for going back to the last star.
bool fits_text(std::string_view pattern, std::string_view text, std::string_view never) {
    std::size_t p = 0;
    std::size_t t = 0;
    auto star = pattern.npos;
    std::size_t star_text = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            star_text = t;
        } else if (p < pattern.size() && pattern[p] == text[t]) {
            ++p;
            ++t;
        } else if (star != pattern.npos && never.find(text[star_text]) == never.npos) {
            p = star + 1;
            t = ++star_text;
        } else {
            return false;
        }
    }
    return std::ranges::all_of(pattern.substr(p), [](char c) { return c == '*'; });
}

/// "git *" is also "git" alone, as people mean it.
bool fits_command(std::string_view pattern, std::string_view command, std::string_view never) {
    return fits_text(pattern, command, never) ||
           (pattern.ends_with(" *") && fits_text(pattern.substr(0, pattern.size() - 2), command, never));
}

/// The commands of a line, without settings of variables before them.
std::vector<std::string_view> commands_in(std::string_view line) {
    std::vector<std::string_view> out;
    while (!line.empty()) {
        const auto end = line.find_first_of(separators);
        auto part = trimmed(line.substr(0, end));
        for (auto space = part.find(' '); space != part.npos && part.substr(0, space).find('=') != part.npos;
             space = part.find(' ')) {
            part = trimmed(part.substr(space));
        }
        if (!part.empty()) {
            out.push_back(part);
        }
        line.remove_prefix(end == line.npos ? line.size() : end + 1);
    }
    return out;
}

/// The folder that all of the pattern's paths are in: what stands before its first wildcard.
std::string_view fixed_folder(std::string_view pattern) {
    const auto fixed = pattern.substr(0, pattern.find_first_of("*?[{"));
    const auto slash = fixed.rfind('/');
    return slash == fixed.npos ? std::string_view() : fixed.substr(0, slash);
}

bool is_in(std::string_view path, std::string_view folder) {
    return folder.empty() || (path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/'));
}

/// Whether a path that fits may lie in the folder.
bool may_hold(std::string_view folder, std::string_view pattern) {
    const auto fixed = fixed_folder(pattern);
    return pattern.find('/') == pattern.npos || is_in(fixed, folder) || is_in(folder, fixed);
}

/// Without "." and "..", also where the tool will refuse them: then it is no more than its writing says.
std::string clean_path(std::string_view path) {
    auto clean = std::filesystem::path(path).lexically_normal().native();
    if (clean.ends_with('/')) {
        clean.pop_back();
    }
    return clean == "." ? "" : clean;
}

/// An address with its scheme and host as they are compared.
std::string clean_address(std::string_view text) {
    auto read = boost::urls::parse_uri({text.data(), text.size()});
    if (read.has_error()) {
        return std::string(text);
    }
    boost::urls::url url(*read);
    url.normalize();
    return {url.data(), url.size()};
}

bool is_one_of(const auto& names, std::string_view name) { return std::ranges::find(names, name) != names.end(); }

class reader {
public:
    reader(const tool_info& tool, json::value root) : tool_(tool), root_(root) {}

    void add(std::string_view member) {
        const auto value = root_.find(member);
        if (!value) {
            return;
        }
        if (value->type() == json::kind::array) {
            value->each_element([&](json::value each) { add(member, each); });
        } else {
            add(member, *value);
        }
    }

    void add_all() {
        if (runs_lines()) {
            return add("command");
        }
        if (tool_.name == "apply_patch") {
            return add_patch();
        }
        for (const auto* member : {"path", "from", "to", "paths", "url"}) {
            add(member);
        }
        if (out_.empty() && has_argument(tool_, "path")) {
            out_.push_back({"", is_one_of(folder_tools, tool_.name) ? call_text_form::folder : call_text_form::path});
        }
        if (out_.empty()) {
            out_.push_back({root_.dump(), call_text_form::text});
        }
    }

    std::vector<call_text> take() { return std::move(out_); }

private:
    [[nodiscard]] bool runs_lines() const { return tool_.name == "run_command" || tool_.name == "process_start"; }

    void add(std::string_view member, json::value value) {
        const auto as_text = value.as_string();
        std::string text = as_text ? std::string(*as_text) : value.dump();
        if (member == "command" && runs_lines()) {
            out_.push_back({std::move(text), call_text_form::command});
        } else if (is_one_of(path_members, member) || member == "paths") {
            add_path(text);
        } else {
            out_.push_back({member == "url" ? clean_address(text) : std::move(text), call_text_form::text});
        }
    }

    void add_path(std::string_view path) {
        out_.push_back(
            {clean_path(path), is_one_of(folder_tools, tool_.name) ? call_text_form::folder : call_text_form::path});
    }

    void add_patch() {
        const auto files = parse_patch(root_.text_or("patch"));
        if (!files) {
            return; // the tool says what is wrong with it
        }
        for (const auto& file : *files) {
            for (const auto& path : {file.old_path, file.new_path}) {
                if (!path.empty()) {
                    add_path(path);
                }
            }
        }
    }

    const tool_info& tool_;
    json::value root_;
    std::vector<call_text> out_;
};

} // namespace

bool has_argument(const tool_info& tool, std::string_view member) {
    const auto schema = json::document::parse(tool.schema());
    const auto properties = schema ? schema->root().find("properties") : std::nullopt;
    return properties && properties->find(member);
}

std::vector<call_text> texts_of(const tool_info& tool, std::string_view arguments, std::string_view member) {
    const auto parsed = json::document::parse(arguments.empty() ? "{}" : arguments);
    if (!parsed) {
        return {};
    }
    reader r(tool, parsed->root());
    if (member.empty()) {
        r.add_all();
    } else {
        r.add(member);
    }
    return r.take();
}

bool fits_wholly(std::string_view pattern, const call_text& text) {
    switch (text.form) {
    case call_text_form::command:
        return fits_command(pattern, trimmed(text.text), shell_controls);
    case call_text_form::folder:
        if (!pattern.ends_with("**")) {
            return path_glob(pattern).fits(text.text) && pattern.find_first_of("*?[{") == pattern.npos;
        }
        return is_in(text.text, fixed_folder(pattern)) &&
               (pattern == "**" || path_glob(pattern).fits(text.text + "/x"));
    case call_text_form::path:
        return path_glob(pattern).fits(text.text);
    case call_text_form::text:
        break;
    }
    return fits_text(pattern, text.text, {});
}

bool fits_partly(std::string_view pattern, const call_text& text) {
    switch (text.form) {
    case call_text_form::command: {
        const auto parts = commands_in(text.text);
        return fits_command(pattern, trimmed(text.text), {}) ||
               std::ranges::any_of(parts, [&](auto part) { return fits_command(pattern, part, {}); });
    }
    case call_text_form::folder:
        return path_glob(pattern).fits(text.text) || may_hold(text.text, pattern);
    case call_text_form::path:
        return path_glob(pattern).fits(text.text);
    case call_text_form::text:
        break;
    }
    return fits_text(pattern, text.text, {});
}

} // namespace troupe::actors
