#pragma once

#include "actors/tool/tool.hpp"
#include "schemas/base/described.hpp"
#include "schemas/base/json.hpp"
#include "tests/runtime/process_fixture.hpp"

#include <string>

namespace troupe::actors::test {

namespace fs = std::filesystem;

/// A project on the disk, and tools that work in it.
struct tool_place : runtime::test::workplace {
    std::unique_ptr<runtime::sandbox> commands = open();
    tool_environment where = {
        .project = project, .commands = commands.get(), .limits = {}, .key = "key", .stop = {}, .on_output = {}};

    [[nodiscard]] tool_result perform(std::string_view name, std::string_view arguments) const {
        return perform_tool(name, arguments, where);
    }
};

inline json::document details_of(const tool_result& r) {
    return std::move(json::document::parse(r.details.text).value());
}

/// {"path":PATH} and, when given, more members.
inline std::string with_path(std::string_view path, const std::string& more = {}) {
    return "{\"path\":" + json::quoted(path) + (more.empty() ? "" : "," + more) + "}";
}

} // namespace troupe::actors::test
