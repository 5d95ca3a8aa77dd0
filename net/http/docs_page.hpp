#pragma once

#include <string>
#include <string_view>

namespace troupe::net {

/// An OpenAPI document of `make_openapi` as one page of HTML, with everything in it: no asset from elsewhere, and of
/// this node only `docs/style.css` and `docs/search.js` beside it. Readable without script; with it, searchable.
std::string make_docs_page(std::string_view openapi);

extern const std::string_view docs_style;
extern const std::string_view docs_script;

/// What the page may load: its own style and script, nothing inline, nothing from elsewhere.
inline constexpr std::string_view docs_content_policy =
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'";

} // namespace troupe::net
