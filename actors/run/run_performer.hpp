#pragma once

#include "actors/common/working_folders.hpp"
#include "actors/run/run_commands.hpp"
#include "actors/run/run_model.hpp"
#include "net/model/model.hpp"
#include "runtime/entity/kind.hpp"
#include "runtime/process/sandbox.hpp"
#include "storage/store.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

/// Does what runs owe: prepares projects, calls models, performs tools.
namespace troupe::actors {

/// A model as a name led to it.
struct chosen_model {
    std::shared_ptr<net::model> model;
    std::string name;          ///< What the run is told; finds the same model again.
    std::string provider_name; ///< What the provider is told.
    /// Whose reasoning goes back to it, and to nobody else. Empty: a rehearsal or a program's own model.
    std::string provider = {};
    bool reasoning = false;
    std::uint32_t context_tokens = 0;    ///< 0: not known.
    std::uint32_t output_tokens_max = 0; ///< Of one reply; 0: not known.
};

class browser_desk;
class process_desk;
class deploy_desk;

/// What the performer works with; all of it outlives the kind. Functions are thread-safe.
struct run_services {
    storage::store* store = nullptr;
    std::function<expected<chosen_model>(std::string_view name)> find_model; ///< "" is the node's default.
    /// Nothing: not known. May be empty: everything is free.
    std::function<std::optional<model_price>(std::string_view name)> price;
    working_folders* folders = nullptr;
    runtime::sandbox* commands = nullptr; ///< May be null: run_command then says so.
    /// In a cluster: ends the command of that key at another replica, and says what came of it: as `sandbox::end`, and
    /// `unavailable` when that can be known later. Blocks. None: what another one began is unknown.
    std::function<expected<runtime::command_result>(const uuid& replica, const std::string& key)> end_elsewhere = {};
    browser_desk* browsers = nullptr;   ///< May be null: the tools of browsers then say so.
    process_desk* processes = nullptr;  ///< The same.
    deploy_desk* deployments = nullptr; ///< As `browsers`.
    runtime::command_limits command_limits;
    bool command_network = false;
    /// Rules of tools that an organization has for runs of that kind. None: it has none.
    std::function<expected<std::map<std::string, tool_policy>>(const uuid& organization, std::string_view kind)> rules =
        {};
    std::function<budget()> default_limits; ///< Of the moment; 0: no limit. None: none at all.
};

/// Tokens appear on the channel "runs/<id>" as `token_data`, output of commands as `output_data`.
runtime::performer_of<run_model> make_run_performer(run_services services);

} // namespace troupe::actors
