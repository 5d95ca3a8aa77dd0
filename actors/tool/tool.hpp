#pragma once

#include "net/model/model.hpp"
#include "runtime/process/sandbox.hpp"
#include "schemas/base/json.hpp"
#include "schemas/base/problem.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

/// The tools an agent may call: a table of declarations, and one function that performs a call.
namespace troupe::actors {

/// What a repeat of a tool after a crash may do.
enum class repeat_safety : std::uint8_t {
    idempotent, ///< Reads, and edits that carry the hash before and after: retried without asking.
    recorded,   ///< Runs under the runner, which knows what happened: retried when it never started.
    control,    ///< No effect outside the run (`finish`, `ask_human`): the run's model handles it.
};

struct tool_info {
    std::string_view name;
    std::string_view description; ///< What the model reads.
    repeat_safety safety;
    bool writes;                 ///< Changes the project: it is saved after the step.
    std::string_view permission; ///< What policies name: "read", "write", "execute", "human".
    std::string (*schema)();     ///< JSON Schema of the arguments.
    expected<void> (*check)(
        std::string_view arguments); ///< `tool_arguments_invalid` with pointers, for the model to mend.
};

/// read_file, write_file, edit_file, list_files, search_files, run_command, ask_human, finish.
std::span<const tool_info> all_tools();
const tool_info* find_tool(std::string_view name);

/// The declarations of the named tools for a model; unknown names are `tool_unknown`.
expected<std::vector<net::tool_declaration>> declare_tools(const std::vector<std::string>& names);

/// Where a call works and what it may use.
struct tool_environment {
    std::filesystem::path project;        ///< Root of the working folder; all paths are relative to it and stay inside.
    runtime::sandbox* commands = nullptr; ///< May be null: run_command says that it is not available.
    runtime::command_limits limits;
    std::string key;      ///< Stable key of this call's attempt, for the runner.
    bool network = false; ///< Whether commands may use the network.
    /// The call may have been performed before, by a node that crashed: an edit that is already there is then a
    /// success.
    bool repeat = false;
    std::stop_token stop;
    std::function<void(bool is_stderr, std::string_view)> on_output; ///< May be empty.
};

/// What the model reads back. A failing command is a result, not an error of the tool.
struct tool_result {
    std::string content; ///< Text for the model, shortened to `tool_content_bytes_max` with a marker.
    bool is_error = false;
    bool unknown = false; ///< It may have happened: the run decides (never set for idempotent tools).
    json::raw details;    ///< For people and programs: exit_code, duration_ms, path, diff, …
};

inline constexpr std::size_t tool_content_bytes_max = 32 * 1024;

/// Performs one call of a tool that is not `control`. Bad arguments, a missing file or a failing command come back
/// as `is_error` results that the model can act on. Blocks its caller.
tool_result perform_tool(std::string_view name, std::string_view arguments, const tool_environment& where);

} // namespace troupe::actors
