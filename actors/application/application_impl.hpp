#pragma once

#include "actors/a2a/a2a_service.hpp"
#include "actors/application/about_api.hpp"
#include "actors/application/application.hpp"
#include "actors/application/moved_commands.hpp"
#include "actors/application/present_edge.hpp"
#include "actors/application/run_desks.hpp"
#include "actors/application/tracing.hpp"
#include "actors/audit/audit_routes.hpp"
#include "actors/audit/audit_stream.hpp"
#include "actors/audit/refusals.hpp"
#include "actors/identity/admin_key.hpp"
#include "actors/identity/identity.hpp"
#include "actors/mcp/mcp_hub.hpp"
#include "actors/mcp/mcp_registries.hpp"
#include "actors/mcp_server/mcp_service.hpp"
#include "actors/notification/notification_desk.hpp"
#include "actors/project/project_workspaces.hpp"
#include "actors/provider/cassette_player.hpp"
#include "actors/provider/provider.hpp"
#include "actors/run/run_performer.hpp"
#include "actors/search/search_desk.hpp"
#include "actors/secret/secret_vault.hpp"
#include "actors/settings/settings_routes.hpp"
#include "actors/system/system_routes.hpp"
#include "actors/usage/plan_keeper.hpp"
#include "net/http/route.hpp"
#include "net/http/server.hpp"
#include "runtime/config/config.hpp"
#include "runtime/node.hpp"
#include "runtime/process/sandbox.hpp"
#include "runtime/services.hpp"
#include "runtime/supervision/tree.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace troupe::actors {

/// What a running node with the product's features is made of. Parts are destroyed in the reverse order.
struct application::impl {
    explicit impl(model_registry m) : models(std::move(m)) {}

    runtime::config settings;
    std::unique_ptr<tracing> traces; ///< None: no collector. Outlives the node, whose threads use it.
    std::unique_ptr<runtime::node> node;
    std::unique_ptr<plan_keeper> plans;
    model_registry models;
    std::unique_ptr<runtime::sandbox> sandbox;
    std::unique_ptr<runtime::sandbox> free_sandbox; ///< For MCP servers that are to have the node's own rights.
    std::unique_ptr<run_desks> desks;
    mcp_token_table mcp_access;
    std::unique_ptr<mcp_hub> mcp;
    std::unique_ptr<mcp_registries> registries;
    std::unique_ptr<moved_commands> moved;
    std::unique_ptr<project_workspaces> workspaces;
    std::optional<admin_key> key;
    std::unique_ptr<secret_vault> vault;
    std::unique_ptr<notification_desk> notifications;
    std::unique_ptr<identity> who;
    settings_parts settings_of;
    std::unique_ptr<audit_desk> audit;
    std::unique_ptr<search_desk> search;
    std::unique_ptr<refusals> refused;
    std::vector<std::unique_ptr<audit_stream>> audit_streams;
    system_parts system;
    api_documents documents;
    std::unique_ptr<a2a_service> served_a2a;
    std::unique_ptr<mcp_service> served_mcp;
    present_edge edge;
    std::set<std::string> kinds; ///< Of entities.
    std::unique_ptr<cassette_desk> cassettes;
    std::vector<runtime::supervision_tree::entry> edge_entries;
    std::function<std::vector<net::route>(const runtime::services&)> own_routes;
    std::shared_ptr<void> own_tools;
    std::shared_ptr<void> own_agent_kinds;
    std::atomic<bool> ready{false};

    [[nodiscard]] std::string edge_path() const { return "/nodes/" + settings.cluster_name + "/edge"; }

    [[nodiscard]] std::string default_model() const;
    run_services run_parts();
    expected<void> pass_audit_on();

    // The edge (application_edge.cpp).
    std::vector<net::route> routes();
    expected<void> serve();
    [[nodiscard]] net::server_settings edge_settings() const;
    [[nodiscard]] net::server_hooks edge_hooks();
    void serve_mcp(net::server_hooks& hooks);
    void serve_a2a(net::server_hooks& hooks);
    [[nodiscard]] mcp_token_parts token_parts();
    expected<std::shared_ptr<net::server>> start_edge(net::server_settings& s, net::server_hooks hooks);
    void show_io_threads(unsigned threads);
    expected<void> write_node_file(const std::string& url) const;
};

} // namespace troupe::actors
