#include "actors/system/why.hpp"

#include "schemas/base/duration.hpp"
#include "schemas/project.hpp"
#include "schemas/task.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace troupe::actors {

namespace {

/// The most of a kind that is listed one by one.
constexpr std::size_t listed_max = 3;

template <class Enum>
std::string word_of(Enum value) {
    return std::string(detail::enum_name(value));
}

/// "in 12 s", or "now" for what is due.
std::string from_now(timestamp t, timestamp now) { return t > now ? "in " + span_text(t - now) : "now"; }

std::string mib_text(std::uint64_t bytes) { return fmt::format("{} MiB", bytes >> 20); }

std::string agent_name(const why_facts& facts, const uuid& id) {
    return facts.agent && facts.agent->id == id ? facts.agent->settings.name : to_string(id);
}

// ---- what keeps every entity waiting

void explain_host(std::string_view kind, const uuid& id, const why_facts& facts, why_document& out) {
    const auto& t = facts.troubles;
    if (t.quarantine) {
        out.reasons.push_back(
            {"quarantine",
             t.quarantine->at,
             {},
             "its history cannot be read, so it refuses every command: " + t.quarantine->cause,
             "stop the node, then: troupe journal verify; restore a backup if the journal is damaged, "
             "or start the version of Troupe that wrote it"});
    }
    if (t.crash) {
        out.reasons.push_back(
            {"crash", t.crash->at, t.crash->next,
             fmt::format("it crashed {} times in a row{}, and is started again {}: {}", t.crash->in_a_row,
                         t.crash->command.empty() ? "" : " (command '" + t.crash->command + "')",
                         from_now(t.crash->next, facts.now), t.crash->cause),
             "nothing: a command that crashes it 5 times is set aside, and the others go on. Report the defect"});
    }
    for (std::size_t i = 0; i < std::min(facts.poison.size(), listed_max); ++i) {
        const auto& p = facts.poison[i];
        out.reasons.push_back(
            {"poison",
             p.at,
             {},
             fmt::format(
                 "the command '{}' ({}) crashed it 5 times and was set aside: {}{}", p.command, p.command_id, p.cause,
                 p.effect.empty() ? "" : "; with it ended what it owed as '" + p.effect + "', which is not done"),
             p.effect.empty() ? "the others go on; when the defect is mended, send it again with a new Idempotency-Key"
             : kind == "run"  ? "when the defect is mended: troupe run cancel " + to_string(id) + ", and start it again"
                              : "when the defect is mended, ask for it again"});
    }
    if (facts.poison.size() > listed_max) {
        out.reasons.push_back(
            {"poison", {}, {}, fmt::format("and {} more", facts.poison.size() - listed_max), "troupe poison list"});
    }
    for (const auto& e : t.effects) {
        const bool crowded = facts.node.performing_max > 0 && facts.node.performing >= facts.node.performing_max;
        out.reasons.push_back({crowded ? "overload" : "effect", e.at, e.next,
                               fmt::format("what it owes as '{}' failed {} times and is tried again {}: {}", e.key,
                                           e.attempts, from_now(e.next, facts.now), e.cause),
                               ""});
    }
}

void explain_node(const node_condition& n, why_document& out) {
    if (n.draining) {
        out.reasons.push_back({"draining",
                               {},
                               {},
                               "the node is starting or stopping and takes no new commands",
                               "wait; what was begun goes on after the next start"});
    }
    if (n.free_bytes_min > 0 && n.free_bytes < n.free_bytes_min) {
        out.reasons.push_back({"storage_full",
                               {},
                               {},
                               fmt::format("the disk has {} left, less than the {} of storage.free_bytes_min: nothing "
                                           "can be written, reads go on",
                                           mib_text(n.free_bytes), mib_text(n.free_bytes_min)),
                               "make room on the disk of the data directory; the node goes on by itself"});
    }
    if ((n.commands_max > 0 && n.commands_outstanding >= n.commands_max) ||
        (n.bytes_max > 0 && n.bytes_outstanding >= n.bytes_max)) {
        out.reasons.push_back(
            {"overload",
             {},
             {},
             fmt::format("the node has {} of {} commands and {} of {} in hand; further ones are "
                         "refused with 503 and Retry-After",
                         n.commands_outstanding, n.commands_max, mib_text(n.bytes_outstanding), mib_text(n.bytes_max)),
             "troupe top shows who is busy"});
    }
    if (n.performing_max > 0 && n.performing >= n.performing_max) {
        out.reasons.push_back({"overload",
                               {},
                               {},
                               fmt::format("{} model calls, tools and commands are at work, as many as may be; others "
                                           "wait for their turn",
                                           n.performing),
                               "troupe top; pause an agent: troupe agent pause NAME"});
    }
    if (n.router != "running") {
        out.reasons.push_back({"lease",
                               {},
                               {},
                               "there are no leases on a single node; its router holds it, and that one is " +
                                   n.router + (n.router_failure.empty() ? "" : ": " + n.router_failure),
                               "nothing if it comes back in a moment; else troupe tree"});
    }
}

void explain_timers(const why_facts& facts, why_document& out) {
    for (std::size_t i = 0; i < std::min(facts.timers.size(), listed_max); ++i) {
        const auto& t = facts.timers[i];
        if (!t.key.starts_with("back_off/")) { // which is told with its cause
            out.reasons.push_back({"timer",
                                   {},
                                   t.due,
                                   fmt::format("timer '{}' sends '{}' {}", t.key, t.type, from_now(t.due, facts.now)),
                                   ""});
        }
    }
}

// ---- runs

/// Limits that are used up, in words; empty: none.
std::string used_up(const run_document& run) {
    std::string out;
    const auto add = [&](auto used, auto limit, const auto& text, std::string_view what) {
        if (limit > 0 && used >= limit) {
            out += fmt::format("{}{} of {}{}", out.empty() ? "" : ", ", text(used), text(limit), what);
        }
    };
    const auto count = [](auto n) { return std::to_string(n); };
    const auto money = [](auto micros) { return fmt::format("{:.2f}", static_cast<double>(micros) / 1e6); };
    add(run.used.steps, run.limits.steps, count, " steps");
    add(run.used.tokens, run.limits.tokens, count, " tokens");
    add(run.used.cost_micros, run.limits.cost_micros, money, " of money");
    add(run.used.time_ms, run.limits.time_ms, span_text, " of work");
    return out;
}

std::string provider_trouble(std::string_view problem_code) {
    return problem_code == "model_rate_limited"    ? "the provider limits the rate"
           : problem_code == "model_unavailable"   ? "the provider cannot be reached or fails"
           : problem_code == "model_reply_invalid" ? "the provider's answer could not be understood"
           : problem_code == "deadline_exceeded"   ? "the provider did not answer in time"
                                                   : "";
}

why_reason of_wait(const run_document& run, const waiting_for& w, const why_facts& facts) {
    const auto id = to_string(run.id);
    why_reason out{word_of(w.reason), run.updated_at, {}, w.text, ""};
    const auto approval = std::ranges::find_if(
        facts.approvals, [&](const approval_document& a) { return w.approval_id && a.id == *w.approval_id; });
    if (approval != facts.approvals.end()) {
        out.since = approval->created_at;
    }
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
    case wait_reason::back_off: {
        const auto provider = provider_trouble(w.code);
        out.reason = provider.empty() ? "back_off" : "provider";
        out.until = w.until;
        out.detail =
            fmt::format("{}attempt {} failed{}: {}", provider.empty() ? "" : provider + "; ", std::max(w.attempt, 1U),
                        w.until ? ", the next one is made " + from_now(*w.until, facts.now) : "", w.text);
        out.remedy = w.code == "model_unavailable" ? "nothing if it comes back; else look at model.openai.base_url: "
                                                     "troupe config show"
                                                   : "nothing: it is asked again by itself";
        break;
    }
    }
    if (w.approval_id && w.reason != wait_reason::back_off) {
        out.detail += " (approval " + to_string(*w.approval_id) + ")";
    }
    return out;
}

/// What is in work, from the steps that were begun.
void explain_work(const run_document& run, const why_facts& facts, why_document& out) {
    bool found = false;
    for (const auto& s : facts.steps) {
        if (s.status == step_status::started) {
            found = true;
            out.reasons.push_back({"working",
                                   s.started_at,
                                   {},
                                   s.type == step_type::model
                                       ? fmt::format("model call of step {}, attempt {}", s.step, s.attempt)
                                       : fmt::format("tool {} of step {}, attempt {}", s.tool, s.step, s.attempt),
                                   "troupe run watch " + to_string(run.id)});
        }
    }
    if (!found) {
        out.reasons.push_back({"working",
                               run.updated_at,
                               {},
                               "a model call or a tool is in work",
                               "troupe run watch " + to_string(run.id)});
    }
}

void explain_end(const run_document& run, why_document& out) {
    const auto over = used_up(run);
    if (run.status == run_status::failed && !over.empty()) {
        out.reasons.push_back({"budget",
                               run.finished_at,
                               {},
                               over + " are used: " + run.error.value_or("it was ended"),
                               "start it again with more: troupe run start --max-steps N --max-tokens N …"});
    } else if (run.error) {
        out.reasons.push_back({"ended", run.finished_at, {}, *run.error, "troupe run show " + to_string(run.id)});
    }
}

void explain(const run_document& run, const why_facts& facts, why_document& out) {
    const bool over =
        run.status == run_status::succeeded || run.status == run_status::failed || run.status == run_status::cancelled;
    out.summary = fmt::format("The run {} {}, {} step {}.",
                              !over                                 ? "is"
                              : run.status == run_status::cancelled ? "was"
                                                                    : "has",
                              word_of(run.status), over ? "after" : "at", run.step);
    if (over) {
        explain_end(run, out);
        return;
    }
    for (const auto& w : run.waiting) {
        out.reasons.push_back(of_wait(run, w, facts));
    }
    for (const auto& a : facts.asked) {
        out.reasons.push_back({"question",
                               a.created_at,
                               {},
                               a.text + " (approval " + to_string(a.id) + ")",
                               fmt::format("troupe run answer {0} \"…\"  or  troupe run deny {0}", to_string(run.id))});
    }
    if (facts.model) {
        out.reasons.push_back({"provider",
                               {},
                               {},
                               "its model cannot be had: " + facts.model->detail,
                               "set the model's key or base URL and restart the node: troupe config show"});
    }
    if (const auto spent = used_up(run); !spent.empty()) {
        out.reasons.push_back({"budget",
                               run.updated_at,
                               {},
                               spent + " are used: its next model call ends it",
                               "start it again with more: troupe run start --max-steps N --max-tokens N …"});
    }
    if (!facts.node.sandbox.empty()) {
        out.reasons.push_back({"sandbox",
                               {},
                               {},
                               "commands that it calls are refused: " + facts.node.sandbox,
                               "install bubblewrap and restart the node: troupe problems sandbox_unavailable"});
    }
    if (run.status == run_status::queued) {
        out.reasons.push_back({"starting", run.created_at, {}, "its project and model are being prepared", ""});
    } else if (run.waiting.empty()) {
        explain_work(run, facts, out);
    }
}

// ---- tasks

void explain_queue(const task_document& task, const why_facts& facts, why_document& out) {
    const auto name = agent_name(facts, *task.agent_id);
    why_reason reason{
        "queue", task.updated_at, {}, "it waits in the queue of agent " + name, "troupe why agent " + name};
    if (facts.agent) {
        const auto& agent = *facts.agent;
        const auto at = std::ranges::find(agent.queued, task.id);
        if (at != agent.queued.end()) {
            const auto before = at - agent.queued.begin();
            reason.detail += fmt::format("; {} {} before it", before, before == 1 ? "task is" : "tasks are");
        }
        for (std::size_t i = 0; i < std::min(agent.running.size(), listed_max); ++i) {
            reason.detail += (i == 0 ? "; in work: task " : ", ") + to_string(agent.running[i]);
        }
        if (agent.running.size() > listed_max) {
            reason.detail += fmt::format(" and {} more", agent.running.size() - listed_max);
        }
        if (agent.paused) {
            reason.detail += "; the agent is paused";
            reason.remedy = "troupe agent resume " + name;
        } else if (agent.status == agent_status::offline) {
            reason.detail += "; the agent is stopped";
            reason.remedy = "troupe agent start " + name;
        }
    }
    out.reasons.push_back(std::move(reason));
}

void explain(const task_document& task, const why_facts& facts, why_document& out) {
    const auto id = to_string(task.id);
    auto status = word_of(task.status);
    std::ranges::replace(status, '_', ' ');
    out.summary = "The task is " + status + ".";
    if (task.status == task_status::inbox && !task.agent_id) {
        out.reasons.push_back({"unassigned",
                               task.created_at,
                               {},
                               task.error ? *task.error : "no agent has it",
                               "troupe task assign " + id + " AGENT"});
    } else if (task.status == task_status::assigned && task.agent_id) {
        explain_queue(task, facts, out);
    } else if (task.status == task_status::in_progress && task.run_id) {
        out.reasons.push_back({"working",
                               task.updated_at,
                               {},
                               "run " + to_string(*task.run_id) + " works on it",
                               "troupe why run " + to_string(*task.run_id)});
        if (facts.run) {
            for (const auto& w : facts.run->waiting) {
                out.reasons.push_back(of_wait(*facts.run, w, facts));
            }
        }
    } else if (task.status == task_status::review) {
        out.reasons.push_back({"review",
                               task.updated_at,
                               {},
                               "it is done and waits for a person's look",
                               "troupe task move " + id + " done"});
    } else if (facts.run && facts.run->status == run_status::failed && !used_up(*facts.run).empty()) {
        explain_end(*facts.run, out);
    } else if (task.error) {
        out.reasons.push_back({"ended", task.updated_at, {}, *task.error, ""});
    }
}

// ---- the others

void explain(const agent_document& agent, const why_facts&, why_document& out) {
    const auto& name = agent.settings.name;
    out.summary = fmt::format("The agent is {}: {} of {} tasks in work, {} queued.", word_of(agent.status),
                              agent.running.size(), agent.settings.max_concurrent_tasks, agent.queued.size());
    if (agent.error) {
        out.reasons.push_back({"error", agent.updated_at, {}, *agent.error, "troupe agent show " + name});
    }
    if (agent.paused) {
        out.reasons.push_back(
            {"paused", agent.updated_at, {}, "it starts no task until it is resumed", "troupe agent resume " + name});
    }
    if (agent.status == agent_status::offline) {
        out.reasons.push_back({"stopped", agent.updated_at, {}, "it was stopped", "troupe agent start " + name});
    }
    if (!agent.queued.empty() && agent.running.size() >= agent.settings.max_concurrent_tasks) {
        out.reasons.push_back(
            {"queue",
             {},
             {},
             fmt::format("{} tasks wait, task {} is next: max_concurrent_tasks ({}) is reached", agent.queued.size(),
                         to_string(agent.queued.front()), agent.settings.max_concurrent_tasks),
             "wait, or give some of them to another agent: troupe task assign TASK AGENT"});
    }
    for (std::size_t i = 0; i < std::min(agent.running.size(), listed_max); ++i) {
        const auto task = to_string(agent.running[i]);
        out.reasons.push_back({"working", {}, {}, "task " + task, "troupe why task " + task});
    }
    if (agent.running.size() > listed_max) {
        out.reasons.push_back({"working",
                               {},
                               {},
                               fmt::format("and {} tasks more", agent.running.size() - listed_max),
                               "troupe task list --agent " + name});
    }
}

void explain(const approval_document& approval, const why_facts&, why_document& out) {
    out.summary = "The approval is " + word_of(approval.status) + ".";
    if (approval.status == approval_status::pending) {
        out.reasons.push_back({"person",
                               approval.created_at,
                               {},
                               approval.text + " (run " + to_string(approval.run_id) + ")",
                               "troupe approval decide " + to_string(approval.id)});
    }
}

void explain(const project_document&, const why_facts& facts, why_document& out) {
    const auto count = facts.project_runs.size();
    out.summary = count == 0 ? "No run works on the project."
                             : fmt::format("{} {} on the project.", count, count == 1 ? "run works" : "runs work");
    for (std::size_t i = 0; i < std::min(count, listed_max); ++i) {
        const auto& run = facts.project_runs[i];
        out.reasons.push_back({"working",
                               run.started_at,
                               {},
                               fmt::format("run {} is {}", to_string(run.id), word_of(run.status)),
                               "troupe why run " + to_string(run.id)});
    }
    if (count > 1) {
        out.reasons.push_back({"turn",
                               {},
                               {},
                               "they share its folder: tools that may write take turns, from their start to their save",
                               "troupe run list"});
    }
}

template <class Document>
bool explain_as(std::string_view document, const why_facts& facts, why_document& out) {
    auto decoded = from_json<Document>(document, strictness::stored);
    if (decoded) {
        explain(*decoded, facts, out);
    }
    return decoded.has_value();
}

} // namespace

why_document explain_waiting(std::string_view kind, const uuid& id, std::string_view document, const why_facts& facts) {
    why_document out{std::string(kind), id, "", {}};
    explain_host(kind, id, facts, out);
    explain_node(facts.node, out);
    if (document.empty()) {
        out.summary = "It has no document: nothing of it was ever accepted, or it was deleted.";
    } else if (kind == "run") {
        explain_as<run_document>(document, facts, out);
    } else if (kind == "task") {
        explain_as<task_document>(document, facts, out);
    } else if (kind == "agent") {
        explain_as<agent_document>(document, facts, out);
    } else if (kind == "approval") {
        explain_as<approval_document>(document, facts, out);
    } else if (kind == "project") {
        explain_as<project_document>(document, facts, out);
    }
    explain_timers(facts, out);
    if (out.summary.empty()) {
        out.summary = out.reasons.empty() ? "It waits for nothing." : "It exists.";
    }
    return out;
}

} // namespace troupe::actors
