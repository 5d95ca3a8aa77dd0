#include "actors/application/application_impl.hpp"

#include "actors/activity/activity_routes.hpp"
#include "actors/agent/agent_routes.hpp"
#include "actors/agent/report_routes.hpp"
#include "actors/agent/version_routes.hpp"
#include "actors/application/cluster_ways.hpp"
#include "actors/application/edge_metrics.hpp"
#include "actors/application/live_channels.hpp"
#include "actors/application/live_routes.hpp"
#include "actors/approval/approval_routes.hpp"
#include "actors/chat/talk_routes.hpp"
#include "actors/compliance/compliance_routes.hpp"
#include "actors/document/document_routes.hpp"
#include "actors/erasure/erasure_routes.hpp"
#include "actors/goal/goal_routes.hpp"
#include "actors/mcp/mcp_auth_routes.hpp"
#include "actors/mcp/mcp_catalogue_routes.hpp"
#include "actors/mcp/mcp_offers_routes.hpp"
#include "actors/mcp/mcp_routes.hpp"
#include "actors/mcp/mcp_usage_routes.hpp"
#include "actors/memory/memory_routes.hpp"
#include "actors/message/message_routes.hpp"
#include "actors/notification/notification_routes.hpp"
#include "actors/project/project_routes.hpp"
#include "actors/provider/cassette_routes.hpp"
#include "actors/provider/provider_routes.hpp"
#include "actors/run/chat_routes.hpp"
#include "actors/run/history_routes.hpp"
#include "actors/run/run_routes.hpp"
#include "actors/search/search_routes.hpp"
#include "actors/secret/secret_routes.hpp"
#include "actors/system/backup_routes.hpp"
#include "actors/task/task_routes.hpp"
#include "actors/tool/tool_routes.hpp"
#include "actors/usage/usage_routes.hpp"
#include "net/http/docs_page.hpp"
#include "net/http/openapi.hpp"
#include "net/websocket/asyncapi.hpp"
#include "runtime/supervision/dead_letters.hpp"
#include "schemas/base/durable_file.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <thread>

namespace troupe::actors {

namespace {

/// DIR/node.json: how programs on the same machine find the running node.
struct node_file {
    std::string url;
    std::int64_t pid = 0;
    std::string key_file;
    std::optional<std::string> certificate_file; ///< With TLS: the one that the node shows.
};
BOOST_DESCRIBE_STRUCT(node_file, (), (url, pid, key_file, certificate_file))

/// What open connections of an edge that is started anew have to end.
constexpr std::int64_t edge_restart_drain_ms = 1000;

/// A person is the same one with all of its keys.
document_caller document_caller_of(const identity& who, const net::principal& caller) {
    const auto& known = caller.credentials;
    return {known && known->user ? "user/" + to_string(*known->user) : caller.name,
            who.doors->authorize(caller, "document:manage").has_value()};
}

} // namespace

std::vector<net::route> application::impl::routes() {
    std::vector<net::route> out = system_routes(system);
    auto& parts = node->parts();
    for (auto feature :
         {agent_routes(parts),
          agent_version_routes(parts),
          agent_report_routes(parts),
          task_routes(parts),
          goal_routes(parts, [this](const net::principal&caller,
                                    std::string_view permission) { return who->doors->authorize(caller, permission); }),
          message_routes(parts),
          talk_routes(parts),
          activity_routes(parts),
          notification_routes(parts, *notifications),
          memory_routes(parts),
          document_routes(parts, [this](const net::principal&caller) { return document_caller_of(*who, caller); }),
          project_routes(parts),
          approval_routes(parts,
                          [this](const net::principal&caller, std::string_view permission) {
                              return who->doors->authorize(caller, permission);
                          }),
          run_routes(parts, *workspaces),
          run_history_routes(parts),
          chat_routes(parts),
          backup_routes(parts),
          secret_routes(parts, *vault),
          audit_routes(*audit),
          search_routes(*search, {[this](const net::principal&caller, std::string_view permission) {
                                      return who->doors->authorize(caller, permission);
                                  },
                                  [this](const net::principal&caller) { return document_caller_of(*who, caller); }}),
          identity_routes(*who),
          usage_routes(parts),
          settings_routes(settings_of),
          live_routes(parts),
          compliance_routes(parts),
          erasure_routes(parts),
          provider_routes(models),
          cassette_routes(*cassettes),
          tool_routes(),
          mcp_routes(*mcp),
          mcp_usage_routes(parts, *mcp),
          mcp_offers_routes(*mcp),
          mcp_catalogue_routes(parts, *mcp, *registries, mcp->configured()),
          mcp_auth_routes(mcp_access, mcp->organization()),
          own_routes ? own_routes(parts) : std::vector<net::route>()}) {
        std::move(feature.begin(), feature.end(), std::back_inserter(out));
    }
    return out;
}

net::server_settings application::impl::edge_settings() const {
    const auto& now = *node->parts().settings;
    net::server_settings s;
    s.listen = now.listen;
    s.io_threads = now.edge_threads > 0 ? static_cast<unsigned>(now.edge_threads)
                                        : std::max(1U, std::thread::hardware_concurrency());
    s.connections_max = static_cast<std::size_t>(now.edge_connections_max);
    s.connections_per_address_max = static_cast<std::size_t>(now.edge_connections_per_address_max);
    s.tls = {now.edge_tls_certificate_file, now.edge_tls_key_file, now.edge_tls_redirect_listen,
             now.edge_tls_hsts_seconds};
    s.cors_origins = now.edge_cors_origins;
    s.trusted_proxies = now.edge_trusted_proxies;
    s.access_log = now.edge_access_log;
    s.refusal_ms = now.edge_refusal_ms;
    s.address_rate = {now.limits_address_per_second, now.limits_address_burst};
    s.caller_rate = {now.limits_caller_per_second, now.limits_caller_burst};
    s.organization_rate = {now.limits_organization_per_second, now.limits_organization_burst};
    s.body_bytes_max = static_cast<std::size_t>(now.edge_body_bytes);
    return s;
}

net::server_hooks application::impl::edge_hooks() {
    net::server_hooks hooks;
    hooks.routes = routes();
    hooks.authenticate = [this](const net::request& r) { return who->doors->authenticate(r); };
    hooks.authorize = [this](const net::principal& caller, std::string_view permission) {
        return who->doors->authorize(caller, permission);
    };
    hooks.revalidate = [this](const net::request& r, const net::principal& before) {
        return who->doors->revalidate(r, before);
    };
    hooks.authorize_channel = [this](const net::principal& caller, std::string_view channel) {
        if (auto known = check_channel(channel, kinds); !known) {
            return known;
        }
        auto may = who->doors->authorize(caller, channel_permission(channel));
        if (!may) {
            refused->note_channel(caller, channel, may.error());
        }
        return may;
    };
    if (node->parts().wait_to_read) {
        hooks.wait_to_read = [this](std::string_view target, auto then) {
            is_of_this_node(target) ? then({}) : node->parts().wait_to_read(std::move(then));
        };
    }
    hooks.bus = node->parts().live;
    hooks.instance = settings.cluster_name;
    hooks.path = edge_path();
    hooks.watch = node->parts().watch;
    hooks.on_lost = [letters = node->parts().letters, path = edge_path()](std::size_t events) {
        letters->record("dropped", path, "live events",
                        std::to_string(events) + " events: their reader was too slow and was told to connect again");
    };
    hooks.on_request = count_request;
    hooks.on_refused = [this](const net::refused_request& r) { refused->note(r); };
    hooks.on_failed_request = [board = node->parts().failures](const net::failed_request& r) {
        note_failed_request(*board, r);
    };
    if (traces) {
        hooks.on_request = [t = traces.get()](const net::answered_request& r) {
            count_request(r);
            t->request_answered(r);
        };
        hooks.sample = [t = traces.get()](std::string_view trace_id) { return t->sample(trace_id); };
    }
    serve_a2a(hooks);
    serve_mcp(hooks);
    return hooks;
}

/// Tokens for MCP servers are secrets of the default organization.
mcp_token_parts application::impl::token_parts() {
    mcp_token_parts out;
    const auto whose = [this] { return node->parts().store->who().default_organization; };
    out.find_secret = [this, whose](std::string_view name) { return vault->reveal(whose(), name); };
    out.keep_secret = [this, whose](std::string_view name, std::string_view value) {
        return vault->keep(whose(), name, value);
    };
    out.redirect_uri = [this] {
        const auto now = edge.load();
        const auto own =
            settings.identity_public_url.empty() ? now ? now->url() : std::string() : settings.identity_public_url;
        return own.empty() ? own : own + "/api/v1/mcp/oauth/callback";
    };
    return out;
}

/// Agents, as those of others call them.
void application::impl::serve_a2a(net::server_hooks& hooks) {
    auto calls = inner_calls::make(hooks.routes, hooks.authorize, hooks.on_refused);
    if (!calls) {
        return;
    }
    served_a2a = std::make_unique<a2a_service>(std::move(*calls), hooks.bus, settings.identity_public_url);
    auto own = served_a2a->routes();
    std::move(own.begin(), own.end(), std::back_inserter(hooks.routes));
}

/// The routes of all others, once more: as tools. What is wrong in them the edge refuses.
void application::impl::serve_mcp(net::server_hooks& hooks) {
    auto calls = inner_calls::make(hooks.routes, hooks.authorize, hooks.on_refused);
    if (!calls) {
        return;
    }
    served_mcp = std::make_unique<mcp_service>(std::move(*calls), hooks.bus, settings.edge_cors_origins);
    auto own = served_mcp->routes();
    std::move(own.begin(), own.end(), std::back_inserter(hooks.routes));
}

/// A restart takes the address that the first start got, though the configuration left the port open.
expected<std::shared_ptr<net::server>> application::impl::start_edge(net::server_settings& s, net::server_hooks hooks) {
    if (const auto broken = edge.exchange(nullptr)) {
        broken->stop(edge_restart_drain_ms);
    }
    auto started = net::server::start(s, std::move(hooks));
    if (!started) {
        return started.error();
    }
    std::shared_ptr<net::server> server = std::move(*started);
    s.listen = server->url().substr(server->url().rfind('/') + 1);
    show_io_threads(s.io_threads);
    if (auto written = write_node_file(server->url()); !written) {
        return written.error();
    }
    edge.exchange(server);
    return server;
}

/// The edge is an actor that owns listener, io threads and connections.
expected<void> application::impl::serve() {
    auto hooks = edge_hooks();
    documents.openapi = net::make_openapi(hooks.routes, about_api());
    documents.asyncapi = net::make_asyncapi(live_channels(), TROUPE_VERSION);
    documents.page = net::make_docs_page(documents.openapi);
    const auto listen = std::make_shared<std::string>(settings.listen);
    const auto start = [this, listen, hooks = std::move(hooks)](runtime::part_failed failed) {
        auto mine = hooks;
        mine.on_failed = std::move(failed);
        auto now = edge_settings();
        now.listen = *listen;
        const auto started = start_edge(now, std::move(mine));
        *listen = now.listen;
        return started ? expected<std::shared_ptr<void>>(*started) : expected<std::shared_ptr<void>>(started.error());
    };
    return node->supervise({"edge", "edge_listener", start});
}

void application::impl::show_io_threads(unsigned threads) {
    edge_entries.clear();
    for (unsigned n = 0; n < threads; ++n) {
        auto& e =
            edge_entries.emplace_back(node->parts().tree->add(edge_path() + "/io-" + std::to_string(n), "io_thread"));
        e.set_policy("a thread of the edge; started anew with it");
    }
}

expected<void> application::impl::write_node_file(const std::string& url) const {
    const auto directory = std::filesystem::absolute(settings.data);
    node_file file{url, ::getpid(), (directory / "admin.key").string(), std::nullopt};
    if (!settings.edge_tls_certificate_file.empty()) {
        file.certificate_file = std::filesystem::absolute(settings.edge_tls_certificate_file).string();
    }
    return replace_file(directory / "node.json", to_json(file) + "\n", 0644);
}

} // namespace troupe::actors
