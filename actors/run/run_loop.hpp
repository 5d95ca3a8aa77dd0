#pragma once

#include "actors/run/run_events.hpp"
#include "actors/run/run_state.hpp"
#include "runtime/entity/entity.hpp"

#include <optional>
#include <string>
#include <utility>
#include <vector>

/// What a run does next. Pure.
namespace troupe::actors {

/// A decision in the making: events, and the progress after them.
class run_draft {
public:
    run_draft(const run_progress& from, const runtime::context& context)
        : progress_(from), context_(context), version_(context.version) {}

    void add(run_event e);
    /// Adds all that is due now: until something is under way, waited for, or the run has ended.
    void advance();

    [[nodiscard]] const run_progress& progress() const { return progress_; }
    std::vector<run_event> take() { return std::move(events_); }

private:
    run_progress progress_;
    const runtime::context& context_;
    std::uint64_t version_;
    std::vector<run_event> events_;
};

/// The event that is due now, if any.
std::optional<run_event> next_event(const run_progress& p, const runtime::context& context);

} // namespace troupe::actors
