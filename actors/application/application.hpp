#pragma once

#include "actors/kinds/kind.hpp"
#include "actors/tool/tool.hpp"
#include "net/http/route.hpp"
#include "net/model/model.hpp"
#include "runtime/config/config.hpp"
#include "runtime/entity/kind.hpp"
#include "runtime/services.hpp"
#include "runtime/supervision/placed.hpp"
#include "schemas/base/problem.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The whole product in one object: a node with every feature and its edge. What `troupe serve` runs, and what a
/// program that embeds a node starts.
namespace troupe::actors {

/// What a program adds to the node that it starts. Names and routes that are taken are refused, never replaced.
struct extensions {
    /// Made by `runtime::make_kind<Model>(performer)`. Keep a kind as long as the data directory has entities of it.
    std::vector<runtime::entity_kind> kinds = {};
    /// Called once, before the node serves; the services outlive the routes. Rules: `net::route`.
    std::function<std::vector<net::route>(const runtime::services&)> routes = {};
    /// Offered to every run whose policies do not deny them; see `add_tools`.
    std::vector<custom_tool> tools = {};
    /// Beside the product's, by `agent_settings::kind`; see `add_kinds`.
    std::vector<custom_kind> agent_kinds = {};
    /// By the name that agents and runs give: {"acme", …} for `model: acme`. Not "openai…" and "rehearsal…".
    std::map<std::string, std::shared_ptr<net::model>> models = {};
    /// What these kinds store that older versions of the program cannot read, by names that no other part uses
    /// (schemas/base/versions.hpp). All that the program ever had, for as long as there is data of it.
    feature_set features = {};
    /// Children that run at one node of the cluster, whichever; all nodes of it give the same ones.
    std::vector<runtime::placed_supervisor> placed = {};
};

class application {
public:
    /// Opens the data directory, makes keys on the first start, hosts all features and serves. `runner` is the path of
    /// the program troupe-runner (TROUPE_RUNNER where Troupe is installed); without it commands of agents are refused.
    /// Problems: those of the data directory, the model configuration and the edge, each with what to do;
    /// `config_invalid` for an extension that is taken or incomplete. Nothing is left running then.
    static expected<std::unique_ptr<application>> start(const runtime::config& settings,
                                                        const std::filesystem::path& runner, extensions own = {});
    /// Stops within about a second; then waits for the performers at work, which were told to stop.
    ~application();

    /// "http://127.0.0.1:7117"
    [[nodiscard]] std::string url() const;
    /// DIR/admin.key
    [[nodiscard]] std::filesystem::path key_file() const;
    [[nodiscard]] std::string model() const;
    [[nodiscard]] std::string sandbox() const;

    /// For commands and reads from within the program (`runtime::ask`, storage/views.hpp); thread-safe. Valid as long
    /// as this object.
    [[nodiscard]] const runtime::services& parts() const;

    /// The value of a setting of an organization, opened and looked up (settings_routes.hpp); thread-safe.
    [[nodiscard]] expected<std::optional<std::string>>
    setting(const uuid& organization, const std::optional<std::string>& profile, std::string_view key) const;

    /// Goes on with what of this can change while it runs (`property::reloadable`), and reads the edge's certificate
    /// and key again, if it has TLS; the log says when they are bad and the old ones stay.
    void reload(const runtime::config& settings);

    /// For a log when `stop` hangs: what did not end.
    [[nodiscard]] std::string still_running() const;

    /// Drains the edge and the node. Work of performers stays where it is and goes on after the next start.
    void stop(std::int64_t deadline_ms);

private:
    application();
    struct impl;
    std::unique_ptr<impl> impl_;
};

} // namespace troupe::actors
