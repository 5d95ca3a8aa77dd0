#include "runtime/supervision/supervisor_core.hpp"
#include "schemas/base/duration.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

namespace troupe::runtime {

namespace {

/// A killed actor ends with its current handler; one that is still there after this is stuck in it.
constexpr std::int64_t kill_grace_ms = 2000;
constexpr std::size_t id_bytes_max = 200;

using what = supervisor_action::type;
using state = supervisor_core::child_state;

bool is_id(std::string_view id) {
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("_-.~:@").find(c) != std::string_view::npos;
    };
    return !id.empty() && id.size() <= id_bytes_max && std::ranges::all_of(id, allowed);
}

bool is_alive(const supervisor_core::child& c) {
    return c.state == state::running || c.state == state::stopping || c.state == state::killed;
}

problem refuse(code c, std::string detail) { return {.code = c, .detail = std::move(detail)}; }

expected<void> validate_child(const child_spec& c) {
    if (!is_id(c.id)) {
        return refuse(
            code::invalid_request,
            fmt::format("\"{}\" is no child id: use up to {} letters, digits and _-.~:@", c.id, id_bytes_max));
    }
    if (c.shutdown_ms < 0) {
        return refuse(code::invalid_request, fmt::format("child {}: shutdown_ms is negative", c.id));
    }
    return {};
}

} // namespace

std::int64_t shutdown_ms_of(const std::vector<child_spec>& children) {
    std::int64_t out = 0;
    for (const auto& c : children) {
        out += c.shutdown_ms + kill_grace_ms;
    }
    return out;
}

std::string describe(const child_spec& spec) {
    const auto restart = spec.restart == restart_policy::permanent   ? "permanent"
                         : spec.restart == restart_policy::transient ? "transient"
                                                                     : "temporary";
    const auto end = spec.shutdown_ms == 0 ? std::string("killed at the end") : span_text(spec.shutdown_ms) + " to end";
    return fmt::format("{}, {}{}{}", restart, end, spec.strategy.empty() ? "" : "; children ", spec.strategy);
}

std::string describe(const supervisor_spec& spec) {
    const auto strategy = spec.strategy == restart_strategy::one_for_one   ? "one_for_one"
                          : spec.strategy == restart_strategy::one_for_all ? "one_for_all"
                                                                           : "rest_for_one";
    return fmt::format("{}, up to {} failures in {} s", strategy, spec.restarts_max, spec.window_ms / 1000);
}

expected<void> validate(const supervisor_spec& spec) {
    const auto& wait = spec.wait;
    if (spec.window_ms <= 0 || wait.first_ms < 0 || wait.max_ms < wait.first_ms || wait.quiet_ms <= 0 ||
        wait.jitter < 0 || wait.jitter > 1) {
        return refuse(
            code::invalid_request,
            "a supervisor needs window_ms and quiet_ms over 0, 0 <= first_ms <= max_ms, and jitter from 0 to 1");
    }
    std::set<std::string_view> ids;
    for (const auto& c : spec.children) {
        if (auto valid = validate_child(c); !valid) {
            return valid;
        }
        if (!ids.insert(c.id).second) {
            return refuse(code::invalid_request, fmt::format("two children have the id {}", c.id));
        }
    }
    return {};
}

bool exceeds_intensity(const std::vector<std::int64_t>& history, std::int64_t now_ms, std::size_t restarts_max,
                       std::int64_t window_ms) {
    const auto recent = std::ranges::count_if(history, [&](std::int64_t at) { return now_ms - at < window_ms; });
    return static_cast<std::size_t>(recent) + 1 > restarts_max;
}

std::int64_t back_off_ms(const back_off& wait, std::uint32_t attempt, double random) {
    auto full = std::min(wait.first_ms, wait.max_ms);
    for (std::uint32_t i = 0; i < attempt && full > 0 && full < wait.max_ms; ++i) {
        full = full > wait.max_ms / 2 ? wait.max_ms : full * 2;
    }
    return full - static_cast<std::int64_t>(static_cast<double>(full) * wait.jitter * random);
}

supervisor_core::supervisor_core(supervisor_spec spec, std::function<double()> random)
    : spec_(std::move(spec)), random_(std::move(random)) {
    for (const auto& c : spec_.children) {
        children_.push_back({.spec = c});
    }
}

const supervisor_core::child* supervisor_core::find(std::string_view id) const {
    const auto found = std::ranges::find(children_, id, [](const child& c) -> std::string_view { return c.spec.id; });
    return found == children_.end() ? nullptr : &*found;
}

supervisor_core::child* supervisor_core::lookup(std::string_view id) {
    return const_cast<child*>(std::as_const(*this).find(id)); // the object is not const here
}

namespace {

void start_child(supervisor_core::child& c, supervisor_core::actions& out) {
    c.state = state::running;
    out.push_back({.what = what::start, .child = c.spec.id});
}

void stop_child(supervisor_core::child& c, std::int64_t now_ms, supervisor_core::actions& out) {
    const bool at_once = c.spec.shutdown_ms == 0;
    c.stop_wanted = false;
    c.state = at_once ? state::killed : state::stopping;
    c.patience_ms = now_ms + (at_once ? kill_grace_ms : c.spec.shutdown_ms);
    out.push_back({.what = at_once ? what::kill : what::stop, .child = c.spec.id});
}

bool is_stopping(const supervisor_core::child& c) { return c.state == state::stopping || c.state == state::killed; }

} // namespace

supervisor_core::actions supervisor_core::start(std::int64_t) {
    actions out;
    for (auto& c : children_) {
        start_child(c, out);
    }
    return out;
}

supervisor_core::actions supervisor_core::child_exited(std::string_view id, bool failed, std::string_view reason,
                                                       std::int64_t now_ms) {
    actions out;
    auto* c = lookup(id);
    if (!c || !is_alive(*c)) {
        return out;
    }
    const bool restarts =
        c->spec.restart == restart_policy::permanent || (c->spec.restart == restart_policy::transient && failed);
    if (c->state == state::running && !c->stop_wanted && phase_ == phase::running && restarts) {
        child_failed(static_cast<std::size_t>(c - children_.data()), reason, now_ms);
    } else {
        settle(*c);
    }
    proceed(now_ms, out);
    return out;
}

/// A child that has to be restarted went down: counts it, then lays out who restarts when.
void supervisor_core::child_failed(std::size_t index, std::string_view reason, std::int64_t now_ms) {
    std::erase_if(failures_, [&](std::int64_t at) { return now_ms - at >= spec_.window_ms; });
    const bool too_many = exceeds_intensity(failures_, now_ms, spec_.restarts_max, spec_.window_ms);
    failures_.push_back(now_ms);
    auto& c = children_[index];
    c.state = state::waiting;
    if (too_many) {
        escalation_ = fmt::format("{} failures within {}, the last of {}: {}", failures_.size(),
                                  span_text(spec_.window_ms), c.spec.id, reason);
        stop_all(phase::escalating);
        return;
    }
    const bool quiet = !c.last_failure_ms || now_ms - *c.last_failure_ms >= spec_.wait.quiet_ms;
    c.attempt = quiet ? 0 : c.attempt + 1;
    c.last_failure_ms = now_ms;
    c.restart_ms = now_ms + back_off_ms(spec_.wait, c.attempt, random_());
    if (spec_.strategy != restart_strategy::one_for_one) {
        restart_from(spec_.strategy == restart_strategy::one_for_all ? 0 : index);
    }
}

/// Those from `begin` on that run are stopped, and start together with those that wait already.
void supervisor_core::restart_from(std::size_t begin) {
    std::int64_t together_ms = 0;
    for (std::size_t i = begin; i < children_.size(); ++i) {
        auto& c = children_[i];
        if (c.state == state::running) {
            c.stop_wanted = true;
            c.start_after_stop = c.spec.restart != restart_policy::temporary;
        }
        together_ms = c.state == state::waiting ? std::max(together_ms, c.restart_ms) : together_ms;
    }
    for (std::size_t i = begin; i < children_.size(); ++i) {
        children_[i].restart_ms = together_ms;
    }
}

void supervisor_core::stop_all(phase next) {
    phase_ = next;
    for (auto& c : children_) {
        c.start_after_stop = false;
        c.stop_wanted = c.state == state::running;
        c.state = c.state == state::waiting ? state::ended : c.state;
    }
}

/// A child is gone and that was no failure to act on. Invalidates `c`: temporary children are forgotten.
void supervisor_core::settle(child& c) {
    const bool again = std::exchange(c.start_after_stop, false);
    c.stop_wanted = false;
    c.state = again ? state::waiting : state::ended;
    if (c.remove_after_stop || (!again && c.spec.restart == restart_policy::temporary)) {
        children_.erase(children_.begin() + (&c - children_.data()));
    }
}

/// A group starts only when the last of it has been stopped.
bool supervisor_core::may_start() const {
    return phase_ == phase::running &&
           (spec_.strategy == restart_strategy::one_for_one ||
            std::ranges::none_of(children_, [](const child& c) { return is_stopping(c) || c.stop_wanted; }));
}

/// Stops the next whose turn it is (the last first, one at a time), starts what is due, or ends.
void supervisor_core::proceed(std::int64_t now_ms, actions& out) {
    if (std::ranges::none_of(children_, is_stopping)) {
        const auto next = std::ranges::find_if(children_.rbegin(), children_.rend(), &child::stop_wanted);
        if (next != children_.rend()) {
            stop_child(*next, now_ms, out);
        }
    }
    if (may_start()) {
        for (auto& c : children_) {
            if (c.state == state::waiting && c.restart_ms <= now_ms) {
                start_child(c, out);
            }
        }
    }
    if ((phase_ == phase::shutting_down || phase_ == phase::escalating) && std::ranges::none_of(children_, is_alive)) {
        out.push_back({.what = phase_ == phase::escalating ? what::escalate : what::finished, .reason = escalation_});
        phase_ = phase::over;
    }
}

supervisor_core::actions supervisor_core::tick(std::int64_t now_ms) {
    actions out;
    for (std::size_t i = 0; i < children_.size();) {
        auto& c = children_[i];
        const auto count = children_.size();
        if (is_stopping(c) && c.patience_ms <= now_ms) {
            if (c.state == state::stopping) {
                c.state = state::killed;
                c.patience_ms = now_ms + kill_grace_ms;
                out.push_back({.what = what::kill, .child = c.spec.id});
            } else {
                out.push_back({.what = what::abandon, .child = c.spec.id});
                settle(c);
            }
        }
        i += children_.size() == count ? 1 : 0;
    }
    proceed(now_ms, out);
    return out;
}

supervisor_core::actions supervisor_core::shutdown(std::int64_t now_ms) {
    actions out;
    if (phase_ == phase::running) {
        stop_all(phase::shutting_down);
        escalation_.clear();
        proceed(now_ms, out);
    }
    return out;
}

expected<supervisor_core::actions> supervisor_core::add_child(child_spec spec, std::int64_t) {
    if (auto valid = validate_child(spec); !valid) {
        return valid.error();
    }
    if (phase_ != phase::running) {
        return refuse(code::unavailable, fmt::format("the supervisor of {} is ending", spec.id));
    }
    if (find(spec.id)) {
        return refuse(code::already_exists, fmt::format("there is a child {} already", spec.id));
    }
    actions out;
    start_child(children_.emplace_back(child{.spec = std::move(spec)}), out);
    return out;
}

expected<supervisor_core::actions> supervisor_core::remove_child(std::string_view id, std::int64_t now_ms) {
    auto* c = lookup(id);
    if (!c) {
        return refuse(code::not_found, fmt::format("there is no child {}", id));
    }
    actions out;
    c->remove_after_stop = true;
    c->start_after_stop = false;
    if (c->state == state::running) {
        stop_child(*c, now_ms, out);
    } else if (!is_alive(*c)) {
        settle(*c);
    }
    return out;
}

expected<supervisor_core::actions> supervisor_core::restart_child(std::string_view id, std::int64_t now_ms) {
    auto* c = lookup(id);
    if (!c) {
        return refuse(code::not_found, fmt::format("there is no child {}", id));
    }
    if (phase_ != phase::running || c->remove_after_stop) {
        return refuse(code::unavailable, fmt::format("child {} is ending", id));
    }
    actions out;
    c->restart_ms = now_ms;
    if (c->state == state::running) {
        stop_child(*c, now_ms, out);
    }
    if (is_alive(*c)) {
        c->start_after_stop = true;
    } else {
        c->state = state::waiting;
    }
    proceed(now_ms, out);
    return out;
}

std::optional<std::int64_t> supervisor_core::next_due() const {
    std::optional<std::int64_t> due;
    const auto consider = [&](std::int64_t at) { due = due ? std::min(*due, at) : at; };
    const bool starts = may_start();
    for (const auto& c : children_) {
        if (is_stopping(c)) {
            consider(c.patience_ms);
        } else if (c.state == state::waiting && starts) {
            consider(c.restart_ms);
        }
    }
    return due;
}

} // namespace troupe::runtime
