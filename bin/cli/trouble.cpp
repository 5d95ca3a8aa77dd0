#include "bin/cli/commands.hpp"
#include "bin/cli/interrupt.hpp"
#include "bin/cli/live_view.hpp"
#include "bin/cli/print.hpp"
#include "bin/cli/top_text.hpp"
#include "schemas/failure.hpp"
#include "schemas/poison.hpp"

#include <fmt/format.h>

#include <utility>

/// `top`, `poison`, `dead-letters`, `failures`: how the node fares, and what went wrong.
namespace troupe::cli {
namespace {

constexpr std::int64_t sample_ms = 1000;
constexpr std::int64_t top_default_s = 2;

expected<load_document> read_load(context& c, std::uint64_t limit) {
    auto node = c.node();
    return node ? (*node)->get_as<load_document>(with_query("/load", {{"limit", std::to_string(limit)}}))
                : expected<load_document>(node.error());
}

/// Two answers a second apart, so that there are rates.
expected<int> top_once(context& c, std::uint64_t limit) {
    const auto before = read_load(c, 0);
    if (!before) {
        return before.error();
    }
    const interrupt stop;
    if (!stop.sleep(sample_ms)) {
        return 0;
    }
    const auto now = read_load(c, limit);
    if (!now) {
        return now.error();
    }
    const auto rates = rates_between(*before, *now);
    if (c.json()) {
        c.print_json(fmt::format(R"({{"rates":{},"load":{}}})", rates ? to_json(*rates) : "null", to_json(*now)));
    } else {
        c.print(show_top(c.out_screen(), *now, rates ? &*rates : nullptr));
    }
    return 0;
}

expected<int> top(context& c) {
    const auto limit = c.args().number("limit", 1, 100);
    const auto every_s = c.args().number("every", 1, 3600);
    if (!limit || !every_s) {
        return c.usage(limit ? every_s.error() : limit.error());
    }
    const auto rows = limit->value_or(10);
    if (c.args().has("once") || c.json() || !c.out_screen().interactive) {
        return top_once(c, rows);
    }
    std::optional<load_document> before;
    return show_live(c, static_cast<std::int64_t>(every_s->value_or(top_default_s)) * 1000,
                     [&]() -> expected<std::string> {
                         auto now = read_load(c, rows);
                         if (!now) {
                             return now.error();
                         }
                         const auto rates = before ? rates_between(*before, *now) : std::nullopt;
                         auto picture = show_top(c.out_screen(), *now, rates ? &*rates : nullptr);
                         before = std::move(*now);
                         return picture;
                     });
}

expected<int> poison_list(context& c) {
    return print_list<poisoned_command>(
        c, "/poison", {}, "No command was set aside.", [&](const std::vector<poisoned_command>& items) {
            std::vector<std::vector<cell>> rows;
            for (const auto& p : items) {
                rows.push_back({{relative_time(p.at, c.now()), tone::faint},
                                {p.kind + "/" + to_string(p.id), tone::accent},
                                {p.command},
                                {p.cause, tone::bad},
                                {p.principal, tone::faint}});
            }
            return table(c.out_screen(),
                         {{"when"}, {"entity"}, {"command"}, {"cause", false, true, 16}, {"from", false, true, 8}},
                         rows);
        });
}

struct dead_letter_line {
    timestamp at;
    std::string kind;
    std::string to;
    std::string type;
    std::string reason;
};
BOOST_DESCRIBE_STRUCT(dead_letter_line, (), (at, kind, to, type, reason))

expected<int> dead_letters(context& c) {
    return print_list<dead_letter_line>(
        c, "/dead-letters", {}, "There are no dead letters.", [&](const std::vector<dead_letter_line>& items) {
            std::vector<std::vector<cell>> rows;
            for (const auto& l : items) {
                rows.push_back({{relative_time(l.at, c.now()), tone::faint},
                                {l.kind, tone::warn},
                                {l.to, tone::accent},
                                {l.type},
                                {l.reason}});
            }
            return table(
                c.out_screen(),
                {{"when"}, {"kind"}, {"to", false, true, 16}, {"message", false, true, 8}, {"reason", false, true, 16}},
                rows);
        });
}

expected<int> failures(context& c) {
    return print_list<failure_document>(
        c, "/system/failures", {}, "Nothing went wrong since the start of the node.",
        [&](const std::vector<failure_document>& items) {
            std::vector<std::vector<cell>> rows;
            for (const auto& f : items) {
                rows.push_back({{count_text(f.count), f.level == "critical" ? tone::bad : tone::warn},
                                {relative_time(f.last_at, c.now()), tone::faint},
                                {f.module, tone::accent},
                                {f.text}});
            }
            return table(c.out_screen(), {{"count", true}, {"last"}, {"module"}, {"text", false, true, 24}}, rows);
        });
}

} // namespace

std::vector<command> trouble_commands() {
    return {
        {"top",
         "What the node does now and who is busiest: live on a terminal, else one picture.",
         {.flags = {{"once", "", "One picture, over one second."},
                    {"every", "SECONDS", "How often it is drawn again; 2 by default."},
                    {"limit", "N", "How many of the busiest actors; 10 by default.", 'n'}}},
         "troupe top\ntroupe top --once\ntroupe top --json | jq .rates.accepted_per_s",
         top},
        {"poison list",
         "Commands that crashed their entity 5 times and were set aside, the newest first.",
         {.flags = {limit_flag()}},
         "troupe poison list\ntroupe poison list --json",
         poison_list},
        {"dead-letters",
         "Messages and events that nobody worked on since the start of the node, the newest first.",
         {.flags = {limit_flag()}},
         "troupe dead-letters --limit 20",
         dead_letters},
        {"failures",
         "What went wrong in the node since its start, the same failures counted together, the newest first.",
         {.flags = {limit_flag()}},
         "troupe failures\ntroupe failures --json | jq '.items[] | {count, pattern, request_id}'",
         failures},
    };
}

} // namespace troupe::cli
