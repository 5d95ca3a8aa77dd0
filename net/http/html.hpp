#pragma once

#include <string>
#include <string_view>

namespace troupe::net {

/// For text between tags and in quoted attributes.
std::string escape_html(std::string_view text);

/// The part of Markdown that the API's description uses: paragraphs, "## " headings (with an id of their first word in
/// small letters), "- " lists and `code`. Everything else is text.
std::string markdown_to_html(std::string_view markdown);

/// "## Live events" has the id "live".
std::string heading_id(std::string_view heading);

} // namespace troupe::net
