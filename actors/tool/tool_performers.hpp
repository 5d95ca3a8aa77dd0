#pragma once

#include "actors/common/text.hpp"
#include "actors/tool/tool.hpp"
#include "actors/tool/tool_arguments.hpp"

#include <optional>
#include <string>
#include <string_view>

/// What each tool does with arguments that fit its schema. `tool.cpp` is the only caller.
namespace troupe::actors {

tool_result read_file(const read_file_arguments& a, const tool_environment& where);
tool_result write_file(const write_file_arguments& a, const tool_environment& where);
tool_result edit_file(const edit_file_arguments& a, const tool_environment& where);
tool_result multi_edit_file(const multi_edit_file_arguments& a, const tool_environment& where);
tool_result apply_patch(const apply_patch_arguments& a, const tool_environment& where);
tool_result move_file(const move_file_arguments& a, const tool_environment& where);
tool_result delete_file(const delete_file_arguments& a, const tool_environment& where);
tool_result list_files(const list_files_arguments& a, const tool_environment& where);
tool_result find_files(const find_files_arguments& a, const tool_environment& where);
tool_result search_files(const search_files_arguments& a, const tool_environment& where);
tool_result run_command(const run_command_arguments& a, const tool_environment& where);
tool_result recall(const recall_arguments& a, const tool_environment& where);

namespace process_tools {

tool_result start(const process_start_arguments& a, const tool_environment& where);
tool_result output(const process_output_arguments& a, const tool_environment& where);
tool_result input(const process_input_arguments& a, const tool_environment& where);
tool_result stop(const process_stop_arguments& a, const tool_environment& where);

} // namespace process_tools

/// The same for every attempt of one call: what is sent to others under it is done once.
std::string key_of_call(const tool_environment& where);

/// Whether the content is not text: a NUL byte near its beginning, as git decides it.
bool is_binary(std::string_view content);

/// The first and the last part of a text, `bytes_max` and a marker line at most; cut at whole UTF-8 characters.
std::string shorten(std::string_view text, std::size_t bytes_max);

std::size_t count_lines(std::string_view text);

/// Lines of a text from `start_line` (from 1) on, as many as fit, with a last line that says how to read on. Nothing
/// when the text has fewer lines.
std::optional<std::string> shown_lines(std::string_view text, std::size_t start_line, std::size_t line_count,
                                       std::size_t bytes_max);

/// Text of a page: pages are data, whoever wrote them. Nobody outside can guess the mark that ends it.
std::string from_outside(std::string_view url, std::string_view text);

} // namespace troupe::actors
