// Markdown of anybody, as HTML: only the elements and attributes that are promised.
#include "actors/common/markdown.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/safe_html.hpp"

namespace troupe::fuzz {

void try_input(std::string_view input) {
    const auto html = actors::render_markdown(input);
    claim(test::unsafe_html(html).empty(), "the page has only what is promised");
    const auto text = actors::escape_html(input);
    claim(text.find_first_of("<>\"'") == std::string::npos, "escaped text has no tags");
}

} // namespace troupe::fuzz
