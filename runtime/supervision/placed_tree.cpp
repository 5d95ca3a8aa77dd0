#include "runtime/supervision/placed_tree.hpp"

#include "runtime/supervision/part.hpp"

#include <caf/actor_system.hpp>
#include <caf/exit_reason.hpp>

namespace troupe::runtime {

namespace {

/// Children are given up one by one, so these have nothing to count.
constexpr std::size_t restarts_of_supervisors = 50;

} // namespace

supervised_child placed_tree::child() {
    auto out = supervisor_child({.id = "placed", .kind = child_kind::supervisor},
                                {.restarts_max = restarts_of_supervisors}, {}, &tree_);
    out.start = [this, start = std::move(out.start)](const child_context& context) {
        auto made = start(context);
        const std::lock_guard lock(mutex_);
        top_ = made;
        for (const auto& known : supervisors_) { // a supervisor that is started again has only what it began with
            add_child(top_, supervisor_named(known.first));
        }
        return made;
    };
    return out;
}

supervised_child placed_tree::supervisor_named(const std::string& name) {
    auto out = supervisor_child({.id = name, .kind = child_kind::supervisor}, {.restarts_max = restarts_of_supervisors},
                                {}, &tree_);
    out.start = [this, name, start = std::move(out.start)](const child_context& context) {
        auto made = start(context);
        on_started(name, made);
        return made;
    };
    return out;
}

/// What an earlier one had went with it.
void placed_tree::on_started(const std::string& name, const caf::actor& actor) {
    std::map<std::string, over_function> lost;
    {
        const std::lock_guard lock(mutex_);
        auto& known = supervisors_[name];
        known.actor = actor;
        lost.swap(known.told);
    }
    for (const auto& [id, over] : lost) {
        over(std::nullopt);
    }
}

void placed_tree::add_supervisor(const std::string& name) {
    const std::lock_guard lock(mutex_);
    if (supervisors_.try_emplace(name).second && top_) {
        add_child(top_, supervisor_named(name));
    }
}

void placed_tree::start(placed_start what) {
    const auto id = what.part.id;
    auto below = part_child(std::move(what.part));
    auto child =
        supervisor_child({.id = id, .restart = restart_policy::temporary, .label = "placed"},
                         {.restarts_max = what.restarts_max, .window_ms = what.window_ms}, {std::move(below)}, &tree_);
    child.start = [start = std::move(child.start), over = what.over](const child_context& context) {
        auto made = start(context);
        made->attach_functor([over, system = &context.system](const caf::error& reason) {
            const bool told = !reason || reason == caf::exit_reason::user_shutdown || reason == caf::exit_reason::kill;
            over(told ? std::nullopt : std::optional(failure_text(reason, *system)));
        });
        return made;
    };
    caf::actor to;
    {
        const std::lock_guard lock(mutex_);
        auto& known = supervisors_[what.supervisor];
        to = known.actor;
        if (to) {
            known.told[id] = what.over;
        }
    }
    if (!to) {
        what.over(std::nullopt); // tried again
        return;
    }
    add_child(to, std::move(child), [over = what.over](const expected<void>& added) {
        if (!added) { // the one before has not quite ended
            over(std::nullopt);
        }
    });
}

void placed_tree::stop(const std::string& supervisor, const std::string& child) {
    const std::lock_guard lock(mutex_);
    const auto found = supervisors_.find(supervisor);
    if (found != supervisors_.end() && found->second.actor) {
        remove_child(found->second.actor, child);
    }
}

} // namespace troupe::runtime
