#include "bin/cli/supervision_text.hpp"

#include "bin/cli/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <utility>

namespace troupe::cli {
namespace {

/// A failure as text: a sentence, or an object with one.
std::string failure_text(const json::value& node) {
    const auto failure = node.find("last_failure");
    if (!failure) {
        return {};
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

/// "queue 3, 120 messages, memory unknown, up for 3 min; permanent, 5000 ms to end".
std::string figures_text(const json::value& node) {
    const auto known = [&](std::string_view name, std::string (*text)(std::uint64_t)) {
        const auto member = node.find(name);
        const auto number = member ? member->as_uint() : std::nullopt;
        return number ? text(*number) : std::string("unknown");
    };
    const auto uptime = node.find("uptime_ms");
    if (!uptime) {
        return {}; // a group
    }
    const auto policy = clean_line(node.text_or("policy"));
    return fmt::format("  queue {}, messages {}, memory {}, up for {}{}", known("mailbox_depth", count_text),
                       known("messages", count_text), known("memory_bytes", bytes_text),
                       duration_text(uptime->as_int().value_or(0)), policy.empty() ? "" : "; " + policy);
}

void add_node(std::string& out, const screen& s, const json::value& node, const std::string& lead,
              const std::string& below, bool top, bool details) {
    const auto path = clean_line(node.text_or("path"));
    const auto status = node.text_or("status");
    std::string line = top ? path : last_segment(path);
    const auto kind = clean_line(node.text_or("kind"));
    const auto restarts = node.int_or("restarts");
    std::string extra = kind.empty() ? "" : "  " + kind;
    extra += restarts > 0 ? fmt::format("  {} restarts", restarts) : "";
    extra += details ? figures_text(node) : "";
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
    const auto children = node.find("children");
    const auto count = children ? children->size() : 0;
    const auto all = static_cast<std::size_t>(std::max<std::int64_t>(node.int_or("children_count"), 0));
    const auto left_out = all > count ? all - count : 0;
    std::size_t i = 0;
    if (children) {
        children->each_element([&](json::value child) {
            const bool last = ++i == count && left_out == 0;
            add_node(out, s, child, below + (last ? "└─ " : "├─ "), below + (last ? "   " : "│  "), false, details);
        });
    }
    if (left_out > 0) {
        const auto words = fmt::format("… {} {}", left_out, count == 0 ? "below" : "more");
        out += below + "└─ " + paint(s, tone::faint, words) + "\n";
    }
}

} // namespace

std::string show_supervision(const screen& s, const json::value& root) {
    std::string out;
    add_node(out, s, root, "", "", true, false);
    return out;
}

std::string show_supervision_details(const screen& s, const json::value& root) {
    std::string out;
    add_node(out, s, root, "", "", true, true);
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
