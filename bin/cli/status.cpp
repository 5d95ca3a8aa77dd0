#include "bin/cli/commands.hpp"
#include "bin/cli/live_view.hpp"
#include "bin/cli/print.hpp"
#include "bin/cli/resolve.hpp"
#include "bin/cli/supervision_text.hpp"
#include "bin/cli/text.hpp"
#include "schemas/base/json.hpp"

#include <fmt/format.h>

#include <utility>

namespace troupe::cli {
namespace {

std::string number_text(const json::value& from, std::string_view name) {
    const auto member = from.find(name);
    const auto number = member ? member->as_uint() : std::nullopt;
    return number ? count_text(*number) : "";
}

std::string show_status(const screen& s, const json::value& root) {
    const auto uptime = root.find("uptime_s");
    const auto free = root.find("disk_free_bytes");
    const auto seconds = uptime ? uptime->as_double() : std::nullopt;
    const auto bytes = free ? free->as_uint() : std::nullopt;
    const auto word = root.text_or("status", "ok");
    return details(s, {{"node", {root.text_or("node"), tone::strong}},
                       {"status", {status_text(word), tone_of_status(word)}},
                       {"url", {root.text_or("url"), tone::accent}},
                       {"version", {root.text_or("version")}},
                       {"up for", {seconds ? duration_text(static_cast<std::int64_t>(*seconds * 1000)) : ""}},
                       {"data", {root.text_or("data_dir")}},
                       {"disk free", {bytes ? bytes_text(*bytes) : ""}},
                       {"clock", {root.text_or("clock"), tone::bad}},
                       {"shards", {number_text(root, "shards")}},
                       {"entities", {number_text(root, "entities_active") + " active"}},
                       {"commands", {number_text(root, "commands_total")}},
                       {"runs", {number_text(root, "runs_active") + " active"}},
                       {"model", {root.text_or("model")}},
                       {"sandbox", {root.text_or("sandbox")}}});
}

expected<int> print_parsed(context& c, const expected<std::string>& body,
                           std::string (*show)(const screen&, const json::value&)) {
    if (!body) {
        return body.error();
    }
    if (c.json()) {
        c.print_json(*body);
        return 0;
    }
    const auto parsed = json::document::parse(*body);
    if (!parsed) {
        return parsed.error();
    }
    c.print(show(c.out_screen(), parsed->root()));
    return 0;
}

expected<int> status(context& c) {
    auto node = c.node();
    return node ? print_parsed(c, (*node)->get("/status"), show_status) : expected<int>(node.error());
}

expected<int> tree(context& c) {
    const auto depth = c.args().number("depth", 1, 16);
    if (!depth) {
        return c.usage(depth.error());
    }
    const auto every_s = c.args().number("every", 1, 3600);
    if (!every_s) {
        return c.usage(every_s.error());
    }
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    const auto prefix = c.args().operands().empty() ? "" : c.args().operand(0);
    const bool details = c.args().has("details");
    const bool overview = prefix.empty() && !*depth && !details;
    // Down to what entities have at work: /nodes/n1/shards/17/runs/018f…/effects/tool-1
    const auto levels = *depth ? std::to_string(**depth) : overview ? "8" : "";
    const auto path =
        with_query("/supervision", {{"prefix", prefix}, {"depth", levels}, {"limit", overview ? "20" : ""}});
    const auto show = details ? show_supervision_details : overview ? show_supervision_overview : show_supervision;
    if (!c.args().has("watch") || c.json() || !c.out_screen().interactive) {
        return print_parsed(c, (*node)->get(path), show);
    }
    return show_live(c, static_cast<std::int64_t>(every_s->value_or(1)) * 1000, [&]() -> expected<std::string> {
        const auto body = (*node)->get(path);
        const auto parsed = body ? json::document::parse(*body) : expected<json::document>(body.error());
        return parsed ? expected<std::string>(show(c.out_screen(), parsed->root()))
                      : expected<std::string>(parsed.error());
    });
}

/// "run 018f", "run/018f", or "018f" alone for one of any kind.
expected<int> why(context& c) {
    std::string kind;
    std::string word = c.args().operand(0);
    if (c.args().operands().size() > 1) {
        kind = std::exchange(word, c.args().operand(1));
    } else if (const auto slash = word.find('/'); slash != std::string::npos) {
        kind = word.substr(0, slash);
        word.erase(0, slash + 1);
    }
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    expected<entity_named> found = entity_named{kind, {}};
    if (kind.empty()) {
        found = resolve_anything(**node, word);
    } else if (const auto id = resolve_of_kind(**node, kind, word); id) {
        found->id = *id;
    } else {
        found = id.error();
    }
    if (!found) {
        return found.error().code == code::invalid_request ? expected<int>(c.usage(found.error()))
                                                           : expected<int>(found.error());
    }
    return print_parsed(c, (*node)->get("/why/" + found->kind + "/" + to_string(found->id)), show_why);
}

} // namespace

std::vector<command> status_commands() {
    return {
        {"status", "The node at a glance.", {}, "troupe status\ntroupe status --json", status},
        {"tree",
         "The supervision tree: what runs, restarts and last failures.",
         {.flags = {{"depth", "N", "Levels to show; without it and PREFIX all, without quiet shards."},
                    {"watch", "", "Draw it again until Ctrl-C, on a terminal.", 'w'},
                    {"every", "SECONDS", "How often; every second by default."},
                    {"details", "", "With policy, queue, memory and time of each."}},
          .operands = "[PREFIX]",
          .operands_min = 0,
          .operands_max = 1},
         "troupe tree\ntroupe tree --watch\ntroupe tree /nodes/n1/shards --depth 2 --details",
         tree},
        {"why",
         "Why something is in the state that it is in, and what to do.",
         {.operands = "[KIND] ID", .operands_min = 1, .operands_max = 2},
         "troupe why 018f3c1e-7d2a\ntroupe why agent scout\ntroupe why approval 018f3c1e-7d2a",
         why},
    };
}

} // namespace troupe::cli
