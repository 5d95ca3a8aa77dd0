#include "bin/cli/commands.hpp"
#include "bin/cli/interrupt.hpp"
#include "bin/cli/print.hpp"
#include "bin/cli/text.hpp"

#include <fmt/format.h>

#include <utility>

namespace troupe::cli {
namespace {

/// "07:14:41  runs/018f3c1e-7d2a…  run_started  {…}" in a line that fits.
std::string event_line(const screen& s, timestamp ts, std::string_view channel, std::string_view kind,
                       std::string_view data) {
    const auto time = to_string(ts).substr(11, 8);
    constexpr std::size_t channel_width = 28;
    constexpr std::size_t kind_width = 22;
    const auto pad = [](std::string text, std::size_t width) {
        return text + std::string(width - std::min(width, display_width(text)), ' ');
    };
    const auto where = pad(shorten(clean_line(channel), channel_width), channel_width);
    const auto what = pad(clean_line(kind), kind_width);
    const auto before = time.size() + 2 + channel_width + 2 + display_width(what) + 2;
    const auto room = s.width == 0 ? 0 : s.width > before + 8 ? s.width - before : 8;
    return paint(s, tone::faint, time) + "  " + paint(s, tone::accent, where) + "  " + paint(s, tone::strong, what) +
           "  " + paint(s, tone::faint, shorten(clean_line(data), room)) + "\n";
}

expected<int> events_page(context& c, api& node) {
    const auto limit = c.args().number("limit", 1, list_max);
    if (!limit) {
        return c.usage(limit.error());
    }
    const auto list =
        node.list_raw("/events", {}, limit->value_or(list_default), "after", c.args().value_or("after", ""));
    if (!list) {
        return list.error();
    }
    if (c.json()) {
        c.print_json(list->first);
        return 0;
    }
    const auto parsed = json::document::parse(list->first);
    if (!parsed) {
        return parsed.error();
    }
    const auto items = parsed->root().find("items");
    if (!items || items->size() == 0) {
        c.note("No events.");
        return 0;
    }
    items->each_element([&](json::value e) {
        const auto data = e.find("data");
        c.print(event_line(c.out_screen(), parse_timestamp(e.text_or("ts")).value_or(timestamp{}), e.text_or("channel"),
                           e.text_or("kind"), data ? data->dump() : ""));
    });
    if (const auto next = parsed->root().text_or("next_cursor"); !next.empty()) {
        c.note(paint(c.err_screen(), tone::faint, "More: troupe events --after " + clean_line(next)));
    }
    return 0;
}

expected<int> events_follow(context& c, api& node) {
    interrupt stop;
    reconnection retry;
    bool was_open = false; // a node that is lost later may come back
    // A connection lost before the first event leaves no cursor to go on from: then all that is kept is read again,
    // and what happened before we began to look is left out.
    timestamp left_out{};
    std::string cursor = c.args().value_or("after", "");
    const auto on_open = [&] {
        was_open = true;
        if (retry.came_back()) {
            c.note("(connected again)");
        }
    };
    const auto on_event = [&](const stream_event& e) {
        if (e.ts < left_out) {
            return true;
        }
        cursor = e.id.empty() ? cursor : e.id;
        if (c.json()) {
            c.print_json(e.envelope);
        } else {
            c.print(event_line(c.out_screen(), e.ts, e.channel, e.kind, e.data.dump()));
        }
        return c.written();
    };
    for (;;) {
        const auto streamed = node.stream(with_query("/events", {{"since", cursor}}), stop.token(), on_open, on_event);
        if (stop.token().stop_requested() || !c.written()) {
            return 0;
        }
        if (!streamed && (!was_open || !reconnection::worth_it(streamed.error()))) {
            return streamed.error();
        }
        if (cursor.empty()) {
            cursor = "start";
            left_out = c.now();
        }
        if (retry.lost()) {
            c.note("(connection to the node lost; trying again)");
        }
        if (!retry.wait(stop)) {
            return stop.token().stop_requested() ? expected<int>(0) : expected<int>(retry.give_up(node.where().url));
        }
        c.find_node_again();
    }
}

expected<int> events(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    return c.args().has("follow") ? events_follow(c, **node) : events_page(c, **node);
}

} // namespace

std::vector<command> event_commands() {
    return {{"events",
             "What happened in the organization, oldest first; --follow goes on live.",
             {.flags = {{"follow", "", "Go on with what happens from now, or from --after.", 'f'},
                        {"after", "CURSOR", "Only what came after; \"start\" for all that is kept."},
                        limit_flag()}},
             "troupe events --limit 20\ntroupe events --follow --json | jq 'select(.kind == \"run_failed\")'",
             events}};
}

} // namespace troupe::cli
