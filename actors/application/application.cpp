#include "actors/application/application.hpp"

#include "actors/agent/agent_routes.hpp"
#include "actors/application/about_api.hpp"
#include "actors/application/cluster_ways.hpp"
#include "actors/application/configured_models.hpp"
#include "actors/application/edge_metrics.hpp"
#include "actors/application/kinds.hpp"
#include "actors/application/live_channels.hpp"
#include "actors/application/live_figures.hpp"
#include "actors/application/live_routes.hpp"
#include "actors/application/moved_commands.hpp"
#include "actors/application/node_metrics.hpp"
#include "actors/application/present_edge.hpp"
#include "actors/application/run_desks.hpp"
#include "actors/application/settings_links.hpp"
#include "actors/application/tracing.hpp"
#include "actors/approval/approval_routes.hpp"
#include "actors/audit/audit_routes.hpp"
#include "actors/audit/audit_stream.hpp"
#include "actors/audit/refusals.hpp"
#include "actors/compliance/compliance_performer.hpp"
#include "actors/compliance/compliance_routes.hpp"
#include "actors/erasure/erasure_performer.hpp"
#include "actors/erasure/erasure_routes.hpp"
#include "actors/identity/admin_key.hpp"
#include "actors/identity/identity.hpp"
#include "actors/project/project_routes.hpp"
#include "actors/project/project_workspaces.hpp"
#include "actors/provider/cassette_player.hpp"
#include "actors/provider/provider_routes.hpp"
#include "actors/run/chat_routes.hpp"
#include "actors/run/history_routes.hpp"
#include "actors/run/run_performer.hpp"
#include "actors/run/run_routes.hpp"
#include "actors/secret/secret_routes.hpp"
#include "actors/secret/secret_vault.hpp"
#include "actors/settings/settings_routes.hpp"
#include "actors/system/backup_routes.hpp"
#include "actors/system/system_routes.hpp"
#include "actors/task/task_routes.hpp"
#include "actors/tool/configured_tools.hpp"
#include "actors/usage/plan_keeper.hpp"
#include "actors/usage/usage_routes.hpp"
#include "net/http/docs_page.hpp"
#include "net/http/openapi.hpp"
#include "net/http/server.hpp"
#include "net/object_store/s3.hpp"
#include "net/websocket/asyncapi.hpp"
#include "runtime/backup/backup_desk.hpp"
#include "runtime/metrics/metrics.hpp"
#include "runtime/node.hpp"
#include "runtime/process/network_grant.hpp"
#include "runtime/process/sandbox.hpp"
#include "runtime/supervision/dead_letters.hpp"
#include "runtime/supervision/stall_watch.hpp"
#include "runtime/supervision/tree.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/base/durable_file.hpp"
#include "schemas/base/log.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <thread>
#include <utility>

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

constexpr std::size_t kind_name_bytes_max = 32;
/// What open connections of an edge that is started anew have to end.
constexpr std::int64_t edge_restart_drain_ms = 1000;

} // namespace

struct application::impl {
    explicit impl(model_registry m) : models(std::move(m)) {}

    runtime::config settings;
    std::unique_ptr<tracing> traces; ///< None: no collector. Outlives the node, whose threads use it.
    std::unique_ptr<runtime::node> node;
    std::unique_ptr<plan_keeper> plans;
    model_registry models;
    std::unique_ptr<runtime::sandbox> sandbox;
    std::unique_ptr<run_desks> desks;
    std::unique_ptr<moved_commands> moved;
    std::unique_ptr<project_workspaces> workspaces;
    std::optional<admin_key> key;
    std::unique_ptr<secret_vault> vault;
    std::unique_ptr<identity> who;
    settings_parts settings_of;
    std::unique_ptr<audit_desk> audit;
    std::unique_ptr<refusals> refused;
    std::vector<std::unique_ptr<audit_stream>> audit_streams;
    system_parts system;
    api_documents documents;
    present_edge edge;
    std::set<std::string> kinds; ///< Of entities.
    std::unique_ptr<cassette_desk> cassettes;
    std::vector<runtime::supervision_tree::entry> edge_entries;
    std::function<std::vector<net::route>(const runtime::services&)> own_routes;
    std::shared_ptr<void> own_tools;
    std::shared_ptr<void> own_agent_kinds;
    std::atomic<bool> ready{false};

    [[nodiscard]] std::string edge_path() const { return "/nodes/" + settings.cluster_name + "/edge"; }

    std::vector<net::route> routes() {
        std::vector<net::route> out = system_routes(system);
        auto& parts = node->parts();
        for (auto feature :
             {agent_routes(parts), task_routes(parts), project_routes(parts),
              approval_routes(parts,
                              [this](const net::principal&caller, std::string_view permission) {
                                  return who->doors->authorize(caller, permission);
                              }),
              run_routes(parts, *workspaces), run_history_routes(parts), chat_routes(parts), backup_routes(parts),
              secret_routes(parts, *vault), audit_routes(*audit), identity_routes(*who), usage_routes(parts),
              settings_routes(settings_of), live_routes(parts), compliance_routes(parts), erasure_routes(parts),
              provider_routes(models), own_routes ? own_routes(parts) : std::vector<net::route>()}) {
            std::move(feature.begin(), feature.end(), std::back_inserter(out));
        }
        return out;
    }

    std::string default_model() const {
        const auto all = models.list();
        const auto found = std::find_if(all.begin(), all.end(), [](const auto& m) { return m.is_default; });
        return found == all.end() ? std::string() : found->name;
    }

    run_services run_parts() {
        run_services out;
        out.store = node->parts().store;
        out.find_model = [this](std::string_view name) -> expected<chosen_model> {
            const auto known_as = name.empty() ? default_model() : std::string(name);
            const auto find = [this](std::string_view real) { return models.find(real); };
            auto model = is_cassette_name(known_as) ? cassettes->find(known_as, find) : find(known_as);
            return model ? chosen_as(known_as, std::move(*model), models) : expected<chosen_model>(model.error());
        };
        out.price = [this](std::string_view name) { return price_of(name, models); };
        out.folders = workspaces.get();
        out.commands = sandbox.get();
        desks->give_to(out);
        out.command_limits.free_bytes_min = static_cast<std::uint64_t>(node->parts().settings->storage_free_bytes_min);
        out.command_network = node->parts().settings->sandbox_network == "all";
        out.end_elsewhere = [this](const uuid& replica, const std::string& command) {
            return moved->end_at(replica, command);
        };
        out.default_limits = [this] {
            const auto& now = *node->parts().settings;
            return budget{static_cast<std::uint32_t>(now.budget_steps), static_cast<std::uint64_t>(now.budget_tokens),
                          now.budget_cost_micros, now.budget_time_ms};
        };
        return out;
    }

    expected<void> pass_audit_on();
    expected<void> serve();
    [[nodiscard]] net::server_settings edge_settings() const;
    [[nodiscard]] net::server_hooks edge_hooks();
    expected<std::shared_ptr<net::server>> start_edge(net::server_settings& s, net::server_hooks hooks);
    void show_io_threads(unsigned threads);
    expected<void> write_node_file(const std::string& url) const;
};

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
    return hooks;
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

/// To the outside systems that are configured.
expected<void> application::impl::pass_audit_on() {
    auto& parts = node->parts();
    if (const auto& url = settings.audit_webhook_url; !url.empty()) {
        std::function<expected<std::string>()> secret;
        if (const auto& given = settings.audit_webhook_secret; given.starts_with(secret_prefix)) {
            secret = [this, name = given.substr(secret_prefix.size())] {
                return vault->reveal(node->parts().store->who().default_organization, name);
            };
        } else if (!given.empty()) {
            secret = [given] { return expected<std::string>(given); };
        }
        audit_streams.push_back(std::make_unique<audit_stream>(parts, url, make_webhook_sink(url, std::move(secret))));
    }
    if (const auto& place = settings.audit_syslog; !place.empty()) {
        auto sink = make_syslog_sink(place);
        if (!sink) {
            return sink.error();
        }
        audit_streams.push_back(std::make_unique<audit_stream>(parts, place, std::move(*sink)));
    }
    return {};
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

application::application() = default;

application::~application() {
    if (impl_) {
        stop(1000);
        if (impl_->who) {
            impl_->who->stop();
        }
        if (impl_->vault) {
            impl_->vault->wait();
        }
        if (impl_->desks) {
            impl_->desks->stop();
        }
        impl_->node.reset(); // waits for the performers at work, which use what is destroyed after it
    }
}

namespace {

/// The product's kinds and the program's own.
expected<runtime::kind_registry> all_kinds(runtime::kind_registry kinds, std::vector<runtime::entity_kind> own) {
    for (auto& kind : own) {
        const bool named = !kind.name.empty() && kind.name.size() <= kind_name_bytes_max &&
                           std::ranges::all_of(kind.name, [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
        const auto name = kind.name;
        if (!named || !kind.make || !kinds.emplace(name, std::move(kind)).second) {
            return problem{code::config_invalid, "the kind '" + name +
                                                     "' cannot be hosted: its name is taken, or is not " + "1 to " +
                                                     std::to_string(kind_name_bytes_max) + " of a-z and _"};
        }
    }
    return kinds;
}

} // namespace

expected<std::unique_ptr<application>> application::start(const runtime::config& given,
                                                          const std::filesystem::path& runner, extensions own) {
    auto settings = given;
    auto providers = providers_of(settings);
    if (!providers) {
        return providers.error();
    }
    providers->own = std::move(own.models);
    // The models are judged before there is a node; they ask for secrets when it serves.
    const auto secrets = std::make_shared<std::function<expected<std::string>(std::string_view)>>();
    providers->find_secret = [secrets](std::string_view name) { return (*secrets)(name); };
    auto models = model_registry::make(std::move(*providers));
    if (!models) {
        return models.error();
    }
    auto tools = add_configured_tools(settings, std::move(own.tools),
                                      [secrets](std::string_view name) { return (*secrets)(name); });
    if (!tools) {
        return tools.error();
    }
    auto agent_kinds = add_kinds(std::move(own.agent_kinds));
    if (!agent_kinds) {
        return agent_kinds.error();
    }
    auto place = find_cluster(settings);
    if (!place) {
        return place.error();
    }
    if (*place) {
        (*place)->features = std::move(own.features);
    }
    auto node = *place ? runtime::node::open(settings, **place) : runtime::node::open(settings);
    if (!node) {
        return node.error();
    }
    if (!settings.backup_s3_place.empty()) {
        auto remote = net::make_s3_store(settings.backup_s3_place, settings);
        if (!remote) {
            return remote.error();
        }
        (*node)->parts().backups->copy_to(std::move(*remote));
    }
    auto key = *place && !(*place)->file.admin_key_file.empty()
                   ? admin_key::open_copy(settings.data, (*place)->file.admin_key_file)
                   : admin_key::open(settings.data);
    if (!key) {
        return key.error();
    }
    auto vault = secret_vault::open((*node)->parts(), settings);
    if (!vault) {
        return vault.error();
    }
    std::unique_ptr<application> out(new application);
    out->impl_ = std::make_unique<impl>(std::move(*models));
    auto& me = *out->impl_;
    me.settings = settings;
    me.vault = std::move(*vault);
    *secrets = [&me](std::string_view name) {
        return me.vault->reveal(me.node->parts().store->who().default_organization, name);
    };
    me.node = std::move(*node);
    me.key = std::move(*key);
    me.own_routes = std::move(own.routes);
    me.own_tools = std::move(*tools);
    me.own_agent_kinds = std::move(*agent_kinds);
    const auto mode = settings.sandbox == "none" ? runtime::sandbox_mode::none : runtime::sandbox_mode::bubblewrap;
    const auto commands = std::filesystem::absolute(settings.data) / "commands";
    auto network = runtime::parse_network_grant(settings.sandbox_network);
    if (!network) {
        return network.error();
    }
    me.sandbox = runtime::make_sandbox(mode, commands, runner, std::move(network->hosts));
    auto desks = run_desks::open(settings, *me.sandbox, *me.node->parts().store);
    if (!desks) {
        return desks.error();
    }
    me.desks = std::move(*desks);
    me.moved = std::make_unique<moved_commands>(*me.node, *me.sandbox);
    me.workspaces = std::make_unique<project_workspaces>(*me.node->parts().store,
                                                         std::filesystem::absolute(settings.data) / "projects");
    const auto confined = me.sandbox->probe();
    if (!confined) {
        log_for("sandbox").warn("{}", confined.error().detail);
    }
    const auto model = me.models.find("");
    me.system.node = me.node.get();
    me.system.started_at = system_now();
    me.system.url = [&me] {
        const auto edge = me.edge.load();
        return edge ? edge->url() : std::string();
    };
    me.system.ready = [&me] {
        const auto* member = me.node->member();
        return me.ready && (member == nullptr || member->is_serving()); // others take the requests meanwhile
    };
    me.system.documents = [&me]() -> const api_documents& { return me.documents; };
    me.system.model = model ? (*model)->describe() : model.error().detail;
    me.system.sandbox = !confined ? "not available: " + confined.error().detail : settings.sandbox;
    me.system.sandbox_problem = confined ? "" : confined.error().detail;
    me.system.model_problem = [&me](std::string_view name) -> std::optional<problem> {
        const auto found = me.models.find(name);
        return found ? std::nullopt : std::optional(found.error());
    };
    me.system.connections = [&me] {
        const auto edge = me.edge.load();
        return edge ? edge->connections() : 0;
    };
    me.cassettes = std::make_unique<cassette_desk>(settings.model_cassettes);
    publish_metrics(*me.node);
    publish_model_metrics(me.models);
    auto perform = make_run_performer(me.run_parts());
    if (!settings.traces_otlp_endpoint.empty()) {
        me.traces = std::make_unique<tracing>(settings, *me.node->parts().store);
        me.node->parts().submit = me.traces->traced(std::move(me.node->parts().submit));
        perform = me.traces->traced(std::move(perform));
    }
    auto& parts = me.node->parts();
    auto kinds = all_kinds(entity_kinds(std::move(perform), make_keyring_performer(*me.vault, parts),
                                        make_compliance_performer(parts),
                                        make_erasure_performer({&parts, me.workspaces.get(), commands})),
                           std::move(own.kinds));
    if (auto prepared = kinds ? prepare_contents(parts, *kinds) : kinds.error(); !prepared) {
        return prepared.error();
    }
    for (const auto& [name, kind] : *kinds) {
        me.kinds.insert(name);
    }
    auto plans = plan_keeper::open(me.node->parts());
    if (!plans) {
        return plans.error();
    }
    me.plans = std::move(*plans);
    if (auto hosted = me.node->start(std::move(*kinds)); !hosted) {
        return hosted.error();
    }
    if (auto supervised = me.node->supervise_actor(providers_child(me.models, me.node->parts().tree)); !supervised) {
        return supervised.error();
    }
    publish_cluster_metrics(*me.node);
    me.moved->answer_others();
    if (auto reached = wait_for_cluster(parts); !reached) {
        return reached.error();
    }
    me.vault->rewrap_after_start();
    const node_secrets own_secrets{[&me](std::string_view name) { return me.vault->reveal(system_organization, name); },
                                   [&me](std::string_view name, std::string_view value) {
                                       return me.vault->keep(system_organization, name, value);
                                   },
                                   *secrets};
    auto who = identity::open(me.node->parts(), own_secrets, *me.key);
    if (!who) {
        return who.error();
    }
    me.who = std::move(*who);
    me.settings_of = link_settings(me.node->parts(), *me.vault, *me.who);
    me.audit = std::make_unique<audit_desk>(me.node->parts());
    me.refused = std::make_unique<refusals>(me.node->parts());
    if (auto passed = me.pass_audit_on(); !passed) {
        return passed.error();
    }
    if (auto served = me.serve(); !served) {
        return served.error();
    }
    const auto show_figures = [&me](const runtime::part_failed&) {
        return expected<std::shared_ptr<void>>(std::make_shared<live_figures>(*me.node, me.system.connections));
    };
    if (auto shown = me.node->supervise({"live", "live_figures", show_figures}); !shown) {
        return shown.error();
    }
    for (auto& placed : own.placed) {
        if (auto taken = me.node->place(std::move(placed)); !taken) {
            return problem{code::config_invalid, taken.error().detail};
        }
    }
    watch_node_compliance(me.node->parts());
    me.ready = true;
    return out;
}

void application::reload(const runtime::config& settings) {
    impl_->node->change(settings);
    if (const auto edge = impl_->edge.load()) {
        const auto now = impl_->edge_settings();
        edge->change(now.address_rate, now.caller_rate, now.organization_rate, now.access_log);
        (void)edge->reload_certificate(); // it logs what is wrong, and goes on with the old one
    }
}

std::string application::url() const { return impl_->system.url(); }
std::filesystem::path application::key_file() const { return impl_->key->file(); }
std::string application::model() const { return impl_->system.model; }
std::string application::sandbox() const { return impl_->system.sandbox; }
const runtime::services& application::parts() const { return impl_->node->parts(); }

expected<std::optional<std::string>>
application::setting(const uuid& organization, const std::optional<std::string>& profile, std::string_view key) const {
    return setting_value(impl_->settings_of, organization, profile, key);
}

std::string application::still_running() const {
    std::string out = "the node did not stop in time; still running:";
    for (const auto& path : impl_->node->parts().tree->running(10)) {
        out += " " + path;
    }
    return out;
}

void application::stop(std::int64_t deadline_ms) {
    auto& me = *impl_;
    const auto end = monotonic_ms() + deadline_ms;
    // What one part leaves of its share the others have.
    const auto share = [end](int parts) { return std::max<std::int64_t>(end - monotonic_ms(), 0) / parts; };
    me.ready = false;
    const bool at_work = me.node->statistics().performing > 0;
    if (me.node->retire(share(4)) && at_work) { // it still sends requests on, and is there to be asked
        me.moved->wait_for_questions(share(3));
    }
    if (const auto edge = me.edge.load()) {
        edge->stop(share(2));
        std::error_code ignored;
        std::filesystem::remove(std::filesystem::path(me.settings.data) / "node.json", ignored);
    }
    me.edge_entries.clear();
    me.refused.reset(); // it journals what it has
    me.audit_streams.clear();
    me.audit.reset();
    me.node->stop(share(1));
    runtime::metrics().forget_functions();
}

} // namespace troupe::actors
