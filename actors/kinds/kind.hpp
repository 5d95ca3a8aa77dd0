#pragma once

#include "schemas/base/problem.hpp"

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// Kinds of agents: what an agent of a kind is told, which tools it has beside the common ones, what it takes and
/// gives, and what shows that its work is done. Data and pure functions; the run does the rest.
namespace troupe::actors {

struct custom_kind;

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
    const custom_kind* added = nullptr; ///< Has the schemas where the product's are missing.
};

/// Those of the product, `custom` among them, and what `add_kinds` added. Valid until the process ends; from any
/// thread.
std::span<const agent_kind> all_kinds();

/// Null: a kind that nothing is known of, which is no error: its agents work as custom ones.
const agent_kind* find_kind(std::string_view name);

/// Those that come with Troupe (`kind_table.cpp`).
std::span<const agent_kind> product_kinds();

/// JSON Schema of its parameters; empty: any object.
std::string parameters_schema_of(const agent_kind& kind);
/// JSON Schema of its output; empty: any object, or none.
std::string result_schema_of(const agent_kind& kind);
/// Whether runs of that kind take these parameters. `invalid_request` with pointers below "/parameters"; of a kind that
/// nothing is known of, any object.
expected<void> check_parameters(std::string_view kind, std::string_view json);

/// They are part of events, and of each request to a model.
inline constexpr std::size_t parameters_bytes_max = 256 << 10;

/// Of a program's own; members as in `agent_kind`.
struct custom_kind {
    std::string name;
    std::string description;
    std::string instructions = {};
    std::vector<std::string> tools = {};
    std::string parameters_schema = {}; ///< Empty: any object.
    std::string result_schema = {};     ///< Empty: any.
    std::vector<std::string> verified_by = {};
    std::string rehearsal = {};
};

/// Adds kinds for every node of this process, until the handle ends. All or none: `config_invalid` when a name is taken
/// or cannot be one, or when a schema is none. Add them before the node starts.
expected<std::shared_ptr<void>> add_kinds(std::vector<custom_kind> kinds);

} // namespace troupe::actors
