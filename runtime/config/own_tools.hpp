#pragma once

#include "schemas/base/described.hpp"
#include "schemas/base/json_schema.hpp"
#include "schemas/base/problem.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::runtime {

/// A command that a tool of the configuration runs. It gets the arguments as JSON on its standard input and in
/// TROUPE_ARGUMENTS.
struct own_tool_command {
    std::vector<std::string> command;
    std::string working_directory; ///< Relative to the project; must stay inside.
    static constexpr field_rule rules[] = {{.name = "command", .required = true, .min = 1, .max = 100},
                                           {.name = "working_directory", .max = 4096}};
};
BOOST_DESCRIBE_STRUCT(own_tool_command, (), (command, working_directory))

enum class own_tool_method : std::uint8_t { POST, PUT, PATCH, DELETE };
BOOST_DESCRIBE_ENUM(own_tool_method, POST, PUT, PATCH, DELETE)

/// A request that a tool of the configuration makes, with the arguments as its body.
struct own_tool_request {
    own_tool_method method = own_tool_method::POST;
    std::string url;
    std::map<std::string, std::string> headers; ///< A value may be "secret:NAME".
    std::int64_t time_out_ms = 30'000;
    static constexpr field_rule rules[] = {{.name = "url", .required = true, .min = 1, .max = 4096},
                                           {.name = "headers", .max = 50},
                                           {.name = "time_out_ms", .min = 1, .max = 600'000}};
};
BOOST_DESCRIBE_STRUCT(own_tool_request, (), (method, url, headers, time_out_ms))

enum class own_tool_repeat : std::uint8_t { once, idempotent };
BOOST_DESCRIBE_ENUM(own_tool_repeat, once, idempotent)

/// One tool, as `tools.own` lists it: a command or a request.
struct own_tool {
    std::string name;
    std::string description;
    json::raw parameters; ///< JSON Schema of an object.
    std::optional<own_tool_command> run;
    std::optional<own_tool_request> http;
    std::string permission = "execute";
    std::optional<own_tool_repeat> repeat; ///< Of a request; what a command did the runner knows.
    static constexpr field_rule rules[] = {{.name = "name", .required = true, .min = 1, .max = 64},
                                           {.name = "description", .required = true, .min = 1, .max = 4096},
                                           {.name = "permission", .min = 1, .max = 64}};
};
BOOST_DESCRIBE_STRUCT(own_tool, (), (name, description, parameters, run, http, permission, repeat))

/// Reads a JSON list of them; an empty text is an empty list. `config_invalid` has all that is wrong, by JSON pointers.
expected<std::vector<own_tool>> parse_own_tools(std::string_view text);

// What is wrong with texts of the configuration, or nothing; see `property::check`.
std::optional<std::string> check_own_tools(std::string_view text);
std::vector<field_error> check_own_tools_list(std::string_view text);

} // namespace troupe::runtime
