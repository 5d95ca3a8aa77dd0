#pragma once

#include "actors/run/run_events.hpp"
#include "actors/run/run_state.hpp"
#include "actors/tool/tool_arguments.hpp"

#include <optional>
#include <string>
#include <string_view>

/// What a run of a kind takes and has to give, and what has to be shown before it may succeed. Pure.
namespace troupe::actors {

/// A problem with its places, for a text.
std::string in_words(const problem& p);

/// `invalid_request` with pointers: parameters that the kind does not take, a result schema that cannot be used.
expected<void> check_wish(const create_run& wish);

/// JSON Schema that the output has to fit: the wish's, else the kind's. Empty: any object will do, or none.
std::string result_schema_in_force(const create_run& wish);

/// JSON Schema of the arguments of `finish` in this run.
std::string finish_schema(const create_run& wish);

/// Why the run cannot end so, for the model to mend.
std::optional<std::string> mistake_in_finish(const run_progress& p, const finish_arguments& said);

/// What a model that answered without `finish` is told, where an answer alone is no end.
std::optional<std::string> answer_is_no_end(const run_progress& p);

/// The end for a model that does not get there. `p` is one of which `answer_is_no_end` says something.
run_failed not_finished(const run_progress& p);

bool may_change_project(std::string_view tool);

/// Whether the project may have changed since it was verified, after a performed call.
bool is_unverified_after(const run_progress& before, const tool_call_finished& e);

} // namespace troupe::actors
