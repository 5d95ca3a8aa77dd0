#include "bin/cli/show.hpp"

#include "bin/cli/render_run.hpp"
#include "bin/cli/resolve.hpp"
#include "bin/cli/text.hpp"
#include "schemas/base/json.hpp"

#include <fmt/format.h>

#include <optional>
#include <utility>

namespace troupe::cli {
namespace {

template <class Enum>
std::string word_of(Enum value) {
    return std::string(detail::enum_name(value));
}

template <class Enum>
cell status_cell(Enum value) {
    const auto word = word_of(value);
    return {status_text(word), tone_of_status(word)};
}

cell faint(std::string text) { return {std::move(text), tone::faint}; }
cell time_cell(timestamp t, timestamp now) { return faint(relative_time(t, now)); }

cell time_field(const std::optional<timestamp>& t, timestamp now) {
    return t ? cell{fmt::format("{} ({})", to_string(*t), relative_time(*t, now))} : cell{};
}

cell id_field(const std::optional<uuid>& id) { return id ? cell{to_string(*id)} : cell{}; }

template <class Document>
std::size_t id_length(const std::vector<Document>& items) {
    std::vector<uuid> ids;
    for (const auto& item : items) {
        ids.push_back(item.id);
    }
    return short_length(ids);
}

std::string used_text(const budget& used, const budget& limits) {
    const auto of = [](std::uint64_t n, std::uint64_t max, std::string_view unit) {
        return max > 0 ? fmt::format("{} of {} {}", count_text(n), count_text(max), unit)
                       : fmt::format("{} {}", count_text(n), unit);
    };
    auto out = of(used.steps, limits.steps, "steps") + " · " + of(used.tokens, limits.tokens, "tokens");
    if (used.cost_micros > 0) {
        out += fmt::format(" · cost {:.4f}", static_cast<double>(used.cost_micros) / 1e6);
    }
    return used.time_ms > 0 ? out + " · " + duration_text(used.time_ms) : out;
}

std::string how_to_decide(const approval_document& a) {
    const auto run = short_id(a.run_id);
    switch (a.reason) {
    case wait_reason::question:
        return fmt::format("troupe run answer {} TEXT", run);
    case wait_reason::unknown_step:
        return fmt::format("troupe run retry {0}  or  troupe run skip {0}", run);
    default:
        return fmt::format("troupe run approve {0}  or  troupe run deny {0} REASON", run);
    }
}

std::string call_of(const std::string& tool, const json::raw& arguments) {
    const auto parsed = json::document::parse(arguments.text);
    return call_text(tool, parsed ? std::optional(parsed->root()) : std::nullopt);
}

} // namespace

std::string show_runs(const screen& s, const std::vector<run_document>& runs, timestamp now) {
    const auto length = id_length(runs);
    std::vector<std::vector<cell>> rows;
    for (const auto& r : runs) {
        rows.push_back({{short_id(r.id, length), tone::accent},
                        status_cell(r.status),
                        {fmt::format("{}", r.step)},
                        faint(r.model),
                        time_cell(r.created_at, now),
                        {r.goal}});
    }
    return table(s,
                 {{"RUN"}, {"STATUS"}, {"STEPS", true}, {"MODEL", false, true}, {"CREATED"}, {"GOAL", false, true, 12}},
                 rows);
}

std::string show_run(const screen& s, const run_document& r, timestamp now) {
    auto out = details(
        s,
        {{"run", {to_string(r.id), tone::accent}},
         {"status", status_cell(r.status)},
         {"goal", {r.goal}},
         {"model", {r.model}},
         {"project", id_field(r.project_id)},
         {"agent", id_field(r.agent_id)},
         {"task", id_field(r.task_id)},
         {"fork of",
          {r.forked_from ? fmt::format("{}, after its step {}", to_string(r.forked_from->run_id), r.forked_from->step)
                         : ""}},
         {"child of", id_field(r.parent_run_id)},
         {"used", {used_text(r.used, r.limits)}},
         {"created",
          {fmt::format("{} ({}) by {}", to_string(r.created_at), relative_time(r.created_at, now), r.created_by)}},
         {"started", time_field(r.started_at, now)},
         {"finished", time_field(r.finished_at, now)},
         {"error", {r.error.value_or(""), tone::bad}},
         {"result", {r.result.value_or("")}}});
    for (const auto& w : r.waiting) {
        auto text = word_of(w.reason) + ": " + w.text;
        text += w.until ? fmt::format(" (until {})", to_string(*w.until)) : "";
        out += details(s, {{"waits for", {text, tone::warn}}});
    }
    return out;
}

std::string show_steps(const screen& s, const std::vector<step_document>& steps) {
    std::vector<std::vector<cell>> rows;
    for (const auto& step : steps) {
        const bool model = step.type == step_type::model;
        const auto what = model ? clean_line(step.content) : call_of(step.tool, step.arguments);
        const auto child = step.child_run_id ? " (run " + short_id(*step.child_run_id) + ")" : std::string();
        const auto took = step.finished_at ? duration_text(*step.finished_at - step.started_at) : std::string();
        const auto tokens = step.input_tokens + step.output_tokens;
        rows.push_back({{step.key, tone::accent},
                        status_cell(step.status),
                        {model ? "model" : "tool"},
                        {what + child + (step.error ? ": " + *step.error : "")},
                        faint(tokens > 0 ? count_text(tokens) : ""),
                        faint(took)});
    }
    return table(s, {{"STEP"}, {"STATUS"}, {"TYPE"}, {"WHAT", false, true, 16}, {"TOKENS", true}, {"TIME", true}},
                 rows);
}

std::string show_agents(const screen& s, const std::vector<agent_document>& agents, timestamp now) {
    const auto length = id_length(agents);
    std::vector<std::vector<cell>> rows;
    for (const auto& a : agents) {
        rows.push_back({{a.settings.name, tone::strong},
                        a.paused ? cell{status_text("paused"), tone::warn} : status_cell(a.status),
                        {a.settings.role},
                        faint(a.settings.model),
                        {fmt::format("{}", a.running.size())},
                        {fmt::format("{}", a.queued.size())},
                        {fmt::format("{}", a.completed)},
                        {fmt::format("{}", a.failed)},
                        time_cell(a.updated_at, now),
                        {short_id(a.id, length), tone::accent}});
    }
    return table(s,
                 {{"AGENT", false, true},
                  {"STATUS"},
                  {"ROLE", false, true},
                  {"MODEL", false, true},
                  {"WORKS", true},
                  {"QUEUE", true},
                  {"DONE", true},
                  {"FAILED", true},
                  {"CHANGED"},
                  {"ID"}},
                 rows);
}

std::string show_agent(const screen& s, const agent_document& a, timestamp now) {
    std::string tools;
    for (const auto& [name, policy] : a.settings.tools) {
        tools += fmt::format("{}{}: {}", tools.empty() ? "" : ", ", name, word_of(policy));
    }
    return details(s, {{"agent", {a.settings.name, tone::strong}},
                       {"id", {to_string(a.id), tone::accent}},
                       {"session key", {a.session_key}},
                       {"status", status_cell(a.status)},
                       {"paused", {a.paused ? "yes: takes no new task" : "", tone::warn}},
                       {"kind", {a.settings.kind}},
                       {"role", {a.settings.role}},
                       {"capabilities", {joined(a.settings.capabilities)}},
                       {"model", {a.settings.model.empty() ? "the node's default" : a.settings.model}},
                       {"tools", {tools}},
                       {"tasks",
                        {fmt::format("{} in work (at most {}), {} queued, {} done, {} failed", a.running.size(),
                                     a.settings.max_concurrent_tasks, a.queued.size(), a.completed, a.failed)}},
                       {"created", {fmt::format("{} by {}", relative_time(a.created_at, now), a.created_by)}},
                       {"heartbeat", time_field(a.heartbeat_at, now)},
                       {"instructions", {a.settings.instructions}}});
}

std::string show_tasks(const screen& s, const std::vector<task_document>& tasks, timestamp now) {
    const auto length = id_length(tasks);
    std::vector<std::vector<cell>> rows;
    for (const auto& t : tasks) {
        const bool pressing = t.priority == task_priority::urgent || t.priority == task_priority::high;
        rows.push_back({{t.key.value_or(short_id(t.id, length)), tone::accent},
                        status_cell(t.status),
                        {word_of(t.priority), pressing ? tone::warn : tone::faint},
                        {t.title},
                        faint(t.agent_id ? short_id(*t.agent_id) : ""),
                        time_cell(t.updated_at, now)});
    }
    return table(
        s, {{"TASK"}, {"STATUS"}, {"PRIORITY"}, {"TITLE", false, true, 12}, {"AGENT", false, true}, {"CHANGED"}}, rows);
}

namespace {

std::vector<std::string> ids_of(const std::optional<std::vector<uuid>>& ids) {
    std::vector<std::string> out;
    for (const auto& id : ids.value_or(std::vector<uuid>())) {
        out.push_back(to_string(id));
    }
    return out;
}

std::string parts_of(const task_document& t) {
    return t.subtasks ? fmt::format("{} of {} done", t.subtasks->done, t.subtasks->total) : "";
}

} // namespace

std::string show_task(const screen& s, const task_document& t, timestamp now) {
    return details(s, {{"task", {t.title, tone::strong}},
                       {"key", {t.key.value_or(""), tone::accent}},
                       {"id", {to_string(t.id), tone::accent}},
                       {"status", status_cell(t.status)},
                       {"priority", {word_of(t.priority)}},
                       {"labels", {joined(t.labels)}},
                       {"due", time_field(t.due, now)},
                       {"people", {joined(ids_of(t.assignees))}},
                       {"part of", id_field(t.parent_id)},
                       {"parts", {parts_of(t)}},
                       {"waits for", {joined(ids_of(t.waiting_for)), tone::warn}},
                       {"agent", id_field(t.agent_id)},
                       {"project", id_field(t.project_id)},
                       {"run", id_field(t.run_id)},
                       {"messages", {t.messages > 0 ? std::to_string(t.messages) : ""}},
                       {"created", {fmt::format("{} by {}", relative_time(t.created_at, now), t.created_by)}},
                       {"changed", {relative_time(t.updated_at, now)}},
                       {"description", {t.description}},
                       {"error", {t.error.value_or(""), tone::bad}},
                       {"result", {t.result.value_or("")}}});
}

std::string show_candidates(const screen& s, const std::vector<assignment_candidate>& candidates) {
    std::vector<std::vector<cell>> rows;
    for (const auto& one : candidates) {
        rows.push_back({{one.name, one.able ? tone::accent : tone::faint},
                        {one.able ? std::to_string(one.score) : "-"},
                        {joined(one.reasons), one.able ? tone::plain : tone::faint}});
    }
    return table(s, {{"AGENT", false, true}, {"SCORE", true}, {"WHY", false, true, 20}}, rows);
}

std::string show_messages(const screen& s, const std::vector<message_document>& messages, timestamp now) {
    std::string out;
    for (const auto& m : messages) {
        out += (out.empty() ? "" : "\n") + paint(s, tone::strong, clean_line(m.author)) + " " +
               paint(s, tone::faint, word_of(m.type) + " · " + relative_time(m.created_at, now)) + "\n";
        for (const auto& line : wrap(clean(m.content), s.width > 2 ? s.width - 2 : 0)) {
            out += (line.empty() ? "" : "  ") + line + "\n";
        }
        for (const auto& file : m.attachments.value_or(std::vector<attachment_document>())) {
            out +=
                paint(s, tone::faint,
                      fmt::format("  file {}: {} ({})", file.number, clean_line(file.name), bytes_text(file.bytes))) +
                "\n";
        }
    }
    return out;
}

std::string show_projects(const screen& s, const std::vector<project_document>& projects, timestamp now) {
    const auto length = id_length(projects);
    std::vector<std::vector<cell>> rows;
    for (const auto& p : projects) {
        rows.push_back({{p.name, tone::strong},
                        {std::to_string(p.files)},
                        {bytes_text(p.bytes)},
                        faint(p.folder.value_or("")),
                        time_cell(p.updated_at, now),
                        {short_id(p.id, length), tone::accent}});
    }
    return table(
        s, {{"PROJECT", false, true}, {"FILES", true}, {"SIZE", true}, {"FOLDER", false, true}, {"CHANGED"}, {"ID"}},
        rows);
}

std::string show_project(const screen& s, const project_document& p, timestamp now) {
    return details(s, {{"project", {p.name, tone::strong}},
                       {"id", {to_string(p.id), tone::accent}},
                       {"description", {p.description}},
                       {"folder", {p.folder.value_or("")}},
                       {"files", {fmt::format("{} ({})", p.files, bytes_text(p.bytes))}},
                       {"created", {fmt::format("{} by {}", relative_time(p.created_at, now), p.created_by)}},
                       {"changed", {relative_time(p.updated_at, now)}}});
}

std::string show_files(const screen& s, const std::vector<file_document>& files, timestamp now) {
    std::vector<std::vector<cell>> rows;
    for (const auto& f : files) {
        rows.push_back({{f.executable ? f.path + "*" : f.path},
                        {bytes_text(f.bytes)},
                        time_cell(f.updated_at, now),
                        faint(f.updated_by)});
    }
    return table(s, {{"FILE", false, true, 16}, {"SIZE", true}, {"CHANGED"}, {"BY", false, true}}, rows);
}

std::string show_approvals(const screen& s, const std::vector<approval_document>& approvals, timestamp now) {
    const auto length = id_length(approvals);
    std::vector<std::vector<cell>> rows;
    for (const auto& a : approvals) {
        rows.push_back({{short_id(a.id, length), tone::accent},
                        status_cell(a.status),
                        {word_of(a.reason)},
                        {short_id(a.run_id), tone::accent},
                        {a.text.empty() ? call_of(a.tool, a.arguments) : a.text},
                        time_cell(a.created_at, now)});
    }
    return table(s, {{"APPROVAL"}, {"STATUS"}, {"REASON"}, {"RUN"}, {"WHAT", false, true, 16}, {"ASKED"}}, rows);
}

std::string show_approval(const screen& s, const approval_document& a, timestamp now) {
    const bool pending = a.status == approval_status::pending;
    return details(
        s,
        {{"approval", {to_string(a.id), tone::accent}},
         {"status", status_cell(a.status)},
         {"reason", {word_of(a.reason)}},
         {"text", {a.text}},
         {"call", {a.tool.empty() ? "" : call_of(a.tool, a.arguments)}},
         {"arguments", {a.arguments.is_null() ? "" : a.arguments.text}},
         {"run", {to_string(a.run_id)}},
         {"step", {a.step_key}},
         {"answer", {a.answer.value_or("")}},
         {"decided",
          {a.decided_by ? fmt::format("{} by {}", a.decided_at ? relative_time(*a.decided_at, now) : "", *a.decided_by)
                        : ""}},
         {"remembered", {a.rule.value_or("")}},
         {"assigned to", {a.assigned_to ? to_string(*a.assigned_to) : ""}},
         {"expires", {a.expires_at && pending ? relative_time(*a.expires_at, now) : ""}},
         {"asked", {relative_time(a.created_at, now)}},
         {"to decide", {pending ? how_to_decide(a) : ""}}});
}

} // namespace troupe::cli
