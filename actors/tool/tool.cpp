#include "actors/tool/tool.hpp"

#include "actors/tool/tool_arguments.hpp"
#include "actors/tool/tool_performers.hpp"
#include "actors/tool/tool_table.hpp"
#include "schemas/base/described.hpp"

#include <algorithm>
#include <array>

namespace troupe::actors {

namespace {

template <class T, tool_result (*perform)(const T&, const tool_environment&)>
tool_result decode_and_perform(std::string_view arguments, const tool_environment& where) {
    const auto decoded = detail::decode_arguments<T>(arguments);
    return decoded ? perform(*decoded, where) : refuse(decoded.error());
}

constexpr std::array own_tools = {
    tool_info{.name = "read_file",
              .description = "Reads a text file of the project, or a range of its lines.",
              .safety = repeat_safety::idempotent,
              .writes = false,
              .needs_project = true,
              .permission = "read",
              .schema = json_schema<read_file_arguments>,
              .check = detail::check_arguments<read_file_arguments>},
    tool_info{.name = "write_file",
              .description =
                  "Writes a whole file of the project. Missing folders are made; a file that exists is replaced.",
              .safety = repeat_safety::idempotent,
              .writes = true,
              .needs_project = true,
              .permission = "write",
              .schema = json_schema<write_file_arguments>,
              .check = detail::check_arguments<write_file_arguments>},
    tool_info{.name = "edit_file",
              .description =
                  "Replaces a text that occurs exactly once in a file of the project. Give enough lines around "
                  "the change to make it the only one.",
              .safety = repeat_safety::idempotent,
              .writes = true,
              .needs_project = true,
              .permission = "write",
              .schema = json_schema<edit_file_arguments>,
              .check = detail::check_arguments<edit_file_arguments>},
    tool_info{.name = "list_files",
              .description = "Lists files and folders of the project with their sizes.",
              .safety = repeat_safety::idempotent,
              .writes = false,
              .needs_project = true,
              .permission = "read",
              .schema = json_schema<list_files_arguments>,
              .check = detail::check_arguments<list_files_arguments>},
    tool_info{.name = "search_files",
              .description = "Searches the lines of the project's text files. Answers with path:line: text.",
              .safety = repeat_safety::idempotent,
              .writes = false,
              .needs_project = true,
              .permission = "read",
              .schema = json_schema<search_files_arguments>,
              .check = detail::check_arguments<search_files_arguments>},
    tool_info{.name = "run_command",
              .description =
                  "Runs a shell line in a sandbox: only the project is writable. Answers with exit code and output. "
                  "What it leaves in the background is ended with it.",
              .safety = repeat_safety::recorded,
              .writes = true,
              .needs_project = true,
              .permission = "execute",
              .schema = json_schema<run_command_arguments>,
              .check = detail::check_arguments<run_command_arguments>},
    tool_info{.name = "ask_human",
              .description = "Asks a person, and waits for the answer.",
              .safety = repeat_safety::control,
              .writes = false,
              .needs_project = false,
              .permission = "human",
              .schema = json_schema<ask_human_arguments>,
              .check = detail::check_arguments<ask_human_arguments>},
    tool_info{.name = "finish",
              .description = "Ends the work with a result. Call it when the goal is reached or cannot be reached.",
              .safety = repeat_safety::control,
              .writes = false,
              .needs_project = false,
              .permission = "read",
              .schema = json_schema<finish_arguments>,
              .check = detail::check_arguments<finish_arguments>},
};

using performer = tool_result (*)(std::string_view, const tool_environment&);

performer performer_of(std::string_view name) {
    static constexpr std::pair<std::string_view, performer> all[] = {
        {"read_file", decode_and_perform<read_file_arguments, read_file>},
        {"write_file", decode_and_perform<write_file_arguments, write_file>},
        {"edit_file", decode_and_perform<edit_file_arguments, edit_file>},
        {"list_files", decode_and_perform<list_files_arguments, list_files>},
        {"search_files", decode_and_perform<search_files_arguments, search_files>},
        {"run_command", decode_and_perform<run_command_arguments, run_command>},
    };
    const auto* found =
        std::find_if(std::begin(all), std::end(all), [&](const auto& row) { return row.first == name; });
    return found == std::end(all) ? nullptr : found->second;
}

problem unknown_tool(std::string_view name) {
    std::string names;
    for (const auto& t : all_tools()) {
        names += fmt::format("{}{}", names.empty() ? "" : ", ", t.name);
    }
    return {code::tool_unknown, fmt::format("there is no tool '{}'; there are {}", name, names)};
}

/// Files and commands may hold anything; what goes on from here is UTF-8.
std::string valid_utf8(const std::string& text) {
    const auto parsed = json::document::parse(json::quoted(text));
    const auto clean = parsed ? parsed->root().as_string() : std::nullopt;
    return clean ? std::string(*clean) : std::string();
}

/// A tool of a program's own keeps the same bounds as those of the house.
tool_result perform_added(const custom_tool& tool, std::string_view arguments, const tool_environment& where) {
    if (where.repeat && tool.safety == repeat_safety::once) {
        auto r = refuse(fmt::format("the node stopped during {}, and nobody knows whether it happened", tool.name));
        r.unknown = true;
        return r;
    }
    auto result = tool.perform(arguments, where);
    result.content = shorten(result.content, tool_content_bytes_max);
    if (!result.details.text.empty() && !json::make_raw(result.details.text)) {
        return refuse(fmt::format("{} gave details that are no JSON", tool.name));
    }
    return result;
}

} // namespace

namespace detail {

problem wrong_arguments(problem decoding) {
    if (decoding.errors.empty()) {
        decoding.errors.push_back({"/", decoding.detail});
    }
    std::string all;
    for (const auto& e : decoding.errors) {
        all += fmt::format("{}{}: {}", all.empty() ? "" : "; ", e.pointer, e.message);
    }
    return problem{code::tool_arguments_invalid, "the arguments do not fit the tool's schema: " + all,
                   std::move(decoding.errors)};
}

std::string_view or_empty_object(std::string_view arguments) {
    return arguments.find_first_not_of(" \t\r\n") == std::string_view::npos ? "{}" : arguments;
}

} // namespace detail

std::span<const tool_info> product_tools() { return own_tools; }

expected<std::vector<net::tool_declaration>> declare_tools(const std::vector<std::string>& names) {
    std::vector<net::tool_declaration> all;
    for (const auto& name : names) {
        const auto* tool = find_tool(name);
        if (!tool) {
            return unknown_tool(name);
        }
        all.push_back({std::string(tool->name), std::string(tool->description), tool->schema()});
    }
    return all;
}

tool_result perform_tool(std::string_view name, std::string_view arguments, const tool_environment& where) {
    const auto perform = performer_of(name);
    const auto* added = find_added(name);
    if (!perform && !added) {
        return find_tool(name) ? refuse(fmt::format("'{}' is answered by the run itself, not performed", name))
                               : refuse(unknown_tool(name));
    }
    try {
        auto result = added ? perform_added(*added, arguments, where) : perform(arguments, where);
        result.content = valid_utf8(result.content);
        return result;
    } catch (const std::exception& e) {
        auto r = refuse(fmt::format("{} failed: {}", name, e.what()));
        const auto* tool = find_tool(name);
        r.unknown = tool && may_have_happened(*tool);
        return r;
    }
}

tool_result refuse(std::string why) {
    tool_result r;
    r.content = std::move(why);
    r.is_error = true;
    return r;
}

tool_result refuse(const problem& p) {
    auto r = refuse(p.detail);
    r.details.text = to_problem_json(p);
    return r;
}

bool is_binary(std::string_view content) {
    constexpr std::size_t looked_at_bytes = 8000;
    return content.substr(0, looked_at_bytes).find('\0') != std::string_view::npos;
}

std::string_view utf8_prefix(std::string_view text, std::size_t bytes_max) {
    auto end = std::min(text.size(), bytes_max);
    while (end < text.size() && end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) {
        --end;
    }
    return text.substr(0, end);
}

std::string shorten(std::string_view text, std::size_t bytes_max) {
    if (text.size() <= bytes_max) {
        return std::string(text);
    }
    const auto head = utf8_prefix(text, bytes_max / 2);
    auto begin = text.size() - bytes_max / 2;
    while (begin < text.size() && (static_cast<unsigned char>(text[begin]) & 0xc0) == 0x80) {
        ++begin;
    }
    return fmt::format("{}\n[… {} bytes left out …]\n{}", head, begin - head.size(), text.substr(begin));
}

} // namespace troupe::actors
