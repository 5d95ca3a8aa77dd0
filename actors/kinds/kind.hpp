#pragma once

#include "schemas/base/problem.hpp"

#include <span>
#include <string>
#include <string_view>

/// Kinds of agents: what an agent of a kind is told, which tools it has beside the common ones, what it takes and
/// gives, and what shows that its work is done. Data and pure functions; the run does the rest.
namespace troupe::actors {

struct agent_kind {
    std::string_view name;         ///< As `agent_settings::kind` has it: "tester".
    std::string_view description;  ///< For people who choose one.
    std::string_view instructions; ///< What its model is told before the agent's own instructions.
    /// Tools that are offered to its runs only; others get them by naming them in their policies.
    std::span<const std::string_view> tools = {};
    /// JSON Schema of the parameters of a task or a run. Null: it takes none, and any object is kept as it is.
    std::string (*parameters_schema)() = nullptr;
    /// `invalid_request` with pointers below "/parameters". Null: nothing to check.
    expected<void> (*check_parameters)(std::string_view json) = nullptr;
    /// JSON Schema of what `finish` gives as `output`. Null: any.
    std::string (*result_schema)() = nullptr;
    /// After a change of the project no success is accepted until one of these tools said in its details that it
    /// verified the work (`"verified":true`). Empty: nothing has to be shown.
    std::span<const std::string_view> verified_by = {};
    /// The script of a run that has no language model (rehearsal.md): it does what needs none, and says what it could
    /// not do. Empty: the embedded one.
    std::string_view rehearsal = {};
};

/// Those of the product, `custom` among them. Valid until the process ends; from any thread.
std::span<const agent_kind> all_kinds();

/// Null: a kind that nothing is known of, which is no error: its agents work as custom ones.
const agent_kind* find_kind(std::string_view name);

} // namespace troupe::actors
