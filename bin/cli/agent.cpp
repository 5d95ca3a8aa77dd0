#include "schemas/agent.hpp"
#include "bin/cli/print.hpp"
#include "bin/cli/resolve.hpp"
#include "bin/cli/show.hpp"
#include "bin/cli/text.hpp"
#include "schemas/agent_version.hpp"
#include "schemas/memory.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <fstream>
#include <iterator>
#include <utility>

namespace troupe::cli {
namespace {

expected<std::map<std::string, tool_policy>> policies_of(const arguments& args) {
    std::map<std::string, tool_policy> tools;
    for (const auto& word : args.values("tool")) {
        const auto equals = word.rfind('='); // patterns may have some
        const auto policy =
            equals == std::string::npos ? std::nullopt : detail::enum_value<tool_policy>(word.substr(equals + 1));
        if (!policy || equals == 0) {
            return problem{code::invalid_request,
                           fmt::format("--tool takes RULE=allow, RULE=ask or RULE=deny, not \"{}\".", word)};
        }
        tools[word.substr(0, equals)] = *policy;
    }
    return tools;
}

/// The settings as the flags say; only what was given is sent, the node knows the defaults.
expected<std::string> settings_of(const arguments& args) {
    const auto tools = policies_of(args);
    const auto tasks = args.number("max-tasks", 1, 100);
    const auto steps = args.number("max-steps", 1, 10'000);
    const auto day_tokens = args.number("tokens-per-day", 1, 1'000'000'000'000);
    const auto day_cost = args.number("cost-per-day", 1, 1'000'000'000'000);
    if (!tools) {
        return tools.error();
    }
    const auto beat = args.number("heartbeat", 1, 604'800);
    const auto attempts = args.number("attempts", 1, 20);
    const auto wait = args.number("queue-timeout", 1, 2'592'000);
    for (const auto* number : {&tasks, &steps, &day_tokens, &day_cost, &beat, &attempts, &wait}) {
        if (!*number) {
            return number->error();
        }
    }
    auto instructions = args.value("instructions");
    if (instructions && instructions->starts_with("@")) {
        std::ifstream in(instructions->substr(1), std::ios::binary);
        if (!in) {
            return problem{code::invalid_request, fmt::format("{} cannot be read.", instructions->substr(1))};
        }
        instructions = std::string(std::istreambuf_iterator<char>(in), {});
    }
    std::string out;
    json::object_writer w(out);
    w.field("name", args.operand(0));
    for (const auto& [name, value] :
         {std::pair("kind", args.value("kind")), std::pair("role", args.value("role")),
          std::pair("model", args.value("model")), std::pair("instructions", instructions)}) {
        if (value) {
            w.field(name, *value);
        }
    }
    if (const auto capabilities = args.values("capability"); !capabilities.empty()) {
        std::string list;
        detail::write(list, capabilities);
        w.raw_field("capabilities", list);
    }
    if (!tools->empty()) {
        std::string map;
        detail::write(map, *tools);
        w.raw_field("tools", map);
    }
    if (*tasks) {
        w.field("max_concurrent_tasks", **tasks);
    }
    if (*steps) {
        w.raw_field("limits", fmt::format("{{\"steps\":{}}}", **steps));
    }
    if (*day_tokens || *day_cost) {
        w.raw_field("limits_per_day",
                    to_json(daily_limits{day_tokens->value_or(0), static_cast<std::int64_t>(day_cost->value_or(0))}));
    }
    if (*beat) {
        heartbeat_terms terms;
        terms.interval_ms = static_cast<std::int64_t>(**beat) * 1000;
        terms.external = args.has("external-heartbeat");
        terms.instructions = args.value("at-heartbeat").value_or("");
        w.raw_field("heartbeat", to_json(terms));
    }
    if (*attempts) {
        w.raw_field("retry", fmt::format("{{\"attempts\":{}}}", **attempts));
    }
    if (*wait) {
        w.field("queue_timeout_ms", static_cast<std::int64_t>(**wait) * 1000);
    }
    w.end();
    return out;
}

expected<int> agent_create(context& c) {
    const auto settings = settings_of(c.args());
    if (!settings) {
        return c.usage(settings.error());
    }
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    return print_document<agent_document>(c, (*node)->post("/agents", *settings),
                                          [&](const auto& a) { return show_agent(c.out_screen(), a, c.now()); });
}

expected<int> agent_list(context& c) {
    return print_list<agent_document>(c, "/agents", {}, "No agents. Make one with `troupe agent create NAME`.",
                                      [&](const auto& agents) { return show_agents(c.out_screen(), agents, c.now()); });
}

struct agent_kind_list_document {
    std::vector<agent_kind_document> items;
};
BOOST_DESCRIBE_STRUCT(agent_kind_list_document, (), (items))

expected<int> agent_kinds(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    return print_document<agent_kind_list_document>(c, (*node)->get("/agent-kinds"), [&](const auto& list) {
        std::vector<std::vector<cell>> rows;
        for (const auto& kind : list.items) {
            rows.push_back({{kind.name, tone::accent},
                            {fmt::format("{}", fmt::join(kind.tools, " "))},
                            {kind.description, tone::faint}});
        }
        return table(c.out_screen(), {{"KIND"}, {"TOOLS"}, {"WHAT"}}, rows);
    });
}

expected<std::pair<api*, std::string>> find_agent(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    const auto id = resolve_agent(**node, c.args().operand(0));
    return id ? expected<std::pair<api*, std::string>>(std::pair(*node, "/agents/" + to_string(*id)))
              : expected<std::pair<api*, std::string>>(id.error());
}

expected<int> agent_show(context& c) {
    const auto found = find_agent(c);
    if (!found) {
        return found.error();
    }
    return print_document<agent_document>(c, found->first->get(found->second),
                                          [&](const auto& a) { return show_agent(c.out_screen(), a, c.now()); });
}

/// What an agent does now, and what would change it.
std::string state_of(const agent_document& a) {
    const auto name = clean_line(a.settings.name);
    const bool stopped = a.status == agent_status::offline;
    if (!stopped && !a.paused) {
        return a.error ? fmt::format("{} does not work: {}", name, clean_line(*a.error)) : name + " works.";
    }
    return fmt::format("{} is {}: it takes no new task until {}{}{}.", name,
                       !a.paused ? "stopped"
                       : stopped ? "stopped and paused"
                                 : "paused",
                       stopped ? fmt::format("`troupe agent start {}`", name) : "", stopped && a.paused ? " and " : "",
                       a.paused ? fmt::format("`troupe agent resume {}`", name) : "");
}

expected<int> agent_do(context& c, std::string_view action) {
    const auto found = find_agent(c);
    return found
               ? print_document<agent_document>(c, found->first->post(fmt::format("{}/{}", found->second, action), ""),
                                                [](const auto& a) { return state_of(a) + "\n"; })
               : expected<int>(found.error());
}

expected<int> agent_start(context& c) { return agent_do(c, "start"); }
expected<int> agent_stop(context& c) { return agent_do(c, "stop"); }
expected<int> agent_pause(context& c) { return agent_do(c, "pause"); }
expected<int> agent_resume(context& c) { return agent_do(c, "resume"); }
expected<int> agent_restart(context& c) { return agent_do(c, "restart"); }
expected<int> agent_heartbeat(context& c) { return agent_do(c, "heartbeat"); }

expected<int> agent_versions(context& c) {
    const auto found = find_agent(c);
    if (!found) {
        return found.error();
    }
    return print_list<agent_version_document>(
        c, found->second + "/versions", {}, "No versions.", [&](const auto& versions) {
            std::vector<std::vector<cell>> rows;
            for (const auto& one : versions) {
                rows.push_back({{std::to_string(one.number), tone::accent},
                                {to_string(one.at).substr(0, 19)},
                                {clean_line(one.by)},
                                {clean_line(one.settings.model), tone::faint}});
            }
            return table(c.out_screen(), {{"VERSION"}, {"SINCE"}, {"BY"}, {"MODEL"}}, rows);
        });
}

expected<int> agent_diff(context& c) {
    const auto found = find_agent(c);
    if (!found) {
        return found.error();
    }
    auto path = fmt::format("{}/versions/{}/diff", found->second, encode_segment(c.args().operand(1)));
    if (c.args().operands().size() > 2) {
        path += "?to=" + encode_segment(c.args().operand(2));
    }
    return print_document<agent_diff_document>(c, found->first->get(path), [&](const auto& diff) {
        std::string out;
        for (const auto& change : diff.changes) {
            out += fmt::format("{}\n  - {}\n  + {}\n", change.member, clean_line(change.from.text),
                               clean_line(change.to.text));
        }
        return out.empty() ? std::string("They are the same.\n") : out;
    });
}

expected<int> agent_restore(context& c) {
    const auto found = find_agent(c);
    if (!found) {
        return found.error();
    }
    const auto path = fmt::format("{}/versions/{}/restore", found->second, encode_segment(c.args().operand(1)));
    return print_document<agent_document>(c, found->first->post(path, ""),
                                          [&](const auto& a) { return show_agent(c.out_screen(), a, c.now()); });
}

expected<int> agent_delete(context& c) {
    const auto found = find_agent(c);
    return found ? print_done(c, found->first->remove(found->second),
                              fmt::format("{} is deleted.", clean_line(c.args().operand(0))))
                 : expected<int>(found.error());
}

expected<int> agent_memory(context& c) {
    const auto found = find_agent(c);
    if (!found) {
        return found.error();
    }
    return print_document<memory_document>(c, found->first->get(found->second + "/memory"), [&](const auto& memory) {
        std::vector<std::vector<cell>> rows;
        for (const auto& note : memory.notes) {
            rows.push_back({{clean_line(note.key), tone::accent},
                            {clean_line(note.text)},
                            {to_string(note.updated_at).substr(0, 10), tone::faint}});
        }
        return rows.empty() ? std::string("It remembers nothing yet.\n")
                            : table(c.out_screen(), {{"ABOUT"}, {"NOTE"}, {"SINCE"}}, rows);
    });
}

grammar one_agent() { return {.operands = "AGENT", .operands_min = 1, .operands_max = 1}; }

} // namespace

std::vector<command> agent_commands() {
    return {
        {"agent create",
         "Make an agent.",
         {.flags = {{"role", "ROLE", "Role, as in the session key agent:ROLE:NAME."},
                    {"kind", "KIND", "Agent kind; custom by default."},
                    {"model", "M", "Model to use; the node's default otherwise.", 'm'},
                    {"instructions", "TEXT|@FILE", "System prompt."},
                    {"capability", "C", "What it can do, for assignment.", 0, true},
                    {"tool", "RULE=POLICY", "allow, ask or deny calls, as in \"run_command(git *)=allow\".", 0, true},
                    {"max-tasks", "N", "Tasks at the same time."},
                    {"max-steps", "N", "Model calls of a run at most."},
                    {"heartbeat", "SECONDS", "It shows that it is there so often; the node beats for it."},
                    {"external-heartbeat", "", "Its own program beats; when it does not, its work goes to others."},
                    {"at-heartbeat", "TEXT", "What it does at each heartbeat while it has nothing else to do."},
                    {"attempts", "N", "How often a task that fails is tried, all together."},
                    {"queue-timeout", "SECONDS", "A task that waits so long goes to another agent, or the inbox."},
                    {"tokens-per-day", "N", "Tokens of all its runs in a day (UTC) at most."},
                    {"cost-per-day", "N", "Millionths of the currency of all its runs in a day (UTC) at most."}},
          .operands = "NAME",
          .operands_min = 1,
          .operands_max = 1},
         "troupe agent create scout --role research --capability search\n"
         "troupe agent create builder --instructions @builder.md --tool run_command=ask",
         agent_create},
        {"agent list",
         "All agents, with what they work on.",
         {.flags = {limit_flag()}},
         "troupe agent list",
         agent_list},
        {"agent kinds", "The kinds of agents, and what each is for.", {}, "troupe agent kinds", agent_kinds},
        {"agent show", "An agent's settings and state.", one_agent(), "troupe agent show scout", agent_show},
        {"agent memory", "What an agent remembers from run to run.", one_agent(), "troupe agent memory scout",
         agent_memory},
        {"agent start", "Let an agent work.", one_agent(), "troupe agent start scout", agent_start},
        {"agent stop", "Stop an agent: it starts no further task; what it works on goes on.", one_agent(),
         "troupe agent stop scout", agent_stop},
        {"agent pause", "Let an agent finish its work and take no new task.", one_agent(), "troupe agent pause scout",
         agent_pause},
        {"agent resume", "Let a paused agent go on.", one_agent(), "troupe agent resume scout", agent_resume},
        {"agent restart", "Break off what an agent works on and begin it anew; it works again if it was stopped.",
         one_agent(), "troupe agent restart scout", agent_restart},
        {"agent heartbeat", "Note that an agent is there.", one_agent(), "troupe agent heartbeat scout",
         agent_heartbeat},
        {"agent versions",
         "The configurations that an agent had.",
         {.flags = {limit_flag()}, .operands = "AGENT", .operands_min = 1, .operands_max = 1},
         "troupe agent versions scout",
         agent_versions},
        {"agent diff",
         "What differs between two configurations of an agent.",
         {.operands = "AGENT VERSION [VERSION]", .operands_min = 2, .operands_max = 3},
         "troupe agent diff scout 1",
         agent_diff},
        {"agent restore",
         "Give an agent the settings of an earlier version, all but its name.",
         {.operands = "AGENT VERSION", .operands_min = 2, .operands_max = 2},
         "troupe agent restore scout 1",
         agent_restore},
        {"agent delete", "Delete an agent.", one_agent(), "troupe agent delete scout", agent_delete},
    };
}

} // namespace troupe::cli
