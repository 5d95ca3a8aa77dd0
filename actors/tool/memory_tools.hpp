#pragma once

#include "actors/tool/tool.hpp"
#include "schemas/base/described.hpp"
#include "schemas/memory.hpp"

#include <string>

/// Tools with which an agent remembers from run to run.
namespace troupe::actors {

struct remember_arguments {
    std::string key;
    std::string text;
    static constexpr field_rule rules[] = {
        {.name = "key",
         .required = true,
         .min = 1,
         .max = note_key_bytes_max,
         .doc = "What it is about, in a word or two. A note of the same key is replaced."},
        {.name = "text", .max = note_bytes_max, .doc = "What is to be remembered. Empty: the note is removed."}};
};
BOOST_DESCRIBE_STRUCT(remember_arguments, (), (key, text))

struct recall_memory_arguments {
    std::string query;
    static constexpr field_rule rules[] = {
        {.name = "query", .max = 200, .doc = "Words; notes with the most of them come first. Left out: all notes."}};
};
BOOST_DESCRIBE_STRUCT(recall_memory_arguments, (), (query))

namespace memory_tools {

inline constexpr std::string_view remember_name = "remember";
inline constexpr std::string_view recall_name = "recall_memory";

tool_result remember(const remember_arguments& a, const tool_environment& where);
tool_result recall(const recall_memory_arguments& a, const tool_environment& where);

} // namespace memory_tools
} // namespace troupe::actors
