#include "net/http/html.hpp"

#include "net/http/text.hpp"

#include <algorithm>

namespace troupe::net {

namespace {

/// `code` inside of a line.
std::string inline_html(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const auto open = text.find('`');
        const auto close = open == std::string_view::npos ? open : text.find('`', open + 1);
        if (close == std::string_view::npos)
            return out + escape_html(text);
        out += escape_html(text.substr(0, open));
        out += "<code>" + escape_html(text.substr(open + 1, close - open - 1)) + "</code>";
        text.remove_prefix(close + 1);
    }
    return out;
}

} // namespace

std::string escape_html(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        switch (c) {
        case '&':
            out += "&amp;";
            break;
        case '<':
            out += "&lt;";
            break;
        case '>':
            out += "&gt;";
            break;
        case '"':
            out += "&quot;";
            break;
        case '\'':
            out += "&#39;";
            break;
        default:
            out += c;
        }
    }
    return out;
}

std::string heading_id(std::string_view heading) { return lower_case(heading.substr(0, heading.find(' '))); }

std::string markdown_to_html(std::string_view markdown) {
    std::string out;
    std::string_view open; // the element that lines go into
    const auto enter = [&](std::string_view element) {
        if (open == element)
            return false;
        if (!open.empty())
            out += "</" + std::string(open) + ">\n";
        if (!element.empty())
            out += "<" + std::string(element) + ">";
        open = element;
        return true;
    };
    while (!markdown.empty()) {
        const auto end = std::min(markdown.find('\n'), markdown.size());
        const auto line = markdown.substr(0, end);
        markdown.remove_prefix(std::min(end + 1, markdown.size()));
        if (line.empty()) {
            enter("");
        } else if (line.starts_with("## ")) {
            enter("");
            const auto title = line.substr(3);
            out += "<h2 id=\"" + heading_id(title) + "\">" + inline_html(title) + "</h2>\n";
        } else if (line.starts_with("- ")) {
            enter("ul");
            out += "<li>" + inline_html(line.substr(2)) + "</li>";
        } else {
            out += enter("p") ? "" : " ";
            out += inline_html(line);
        }
    }
    enter("");
    return out;
}

} // namespace troupe::net
