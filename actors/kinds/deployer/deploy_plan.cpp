#include "actors/kinds/deployer/deploy_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace troupe::actors {

namespace {

constexpr int all = 100;

/// The last one done is undone first; each kind once.
std::vector<planned_step> undo_of(const std::vector<planned_step>& steps, std::size_t begun) {
    std::vector<planned_step> out;
    for (std::size_t i = begun; i-- > 0;) {
        const auto undo = [&](deploy_step what) {
            if (std::ranges::find(out, what, &planned_step::step) == out.end()) {
                out.push_back({what, 0});
            }
        };
        switch (steps[i].step) {
        case deploy_step::change:
            undo(deploy_step::change_back);
            break;
        case deploy_step::prepare:
            undo(deploy_step::withdraw);
            break;
        case deploy_step::release:
            undo(deploy_step::discard);
            break;
        default:
            break;
        }
    }
    return out;
}

} // namespace

expected<std::vector<planned_step>> plan_steps(const runtime::deploy_target& target, deploy_strategy strategy,
                                               int canary_percent) {
    const auto cannot = [&](std::string_view why) {
        return problem{code::invalid_request, fmt::format("the target {} cannot be deployed to with {}: {}",
                                                          target.name, troupe::detail::enum_name(strategy), why)};
    };
    const bool beside = strategy != deploy_strategy::all_at_once;
    if (beside && (target.is_process() ? target.ports.size() < 2 : target.prepare.empty())) {
        return cannot(target.is_process() ? "it has one port only" : "it declares no command `prepare`");
    }
    if (strategy == deploy_strategy::canary && target.change.empty()) {
        return cannot("it declares no command `change`, which divides the use");
    }
    if (strategy == deploy_strategy::canary && (canary_percent < 1 || canary_percent >= all)) {
        return cannot("the canary takes 1 to 99 percent");
    }
    std::vector<planned_step> out;
    if (!target.build.empty()) {
        out.push_back({deploy_step::build, 0});
    }
    if (!target.test.empty()) {
        out.push_back({deploy_step::test, 0});
    }
    out.push_back({deploy_step::release, 0});
    if (beside) {
        out.push_back({deploy_step::prepare, 0});
        out.push_back({deploy_step::check, 0});
    }
    if (strategy == deploy_strategy::canary) {
        out.push_back({deploy_step::change, canary_percent});
        out.push_back({deploy_step::watch, 0});
    }
    out.push_back({deploy_step::change, all});
    if (!beside) {
        out.push_back({deploy_step::check, 0});
    }
    out.push_back({deploy_step::watch, 0});
    out.push_back({deploy_step::retire, 0});
    return out;
}

std::string describe(const planned_step& step) {
    const std::string name(troupe::detail::enum_name(step.step));
    switch (step.step) {
    case deploy_step::build:
        return name + ": the project is built";
    case deploy_step::test:
        return name + ": its tests are run";
    case deploy_step::release:
        return name + ": what is deployed is put aside";
    case deploy_step::prepare:
        return name + ": the new one is brought up beside the one in use";
    case deploy_step::check:
        return name + ": it has to become healthy";
    case deploy_step::change:
        return fmt::format("{}: {} % of the use goes to the new one", name, step.percent);
    case deploy_step::watch:
        return name + ": it has to stay healthy";
    case deploy_step::retire:
        return name + ": the one before ends";
    case deploy_step::change_back:
        return name + ": all use goes back to the one before";
    case deploy_step::withdraw:
        return name + ": what was brought up ends";
    case deploy_step::discard:
        return name + ": the release is removed";
    }
    return name;
}

std::optional<planned_step> deployment::next() const {
    return at_ < steps_.size() ? std::optional(steps_[at_]) : std::nullopt;
}

void deployment::told(bool succeeded, std::string why) {
    const auto step = next();
    if (!step) {
        return;
    }
    ++at_;
    ++number_;
    percent_ = step->step == deploy_step::change ? step->percent : percent_;
    if (succeeded) {
        return;
    }
    const auto words = fmt::format("{}: {}", troupe::detail::enum_name(step->step), why);
    if (undoing_ || step->step == deploy_step::retire) {
        left_.push_back(words); // The rest is done all the same.
        return;
    }
    why_ = words;
    undoing_ = true;
    steps_ = undo_of(steps_, at_);
    at_ = 0;
}

} // namespace troupe::actors
