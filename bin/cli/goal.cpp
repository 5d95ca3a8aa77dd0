#include "schemas/goal.hpp"
#include "bin/cli/ask.hpp"
#include "bin/cli/find_project.hpp"
#include "bin/cli/live_view.hpp"
#include "bin/cli/print.hpp"
#include "bin/cli/resolve.hpp"
#include "bin/cli/text.hpp"
#include "schemas/agent.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

/// Goals: set, watched and given up; and a first troupe of agents that reach them.
namespace troupe::cli {
namespace {

constexpr std::int64_t redraw_ms = 1000;

tone tone_of(goal_status status) {
    switch (status) {
    case goal_status::done:
        return tone::good;
    case goal_status::blocked:
    case goal_status::failed:
        return tone::bad;
    case goal_status::cancelled:
        return tone::faint;
    default:
        return tone::accent;
    }
}

std::string name_of(goal_status status) { return std::string(detail::enum_name(status)); }

std::string progress_of(const goal_document& g) {
    return fmt::format("{} of {} ({} %)", g.progress.done, g.progress.total, g.progress.percent);
}

std::string show_goals(context& c, const std::vector<goal_document>& goals) {
    std::vector<uuid> ids;
    for (const auto& g : goals) {
        ids.push_back(g.id);
    }
    const auto length = short_length(ids);
    std::vector<std::vector<cell>> rows;
    for (const auto& g : goals) {
        rows.push_back({{short_id(g.id, length), tone::accent},
                        {name_of(g.status), tone_of(g.status)},
                        {progress_of(g)},
                        {g.title},
                        {relative_time(g.updated_at, c.now()), tone::faint}});
    }
    return table(c.out_screen(), {{"GOAL"}, {"STATUS"}, {"DONE"}, {"TITLE", false, true, 12}, {"CHANGED"}}, rows);
}

/// What is going on with one task of a goal.
std::string state_of(const goal_task_document& t) {
    if (t.blocker) {
        return *t.blocker;
    }
    return t.checked_by ? "is being checked" : t.mended_by ? "is being mended" : "";
}

std::string show_goal(context& c, const goal_document& g) {
    auto out = details(c.out_screen(),
                       {{"goal", {g.title, tone::strong}},
                        {"id", {to_string(g.id), tone::accent}},
                        {"status", {name_of(g.status), tone_of(g.status)}},
                        {"reached when", {g.target}},
                        {"done", {progress_of(g)}},
                        {"checked", {g.verify ? "by agents with the capability qa" : "by people"}},
                        {"agents made", {g.agents_made.empty() ? "" : std::to_string(g.agents_made.size())}},
                        {"error", {g.error.value_or(""), tone::bad}},
                        {"set", {fmt::format("{} by {}", relative_time(g.created_at, c.now()), g.created_by)}}});
    std::vector<std::vector<cell>> rows;
    for (const auto& t : g.tasks) {
        const auto status = t.status ? std::string(detail::enum_name(*t.status)) : std::string("to be made");
        rows.push_back({{t.key.value_or(t.id), tone::accent},
                        {status, t.blocker                       ? tone::bad
                                 : t.status == task_status::done ? tone::good
                                                                 : tone::plain},
                        {t.title},
                        {fmt::format("{}", fmt::join(t.depends_on, " ")), tone::faint},
                        {state_of(t), t.blocker ? tone::bad : tone::faint}});
    }
    return rows.empty()
               ? out
               : out + "\n" +
                     table(c.out_screen(),
                           {{"TASK"}, {"STATUS"}, {"TITLE", false, true, 12}, {"AFTER"}, {"", false, true, 12}}, rows);
}

std::string show_plan(context& c, const goal_plan& plan) {
    std::vector<std::vector<cell>> rows;
    for (const auto& t : plan.tasks) {
        rows.push_back({{t.id, tone::accent},
                        {std::string(detail::enum_name(t.priority))},
                        {t.title},
                        {fmt::format("{}", fmt::join(t.capabilities, " "))},
                        {fmt::format("{}", fmt::join(t.depends_on, " ")), tone::faint},
                        {t.estimate, tone::faint}});
    }
    return table(c.out_screen(), {{"ID"}, {"PRIORITY"}, {"TITLE", false, true, 12}, {"NEEDS"}, {"AFTER"}, {"ESTIMATE"}},
                 rows);
}

/// The goal as the flags say.
expected<create_goal_body> wish_of(context& c, api& node, std::string title) {
    create_goal_body out;
    const auto agents = c.args().number("agents", 0, 20);
    const auto stalled = c.args().number("stalled-after", 1, 30LL * 24 * 3600);
    if (!agents || !stalled) {
        return agents ? stalled.error() : agents.error();
    }
    out.title = std::move(title);
    out.target = c.args().value_or("target", "");
    out.description = c.args().value_or("description", "");
    out.model = c.args().value_or("model", "");
    out.verify = c.args().has("verify");
    out.agents_max = static_cast<std::uint32_t>(agents->value_or(0));
    if (*stalled) {
        out.stalled_after_ms = static_cast<std::int64_t>(**stalled) * 1000;
    }
    if (const auto name = c.args().value("template")) {
        out.from_template = detail::enum_value<goal_template>(*name);
        if (!out.from_template) {
            return problem{code::invalid_request, "--template takes feature, bugfix or research."};
        }
    }
    if (const auto file = c.args().value("roadmap")) {
        auto text = text_of(c, *file);
        if (!text) {
            return text.error();
        }
        out.roadmap = std::move(*text);
    }
    if (const auto word = c.args().value("project")) {
        const auto project = find_project(node, *word, c.search().working_folder);
        if (!project) {
            return project.error();
        }
        out.project_id = project->id;
    }
    return out;
}

expected<int> set_goal(context& c, api& node, std::string title) {
    const auto wish = wish_of(c, node, std::move(title));
    if (!wish) {
        return wish.error();
    }
    return print_document<goal_document>(c, node.post("/goals", to_json(*wish)), [&](const auto& g) {
        return show_goal(c, g) + fmt::format("\nFollow it with `troupe goal show {} --watch`.\n", short_id(g.id));
    });
}

expected<int> goal_set(context& c) {
    auto node = c.node();
    return node ? set_goal(c, **node, c.args().text_from(0)) : expected<int>(node.error());
}

expected<int> goal_list(context& c) {
    query_list query;
    if (const auto status = c.args().value("status")) {
        query.emplace_back("status", *status);
    }
    return print_list<goal_document>(c, "/goals", query, "No goals. Set one with `troupe goal \"…\"`.",
                                     [&](const auto& goals) { return show_goals(c, goals); });
}

expected<std::pair<api*, std::string>> find_goal(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    const auto id = resolve_goal(**node, c.args().operand(0));
    return id ? expected<std::pair<api*, std::string>>(std::pair(*node, "/goals/" + to_string(*id)))
              : expected<std::pair<api*, std::string>>(id.error());
}

expected<int> goal_show(context& c) {
    const auto found = find_goal(c);
    if (!found) {
        return found.error();
    }
    const auto& [node, path] = *found;
    if (!c.args().has("watch") || c.json() || !c.out_screen().interactive) {
        return print_document<goal_document>(c, node->get(path), [&](const auto& g) { return show_goal(c, g); });
    }
    return show_live(c, redraw_ms, [&c, node = node, path = path]() -> expected<std::string> {
        const auto g = node->get_as<goal_document>(path);
        return g ? expected<std::string>(show_goal(c, *g)) : g.error();
    });
}

expected<int> goal_plan_roadmap(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    const auto text = text_of(c, c.args().operand(0));
    if (!text) {
        return text.error();
    }
    return print_document<goal_plan>(c, (*node)->post("/goals/plan", to_json(plan_goal_body{*text})),
                                     [&](const auto& plan) { return show_plan(c, plan); });
}

expected<int> goal_cancel(context& c) {
    const auto found = find_goal(c);
    return found ? print_document<goal_document>(c, found->first->post(found->second + "/cancel", ""),
                                                 [&](const auto& g) { return show_goal(c, g); })
                 : expected<int>(found.error());
}

expected<int> goal_delete(context& c) {
    const auto found = find_goal(c);
    return found ? print_done(c, found->first->remove(found->second), "The goal is deleted; its tasks stay.")
                 : expected<int>(found.error());
}

/// Those with which a troupe begins. `custom` and the others work with whatever a task says.
std::vector<agent_settings> first_agents(const std::string& model) {
    agent_settings orchestrator;
    orchestrator.name = "orchestrator";
    orchestrator.kind = "orchestrator";
    orchestrator.role = "orchestrator";
    orchestrator.capabilities = {"plan", "design"};
    agent_settings technical;
    technical.name = "technical";
    technical.role = "technical";
    technical.capabilities = {"code", "documentation", "research"};
    technical.instructions =
        "You build what a task says in its project: small steps, with tests, in the style that the "
        "project has. Say plainly what you could not do.";
    agent_settings qa;
    qa.name = "qa";
    qa.kind = "tester";
    qa.role = "qa";
    qa.capabilities = {"qa"};
    std::vector<agent_settings> out{std::move(orchestrator), std::move(technical), std::move(qa)};
    for (auto& one : out) {
        one.model = model;
    }
    return out;
}

/// Makes what is not there; then, with a roadmap, sets the goal.
expected<int> bootstrap(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    for (const auto& settings : first_agents(c.args().value_or("model", ""))) {
        const auto made = (*node)->post("/agents", to_json(settings));
        if (!made && made.error().code != code::already_exists) {
            return made.error();
        }
        c.note(fmt::format("{} {}.", settings.name, made ? "is made" : "is there already"));
    }
    if (!c.args().has("roadmap")) {
        c.note("Give them a goal with `troupe goal \"…\"`, or a roadmap with `troupe bootstrap --roadmap FILE`.");
        return 0;
    }
    const auto name = c.args().value_or("roadmap", "");
    return set_goal(c, **node, c.args().operands().empty() ? "Roadmap " + name : c.args().text_from(0));
}

std::vector<flag> goal_flags() {
    return {
        {"roadmap", "FILE", "Markdown that lists its tasks; - is standard input.", 'r'},
        {"template", "NAME", "Break it down without a model: feature, bugfix or research."},
        {"model", "M", "Model that breaks it down, and of agents that are made; the node's default otherwise.", 'm'},
        {"project", "FOLDER|NAME", "The project that its tasks work on.", 'p'},
        {"target", "TEXT", "How one sees that it is reached."},
        {"description", "TEXT", "What whoever plans it has to know."},
        {"verify", "", "Agents with the capability qa check what others end; what they find is mended."},
        {"agents", "N", "Agents that may be made where nobody can do a task."},
        {"stalled-after", "SECONDS", "A task on which nothing happened for so long is a blocker; 3600 by default."}};
}

} // namespace

std::vector<command> goal_commands() {
    const grammar one{.operands = "GOAL", .operands_min = 1, .operands_max = 1};
    return {
        {"goal",
         "Set a goal: it becomes tasks, which agents do.",
         {.flags = goal_flags(), .operands = "TITLE", .operands_min = 1, .operands_max = any_number},
         "troupe goal \"Dates in all formats are read\" --roadmap ROADMAP.md --project . --verify\n"
         "troupe goal \"Mend the rounding of sums\" --template bugfix --agents 2",
         goal_set},
        {"goal list",
         "All goals, with how far they are.",
         {.flags = {{"status", "STATUS", "planning, active, blocked, done, failed or cancelled."}, limit_flag()}},
         "troupe goal list --status blocked",
         goal_list},
        {"goal show",
         "A goal: its tasks, how far they are, and what holds them up.",
         {.flags = {{"watch", "", "Draw it again until Ctrl-C, on a terminal.", 'w'}},
          .operands = "GOAL",
          .operands_min = 1,
          .operands_max = 1},
         "troupe goal show 01921d3e --watch",
         goal_show},
        {"goal plan",
         "The tasks that a roadmap would become; nothing is made.",
         {.operands = "FILE", .operands_min = 1, .operands_max = 1},
         "troupe goal plan ROADMAP.md",
         goal_plan_roadmap},
        {"goal cancel", "Give a goal up: its tasks that are not done are cancelled.", one,
         "troupe goal cancel 01921d3e", goal_cancel},
        {"goal delete", "Delete a goal; one that is not over is given up first. Its tasks stay.", one,
         "troupe goal delete 01921d3e", goal_delete},
        {"bootstrap",
         "Make an orchestrator, a technical and a QA agent, and with a roadmap set them to work.",
         {.flags = goal_flags(), .operands = "[TITLE]", .operands_max = any_number},
         "troupe bootstrap\n"
         "troupe bootstrap --roadmap ROADMAP.md --project . --verify",
         bootstrap},
    };
}

} // namespace troupe::cli
