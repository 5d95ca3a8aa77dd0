#include "actors/common/markdown.hpp"

#include <cmark-gfm-core-extensions.h>
#include <cmark-gfm.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <vector>

namespace troupe::actors {
namespace {

using document = std::unique_ptr<cmark_node, decltype(&cmark_node_free)>;

std::string_view view_of(const char* text) { return text ? std::string_view(text) : std::string_view(); }

/// Whether it may be linked to.
bool is_safe_address(std::string_view url) {
    // Browsers skip such bytes before they look for a scheme.
    const auto hidden = [](unsigned char c) { return c < ' ' || c == 0x7f; };
    if (url.empty() || url.front() == ' ' || std::ranges::any_of(url, hidden)) {
        return false;
    }
    const auto end = url.find_first_of(":/?#");
    if (end == std::string_view::npos || url[end] != ':') {
        return true;
    }
    std::string scheme(url.substr(0, end));
    std::ranges::transform(scheme, scheme.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return scheme == "http" || scheme == "https" || scheme == "mailto";
}

/// All nodes, each before what is inside of it.
std::vector<cmark_node*> nodes_of(cmark_node* root) {
    std::vector<cmark_node*> out;
    const std::unique_ptr<cmark_iter, decltype(&cmark_iter_free)> each(cmark_iter_new(root), cmark_iter_free);
    for (auto at = cmark_iter_next(each.get()); at != CMARK_EVENT_DONE; at = cmark_iter_next(each.get())) {
        if (at == CMARK_EVENT_ENTER) {
            out.push_back(cmark_iter_get_node(each.get()));
        }
    }
    return out;
}

bool is_in_link(cmark_node* node) {
    for (auto* above = cmark_node_parent(node); above; above = cmark_node_parent(above)) {
        if (cmark_node_get_type(above) == CMARK_NODE_LINK) {
            return true;
        }
    }
    return false;
}

// What follows is false when the library does not allow the change. Then nothing of the tree is shown.

bool take_place(cmark_node* node, cmark_node* instead) {
    const bool taken = cmark_node_replace(node, instead) != 0;
    cmark_node_free(taken ? node : instead);
    return taken;
}

/// HTML that a text brings is shown, not meant.
bool show_html(cmark_node* node) {
    auto* text = cmark_node_new(CMARK_NODE_TEXT);
    cmark_node_set_literal(text, cmark_node_get_literal(node));
    if (cmark_node_get_type(node) == CMARK_NODE_HTML_BLOCK) {
        auto* paragraph = cmark_node_new(CMARK_NODE_PARAGRAPH);
        cmark_node_append_child(paragraph, text);
        text = paragraph;
    }
    return take_place(node, text);
}

/// Only what is inside of it stays.
bool unwrap(cmark_node* node) {
    while (auto* inner = cmark_node_first_child(node)) {
        if (cmark_node_insert_before(node, inner) == 0) {
            return false;
        }
    }
    cmark_node_free(node);
    return true;
}

bool link_to_picture(cmark_node* picture) {
    auto* link = cmark_node_new(CMARK_NODE_LINK);
    cmark_node_set_url(link, cmark_node_get_url(picture));
    cmark_node_set_title(link, cmark_node_get_title(picture));
    while (auto* inner = cmark_node_first_child(picture)) {
        if (cmark_node_append_child(link, inner) == 0) {
            cmark_node_free(link);
            return false;
        }
    }
    return take_place(picture, link);
}

bool make_safe(cmark_node* root) {
    return std::ranges::all_of(nodes_of(root), [](cmark_node* node) {
        const auto type = cmark_node_get_type(node);
        if (type == CMARK_NODE_HTML_BLOCK || type == CMARK_NODE_HTML_INLINE) {
            return show_html(node);
        }
        if (type != CMARK_NODE_LINK && type != CMARK_NODE_IMAGE) {
            return true;
        }
        if (is_in_link(node) || !is_safe_address(view_of(cmark_node_get_url(node)))) {
            return unwrap(node);
        }
        return type == CMARK_NODE_LINK || link_to_picture(node);
    });
}

/// The library's links say nothing of it. It escapes each `<` that is not of a tag of its own.
std::string with_relations(std::string_view html) {
    constexpr std::string_view link = "<a ";
    std::string out;
    for (auto at = html.find(link); at != std::string_view::npos; at = html.find(link)) {
        out += html.substr(0, at + link.size());
        out += "rel=\"noopener noreferrer nofollow\" ";
        html.remove_prefix(at + link.size());
    }
    out += html;
    return out;
}

/// One at a time: the library notes in variables of the process which characters mean something while it parses.
document parse(cmark_parser& parser, std::string_view text) {
    static std::mutex one_at_a_time;
    const std::lock_guard lock(one_at_a_time);
    cmark_parser_feed(&parser, text.data(), text.size());
    return {cmark_parser_finish(&parser), cmark_node_free};
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
        case '\0':
            out += "\xef\xbf\xbd";
            break;
        default:
            out += c;
        }
    }
    return out;
}

std::string render_markdown(std::string_view text) {
    const auto as_it_is = [&] { return "<pre>" + escape_html(text) + "</pre>\n"; };
    if (text.size() > markdown_bytes_max || std::ranges::count(text, '[') > std::ptrdiff_t{markdown_brackets_max}) {
        return as_it_is();
    }
    [[maybe_unused]] static const bool known = (cmark_gfm_core_extensions_ensure_registered(), true);
    constexpr int options = CMARK_OPT_DEFAULT | CMARK_OPT_VALIDATE_UTF8;
    const std::unique_ptr<cmark_parser, decltype(&cmark_parser_free)> parser(cmark_parser_new(options),
                                                                             cmark_parser_free);
    for (const auto* name : {"table", "strikethrough", "tasklist", "autolink"}) {
        cmark_parser_attach_syntax_extension(parser.get(), cmark_find_syntax_extension(name));
    }
    const auto root = parse(*parser, text);
    if (!make_safe(root.get())) {
        return as_it_is();
    }
    const std::unique_ptr<char, decltype(&std::free)> html(
        cmark_render_html(root.get(), options, cmark_parser_get_syntax_extensions(parser.get())), std::free);
    return with_relations(view_of(html.get()));
}

} // namespace troupe::actors
