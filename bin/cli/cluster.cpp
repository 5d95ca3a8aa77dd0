#include "schemas/cluster.hpp"
#include "bin/cli/commands.hpp"
#include "bin/cli/interrupt.hpp"
#include "bin/cli/print.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

/// How the nodes of a cluster fare.
namespace troupe::cli {
namespace {

constexpr std::int64_t look_every_ms = 250;

tone tone_of(cluster_status s) {
    return s == cluster_status::ok || s == cluster_status::alone ? tone::good
           : s == cluster_status::degraded                       ? tone::warn
                                                                 : tone::bad;
}

tone tone_of(cluster_node_status s) {
    return s == cluster_node_status::up ? tone::good : s == cluster_node_status::down ? tone::bad : tone::warn;
}

std::string node_table(const screen& s, const cluster_document& all) {
    std::vector<std::vector<cell>> rows;
    for (const auto& node : all.nodes) {
        rows.push_back({{node.name, tone::strong},
                        {std::string(detail::enum_name(node.status)), tone_of(node.status)},
                        {std::to_string(node.shards_led)},
                        {std::to_string(node.shards_held)},
                        {node.address},
                        {node.version.value_or("")}});
    }
    return table(s, {{"NODE"}, {"STATUS"}, {"LEADS", true}, {"HOLDS", true}, {"ADDRESS"}, {"VERSION"}}, rows);
}

/// Empty when there are none.
std::string placed_table(const screen& s, const cluster_document& all) {
    std::vector<std::vector<cell>> rows;
    for (const auto& child : all.placed) {
        rows.push_back({{child.supervisor + "/" + child.child, tone::strong},
                        {child.node.value_or("nowhere"), child.node ? tone::good : tone::bad},
                        {child.since ? to_string(*child.since) : ""},
                        {std::to_string(child.failures), child.failures > 0 ? tone::warn : tone::faint},
                        {child.last_failure.value_or(""), tone::faint}});
    }
    return rows.empty() ? ""
                        : "\n" + table(s, {{"PLACED CHILD"}, {"NODE"}, {"SINCE"}, {"FAILURES", true}, {"LAST"}}, rows);
}

std::string sentence_of(const cluster_document& all) {
    switch (all.status) {
    case cluster_status::ok:
        return "every shard has all its copies";
    case cluster_status::degraded:
        return "every shard takes commands, some with fewer copies than wanted";
    case cluster_status::partial:
        return fmt::format("{} of {} shards take no commands: too few of their nodes are up", all.shards_closed,
                           all.shards);
    case cluster_status::alone:
        break;
    }
    return "a node without a cluster";
}

/// What is stored only when all nodes can read it; empty: there is nothing.
std::string features_of(const screen& s, const cluster_document& all) {
    std::string out;
    for (const auto& one : all.features_waiting) {
        out += one.nodes.empty() ? fmt::format("The feature {} will be on in a moment, as all nodes know it: older "
                                               "programs cannot come back then.\n",
                                               one.feature)
                                 : fmt::format("The feature {} is off until a program that knows it runs at {}.\n",
                                               one.feature, fmt::join(one.nodes, ", "));
    }
    return out.empty() ? "" : "\n" + paint(s, tone::warn, out);
}

std::string show_cluster(const screen& s, const cluster_document& all) {
    return details(
               s,
               {{"cluster", {to_string(all.id)}},
                {"asked", {all.node}},
                {"status", {std::string(detail::enum_name(all.status)), tone_of(all.status)}},
                {"", {sentence_of(all), tone::faint}},
                {"shards",
                 {fmt::format("{}, each with {} {}", all.shards, all.copies, all.copies == 1 ? "copy" : "copies")}},
                {"contents",
                 {all.contents_complete ? "all files are on the asked node" : "the asked node looks for files it lacks",
                  all.contents_complete ? tone::plain : tone::warn}}}) +
           "\n" + node_table(s, all) + placed_table(s, all) + features_of(s, all);
}

expected<int> cluster_status_of(context& c) {
    auto node = c.node();
    return node ? print_document<cluster_document>(c, (*node)->get("/cluster"),
                                                   [&](const auto& d) { return show_cluster(c.out_screen(), d); })
                : expected<int>(node.error());
}

expected<int> cluster_nodes(context& c) {
    auto node = c.node();
    return node ? print_document<cluster_document>(c, (*node)->get("/cluster"),
                                                   [&](const auto& d) { return node_table(c.out_screen(), d); })
                : expected<int>(node.error());
}

std::string joined(const std::vector<std::string>& names) { return fmt::format("{}", fmt::join(names, " ")); }

expected<int> cluster_shards(context& c) {
    return print_list<cluster_shard_document>(
        c, "/cluster/shards", {}, "There are no shards.", [&](const std::vector<cluster_shard_document>& all) {
            std::vector<std::vector<cell>> rows;
            for (const auto& one : all) {
                rows.push_back({{std::to_string(one.shard)},
                                {one.open ? "open" : "closed", one.open ? tone::good : tone::bad},
                                {one.leader, tone::strong},
                                {joined(one.voters)},
                                {joined(one.learners)},
                                {one.moved_to.value_or("")},
                                {std::to_string(one.epoch), tone::faint}});
            }
            return table(
                c.out_screen(),
                {{"SHARD", true}, {"STATUS"}, {"LEADER"}, {"COPIES"}, {"FOLLOW"}, {"MOVED TO"}, {"EPOCH", true}}, rows);
        });
}

/// Until the node leads nothing, and runs nothing that was placed there.
expected<int> wait_for_drain(context& c, api& node, const std::string& name) {
    const interrupt stop;
    do {
        const auto now = node.get_as<cluster_document>("/cluster");
        if (!now) {
            return now.error();
        }
        const auto found = std::ranges::find(now->nodes, name, &cluster_node_document::name);
        const auto left = found == now->nodes.end() ? 0 : found->shards_led;
        const auto placed = std::ranges::count_if(
            now->placed, [&](const placed_child_document& child) { return child.node == std::optional(name); });
        if (left == 0 && placed == 0) {
            c.progress("");
            c.print(fmt::format("{0} leads nothing any more. `troupe cluster resume {0}` lets it lead again.\n", name));
            return 0;
        }
        c.progress(fmt::format("{} still leads {} shards", name, left) +
                   (placed == 0 ? "" : fmt::format(" and runs {} placed children", placed)));
    } while (stop.sleep(look_every_ms));
    c.progress("");
    return 0;
}

expected<int> change_node(context& c, std::string_view what, std::string_view sentence) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    const auto& name = c.args().operand(0);
    return print_done(c, (*node)->post("/cluster/nodes/" + encode_segment(name) + "/" + std::string(what), "{}"),
                      name + std::string(sentence));
}

expected<int> cluster_drain(context& c) {
    auto asked = change_node(c, "drain", " gives its shards to the others.");
    if (!asked || c.json() || c.args().has("no-wait")) {
        return asked;
    }
    return wait_for_drain(c, **c.node(), c.args().operand(0));
}

expected<int> cluster_resume(context& c) { return change_node(c, "resume", " may lead shards again."); }

expected<int> cluster_remove(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    const auto& name = c.args().operand(0);
    return print_done(c, (*node)->remove("/cluster/nodes/" + encode_segment(name)),
                      name + " is forgotten: another node may take its place.");
}

std::string move_of(const std::string& shard) { return "/cluster/shards/" + encode_segment(shard) + "/move"; }

expected<int> cluster_move(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    const auto& operands = c.args().operands();
    const auto& shard = operands.front();
    if (c.args().has("back") == (operands.size() == 2)) {
        return problem{code::invalid_request, "say where the shard goes: `troupe cluster move 17 n2`, or "
                                              "`troupe cluster move 17 --back` to where it belongs by itself"};
    }
    if (operands.size() == 1) {
        return print_done(c, (*node)->remove(move_of(shard)), "Shard " + shard + " goes where it belongs by itself.");
    }
    return print_done(c, (*node)->post(move_of(shard), to_json(move_shard_body{operands[1]})),
                      "Shard " + shard + " goes to " + operands[1] + ", and stays there while it is up.");
}

/// Until nothing waits for a copy.
expected<int> wait_for_copies(context& c, api& node, const std::string& by) {
    const interrupt stop;
    do {
        const auto now = node.get_as<cluster_document>("/cluster");
        if (!now) {
            return now.error();
        }
        if (now->status == cluster_status::ok && now->shards_moving == 0) {
            c.progress("");
            c.print(by + " has all that it is to have: every shard has all its copies.\n");
            return 0;
        }
        c.progress(fmt::format("{} of {} shards wait for their copies", now->shards_moving, now->shards));
    } while (stop.sleep(look_every_ms));
    c.progress("");
    return 0;
}

expected<int> cluster_replace(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    const auto& gone = c.args().operand(0);
    const auto& by = c.args().operand(1);
    const auto now = (*node)->get_as<cluster_document>("/cluster");
    if (!now) {
        return now.error();
    }
    const auto found = std::ranges::find(now->nodes, by, &cluster_node_document::name);
    if (found == now->nodes.end() || found->status != cluster_node_status::up) {
        return problem{code::conflict, "the cluster has no node \"" + by +
                                           "\" that is up: start it first, with an empty "
                                           "directory; `troupe cluster nodes` shows when it is there"};
    }
    auto removed = print_done(c, (*node)->remove("/cluster/nodes/" + encode_segment(gone)),
                              gone + " is forgotten: " + by + " takes its place.");
    return !removed || c.json() || c.args().has("no-wait") ? removed : wait_for_copies(c, **node, by);
}

} // namespace

std::vector<command> cluster_commands() {
    const grammar name{.operands = "NODE", .operands_min = 1, .operands_max = 1};
    return {
        {"cluster status", "How the cluster fares, and its nodes.", {}, "troupe cluster status", cluster_status_of},
        {"cluster nodes", "The nodes of the cluster.", {}, "troupe cluster nodes", cluster_nodes},
        {"cluster shards",
         "Who leads each shard, and who has its copies.",
         {.flags = {limit_flag()}},
         "troupe cluster shards -n 256",
         cluster_shards},
        {"cluster drain",
         "Let a node lead nothing any more, before repairs or an upgrade: its shards go to others one after the other, "
         "and no command is lost.",
         {.flags = {{"no-wait", "", "Do not wait until it leads nothing."}},
          .operands = "NODE",
          .operands_min = 1,
          .operands_max = 1},
         "troupe cluster drain n2",
         cluster_drain},
        {"cluster resume", "Let a node that was drained lead again.", name, "troupe cluster resume n2", cluster_resume},
        {"cluster move",
         "Let a node lead a shard from now on, whenever it is up; or, with --back, let the shard go where it belongs "
         "by "
         "itself. No command is lost.",
         {.flags = {{"back", "", "To where it belongs by itself."}},
          .operands = "SHARD [NODE]",
          .operands_min = 1,
          .operands_max = 2},
         "troupe cluster move 17 n2\n"
         "troupe cluster move 17 --back",
         cluster_move},
        {"cluster replace",
         "Put a node that is up, and follows already, into the place of one that is lost for good.",
         {.flags = {{"no-wait", "", "Do not wait until it has all copies."}},
          .operands = "LOST NEW",
          .operands_min = 2,
          .operands_max = 2},
         "troupe cluster replace n2 n4",
         cluster_replace},
        {"cluster remove", "Forget a node that is lost for good, so that a new one may join. It has to be down.", name,
         "troupe cluster remove n2", cluster_remove},
        cluster_init_command()};
}

} // namespace troupe::cli
