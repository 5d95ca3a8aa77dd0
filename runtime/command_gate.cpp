#include "runtime/command_gate.hpp"

#include "runtime/metrics/metrics.hpp"
#include "schemas/base/clock.hpp"

#include <memory>
#include <random>
#include <utility>

namespace troupe::runtime {

namespace {

std::uint32_t jittered_retry_s() {
    thread_local std::minstd_rand random(std::random_device{}());
    return 1 + random() % 3;
}

} // namespace

held_ptr hold(command&& c, reply_port&& port) {
    auto held = std::make_shared<held_command>();
    if (c.id.empty()) {
        c.id = storage::fresh_command_mark + to_string(make_uuid());
    }
    held->bytes = c.payload.size() + 512;
    held->command = std::move(c);
    held->port = std::move(port);
    return held;
}

command_gate::command_gate(admission::bounds bounds, std::function<void(held_ptr)> route)
    : route_(std::move(route)),
      latency_(metrics().make_histogram(
          "troupe_command_seconds",
          "Time from the submission of a command to its answer, durable where it changed something.")),
      admission_(bounds) {}

void command_gate::submit(command&& c, reply_port&& port) {
    auto held = hold(std::move(c), std::move(port));
    held->organization = held->command.to.organization;
    held->since_us = monotonic_us();
    held->latency = &latency_;
    if (stopping_) {
        held->answer(problem{code::unavailable, "the node is stopping; try again in a moment", {}, 1});
        return;
    }
    held->on_parked = [this, t = held.get()] {
        change([&](admission::changes& others) { admission_.park(*t, monotonic_ms(), others); });
    };
    held->on_answered = [this, t = held.get()] {
        change([&](admission::changes& others) { admission_.end(*t, monotonic_ms(), others); });
    };
    auto said = admission::verdict::refused;
    change([&](admission::changes& others) { said = admission_.offer(held, monotonic_ms(), others); });
    if (said == admission::verdict::goes) {
        route_(std::move(held));
    } else if (said == admission::verdict::refused) {
        refuse(*held);
    } else if (stopping_) {
        admit_all(); // `stop` may have looked before it came
    }
}

template <class Change>
void command_gate::change(Change what) {
    admission::changes others;
    {
        const std::lock_guard lock(mutex_);
        what(others);
    }
    for (auto& t : others.go) {
        route_(std::static_pointer_cast<held_command>(std::move(t)));
    }
    for (const auto& t : others.refused) {
        refuse(static_cast<held_command&>(*t));
    }
}

void command_gate::refuse(held_command& held) {
    ++overloaded_;
    held.answer(problem{code::overloaded,
                        "the node has as many commands in hand as it may; try again after the time in Retry-After",
                        {},
                        jittered_retry_s()});
}

void command_gate::admit_all() {
    change([&](admission::changes& others) { admission_.release_all(others); });
}

void command_gate::stop() {
    stopping_ = true;
    admit_all();
}

command_gate::figures command_gate::now() const {
    figures out;
    out.overloaded = overloaded_;
    const std::lock_guard lock(mutex_);
    out.outstanding = admission_.outstanding();
    out.waiting = admission_.waiting();
    out.bytes = admission_.bytes();
    return out;
}

} // namespace troupe::runtime
