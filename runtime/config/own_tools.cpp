#include "runtime/config/own_tools.hpp"

#include "runtime/config/checks.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace troupe::runtime {

namespace {

struct tool_list {
    std::vector<own_tool> tools;
    static constexpr field_rule rules[] = {{.name = "tools", .max = 100}};
};
BOOST_DESCRIBE_STRUCT(tool_list, (), (tools))

constexpr std::string_view list_pointer = "/tools";

bool is_word(std::string_view text) {
    return std::ranges::all_of(text,
                               [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

void check_request(const own_tool_request& r, const std::string& at, std::vector<field_error>& wrong) {
    if (check_url(r.url)) {
        wrong.push_back({at + "/url", "has to be an http:// or https:// address"});
    }
    for (const auto& [name, value] : r.headers) {
        const bool is_name = !name.empty() && std::ranges::all_of(name, [](unsigned char c) {
            return std::isalnum(c) || c == '-' || c == '_';
        });
        if (!is_name || value.find_first_of(std::string_view("\r\n\0", 3)) != value.npos) { // the value may be a key
            wrong.push_back({at + "/headers/" + name, "is no header: letters, digits and -, and a value in one line"});
        }
    }
}

void check(const own_tool& t, const std::string& at, std::vector<field_error>& wrong) {
    if (!is_word(t.name)) {
        wrong.push_back({at + "/name", "may have a-z, 0-9 and _ only"});
    }
    if (!is_word(t.permission)) {
        wrong.push_back({at + "/permission", "may have a-z, 0-9 and _ only"});
    }
    if (const auto schema = json_schema_check::parse(t.parameters.text); !schema) {
        wrong.push_back({at + "/parameters", schema.error().detail});
    } else if (json::document::parse(t.parameters.text)->root().text_or("type") != "object") {
        wrong.push_back({at + "/parameters/type", "has to be \"object\""});
    }
    if (t.run.has_value() == t.http.has_value()) {
        wrong.push_back({at, "has to have either run or http"});
    }
    if (t.run && (t.run->command.front().empty() || t.run->working_directory.starts_with('/'))) {
        wrong.push_back({at + "/run", "the command needs a name, and its folder is relative to the project"});
    }
    if (t.run && t.repeat) {
        wrong.push_back({at + "/repeat", "is for http; what became of a command the node knows"});
    }
    if (t.http) {
        check_request(*t.http, at + "/http", wrong);
    }
}

} // namespace

expected<std::vector<own_tool>> parse_own_tools(std::string_view text) {
    if (text.find_first_not_of(" \t\r\n") == text.npos) {
        return std::vector<own_tool>{};
    }
    const auto list = json::make_raw(text);
    auto read = list ? from_json<tool_list>("{\"tools\":" + list->text + "}", strictness::input)
                     : expected<tool_list>(list.error());
    std::vector<field_error> wrong;
    if (!read) {
        wrong = std::move(read.error().errors);
        for (auto& e : wrong) {
            if (e.pointer.starts_with(list_pointer)) {
                e.pointer.erase(0, list_pointer.size());
            }
        }
        if (wrong.empty()) {
            wrong.push_back({"", "is no JSON list of objects"});
        }
    } else {
        for (std::size_t i = 0; i < read->tools.size(); ++i) {
            check(read->tools[i], fmt::format("/{}", i), wrong);
            const auto same = [&](const own_tool& other) { return other.name == read->tools[i].name; };
            if (std::any_of(read->tools.begin(), read->tools.begin() + static_cast<std::ptrdiff_t>(i), same)) {
                wrong.push_back({fmt::format("/{}/name", i), "is the name of another one before it"});
            }
        }
    }
    if (!wrong.empty()) {
        auto detail = wrong.front().pointer + ": " + wrong.front().message;
        return problem{code::config_invalid, std::move(detail), std::move(wrong)};
    }
    return std::move(read->tools);
}

std::vector<field_error> check_own_tools_list(std::string_view text) {
    auto tools = parse_own_tools(text);
    return tools ? std::vector<field_error>() : std::move(tools.error().errors);
}

std::optional<std::string> check_own_tools(std::string_view text) {
    const auto wrong = check_own_tools_list(text);
    return wrong.empty() ? std::nullopt : std::optional(wrong.front().pointer + ": " + wrong.front().message);
}

} // namespace troupe::runtime
