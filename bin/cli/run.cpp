#include "bin/cli/decide.hpp"
#include "bin/cli/print.hpp"
#include "bin/cli/render_run.hpp"
#include "bin/cli/resolve.hpp"
#include "bin/cli/run_start.hpp"
#include "bin/cli/show.hpp"
#include "bin/cli/watch.hpp"

#include <fmt/format.h>

#include <utility>

namespace troupe::cli {
namespace {

/// The node and the run that the first operand names.
struct named_run {
    api* node = nullptr;
    uuid id;
    [[nodiscard]] std::string path(std::string_view rest = "") const {
        return "/runs/" + to_string(id) + std::string(rest);
    }
};

expected<named_run> find_run(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    auto id = resolve_run(**node, c.args().operand(0));
    return id ? expected<named_run>(named_run{*node, *id}) : expected<named_run>(id.error());
}

expected<int> run_watch(context& c) {
    const auto run = find_run(c);
    return run ? watch_run(c, run->id) : expected<int>(run.error());
}

expected<int> run_list(context& c) {
    return print_list<run_document>(c, "/runs", {{"status", c.args().value_or("status", "")}},
                                    "No runs. Start one with `troupe run start \"GOAL\"`.",
                                    [&](const auto& runs) { return show_runs(c.out_screen(), runs, c.now()); });
}

expected<int> run_show(context& c) {
    const auto run = find_run(c);
    if (!run) {
        return run.error();
    }
    return print_document<run_document>(c, run->node->get(run->path()),
                                        [&](const auto& r) { return show_run(c.out_screen(), r, c.now()); });
}

expected<int> run_steps(context& c) {
    const auto run = find_run(c);
    if (!run) {
        return run.error();
    }
    return print_list<step_document>(c, run->path("/steps"), {}, "No steps yet.",
                                     [&](const auto& steps) { return show_steps(c.out_screen(), steps); });
}

expected<int> run_diff(context& c) {
    const auto run = find_run(c);
    if (!run) {
        return run.error();
    }
    auto diff = run->node->get(run->path("/diff"), "text/x-diff");
    if (!diff) {
        return diff.error();
    }
    if (c.json()) {
        c.print_json("{\"diff\":" + json::quoted(*diff) + "}");
    } else if (diff->empty()) {
        c.note("The run changed nothing in the project.");
    } else {
        // Not to a terminal: as it is, so that `git apply` can read it.
        c.print(c.out_screen().interactive ? diff_text(c.out_screen(), *diff, "", 0) : *diff);
    }
    return 0;
}

expected<int> run_cancel(context& c) {
    const auto run = find_run(c);
    if (!run) {
        return run.error();
    }
    return print_document<run_document>(
        c, run->node->post(run->path("/cancel"), to_json(cancel_run_body{c.args().text_from(1)})),
        [&](const auto& r) { return show_run(c.out_screen(), r, c.now()); });
}

expected<int> decide_for(context& c, decision d) {
    const auto run = find_run(c);
    if (!run) {
        return run.error();
    }
    const auto pending = pending_approvals(*run->node, run->id);
    if (!pending) {
        return pending.error();
    }
    const auto approval = pick_approval(*pending, d, short_id(run->id));
    if (!approval) {
        return approval.error();
    }
    decide_approval_body body{d, c.args().text_from(1), std::nullopt};
    if (const auto arguments = c.args().value("arguments")) {
        auto checked = json::make_raw(*arguments);
        if (!checked) {
            return c.usage({code::invalid_request, "--arguments is no JSON: " + checked.error().detail});
        }
        body.arguments = std::move(*checked);
    }
    if (auto remembered = read_remember(c.args(), body); !remembered) {
        return c.usage(remembered.error());
    }
    const auto decided = decide(*run->node, approval->id, body);
    if (!decided) {
        return decided.error();
    }
    c.json() ? c.print_json(to_json(*decided)) : c.print(show_approval(c.out_screen(), *decided, c.now()));
    return 0;
}

expected<int> run_approve(context& c) { return decide_for(c, decision::approve); }
expected<int> run_deny(context& c) { return decide_for(c, decision::deny); }
expected<int> run_answer(context& c) { return decide_for(c, decision::answer); }
expected<int> run_retry(context& c) { return decide_for(c, decision::retry); }
expected<int> run_skip(context& c) { return decide_for(c, decision::skip); }

grammar one_run() { return {.operands = "RUN", .operands_min = 1, .operands_max = 1}; }
grammar run_and(std::string_view operands, std::size_t min) {
    return {.operands = operands, .operands_min = min, .operands_max = any_number};
}

} // namespace

std::vector<command> run_commands() {
    return {
        run_start_command(),
        {"run watch", "Show a run from its beginning until it ends; asks for approvals on a terminal.", one_run(),
         "troupe run watch 018f3c1e-7d2a\ntroupe run watch 018f3c1e-7d2a --json | jq .kind", run_watch},
        {"run list",
         "Runs, newest first.",
         {.flags = {{"status", "STATUS", "queued, running, waiting, succeeded, failed or cancelled."}, limit_flag()}},
         "troupe run list --status waiting",
         run_list},
        {"run show", "What a run is, what it used and what it waits for.", one_run(), "troupe run show 018f3c1e-7d2a",
         run_show},
        {"run steps",
         "The steps of a run, oldest first.",
         {.flags = {limit_flag()}, .operands = "RUN", .operands_min = 1, .operands_max = 1},
         "troupe run steps 018f3c1e-7d2a",
         run_steps},
        {"run diff", "What a run changed in its project, as a diff.", one_run(),
         "troupe run diff 018f3c1e-7d2a | git apply", run_diff},
        {"run approve",
         "Let a run make the call that it asks for.",
         {.flags = with_remember_flags({{"arguments", "JSON", "Arguments to use instead of the model's."}}),
          .operands = "RUN",
          .operands_min = 1,
          .operands_max = 1},
         "troupe run approve 018f3c1e-7d2a\ntroupe run approve 018f3c1e-7d2a --arguments '{\"command\": \"make "
         "test\"}'",
         run_approve},
        {"run deny", "Refuse the call that a run asks for; the model reads the reason.", run_and("RUN [REASON]", 1),
         "troupe run deny 018f3c1e-7d2a do not delete anything", run_deny},
        {"run answer", "Answer the question of a run.", run_and("RUN TEXT", 2),
         "troupe run answer 018f3c1e-7d2a use port 8080", run_answer},
        {"run retry", "Make a step again of which nobody knows whether it happened.", one_run(),
         "troupe run retry 018f3c1e-7d2a", run_retry},
        {"run skip", "Go on without a step of which nobody knows whether it happened.", one_run(),
         "troupe run skip 018f3c1e-7d2a", run_skip},
        {"run cancel", "End a run.", run_and("RUN [REASON]", 1), "troupe run cancel 018f3c1e-7d2a wrong branch",
         run_cancel},
    };
}

} // namespace troupe::cli
