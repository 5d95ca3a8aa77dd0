#include "schemas/run_history.hpp"
#include "bin/cli/print.hpp"
#include "bin/cli/resolve.hpp"
#include "bin/cli/run_start.hpp"
#include "bin/cli/show.hpp"
#include "bin/cli/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

/// Going back in runs.
namespace troupe::cli {
namespace {

constexpr std::uint64_t step_max = 1'000'000;

std::string_view words_of(step_comparison c) {
    switch (c) {
    case step_comparison::left_only:
        return "only left";
    case step_comparison::right_only:
        return "only right";
    case step_comparison::same:
    case step_comparison::changed:
    case step_comparison::shared:
        break;
    }
    return detail::enum_name(c);
}

expected<std::string> path_of(context& c, api& node, std::size_t operand, std::string_view rest) {
    const auto id = resolve_run(node, c.args().operand(operand));
    return id ? expected<std::string>("/runs/" + to_string(*id) + std::string(rest))
              : expected<std::string>(id.error());
}

// ---- fork

expected<fork_run_body> fork_body(const arguments& args) {
    fork_run_body body;
    const auto step = args.number("step", 0, step_max);
    if (!step) {
        return step.error();
    }
    if (!*step) {
        return problem{code::invalid_request, "--step N is missing: the last step that the new run keeps of this one. "
                                              "`troupe run steps RUN` lists them."};
    }
    body.step = static_cast<std::uint32_t>(**step);
    body.message = args.text_from(1);
    body.goal = args.value("goal");
    body.instructions = args.value("instructions");
    body.model = args.value("model");
    body.tools = policies_of(args);
    return body;
}

expected<int> run_fork(context& c) {
    const auto body = fork_body(c.args());
    if (!body) {
        return c.usage(body.error());
    }
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    const auto path = path_of(c, **node, 0, "/fork");
    return path ? follow_run(c, (*node)->post(*path, to_json(*body))) : expected<int>(path.error());
}

// ---- what the model saw

std::string show_context(const screen& s, const context_document& d) {
    std::string out;
    for (const auto& m : d.messages) {
        const auto who = m.tool_name.empty() ? m.role : "result of " + m.tool_name;
        out += paint(s, m.is_error ? tone::bad : tone::accent, who) + "\n";
        const auto text = clean(m.content);
        out += text.empty() ? "" : text + (text.back() == '\n' ? "" : "\n");
        for (const auto& call : m.tool_calls) {
            out += paint(s, tone::faint, "calls " + clean_line(call.text)) + "\n";
        }
        out += "\n";
    }
    return out + paint(s, tone::faint,
                       fmt::format("{} messages to {}, at most {} tokens back; tools: {}\n", d.messages.size(), d.model,
                                   d.output_tokens_max, fmt::join(d.tools, ", ")));
}

expected<int> run_context(context& c) {
    const auto step = c.args().number("step", 1, step_max);
    if (!step || !*step) {
        return c.usage(step ? problem{code::invalid_request, "--step N is missing: which call of the model."}
                            : step.error());
    }
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    const auto path = path_of(c, **node, 0, fmt::format("/steps/{}/context", **step));
    return path ? print_document<context_document>(c, (*node)->get(*path),
                                                   [&](const auto& d) { return show_context(c.out_screen(), d); })
                : expected<int>(path.error());
}

// ---- two runs

cell side(const std::optional<step_document>& step, tone t) {
    if (!step) {
        return {"", tone::faint};
    }
    const auto what = step->type == step_type::model ? step->content : step->tool + " " + step->arguments.text;
    return {(step->error ? "✗ " : "") + clean_line(what), t};
}

std::string show_comparison(const screen& s, const run_comparison& d) {
    std::vector<std::vector<cell>> rows;
    for (const auto& one : d.steps) {
        const bool alike = one.comparison == step_comparison::same || one.comparison == step_comparison::shared;
        const auto how = one.comparison == step_comparison::changed
                             ? fmt::format("{} differ", fmt::join(one.differs, ", "))
                             : std::string(words_of(one.comparison));
        const auto t = alike ? tone::faint : tone::plain;
        rows.push_back(
            {{one.key, tone::accent}, {how, alike ? tone::faint : tone::warn}, side(one.left, t), side(one.right, t)});
    }
    const auto total = [](const run_document& r) {
        return fmt::format("{}: {} steps, {} tokens, {}", short_id(r.id), r.used.steps, count_text(r.used.tokens),
                           detail::enum_name(r.status));
    };
    return details(s, {{"left", {total(d.left)}},
                       {"right", {total(d.right)}},
                       {"differ from",
                        {d.first_difference.value_or("nowhere"), d.first_difference ? tone::warn : tone::good}}}) +
           "\n" + table(s, {{"STEP"}, {"COMPARED"}, {"LEFT", false, true, 16}, {"RIGHT", false, true, 16}}, rows) +
           (d.next_after ? paint(s, tone::faint, "There are more: --after " + *d.next_after + "\n") : "");
}

expected<int> run_compare(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    const auto other = resolve_run(**node, c.args().operand(1));
    if (!other) {
        return other.error();
    }
    const auto after = c.args().value_or("after", "");
    const auto path =
        path_of(c, **node, 0, "/compare?with=" + to_string(*other) + (after.empty() ? "" : "&after=" + after));
    return path ? print_document<run_comparison>(c, (*node)->get(*path),
                                                 [&](const auto& d) { return show_comparison(c.out_screen(), d); })
                : expected<int>(path.error());
}

// ---- replay

std::string show_replay(const screen& s, const replay_document& d) {
    const auto counted = fmt::format("{} events of {} decisions, with {} replies of models and {} results of tools",
                                     d.events, d.commands, d.model_calls, d.tool_calls);
    if (d.identical) {
        return paint(s, tone::good, "✓ identical") + ": " + counted + "\n";
    }
    const auto& at = d.divergence;
    return paint(s, tone::bad, "✗ not the same") + ": " + counted + " were\n" +
           (at ? details(s, {{"event", {std::to_string(at->event)}},
                             {"recorded", {at->type + " " + clean_line(at->recorded.text)}},
                             {"decided again", {at->replayed_type + " " + clean_line(at->replayed.text)}}})
               : "");
}

expected<int> run_replay(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    const auto path = path_of(c, **node, 0, "/replay");
    const auto body = path ? (*node)->get(*path) : expected<std::string>(path.error());
    const auto shown =
        print_document<replay_document>(c, body, [&](const auto& d) { return show_replay(c.out_screen(), d); });
    const auto document =
        body ? from_json<replay_document>(*body, strictness::stored) : expected<replay_document>(body.error());
    return shown && document && !document->identical ? expected<int>(1) : shown;
}

command fork_command() {
    std::vector<flag> flags{{"step", "N", "The last step that the new run has in common with this one; 0: none."},
                            {"goal", "TEXT", "Another goal."},
                            {"model", "M", "Another model.", 'm'},
                            {"instructions", "TEXT", "Other instructions."},
                            {"detach", "", "Only start it, and print its id.", 'd'}};
    std::ranges::copy(policy_flags(), std::back_inserter(flags));
    return {"run fork",
            "Start a run that goes on where a step of another one had ended, with other input. Nothing is done again; "
            "files are as they are now.",
            {.flags = std::move(flags), .operands = "RUN [MESSAGE]", .operands_min = 1, .operands_max = any_number},
            "troupe run fork 018f3c1e-7d2a --step 3 do it without changing the tests\n"
            "troupe run fork 018f3c1e-7d2a --step 0 --model openai/gpt-4.1",
            run_fork};
}

} // namespace

std::vector<command> run_history_commands() {
    return {
        fork_command(),
        {"run context",
         "What the model was given at a step.",
         {.flags = {{"step", "N", "Which call of the model."}},
          .operands = "RUN",
          .operands_min = 1,
          .operands_max = 1},
         "troupe run context 018f3c1e-7d2a --step 2",
         run_context},
        {"run compare",
         "Two runs, step by step.",
         {.flags = {{"after", "STEP", "Only steps after this one."}},
          .operands = "RUN RUN",
          .operands_min = 2,
          .operands_max = 2},
         "troupe run compare 018f3c1e-7d2a 018f3c20-11b0",
         run_compare},
        {"run replay",
         "Decide a run again from what was recorded, without asking any model, tool or person; says whether it comes "
         "to "
         "the same, and ends with status 1 when it does not.",
         {.operands = "RUN", .operands_min = 1, .operands_max = 1},
         "troupe run replay 018f3c1e-7d2a",
         run_replay},
    };
}

} // namespace troupe::cli
