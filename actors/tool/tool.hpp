#pragma once

#include "net/model/model.hpp"
#include "runtime/entity/entity.hpp"
#include "runtime/process/sandbox.hpp"
#include "schemas/base/described.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/json.hpp"
#include "schemas/base/problem.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::storage {
class store;
} // namespace troupe::storage

/// The tools an agent may call: a table of declarations, and one function that performs a call. A program that embeds
/// a node adds its own (`make_tool`, `application::start`).
namespace troupe::actors {

/// What a repeat of a tool after a crash may do.
enum class repeat_safety : std::uint8_t {
    idempotent, ///< Reads, and edits that carry the hash before and after: retried without asking.
    recorded,   ///< Runs under the runner, which knows what happened: retried when it never started.
    control,    ///< The run's model handles it (`finish`, `ask_human`, `spawn_agent`): nothing is performed.
    once,       ///< Nobody can tell whether it happened: the run's `on_unknown` decides (retry, skip, ask a person).
};

struct custom_tool;

struct tool_info {
    std::string_view name;
    std::string_view description; ///< What the model reads.
    repeat_safety safety;
    bool writes;                 ///< Changes the project: it is saved after the step.
    bool needs_project;          ///< Not offered to a run without a project.
    std::string_view permission; ///< What policies name: "read", "write", "execute", "human", "agent".
    std::string (*product_schema)() = nullptr;
    expected<void> (*product_check)(std::string_view) = nullptr;
    const custom_tool* added = nullptr; ///< Has both where the product's are missing.
    std::string_view like = {};         ///< A tool whose rules are about this one, too: it could do the same with it.
    std::optional<uuid> organization = {}; ///< Offered to its runs only; none: to all.

    /// JSON Schema of the arguments.
    [[nodiscard]] std::string schema() const;
    /// `tool_arguments_invalid` with pointers, for the model to mend.
    [[nodiscard]] expected<void> check(std::string_view arguments) const;
};

/// Those that come with Troupe (`product_tools.cpp`), and what `add_tools` added. Thread-safe; what they lead to stays
/// valid until the process ends.
std::span<const tool_info> all_tools();
const tool_info* find_tool(std::string_view name);

/// Whether nobody but the run's policy can say what to do with a call that was cut.
inline bool may_have_happened(const tool_info& tool) {
    return tool.safety == repeat_safety::recorded || tool.safety == repeat_safety::once;
}

/// The declarations of the named tools for a model; unknown names are `tool_unknown`.
expected<std::vector<net::tool_declaration>> declare_tools(const std::vector<std::string>& names);

class browser_desk;
class process_desk;
class deploy_desk;

/// Where a call works and what it may use.
struct tool_environment {
    std::filesystem::path project;        ///< Root of the working folder; all paths are relative to it and stay inside.
                                          ///< Empty in a run without a project.
    runtime::sandbox* commands = nullptr; ///< May be null: run_command says that it is not available.
    runtime::command_limits limits;
    std::string key;      ///< Stable key of this call's attempt, for the runner.
    bool network = false; ///< Whether commands may use the network.
    /// The call may have been performed before, by a node that crashed: an edit that is already there is then a
    /// success.
    bool repeat = false;
    std::stop_token stop;
    std::function<void(bool is_stderr, std::string_view)> on_output; ///< May be empty.
    /// The other run that changed the file since this one began, and nobody after it; else empty. May be empty.
    std::function<expected<std::string>(const std::string& path)> changed_elsewhere = {};
    /// The text of a message of the run's context, as it was before it was folded. May be empty.
    std::function<expected<std::string>(std::uint32_t message)> recall = {};
    entity_address run = {};            ///< Whose call it is; nil outside of runs.
    browser_desk* browsers = nullptr;   ///< May be null: there are no browsers then.
    process_desk* processes = nullptr;  ///< May be null: there are no processes then.
    deploy_desk* deployments = nullptr; ///< May be null: nothing can be deployed.
    std::optional<uuid> agent = {};     ///< Of the product, that works on it.
    std::optional<uuid> project_id = {};
    /// Sends a command to another entity and waits for the answer. May be empty.
    std::function<runtime::reply(runtime::command)> ask = {};
    const storage::store* store = nullptr; ///< Documents of the run's organization. May be null.
};

/// What the model reads back. A failing command is a result, not an error of the tool.
struct tool_result {
    std::string content = {}; ///< Text for the model, shortened to `tool_content_bytes_max` with a marker.
    bool is_error = false;
    bool unknown = false;   ///< It may have happened: the run decides (never set for idempotent tools).
    json::raw details = {}; ///< For people and programs, an object: exit_code, duration_ms, path, diff, …
};

/// What the model reads of a command that has ended.
tool_result shown(const runtime::command_result& done);

/// A result that tells the model what went wrong.
tool_result refuse(std::string why);
tool_result refuse(const problem& p);

/// The call is a run of its own.
inline constexpr std::string_view spawn_agent_tool_name = "spawn_agent";
inline constexpr std::string_view wait_tool_name = "wait";
/// Offered to runs of which something was folded.
inline constexpr std::string_view recall_tool_name = "recall";

inline constexpr std::size_t tool_content_bytes_max = 32 * 1024;

/// Performs one call of a tool that is not `control`. Bad arguments, a missing file or a failing command come back
/// as `is_error` results that the model can act on. Blocks its caller.
tool_result perform_tool(std::string_view name, std::string_view arguments, const tool_environment& where);

/// A tool of a program's own. Made by `make_tool`; its members may be changed before it is added.
struct custom_tool {
    std::string name;        ///< As the model calls it: "count_words".
    std::string description; ///< What the model reads.
    /// `idempotent` where a repeat does no harm; `recorded` where it runs a command under `tool_environment::key`.
    repeat_safety safety = repeat_safety::once;
    bool runs_command = false;             ///< Its command runs under that key, once: it has to be `recorded`.
    bool writes = false;                   ///< Changes the project: it is saved after the step.
    bool needs_project = false;            ///< Not offered to a run without a project.
    std::string permission = "execute";    ///< What policies name beside the tool's name.
    std::optional<uuid> organization = {}; ///< Offered to its runs only; none: to all.
    std::function<std::string()> schema;   ///< As in `tool_info`; called from many threads.
    std::function<expected<void>(std::string_view)> check;
    /// Does the work: called from many threads, may block. What it throws becomes an `is_error` result.
    std::function<tool_result(std::string_view arguments, const tool_environment&)> perform;
};

/// Adds tools to the table, for every node of this process, until the handle ends. All or none: `config_invalid` when a
/// name is taken or cannot be one, or when something is missing. Add them before the node starts: a run that finds a
/// tool of its past gone tells its model so.
expected<std::shared_ptr<void>> add_tools(std::vector<custom_tool> tools);

namespace tool_detail {

/// `tool_arguments_invalid`, in words for the model.
problem wrong_arguments(problem decoding);
/// Some models send nothing where no argument is needed.
std::string_view or_empty_object(std::string_view arguments);

template <class Arguments>
expected<Arguments> decode_arguments(std::string_view text) {
    auto decoded = from_json<Arguments>(or_empty_object(text), strictness::input);
    return decoded ? std::move(decoded) : wrong_arguments(decoded.error());
}

template <class Arguments>
expected<void> check_arguments(std::string_view text) {
    auto decoded = decode_arguments<Arguments>(text);
    return decoded ? expected<void>() : expected<void>(decoded.error());
}

} // namespace tool_detail

/// A tool whose arguments are a described struct: the schema that the model is told and the check of what it sends come
/// from it. `perform` takes (const Arguments&, const tool_environment&) and gives a `tool_result`; see `custom_tool`.
template <class Arguments, class Perform>
custom_tool make_tool(std::string name, std::string description, Perform perform) {
    custom_tool out;
    out.name = std::move(name);
    out.description = std::move(description);
    out.schema = json_schema<Arguments>;
    out.check = tool_detail::check_arguments<Arguments>;
    out.perform = [perform = std::move(perform)](std::string_view arguments, const tool_environment& where) {
        const auto decoded = tool_detail::decode_arguments<Arguments>(arguments);
        return decoded ? perform(*decoded, where) : refuse(decoded.error());
    };
    return out;
}

} // namespace troupe::actors
