#pragma once

#include "actors/tool/tool.hpp"

#include <string>
#include <string_view>
#include <vector>

/// What patterns of policies are held against. Pure.
namespace troupe::actors {

/// How a pattern reads a text of a call.
enum class call_text_form : std::uint8_t { text, command, path, folder };

struct call_text {
    std::string text;
    call_text_form form = call_text_form::text;
};

/// The texts of a call: of its member of that name, or, without one, its command, paths or address, else all arguments.
/// Empty where there is nothing to hold a pattern against.
std::vector<call_text> texts_of(const tool_info& tool, std::string_view arguments, std::string_view member);

/// Whether the whole text is what the pattern means, and nothing beyond it.
bool fits_wholly(std::string_view pattern, const call_text& text);

/// Whether some of the text may be what the pattern means.
bool fits_partly(std::string_view pattern, const call_text& text);

/// Whether the tool's arguments have a member of that name.
bool has_argument(const tool_info& tool, std::string_view member);

} // namespace troupe::actors
