#include "actors/run/run_history.hpp"

#include "actors/common/model.hpp"
#include "actors/run/run_context.hpp"
#include "runtime/entity/kind.hpp"
#include "schemas/base/limits.hpp"
#include "storage/log_reader.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <optional>
#include <utility>

namespace troupe::actors {
namespace {

/// Ends a reading that has what it wants.
const problem enough{code::cancelled, "enough"};

problem no_such_step(const entity_address& run, std::uint32_t step, std::uint32_t last) {
    return {code::not_found, fmt::format("{} has no step {}: its last one is {}", to_string(run), step, last)};
}

enum class folds : std::uint8_t { as_they_were, left_out };

/// Applies the run's events one after the other, until `stop` says that the state is the wanted one.
expected<run_state> state_until(const storage::store& s, const entity_address& run, folds which,
                                const std::function<bool(const run_state& before, const run_event& next)>& stop) {
    run_state state;
    bool stopped = false;
    auto read = read_run(s, run, [&](recorded_command&& c) -> expected<void> {
        for (std::size_t i = 0; i < c.events.size(); ++i) {
            if (stop(state, c.events[i])) {
                stopped = true;
                return enough;
            }
            auto* folded = std::get_if<context_folded>(&c.events[i]);
            if (folded && which == folds::left_out) {
                folded->messages.clear();
                folded->freed_bytes = 0;
            }
            const auto& r = c.records[i];
            state = run_model::apply(std::move(state), c.events[i], {run.id, r.entity_seq, r.time, r.principal});
        }
        return {};
    });
    if (!read && !stopped) {
        return read.error();
    }
    if (!exists(state.progress)) {
        return no_such("run", run.id);
    }
    return state;
}

bool ends_run(const run_event& e) {
    return std::holds_alternative<run_finished>(e) || std::holds_alternative<run_failed>(e) ||
           std::holds_alternative<run_cancelled>(e);
}

bool is_whole(const run_progress& p) {
    return p.replied &&
           std::ranges::all_of(p.calls, [](const call_state& c) { return c.phase == call_phase::finished; });
}

context_entry entry_of(const net::message& m) {
    context_entry out{std::string(detail::enum_name(m.role)), m.content, m.reasoning, {}, m.tool_name, m.is_error};
    for (const auto& call : m.tool_calls) {
        const auto arguments = json::make_raw(call.arguments);
        out.tool_calls.push_back({R"({"id":)" + json::quoted(call.id) + R"(,"name":)" + json::quoted(call.name) +
                                  R"(,"arguments":)" + (arguments ? arguments->text : json::quoted(call.arguments)) +
                                  "}"});
    }
    if (!m.images.empty()) {
        auto& types = out.images.emplace();
        for (const auto& image : m.images) {
            types.push_back(image.media_type);
        }
    }
    return out;
}

} // namespace

expected<void> read_run(const storage::store& s, const entity_address& run,
                        const std::function<expected<void>(recorded_command&&)>& visit) {
    recorded_command command;
    std::size_t bytes = 0;
    auto read = storage::read_history(s, run, 0, [&](storage::record&& r) -> expected<void> {
        bytes += r.payload.size();
        if (bytes > history_bytes_max) {
            return problem{code::payload_too_large,
                           fmt::format("the history of {} has over {} MiB", to_string(run), history_bytes_max >> 20)};
        }
        const bool last = r.index_in_batch + 1 >= r.batch_size;
        if (!r.type.starts_with('$')) {
            auto e = runtime::detail::decode_event<run_model>(r);
            if (!e) {
                return e.error();
            }
            command.events.push_back(std::move(*e));
            command.records.push_back(std::move(r));
        }
        return last && !command.events.empty() ? visit(std::exchange(command, {})) : expected<void>();
    });
    if (!read && read.error().code == code::not_found) {
        return problem{code::not_found, "the beginning of " + to_string(run) +
                                            " is not kept any more, so its past cannot be read (retention of runs)"};
    }
    return read;
}

expected<create_run> wish_of(const storage::store& s, const entity_address& run) {
    expected<create_run> out = no_such("run", run.id);
    auto read = read_run(s, run, [&](recorded_command&& c) -> expected<void> {
        if (const auto* made = std::get_if<run_created>(&c.events.front())) {
            out = static_cast<const create_run&>(*made);
        }
        return enough;
    });
    const bool stopped = !read && read.error().code == enough.code;
    return read || stopped ? out : expected<create_run>(read.error());
}

expected<run_state> state_after(const storage::store& s, const entity_address& run, std::uint32_t step) {
    auto state = state_until(s, run, folds::left_out, [step](const run_state& before, const run_event& next) {
        const auto* call = std::get_if<model_call_started>(&next);
        const bool next_step = call && call->step > step;
        return next_step || (before.progress.step == step && ends_run(next));
    });
    if (!state) {
        return state;
    }
    const auto& p = state->progress;
    if (step > p.step) {
        return no_such_step(run, step, p.step);
    }
    if (!is_whole(p) || p.status == run_status::queued) {
        return problem{code::conflict,
                       fmt::format("step {} of {} has no end: {}", step, to_string(run),
                                   p.status == run_status::queued
                                       ? "the run has not begun"
                                       : "it is at work, or was cut by the end of the run. Take the step "
                                         "before, or wait")};
    }
    return state;
}

expected<std::string> original_message(const storage::store& s, const entity_address& run, std::uint32_t message) {
    const auto state = state_until(s, run, folds::left_out, [message](const run_state& before, const run_event&) {
        return before.messages.size() > message;
    });
    if (!state) {
        return state.error();
    }
    if (state->messages.size() <= message) {
        return problem{code::not_found, fmt::format("there is no message {} in this conversation", message)};
    }
    const auto& m = state->messages[message];
    auto out = m.content;
    for (const auto& call : m.tool_calls) {
        out += fmt::format("{}{} {}\n", out.empty() || out.ends_with('\n') ? "" : "\n", call.name, call.arguments);
    }
    return out;
}

expected<context_document> context_at(const storage::store& s, const entity_address& run, std::uint32_t step) {
    bool begun = false;
    const auto state = state_until(s, run, folds::as_they_were, [&](const run_state& before, const run_event&) {
        begun = step > 0 && before.progress.step == step && before.progress.model_call;
        return begun;
    });
    if (!state) {
        return state.error();
    }
    const auto& p = state->progress;
    if (!begun && !(p.step == step && p.model_call)) {
        return no_such_step(run, step, p.step);
    }
    const auto request = request_of(*state);
    context_document out{run.id, step, p.model, request.output_tokens_max, {}, {}};
    for (const auto& m : request.messages) {
        out.messages.push_back(entry_of(m));
    }
    for (const auto& tool : request.tools) {
        out.tools.push_back(tool.name);
    }
    return out;
}

} // namespace troupe::actors
