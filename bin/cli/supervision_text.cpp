#include "bin/cli/supervision_text.hpp"

#include "bin/cli/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace troupe::cli {
namespace {

/// A failure as text: a sentence, or an object with one; of a node that says nothing of itself, why.
std::string failure_text(const json::value& node) {
    const auto failure = node.find("last_failure");
    if (!failure) {
        return clean_line(node.text_or("problem"));
    }
    if (const auto text = failure->as_string()) {
        return clean_line(*text);
    }
    return clean_line(failure->text_or("detail", failure->text_or("reason")));
}

std::string last_segment(const std::string& path) {
    const auto slash = path.find_last_of('/');
    return slash == std::string::npos || slash + 1 == path.size() ? path : path.substr(slash + 1);
}

/// "up for 3 min, queue 3, messages 120, memory unknown; permanent, 5 s to end".
std::string figures_text(const json::value& node) {
    const auto uptime = node.find("uptime_ms");
    if (!uptime) {
        return {}; // a group
    }
    auto out = "  up for " + duration_text(uptime->as_int().value_or(0));
    std::string unknown;
    const auto add = [&](std::string_view name, std::string_view word, std::string (*text)(std::uint64_t)) {
        const auto member = node.find(name);
        const auto number = member ? member->as_uint() : std::nullopt;
        if (number) {
            out += fmt::format(", {} {}", word, text(*number));
        } else {
            unknown += fmt::format("{}{}", unknown.empty() ? "" : ", ", word);
        }
    };
    add("mailbox_depth", "queue", count_text);
    add("messages", "messages", count_text);
    add("memory_bytes", "memory", bytes_text);
    out += unknown.empty() ? "" : ", unknown: " + unknown;
    const auto policy = clean_line(node.text_or("policy"));
    return out + (policy.empty() ? "" : "; " + policy);
}

/// Nothing to tell but that it is there: a shard without entities.
bool is_quiet(const json::value& node) {
    return node.text_or("status") == "running" && node.int_or("restarts") == 0 && node.int_or("children_count") == 0 &&
           failure_text(node).empty();
}

/// How the tree is drawn: `overview` folds the quiet ones among many children, so that what works is seen.
struct tree_style {
    bool details = false;
    bool overview = false;
};
constexpr std::size_t many_children = 32;

void add_node(std::string& out, const screen& s, const json::value& node, const std::string& lead,
              const std::string& below, bool top, tree_style style) {
    const auto path = clean_line(node.text_or("path"));
    const auto status = node.text_or("status");
    std::string line = top ? path : last_segment(path);
    const auto kind = clean_line(node.text_or("kind"));
    const auto restarts = node.int_or("restarts");
    std::string extra = kind.empty() ? "" : "  " + kind;
    extra += restarts > 0 ? fmt::format("  {} {}", restarts, restarts == 1 ? "restart" : "restarts") : "";
    extra += style.details ? figures_text(node) : "";
    const auto failure = failure_text(node);
    const auto used = display_width(lead) + 2 + display_width(line) + display_width(extra);
    out += lead + paint(s, tone_of_status(status), symbol_of_status(status == "running" ? "ok" : status)) + " " + line +
           paint(s, tone::faint, extra);
    if (status != "running" && !status.empty()) {
        out += "  " + paint(s, tone_of_status(status), clean_line(status));
    }
    if (!failure.empty()) {
        out += "  " + paint(s, tone::warn,
                            shorten(failure, s.width > used + 16 ? s.width - used - 14
                                             : s.width == 0      ? 0
                                                                 : 16));
    }
    out += '\n';
    const auto all = static_cast<std::size_t>(std::max<std::int64_t>(node.int_or("children_count"), 0));
    std::vector<json::value> shown;
    bool folded = false;
    if (const auto children = node.find("children")) {
        children->each_element([&](json::value child) {
            const bool fold = style.overview && all >= many_children && is_quiet(child);
            folded = folded || fold;
            if (!fold) {
                shown.push_back(child);
            }
        });
    }
    const auto left_out = all > shown.size() ? all - shown.size() : 0;
    for (std::size_t i = 0; i < shown.size(); ++i) {
        const bool last = i + 1 == shown.size() && left_out == 0;
        add_node(out, s, shown[i], below + (last ? "└─ " : "├─ "), below + (last ? "   " : "│  "), false, style);
    }
    if (left_out > 0) {
        const auto words = fmt::format("… {} {}", left_out, folded ? "quiet" : shown.empty() ? "below" : "more");
        out += below + "└─ " + paint(s, tone::faint, words) + "\n";
    }
}

} // namespace

std::string show_supervision(const screen& s, const json::value& root) {
    std::string out;
    add_node(out, s, root, "", "", true, {});
    return out;
}

std::string show_supervision_overview(const screen& s, const json::value& root) {
    std::string out;
    add_node(out, s, root, "", "", true, {.overview = true});
    return out;
}

std::string show_supervision_details(const screen& s, const json::value& root) {
    std::string out;
    add_node(out, s, root, "", "", true, {.details = true});
    return out;
}

std::string show_why(const screen& s, const json::value& root) {
    std::string out;
    for (const auto& line : wrap(clean(root.text_or("summary")), s.width)) {
        out += paint(s, tone::strong, line) + "\n";
    }
    if (const auto reasons = root.find("reasons")) {
        reasons->each_element([&](json::value reason) {
            out += "\n" + details(s, {{"reason", {reason.text_or("reason"), tone::warn}},
                                      {"since", {reason.text_or("since")}},
                                      {"until", {reason.text_or("until")}},
                                      {"detail", {reason.text_or("detail")}},
                                      {"what to do", {reason.text_or("remedy"), tone::accent}}});
        });
    }
    return out;
}

} // namespace troupe::cli
