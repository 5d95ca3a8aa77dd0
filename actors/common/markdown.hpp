#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace troupe::actors {

/// Longer texts, and those with more brackets, take the parser too long: they are shown as they are.
inline constexpr std::size_t markdown_bytes_max = 256 << 10;
inline constexpr std::size_t markdown_brackets_max = 5000;

/// GitHub's Markdown (with tables, strikethrough, task lists and links that are found in text) as a fragment of HTML
/// that is safe to show whoever wrote it: HTML in it is text; links go to http, https, mailto or are relative, and say
/// `rel="noopener noreferrer nofollow"`; a picture is a link to it, so that reading tells nobody. Bytes that are no
/// UTF-8 become U+FFFD. Elements: a, blockquote, br, code, del, em, h1 to h6, hr, input (of task lists), li, ol, p,
/// pre, strong, table, tbody, td, th, thead, tr, ul. Pure, thread-safe; up to about a second: not on threads of
/// sockets.
std::string render_markdown(std::string_view text);

/// The text as HTML that shows it as it is.
std::string escape_html(std::string_view text);

} // namespace troupe::actors
