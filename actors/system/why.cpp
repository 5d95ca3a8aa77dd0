#include "actors/system/why.hpp"

#include "schemas/agent.hpp"
#include "schemas/approval.hpp"
#include "schemas/run.hpp"
#include "schemas/task.hpp"

namespace troupe::actors {

namespace {

std::string short_id(const uuid& id) { return to_string(id); }

why_reason of_wait(const run_document& run, const waiting_for& w) {
    const auto id = short_id(run.id);
    why_reason out{std::string(detail::enum_name(w.reason)), std::nullopt, w.text, ""};
    switch (w.reason) {
    case wait_reason::approval:
        out.remedy = "troupe run approve " + id + "  or  troupe run deny " + id;
        break;
    case wait_reason::question:
        out.remedy = "troupe run answer " + id + " \"…\"";
        break;
    case wait_reason::unknown_step:
        out.remedy = "look whether it happened, then troupe run retry " + id + "  or  troupe run skip " + id;
        break;
    case wait_reason::back_off:
        out.since = run.updated_at;
        out.detail += w.until ? " (asked again at " + to_string(*w.until) + ")" : "";
        break;
    }
    return out;
}

void explain(const run_document& run, why_document& out) {
    out.summary =
        "The run is " + std::string(detail::enum_name(run.status)) + ", step " + std::to_string(run.step) + ".";
    for (const auto& w : run.waiting) {
        out.reasons.push_back(of_wait(run, w));
    }
    if (run.status == run_status::queued) {
        out.reasons.push_back({"starting", run.created_at, "its project and model are being prepared", ""});
    } else if (run.status == run_status::running && out.reasons.empty()) {
        out.reasons.push_back(
            {"working", run.updated_at, "a model call or a tool is in work", "troupe run watch " + short_id(run.id)});
    } else if (run.error) {
        out.reasons.push_back({"ended", run.finished_at, *run.error, "troupe run show " + short_id(run.id)});
    }
}

void explain(const task_document& task, why_document& out) {
    out.summary = "The task is " + std::string(detail::enum_name(task.status)) + ".";
    if (task.status == task_status::inbox && !task.agent_id) {
        out.reasons.push_back({"unassigned", task.created_at, task.error ? *task.error : "no agent has it",
                               "troupe task assign " + short_id(task.id) + " AGENT"});
    } else if (task.status == task_status::assigned && task.agent_id) {
        out.reasons.push_back({"queue", task.updated_at, "it waits in the queue of agent " + short_id(*task.agent_id),
                               "troupe why agent " + short_id(*task.agent_id)});
    } else if (task.status == task_status::in_progress && task.run_id) {
        out.reasons.push_back({"working", task.updated_at, "run " + short_id(*task.run_id) + " works on it",
                               "troupe why run " + short_id(*task.run_id)});
    } else if (task.status == task_status::review) {
        out.reasons.push_back({"review", task.updated_at, "it is done and waits for a person's look",
                               "troupe task move " + short_id(task.id) + " done"});
    } else if (task.error) {
        out.reasons.push_back({"ended", task.updated_at, *task.error, ""});
    }
}

void explain(const agent_document& agent, why_document& out) {
    out.summary = "The agent is " + std::string(detail::enum_name(agent.status)) + ": " +
                  std::to_string(agent.running.size()) + " of " + std::to_string(agent.settings.max_concurrent_tasks) +
                  " tasks in work, " + std::to_string(agent.queued.size()) + " queued.";
    if (agent.paused) {
        out.reasons.push_back({"paused", agent.updated_at, "it starts no task until it is resumed",
                               "troupe agent resume " + agent.settings.name});
    }
    if (agent.status == agent_status::offline) {
        out.reasons.push_back(
            {"stopped", agent.updated_at, "it was stopped", "troupe agent start " + agent.settings.name});
    }
    if (!agent.queued.empty() && agent.running.size() >= agent.settings.max_concurrent_tasks) {
        out.reasons.push_back({"concurrency", std::nullopt, "max_concurrent_tasks is reached", ""});
    }
    for (const auto& task : agent.running) {
        out.reasons.push_back({"working", std::nullopt, "task " + short_id(task), "troupe why task " + short_id(task)});
    }
}

void explain(const approval_document& approval, why_document& out) {
    out.summary = "The approval is " + std::string(detail::enum_name(approval.status)) + ".";
    if (approval.status == approval_status::pending) {
        out.reasons.push_back(
            {"person", approval.created_at, approval.text, "troupe approval decide " + short_id(approval.id)});
    }
}

template <class Document>
bool explain_as(std::string_view document, why_document& out) {
    auto decoded = from_json<Document>(document, strictness::stored);
    if (decoded) {
        explain(*decoded, out);
    }
    return decoded.has_value();
}

} // namespace

why_document explain_waiting(std::string_view kind, const uuid& id, std::string_view document) {
    why_document out{std::string(kind), id, "It waits for nothing.", {}};
    if (kind == "run") {
        explain_as<run_document>(document, out);
    } else if (kind == "task") {
        explain_as<task_document>(document, out);
    } else if (kind == "agent") {
        explain_as<agent_document>(document, out);
    } else if (kind == "approval") {
        explain_as<approval_document>(document, out);
    }
    return out;
}

} // namespace troupe::actors
