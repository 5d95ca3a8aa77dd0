#pragma once

#include <algorithm>
#include <cctype>
#include <set>
#include <string>
#include <string_view>

namespace troupe::test {

/// What the tags of a text are and say, read strictly: anything that is not of the form that the renderer promises is a
/// failure.
struct tag_reader {
    std::string_view rest;
    std::string wrong; ///< Empty: all is as promised.

    bool skip(std::string_view text) {
        const bool there = rest.starts_with(text);
        rest.remove_prefix(there ? text.size() : 0);
        return there;
    }
    std::string_view take_word() {
        const auto end = std::find_if(rest.begin(), rest.end(), [](unsigned char c) { return !std::isalnum(c); });
        const auto word = rest.substr(0, static_cast<std::size_t>(end - rest.begin()));
        rest.remove_prefix(word.size());
        return word;
    }
    void read_attribute() {
        static const std::set<std::string_view> known{"href", "rel",     "title",    "class", "align",
                                                      "type", "checked", "disabled", "start"};
        const auto name = take_word();
        const bool quoted = skip("=\"");
        const auto end = rest.find('"');
        if (!known.contains(name) || !quoted || end == std::string_view::npos) {
            wrong = "attribute " + std::string(name);
            return;
        }
        const auto value = rest.substr(0, end);
        rest.remove_prefix(end + 1);
        const auto scheme_end = value.find_first_of(":/?#");
        if (name == "href" && scheme_end != std::string_view::npos && value[scheme_end] == ':') {
            std::string scheme(value.substr(0, scheme_end));
            std::ranges::transform(scheme, scheme.begin(), [](unsigned char c) { return std::tolower(c); });
            if (scheme != "http" && scheme != "https" && scheme != "mailto") {
                wrong = "address " + std::string(value);
            }
        }
    }
    void read_tag() {
        static const std::set<std::string_view> known{
            "a",  "blockquote", "br", "code", "del",   "em",     "h1",    "h2",    "h3", "h4", "h5",    "h6", "hr",
            "li", "ol",         "p",  "pre",  "input", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul"};
        const bool closing = skip("/");
        if (const auto name = take_word(); !known.contains(name)) {
            wrong = "element " + std::string(name);
        }
        while (wrong.empty() && !skip(">") && !skip(" />")) {
            if (closing || !skip(" ") || rest.empty()) {
                wrong = "the form of a tag";
                return;
            }
            read_attribute();
        }
    }
};

/// What of the HTML is not as `render_markdown` promises it; empty: nothing.
inline std::string unsafe_html(const std::string& html) {
    tag_reader reader{html, {}};
    for (auto open = reader.rest.find('<'); open != std::string_view::npos && reader.wrong.empty();
         open = reader.rest.find('<')) {
        reader.rest.remove_prefix(open + 1);
        reader.read_tag();
    }
    return reader.wrong;
}

} // namespace troupe::test
