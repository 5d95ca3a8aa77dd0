#pragma once

#include "schemas/agent.hpp"
#include "schemas/base/described.hpp"
#include "schemas/base/limits.hpp"

#include <boost/describe.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The arguments of the tools. What the model is told of them is made from these, and nothing else is accepted.
namespace troupe::actors {

inline constexpr std::int64_t path_bytes_max = 4096;
inline constexpr std::int64_t depth_max = 20;
inline constexpr std::int64_t command_bytes_max = 100'000; ///< Below what Linux takes as one argument.
inline constexpr std::int64_t content_bytes_max = 16 * limits::mib;
inline constexpr std::int64_t patch_bytes_max = 1 * limits::mib;

struct read_file_arguments {
    std::string path;
    std::uint32_t start_line = 1;
    std::uint32_t line_count = 2000;
    static constexpr field_rule rules[] = {
        {.name = "path", .required = true, .min = 1, .max = path_bytes_max, .doc = "File, relative to the project."},
        {.name = "start_line", .min = 1, .doc = "First line to read, counted from 1; 1 when left out."},
        {.name = "line_count", .min = 1, .doc = "How many lines to read; 2000 when left out."}};
};
BOOST_DESCRIBE_STRUCT(read_file_arguments, (), (path, start_line, line_count))

struct write_file_arguments {
    std::string path;
    std::string content;
    bool executable = false;
    static constexpr field_rule rules[] = {
        {.name = "path", .required = true, .min = 1, .max = path_bytes_max, .doc = "File, relative to the project."},
        {.name = "content", .required = true, .max = content_bytes_max, .doc = "The whole new content."},
        {.name = "executable", .doc = "Makes the file executable. When false, a file that exists keeps its mode."}};
};
BOOST_DESCRIBE_STRUCT(write_file_arguments, (), (path, content, executable))

struct edit_file_arguments {
    std::string path;
    std::string old_text;
    std::string new_text;
    bool replace_all = false;
    static constexpr field_rule rules[] = {
        {.name = "path", .required = true, .min = 1, .max = path_bytes_max, .doc = "File, relative to the project."},
        {.name = "old_text",
         .required = true,
         .min = 1,
         .max = content_bytes_max,
         .doc = "Text that occurs exactly once in the file, with its exact whitespace."},
        {.name = "new_text", .required = true, .max = content_bytes_max, .doc = "What stands there afterwards."},
        {.name = "replace_all", .doc = "Replaces old_text wherever it occurs, once or more."}};
};
BOOST_DESCRIBE_STRUCT(edit_file_arguments, (), (path, old_text, new_text, replace_all))

struct text_edit {
    std::string old_text;
    std::string new_text;
    bool replace_all = false;
    static constexpr field_rule rules[] = {
        {.name = "old_text",
         .required = true,
         .min = 1,
         .max = content_bytes_max,
         .doc = "Text that occurs exactly once, after the edits before this one."},
        {.name = "new_text", .required = true, .max = content_bytes_max, .doc = "What stands there afterwards."},
        {.name = "replace_all", .doc = "Replaces old_text wherever it occurs, once or more."}};
};
BOOST_DESCRIBE_STRUCT(text_edit, (), (old_text, new_text, replace_all))

struct multi_edit_file_arguments {
    std::string path;
    std::vector<text_edit> edits;
    static constexpr field_rule rules[] = {
        {.name = "path", .required = true, .min = 1, .max = path_bytes_max, .doc = "File, relative to the project."},
        {.name = "edits", .required = true, .min = 1, .max = 100, .doc = "Made in this order, all or none."}};
};
BOOST_DESCRIBE_STRUCT(multi_edit_file_arguments, (), (path, edits))

struct apply_patch_arguments {
    std::string patch;
    static constexpr field_rule rules[] = {
        {.name = "patch",
         .required = true,
         .min = 1,
         .max = patch_bytes_max,
         .doc =
             "A unified diff as of git diff: for each file '--- a/PATH' and '+++ b/PATH' (/dev/null where it is made "
             "or deleted), then hunks '@@ -10,6 +10,7 @@' with some lines of context."}};
};
BOOST_DESCRIBE_STRUCT(apply_patch_arguments, (), (patch))

struct move_file_arguments {
    std::string from;
    std::string to;
    bool overwrite = false;
    static constexpr field_rule rules[] = {
        {.name = "from", .required = true, .min = 1, .max = path_bytes_max, .doc = "File or folder that is there."},
        {.name = "to", .required = true, .min = 1, .max = path_bytes_max, .doc = "Its whole new path."},
        {.name = "overwrite", .doc = "Replaces a file that has the new path."}};
};
BOOST_DESCRIBE_STRUCT(move_file_arguments, (), (from, to, overwrite))

struct delete_file_arguments {
    std::string path;
    bool recursive = false;
    static constexpr field_rule rules[] = {
        {.name = "path", .required = true, .min = 1, .max = path_bytes_max, .doc = "File, relative to the project."},
        {.name = "recursive", .doc = "Deletes a folder with all that it holds."}};
};
BOOST_DESCRIBE_STRUCT(delete_file_arguments, (), (path, recursive))

struct find_files_arguments {
    std::string glob;
    std::string path;
    bool newest_first = false;
    std::uint32_t limit = 200;
    static constexpr field_rule rules[] = {
        {.name = "glob",
         .required = true,
         .min = 1,
         .max = path_bytes_max,
         .doc = "Such as src/**/*.{cpp,hpp}; without a slash it is held against the name alone, in any folder."},
        {.name = "path", .max = path_bytes_max, .doc = "Folder to search; empty: the project."},
        {.name = "newest_first", .doc = "Files that were changed last come first, with the time; else by path."},
        {.name = "limit", .min = 1, .max = 1000, .doc = "How many files to name; 200 when left out."}};
};
BOOST_DESCRIBE_STRUCT(find_files_arguments, (), (glob, path, newest_first, limit))

struct list_files_arguments {
    std::string path;
    std::uint32_t depth = 3;
    static constexpr field_rule rules[] = {
        {.name = "path", .max = path_bytes_max, .doc = "Folder, relative to the project; empty: the project."},
        {.name = "depth", .min = 1, .max = depth_max, .doc = "Levels of folders to show; 3 when left out."}};
};
BOOST_DESCRIBE_STRUCT(list_files_arguments, (), (path, depth))

struct search_files_arguments {
    std::string pattern;
    bool literal = false;
    std::string path;
    std::string glob;
    static constexpr field_rule rules[] = {
        {.name = "pattern",
         .required = true,
         .min = 1,
         .max = 1000,
         .doc = "Regular expression (ECMAScript, no back-references), matched within a line."},
        {.name = "literal", .doc = "Takes the pattern as plain text."},
        {.name = "path", .max = path_bytes_max, .doc = "Folder or file to search; empty: the project."},
        {.name = "glob",
         .max = path_bytes_max,
         .doc = "Only files whose name or path fits, such as *.cpp or src/**/*.{c,h}."}};
};
BOOST_DESCRIBE_STRUCT(search_files_arguments, (), (pattern, literal, path, glob))

struct run_command_arguments {
    std::string command;
    std::string working_directory;
    std::int64_t time_limit_ms = 0;
    static constexpr field_rule rules[] = {
        {.name = "command", .required = true, .min = 1, .max = command_bytes_max, .doc = "Line for sh."},
        {.name = "working_directory",
         .max = path_bytes_max,
         .doc = "Folder, relative to the project; empty: the project."},
        {.name = "time_limit_ms", .min = 0, .doc = "Ends the command earlier than the node's limit would."}};
};
BOOST_DESCRIBE_STRUCT(run_command_arguments, (), (command, working_directory, time_limit_ms))

inline constexpr field_rule process_name_rule{
    .name = "name", .required = true, .min = 1, .max = 64, .doc = "Of the process, as you like."};

struct process_start_arguments {
    std::string name;
    std::string command;
    std::string working_directory;
    std::string wait_for;
    std::int64_t wait_ms = 1000;
    static constexpr field_rule rules[] = {
        process_name_rule,
        {.name = "command", .required = true, .min = 1, .max = command_bytes_max, .doc = "Line for sh."},
        {.name = "working_directory",
         .max = path_bytes_max,
         .doc = "Folder, relative to the project; empty: the project."},
        {.name = "wait_for", .max = 1000, .doc = "Text of its output that says that it is ready."},
        {.name = "wait_ms",
         .min = 0,
         .max = 60'000,
         .doc = "How long to wait for it, or for output; 1000 when left out."}};
};
BOOST_DESCRIBE_STRUCT(process_start_arguments, (), (name, command, working_directory, wait_for, wait_ms))

struct process_output_arguments {
    std::string name;
    std::uint64_t since = 0;
    std::string wait_for;
    std::int64_t wait_ms = 0;
    static constexpr field_rule rules[] = {
        process_name_rule,
        {.name = "since", .doc = "As `next` of an earlier answer: only what came after it. The last of it is shown."},
        {.name = "wait_for", .max = 1000, .doc = "Waits until this text stands in it."},
        {.name = "wait_ms", .min = 0, .max = 60'000, .doc = "How long to wait; does not wait when left out."}};
};
BOOST_DESCRIBE_STRUCT(process_output_arguments, (), (name, since, wait_for, wait_ms))

struct process_input_arguments {
    std::string name;
    std::string text;
    static constexpr field_rule rules[] = {process_name_rule,
                                           {.name = "text",
                                            .required = true,
                                            .min = 1,
                                            .max = 4096,
                                            .doc = "As it is: with a line feed where one belongs."}};
};
BOOST_DESCRIBE_STRUCT(process_input_arguments, (), (name, text))

struct process_stop_arguments {
    std::string name;
    static constexpr field_rule rules[] = {process_name_rule};
};
BOOST_DESCRIBE_STRUCT(process_stop_arguments, (), (name))

struct fetch_url_arguments {
    std::string url;
    std::uint32_t start_line = 1;
    static constexpr field_rule rules[] = {
        {.name = "url", .required = true, .min = 1, .max = 4096, .doc = "An http:// or https:// address."},
        {.name = "start_line", .min = 1, .doc = "First line of its text to show; 1 when left out."}};
};
BOOST_DESCRIBE_STRUCT(fetch_url_arguments, (), (url, start_line))

struct recall_arguments {
    std::uint32_t message = 0;
    std::uint32_t start_line = 1;
    static constexpr field_rule rules[] = {
        {.name = "message", .required = true, .doc = "The number that stands where the text was."},
        {.name = "start_line", .min = 1, .doc = "First line to show; 1 when left out."}};
};
BOOST_DESCRIBE_STRUCT(recall_arguments, (), (message, start_line))

struct wait_arguments {
    std::int64_t seconds = 0;
    std::string until;
    static constexpr field_rule rules[] = {
        {.name = "seconds", .min = 0, .max = 366LL * 24 * 3600, .doc = "How long."},
        {.name = "until", .max = 40, .doc = "Or until when, as 2026-12-31T18:00:00Z."}};
};
BOOST_DESCRIBE_STRUCT(wait_arguments, (), (seconds, until))

struct ask_human_arguments {
    std::string question;
    static constexpr field_rule rules[] = {
        {.name = "question", .required = true, .min = 1, .max = 10'000, .doc = "What a person is to answer."}};
};
BOOST_DESCRIBE_STRUCT(ask_human_arguments, (), (question))

struct spawn_agent_arguments {
    std::string goal;
    std::string kind = "custom";
    std::string instructions;
    std::string model;
    std::optional<json::raw> parameters;
    std::optional<json::raw> result_schema;
    budget limits;
    static constexpr field_rule rules[] = {
        {.name = "goal",
         .required = true,
         .min = 1,
         .max = 100'000,
         .doc = "What it is to reach, with all that it has to know: it sees nothing of this conversation."},
        {.name = "kind", .min = 1, .max = 64, .doc = "Kind of agent; custom when left out."},
        {.name = "instructions", .max = 100'000, .doc = "How it is to work."},
        {.name = "model", .max = 200, .doc = "Model to use; yours when left out."},
        {.name = "parameters", .doc = "What its kind works with, an object."},
        {.name = "result_schema", .doc = "JSON Schema of the object that it has to give as its output."},
        {.name = "limits", .doc = "What it may use up of your own budget; an even part of it when left out."}};
};
BOOST_DESCRIBE_STRUCT(spawn_agent_arguments, (), (goal, kind, instructions, model, parameters, result_schema, limits))

/// The call is a run of an agent that there is.
inline constexpr std::string_view delegate_tool_name = "delegate";
/// The run ends, and such an agent goes on.
inline constexpr std::string_view hand_off_tool_name = "hand_off";

struct delegate_arguments {
    std::string agent;
    std::string goal;
    std::optional<json::raw> parameters;
    std::optional<json::raw> result_schema;
    budget limits;
    static constexpr field_rule rules[] = {
        {.name = "agent", .required = true, .min = 1, .max = 100, .doc = "Name of an agent that there is."},
        {.name = "goal",
         .required = true,
         .min = 1,
         .max = 100'000,
         .doc = "What it is to reach, with all that it has to know: it sees nothing of this conversation."},
        {.name = "parameters", .doc = "What its kind works with, an object."},
        {.name = "result_schema", .doc = "JSON Schema of the object that it has to give as its output."},
        {.name = "limits", .doc = "What it may use up of your own budget; an even part of it when left out."}};
};
BOOST_DESCRIBE_STRUCT(delegate_arguments, (), (agent, goal, parameters, result_schema, limits))

struct hand_off_arguments {
    std::string agent;
    std::string message;
    static constexpr field_rule rules[] = {
        {.name = "agent", .required = true, .min = 1, .max = 100, .doc = "Name of an agent that there is."},
        {.name = "message",
         .required = true,
         .min = 1,
         .max = 100'000,
         .doc = "What it is to do from here. It has read this whole conversation."}};
};
BOOST_DESCRIBE_STRUCT(hand_off_arguments, (), (agent, message))

struct finish_arguments {
    std::string result;
    bool success = true;
    std::optional<json::raw> output;
    static constexpr field_rule rules[] = {
        {.name = "result", .required = true, .max = 100'000, .doc = "What was reached, for the person who asked."},
        {.name = "success", .doc = "False when the goal was not reached; true when left out."},
        {.name = "output", .doc = "The result for programs, an object; may be left out."}};
};
BOOST_DESCRIBE_STRUCT(finish_arguments, (), (result, success, output))

} // namespace troupe::actors
