#pragma once

#include <string>
#include <string_view>

/// What comes from the web, as text that a model reads. Pure; thread-safe.
namespace troupe::actors {

/// Markdown of an HTML page in UTF-8: headings, lists, tables, code, links (absolute, http and https only) and the
/// words of images. Scripts, styles, forms and what is hidden are left out. Broken pages are read as far as they go.
struct web_page {
    std::string title;
    std::string markdown;
};
web_page read_html(std::string_view html, const std::string& base_url);

/// An address as a page or a redirect names it, relative to `base_url`; empty when it is none of http or https.
std::string absolute_url(std::string_view reference, const std::string& base_url);

/// As UTF-8. `charset` is what the server says, else "": then a byte order mark counts, what an HTML page says of
/// itself, UTF-8 where it fits, and windows-1252. What cannot be read becomes U+FFFD.
std::string to_utf8(std::string_view bytes, std::string_view charset);

} // namespace troupe::actors
