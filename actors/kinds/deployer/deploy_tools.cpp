#include "actors/kinds/deployer/deploy_tools.hpp"

#include "actors/kinds/deployer/deploy_steps.hpp"
#include "actors/tool/tool_performers.hpp"

#include <fmt/format.h>

#include <utility>

namespace troupe::actors {

namespace {

using runtime::deploy_target;

constexpr std::size_t why_bytes_max = 1000;

expected<const deploy_target*> target_of(const deploy_desk* desk, const std::string& name) {
    if (desk == nullptr || desk->targets().empty()) {
        return problem{code::unavailable, "nothing can be deployed from here: the node's operator declared no targets "
                                          "(deploy.json in its data)"};
    }
    if (const auto* found = desk->find(name)) {
        return found;
    }
    std::string names;
    for (const auto& t : desk->targets()) {
        names += (names.empty() ? "" : ", ") + t.name;
    }
    return problem{code::not_found, fmt::format("there is no target {}; there are {}", name, names)};
}

std::string text_of(const std::vector<planned_step>& steps) {
    std::string out;
    for (const auto& step : steps) {
        out += "- " + describe(step) + '\n';
    }
    return out;
}

/// Goes on until it is over. Words of what was done; a problem: the journal cannot be written, so nothing goes on.
expected<std::string> go_on(deploy_desk& desk, deploy_journal& journal, deploy_record& record,
                            const deploy_target& target, const tool_environment& where) {
    std::string words;
    auto& progress = record.progress;
    deploy_steps steps(desk, target, record.header, progress.percent(), where);
    while (const auto step = progress.next()) {
        const auto number = progress.number();
        if (auto written = journal.step_begun(number, *step); !written) {
            return written.error();
        }
        if (where.on_output) {
            where.on_output(false, describe(*step) + '\n');
        }
        const auto done = steps.perform(*step, number);
        const auto why = done ? *done : done.error().detail;
        if (auto written = journal.step_ended(number, done.has_value(), why); !written) {
            return written.error();
        }
        progress.told(done.has_value(), why);
        words += fmt::format("{}: {}{}{}\n", troupe::detail::enum_name(step->step), done ? "done" : "failed",
                             why.empty() ? "" : ", ", shorten(why, why_bytes_max));
    }
    return words;
}

/// What was begun to that target and never ended is undone before anything else. Empty: there was nothing.
expected<std::string> undo_unfinished(deploy_desk& desk, deploy_journal& journal, deploy_record& record,
                                      const deploy_target& target, const tool_environment& where) {
    if (record.progress.is_over()) {
        return std::string();
    }
    const auto step = record.progress.next();
    if (!record.progress.is_undoing() && step->step != deploy_step::retire) {
        const std::string why = "its run was given up";
        if (auto written = journal.step_ended(record.progress.number(), false, why); !written) {
            return written.error();
        }
        record.progress.told(false, why);
    }
    auto words = go_on(desk, journal, record, target, where);
    return words ? expected<std::string>(fmt::format("The deployment of release {} before this one was never ended; "
                                                     "first it was rolled back:\n{}",
                                                     record.header.release, *words))
                 : words.error();
}

tool_result told(const deploy_record& record, const deploy_target& target, const std::string& words) {
    const auto& progress = record.progress;
    tool_result r;
    r.is_error = !progress.succeeded();
    r.content = fmt::format("deployed: {}, release: {}, rolled back: {}\ntarget: {}, strategy: {}\n{}",
                            progress.succeeded() ? "yes" : "no", record.header.release,
                            progress.is_undoing() ? (progress.left().empty() ? "yes" : "not whole") : "no", target.name,
                            troupe::detail::enum_name(record.header.strategy), words);
    if (!progress.why().empty()) {
        r.content += "It failed at " + progress.why() + '\n';
    }
    for (const auto& left : progress.left()) {
        r.content += "A person has to look: " + left + '\n';
    }
    r.content = shorten(r.content, tool_content_bytes_max);
    r.details.text.clear();
    json::object_writer w(r.details.text);
    w.field("target", target.name).field("release", record.header.release).field("deployed", progress.succeeded());
    w.field("rolled_back", progress.is_undoing()).field("verified", progress.succeeded());
    w.end();
    return r;
}

tool_result plan_only(const deploy_arguments& a, const deploy_target& target, const std::vector<planned_step>& steps) {
    const auto state = deploy_desk::read(target);
    if (!state) {
        return refuse(state.error());
    }
    tool_result r;
    r.content = fmt::format(
        "plan: release {} of {} with {}; nothing was done\n{}In use now: {}\nWhere a step fails, "
        "what was done before it is undone in reverse.\n",
        deploy_steps::next_release(target), target.name, troupe::detail::enum_name(a.strategy), text_of(steps),
        state->active ? fmt::format("release {} on port {}", state->active->release, state->active->port)
                      : "nothing that this node serves");
    r.details.text = R"({"dry_run":true})";
    return r;
}

} // namespace

tool_result deploy(const deploy_arguments& a, const tool_environment& where) {
    const auto target = target_of(where.deployments, a.target);
    if (!target) {
        return refuse(target.error());
    }
    const auto& to = **target;
    auto steps = plan_steps(to, a.strategy, a.percent);
    if (!steps) {
        return refuse(steps.error());
    }
    if (a.dry_run) {
        return plan_only(a, to, *steps);
    }
    auto journal = deploy_journal::open(to);
    auto found = journal ? journal->read() : journal.error();
    if (!found) {
        return refuse(found.error());
    }
    std::string words;
    if (*found && (*found)->header.id == where.key) { // this very call, before its node died
        words = "The node stopped meanwhile; the deployment went on where it was.\n";
    } else {
        auto undone = *found ? undo_unfinished(*where.deployments, *journal, **found, to, where) : std::string();
        if (!undone) {
            return refuse(undone.error());
        }
        words = std::move(*undone);
        const deploy_header header{where.key, a.strategy, a.percent, deploy_steps::next_release(to)};
        if (auto begun = journal->begin(header); !begun) {
            return refuse(begun.error());
        }
        *found = deploy_record{header, deployment(std::move(*steps)), false};
    }
    auto done = go_on(*where.deployments, *journal, **found, to, where);
    if (!done) {
        return refuse(done.error());
    }
    return told(**found, to, words + *done);
}

tool_result show_deploy_targets(const deploy_targets_arguments&, const tool_environment& where) {
    if (where.deployments == nullptr || where.deployments->targets().empty()) {
        return refuse(
            "nothing can be deployed from here: the node's operator declared no targets (deploy.json in its data)");
    }
    tool_result r;
    for (const auto& t : where.deployments->targets()) {
        const auto state = deploy_desk::read(t);
        std::string strategies;
        for (const auto one : {deploy_strategy::all_at_once, deploy_strategy::blue_green, deploy_strategy::canary}) {
            if (plan_steps(t, one, 10)) {
                strategies += fmt::format("{}{}", strategies.empty() ? "" : ", ", troupe::detail::enum_name(one));
            }
        }
        const auto in_use = !state ? state.error().detail
                            : state->active
                                ? fmt::format("release {} on port {}", state->active->release, state->active->port)
                                : "nothing";
        r.content +=
            fmt::format("{}: {}; strategies: {}{}\n", t.name, t.is_process() ? "run by the node" : "by commands",
                        strategies, t.is_process() ? "; in use: " + in_use : "");
    }
    return r;
}

} // namespace troupe::actors
