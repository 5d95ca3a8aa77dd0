#include "actors/kinds/browser/page_tree.hpp"

#include "actors/tool/tool_performers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <vector>

namespace troupe::actors {

namespace {

constexpr std::size_t name_bytes_max = 300;
constexpr int depth_max = 60; ///< Of what is written: deeper ones stand at that level.

/// Roles that a person can do something with.
constexpr std::array<std::string_view, 20> active_roles = {
    "button",   "link", "textbox",   "searchbox",        "combobox",      "checkbox",          "radio",
    "option",   "tab",  "menuitem",  "switch",           "slider",        "spinbutton",        "listbox",
    "treeitem", "Date", "ColorWell", "menuitemcheckbox", "menuitemradio", "DisclosureTriangle"};
/// Roles that say nothing by themselves: their children count.
constexpr std::array<std::string_view, 6> silent_roles = {"generic",       "none",      "presentation",
                                                          "InlineTextBox", "LineBreak", "LayoutTable"};
/// States that are worth a word when they are true (or have a value).
constexpr std::array<std::string_view, 9> states = {"disabled", "checked",  "expanded", "selected", "pressed",
                                                    "required", "readonly", "level",    "invalid"};

template <std::size_t size>
bool is_in(const std::array<std::string_view, size>& all, std::string_view one) {
    return std::ranges::find(all, one) != all.end();
}

/// The text of an AXValue, whatever type it has.
std::string value_text(const json::value& node, std::string_view member) {
    const auto held = node.find(member);
    const auto value = held ? held->find("value") : std::nullopt;
    if (!value) {
        return {};
    }
    const auto text = value->as_string();
    return text ? std::string(*text) : value->dump();
}

class writer {
public:
    explicit writer(const json::value& nodes) {
        nodes.each_element([&](json::value node) {
            const auto id = node.text_or("nodeId");
            if (root_.empty()) {
                root_ = id;
            }
            nodes_.emplace(id, node);
        });
    }

    page_tree write() {
        struct open_node {
            std::string id;
            int depth = 0;
            std::string said; ///< The name of the node around it: its text is not said again.
        };
        std::vector<open_node> open = {{root_, 0, {}}};
        while (!open.empty() && !full_) {
            const auto at = std::move(open.back());
            open.pop_back();
            const auto found = nodes_.find(at.id);
            if (found == nodes_.end()) {
                continue;
            }
            const auto node = found->second;
            nodes_.erase(found); // A tree that names a node twice is none.
            auto said = at.said;
            const bool shown = write_node(node, at.depth, said);
            std::vector<std::string> children;
            if (const auto ids = node.find("childIds")) {
                ids->each_element([&](json::value id) { children.emplace_back(id.as_string().value_or("")); });
            }
            for (auto child = children.rbegin(); child != children.rend(); ++child) {
                open.push_back({*child, std::min(at.depth + (shown ? 1 : 0), depth_max), said});
            }
        }
        return std::move(out_);
    }

private:
    bool write_node(const json::value& node, int depth, std::string& said) {
        const auto ignored = node.find("ignored");
        const auto role = value_text(node, "role");
        const auto name = one_line(value_text(node, "name"), name_bytes_max);
        if ((ignored && ignored->as_bool().value_or(false)) || role.empty() || role == "RootWebArea" ||
            (is_in(silent_roles, role) && (name.empty() || role == "InlineTextBox"))) {
            return false;
        }
        std::string line = std::string(static_cast<std::size_t>(depth) * 2, ' ') + "- ";
        if (role == "StaticText") {
            if (name.empty() || said.find(name) != said.npos) {
                return false;
            }
            add(line + "text: " + name);
            return true;
        }
        add(line + described(node, role, name));
        said = name;
        return true;
    }

    std::string described(const json::value& node, const std::string& role, const std::string& name) {
        auto line = role + (name.empty() ? "" : " " + json::quoted(name));
        bool focusable = false;
        std::string url;
        if (const auto properties = node.find("properties")) {
            properties->each_element([&](json::value property) {
                const auto what = property.text_or("name");
                const auto value = value_text(property, "value");
                focusable = focusable || (what == "focusable" && value == "true");
                if (what == "url") {
                    url = one_line(value, name_bytes_max);
                } else if (is_in(states, what) && !value.empty() && value != "false") {
                    line += fmt::format(" [{}{}]", what, value == "true" ? "" : "=" + one_line(value, 40));
                }
            });
        }
        const auto number = node.int_or("backendDOMNodeId");
        if (number > 0 && (is_in(active_roles, role) || focusable)) {
            out_.refs.insert(number);
            line += fmt::format(" [ref={}]", ref_text(number));
        }
        if (const auto value = one_line(value_text(node, "value"), name_bytes_max); !value.empty()) {
            line += " value=" + json::quoted(value);
        }
        return url.empty() || role != "link" ? line : line + " -> " + url;
    }

    void add(const std::string& line) {
        if (out_.text.size() + line.size() + 1 > tree_bytes_max) {
            out_.text += "[… the rest of the page is left out: it is too long; browser_extract reads parts of it …]\n";
            full_ = true;
            return;
        }
        out_.text += line + '\n';
    }

    std::string root_;
    std::map<std::string, json::value, std::less<>> nodes_;
    page_tree out_;
    bool full_ = false;
};

} // namespace

page_tree read_tree(const json::value& nodes) { return writer(nodes).write(); }

std::string ref_text(std::int64_t node) { return "e" + std::to_string(node); }

std::optional<std::int64_t> parse_ref(std::string_view text) {
    std::int64_t node = 0;
    if (!text.starts_with('e')) {
        return std::nullopt;
    }
    const auto [end, failed] = std::from_chars(text.data() + 1, text.data() + text.size(), node);
    const bool whole = failed == std::errc() && end == text.data() + text.size() && node > 0;
    return whole ? std::optional(node) : std::nullopt;
}

std::string one_line(std::string_view text, std::size_t bytes_max) {
    const auto kept = utf8_prefix(text, bytes_max);
    std::string out;
    for (const char c : kept) {
        const bool blank = static_cast<unsigned char>(c) <= ' ' || c == '\x7f';
        if (!blank) {
            out += c;
        } else if (!out.empty() && out.back() != ' ') {
            out += ' ';
        }
    }
    if (out.ends_with(' ')) {
        out.pop_back();
    }
    return kept.size() < text.size() ? out + "…" : out;
}

} // namespace troupe::actors
