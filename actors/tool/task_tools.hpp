#pragma once

#include "actors/tool/tool.hpp"
#include "schemas/base/described.hpp"
#include "schemas/task.hpp"

#include <cstdint>
#include <string>
#include <string_view>

/// Tools of runs that work on a task of the board: what people say there, and an answer to them.
namespace troupe::actors {

struct read_task_arguments {};
BOOST_DESCRIBE_STRUCT(read_task_arguments, (), ())

struct read_attachment_arguments {
    std::uint64_t number = 0;
    static constexpr field_rule rules[] = {
        {.name = "number", .required = true, .min = 1, .doc = "Of the attachment, as read_task lists it."}};
};
BOOST_DESCRIBE_STRUCT(read_attachment_arguments, (), (number))

struct say_on_task_arguments {
    std::string text;
    message_type type = message_type::status_update;
    static constexpr field_rule rules[] = {{.name = "text",
                                            .required = true,
                                            .min = 1,
                                            .max = 65536,
                                            .doc = "Markdown. @name tells a person or an agent."}};
};
BOOST_DESCRIBE_STRUCT(say_on_task_arguments, (), (text, type))

namespace task_tools {

inline constexpr std::string_view read_name = "read_task";
inline constexpr std::string_view attachment_name = "read_attachment";
inline constexpr std::string_view say_name = "say_on_task";

/// Offered to runs that work on a task.
constexpr bool is_one(std::string_view tool) {
    return tool == read_name || tool == attachment_name || tool == say_name;
}

tool_result read(const read_task_arguments& a, const tool_environment& where);
tool_result attachment(const read_attachment_arguments& a, const tool_environment& where);
tool_result say(const say_on_task_arguments& a, const tool_environment& where);

} // namespace task_tools
} // namespace troupe::actors
