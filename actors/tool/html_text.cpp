#include "actors/tool/web_text.hpp"

#include <fmt/format.h>
#include <libxml/HTMLparser.h>
#include <libxml/uri.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

namespace troupe::actors {

namespace {

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
    return std::ranges::find(names, name) != names.end();
}

std::string_view text_of(const xmlChar* text) {
    return text ? std::string_view(reinterpret_cast<const char*>(text)) : std::string_view();
}
std::string_view name_of(const xmlNode* node) {
    return node->type == XML_ELEMENT_NODE ? text_of(node->name) : std::string_view();
}

std::string attribute(const xmlNode* node, const char* name) {
    const std::unique_ptr<xmlChar, decltype(xmlFree)> value(
        xmlGetProp(const_cast<xmlNode*>(node), reinterpret_cast<const xmlChar*>(name)), xmlFree);
    return std::string(text_of(value.get()));
}
bool has_attribute(const xmlNode* node, const char* name) {
    return xmlHasProp(const_cast<xmlNode*>(node), reinterpret_cast<const xmlChar*>(name)) != nullptr;
}

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f'; }

/// What people do not see must not be read to the model either.
bool is_hidden(const xmlNode* node) {
    if (is_one_of(name_of(node), {"script", "style", "noscript", "template", "head", "iframe", "object", "embed", "svg",
                                  "canvas", "audio", "video", "button", "input", "select", "textarea", "dialog"})) {
        return true;
    }
    auto style = attribute(node, "style");
    std::erase_if(style, is_space);
    std::ranges::transform(style, style.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
    return has_attribute(node, "hidden") || attribute(node, "aria-hidden") == "true" ||
           style.find("display:none") != style.npos || style.find("visibility:hidden") != style.npos;
}

bool is_block(std::string_view name) {
    return is_one_of(name, {"p",      "div",     "section", "article",    "main",    "header", "footer",
                            "nav",    "aside",   "figure",  "figcaption", "address", "dl",     "dt",
                            "dd",     "details", "summary", "fieldset",   "form",    "body",   "html",
                            "center", "hgroup",  "legend",  "caption"});
}

/// Writes Markdown node by node. The parser bounds how deep nodes lie in each other.
class markdown_writer {
public:
    markdown_writer(const std::string& base_url, bool inline_only) : base_url_(base_url), inline_only_(inline_only) {}

    void children(const xmlNode* node) {
        for (const auto* child = node->children; child; child = child->next) {
            write(child);
        }
    }

    std::string take() { return std::move(out_); }

private:
    void write(const xmlNode* node) {
        if (node->type == XML_TEXT_NODE || node->type == XML_CDATA_SECTION_NODE) {
            return text(text_of(node->content));
        }
        if (node->type != XML_ELEMENT_NODE || is_hidden(node)) {
            return;
        }
        const auto name = name_of(node);
        if (name.size() == 2 && name[0] == 'h' && name[1] >= '1' && name[1] <= '6') {
            heading(node, static_cast<std::size_t>(name[1] - '0'));
        } else if (name == "br") {
            break_lines(1);
        } else if (name == "hr") {
            block([&] { raw("---"); });
        } else if (name == "ul" || name == "ol") {
            list(node, name == "ol");
        } else if (name == "blockquote") {
            quote(node);
        } else if (name == "pre") {
            code_block(node);
        } else if (name == "table") {
            table(node);
        } else {
            words(node, name);
        }
    }

    void words(const xmlNode* node, std::string_view name) {
        if (name == "a") {
            link(node);
        } else if (name == "img") {
            image(node);
        } else if (name == "code" || name == "kbd" || name == "samp") {
            wrapped(node, "`");
        } else if (name == "strong" || name == "b") {
            wrapped(node, "**");
        } else if (name == "em" || name == "i") {
            wrapped(node, "*");
        } else if (is_block(name)) {
            block([&] { children(node); });
        } else {
            children(node);
        }
    }

    /// Words, with white space as browsers show it.
    void text(std::string_view words) {
        for (const char c : words) {
            if (is_space(c)) {
                space_ = true;
                continue;
            }
            begin_words();
            out_ += c;
        }
    }

    void begin_words() {
        begin_line();
        if (space_ && !line_is_empty_) {
            out_ += ' ';
        }
        space_ = false;
        line_is_empty_ = false;
    }

    void raw(std::string_view words) {
        begin_words();
        out_ += words;
    }

    void begin_line() {
        if (breaks_ > 0 && !out_.empty()) {
            for (int i = 1; i < breaks_; ++i) {
                out_ += "\n" + prefix_.substr(0, prefix_.find_last_not_of(' ') + 1);
            }
            out_ += "\n" + prefix_;
            line_is_empty_ = true;
        }
        breaks_ = 0;
    }

    /// The next words begin a new line; 2: after an empty one.
    void break_lines(int count) {
        space_ = true;
        if (!inline_only_ && !line_is_empty_) {
            breaks_ = std::max(breaks_, count);
        }
    }

    template <class Write>
    void block(Write write_inside) {
        break_lines(2);
        write_inside();
        break_lines(2);
    }

    struct inner_words {
        std::string text;
        bool ends_in_space;
    };
    [[nodiscard]] inner_words inside(const xmlNode* node) const {
        markdown_writer words(base_url_, true);
        words.children(node);
        return {words.take(), words.space_};
    }

    void heading(const xmlNode* node, std::size_t level) {
        if (const auto words = inside(node).text; !words.empty()) {
            block([&] { raw((inline_only_ ? "" : std::string(level, '#') + " ") + words); });
        }
    }

    void wrapped(const xmlNode* node, std::string_view mark) {
        const auto words = inside(node);
        if (!words.text.empty()) {
            pad(node->children);
            raw(fmt::format("{}{}{}", mark, words.text, mark));
            space_ = words.ends_in_space;
        }
    }

    /// White space at either end of an element stands outside of its marks.
    void pad(const xmlNode* first) {
        const auto words = first && first->type == XML_TEXT_NODE ? text_of(first->content) : std::string_view();
        space_ = space_ || (!words.empty() && is_space(words.front()));
    }

    void link(const xmlNode* node) {
        const auto words = inside(node);
        const auto reference = attribute(node, "href");
        const auto url = reference.starts_with('#') ? std::string() : absolute_url(reference, base_url_);
        if (words.text.empty()) {
            return;
        }
        pad(node->children);
        raw(url.empty() || url == words.text ? words.text : fmt::format("[{}]({})", words.text, url));
        space_ = words.ends_in_space;
    }

    void image(const xmlNode* node) {
        markdown_writer words(base_url_, true);
        words.text(attribute(node, "alt"));
        const auto alt = words.take();
        const auto url = absolute_url(attribute(node, "src"), base_url_);
        if (!alt.empty()) {
            raw(url.empty() ? alt : fmt::format("![{}]({})", alt, url));
        }
    }

    void list(const xmlNode* node, bool numbered) {
        break_lines(prefix_.empty() ? 2 : 1);
        int number = 1;
        for (const auto* child = node->children; child; child = child->next) {
            if (name_of(child) != "li") {
                write(child);
                continue;
            }
            if (is_hidden(child)) {
                continue;
            }
            const auto marker = numbered ? fmt::format("{}. ", number++) : std::string("- ");
            break_lines(1);
            begin_words();
            if (!inline_only_) {
                out_ += marker;
                line_is_empty_ = true;
            }
            prefix_ += std::string(marker.size(), ' ');
            children(child);
            prefix_.resize(prefix_.size() - marker.size());
            line_is_empty_ = false; // also of an item without words
        }
        break_lines(prefix_.empty() ? 2 : 1);
    }

    void quote(const xmlNode* node) {
        break_lines(2);
        begin_words();
        if (!inline_only_) {
            out_ += "> ";
            line_is_empty_ = true;
        }
        prefix_ += "> ";
        children(node);
        prefix_.resize(prefix_.size() - 2);
        breaks_ = 0;
        line_is_empty_ = false;
        break_lines(2);
    }

    void code_block(const xmlNode* node) {
        const std::unique_ptr<xmlChar, decltype(xmlFree)> content(xmlNodeGetContent(const_cast<xmlNode*>(node)),
                                                                  xmlFree);
        auto code = text_of(content.get());
        while (code.ends_with('\n')) {
            code.remove_suffix(1);
        }
        code.remove_prefix(code.starts_with('\n') ? 1 : 0);
        if (inline_only_) {
            return text(code);
        }
        std::string fence = "```";
        while (code.find(fence) != code.npos) {
            fence += '`';
        }
        break_lines(2);
        raw(fence);
        while (true) {
            const auto end = code.find('\n');
            out_ += "\n" + prefix_ + std::string(code.substr(0, end));
            if (end == code.npos) {
                break;
            }
            code.remove_prefix(end + 1);
        }
        out_ += "\n" + prefix_ + fence;
        break_lines(2);
    }

    using table_row = std::vector<const xmlNode*>;

    static void gather(const xmlNode* node, std::vector<table_row>& rows) {
        for (const auto* child = node->children; child; child = child->next) {
            const auto name = name_of(child);
            if (name == "tr" && !is_hidden(child)) {
                auto& row = rows.emplace_back();
                for (const auto* cell = child->children; cell; cell = cell->next) {
                    if ((name_of(cell) == "td" || name_of(cell) == "th") && !is_hidden(cell)) {
                        row.push_back(cell);
                    }
                }
            } else if (is_one_of(name, {"thead", "tbody", "tfoot"}) && !is_hidden(child)) {
                gather(child, rows);
            }
        }
    }

    static bool holds(const xmlNode* node, std::string_view name) {
        for (const auto* child = node->children; child; child = child->next) {
            if (name_of(child) == name || holds(child, name)) {
                return true;
            }
        }
        return false;
    }

    /// Tables of one column, or of tables, are layout.
    void table(const xmlNode* node) {
        std::vector<table_row> rows;
        gather(node, rows);
        std::size_t columns = 0;
        for (const auto& row : rows) {
            columns = std::max(columns, row.size());
        }
        for (const auto* child = node->children; child; child = child->next) {
            if (name_of(child) == "caption" && !is_hidden(child)) {
                block([&] { children(child); });
            }
        }
        if (columns < 2 || inline_only_ || holds(node, "table")) {
            for (const auto& row : rows) {
                for (const auto* cell : row) {
                    block([&] { children(cell); });
                }
            }
            return;
        }
        break_lines(2);
        for (std::size_t i = 0; i < rows.size(); ++i) {
            std::string line = "|";
            for (const auto* cell : rows[i]) {
                line += " " + cell_text(cell) + " |";
            }
            for (auto missing = rows[i].size(); missing < columns; ++missing) {
                line += " |";
            }
            raw(line);
            break_lines(1);
            if (i == 0) {
                line = "|";
                for (std::size_t c = 0; c < columns; ++c) {
                    line += " --- |";
                }
                raw(line);
                break_lines(1);
            }
        }
        break_lines(2);
    }

    std::string cell_text(const xmlNode* cell) const {
        std::string out;
        for (const char c : inside(cell).text) {
            out += c == '|' ? std::string("\\|") : std::string(1, c);
        }
        return out;
    }

    const std::string& base_url_;
    const bool inline_only_;
    std::string out_;
    std::string prefix_;
    int breaks_ = 0;
    bool space_ = false;
    bool line_is_empty_ = true;
};

const xmlNode* find_element(const xmlNode* node, std::string_view name) {
    for (; node; node = node->next) {
        if (name_of(node) == name) {
            return node;
        }
        if (const auto* below = find_element(node->children, name)) {
            return below;
        }
    }
    return nullptr;
}

} // namespace

std::string absolute_url(std::string_view reference, const std::string& base_url) {
    while (!reference.empty() && is_space(reference.front())) {
        reference.remove_prefix(1);
    }
    while (!reference.empty() && is_space(reference.back())) {
        reference.remove_suffix(1);
    }
    if (reference.empty() || reference.find('\0') != reference.npos) {
        return {};
    }
    // What pages write without escapes: blanks, and letters of all languages.
    std::string escaped;
    for (const char c : reference) {
        const auto byte = static_cast<unsigned char>(c);
        const bool plain = byte > 0x20 && byte < 0x7f && std::string_view("\"<>\\^`{|}").find(c) == std::string::npos;
        escaped += plain ? std::string(1, c) : fmt::format("%{:02X}", byte);
    }
    const std::unique_ptr<xmlChar, decltype(xmlFree)> built(
        xmlBuildURI(reinterpret_cast<const xmlChar*>(escaped.c_str()),
                    reinterpret_cast<const xmlChar*>(base_url.c_str())),
        xmlFree);
    const std::string url(text_of(built.get()));
    return url.starts_with("http://") || url.starts_with("https://") ? url : std::string();
}

web_page read_html(std::string_view html, const std::string& base_url) {
    [[maybe_unused]] static const bool started = (xmlInitParser(), true);
    // No network, no entities from elsewhere; depth and sizes have the parser's own bounds.
    constexpr int options = HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING | HTML_PARSE_NONET |
                            HTML_PARSE_COMPACT | HTML_PARSE_IGNORE_ENC;
    const std::unique_ptr<xmlDoc, decltype(&xmlFreeDoc)> document(
        htmlReadMemory(html.data(), static_cast<int>(html.size()), nullptr, "UTF-8", options), xmlFreeDoc);
    web_page out;
    const auto* root = document ? xmlDocGetRootElement(document.get()) : nullptr;
    if (!root) {
        return out;
    }
    auto base = base_url;
    if (const auto* named = find_element(root, "base")) {
        if (const auto url = absolute_url(attribute(named, "href"), base_url); !url.empty()) {
            base = url;
        }
    }
    if (const auto* title = find_element(root, "title")) {
        markdown_writer words(base, true);
        words.children(title);
        out.title = words.take();
    }
    const auto* body = find_element(root, "body");
    markdown_writer text(base, false);
    text.children(body ? body : root);
    out.markdown = text.take();
    return out;
}

} // namespace troupe::actors
