#include "actors/application/application_impl.hpp"

#include "actors/a2a/remote_agents.hpp"
#include "actors/application/cluster_ways.hpp"
#include "actors/application/configured_models.hpp"
#include "actors/application/kinds.hpp"
#include "actors/application/live_figures.hpp"
#include "actors/application/node_metrics.hpp"
#include "actors/application/settings_links.hpp"
#include "actors/chat/chat_performer.hpp"
#include "actors/compliance/compliance_performer.hpp"
#include "actors/erasure/erasure_performer.hpp"
#include "actors/goal/goal_performer.hpp"
#include "actors/mcp/installation_keeper.hpp"
#include "actors/mcp/installation_performer.hpp"
#include "actors/mcp/mcp_usage_keeper.hpp"
#include "actors/run/answer_run.hpp"
#include "actors/task/board_file.hpp"
#include "actors/task/task_performer.hpp"
#include "actors/tool/configured_tools.hpp"
#include "net/object_store/s3.hpp"
#include "runtime/backup/backup_desk.hpp"
#include "runtime/metrics/metrics.hpp"
#include "runtime/process/network_grant.hpp"
#include "runtime/supervision/nudged.hpp"
#include "runtime/supervision/stall_watch.hpp"
#include "runtime/supervision/supervisor_actor.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/base/log.hpp"

#include <algorithm>
#include <iterator>
#include <map>

namespace troupe::actors {

namespace {

constexpr std::size_t kind_name_bytes_max = 32;

} // namespace

std::string application::impl::default_model() const {
    const auto all = models.list();
    const auto found = std::find_if(all.begin(), all.end(), [](const auto& m) { return m.is_default; });
    return found == all.end() ? std::string() : found->name;
}

run_services application::impl::run_parts() {
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
    out.rules = [this](const uuid& organization, std::string_view kind) {
        return rules_of_organization(*node->parts().store, organization, kind);
    };
    out.default_limits = [this] {
        const auto& now = *node->parts().settings;
        return budget{static_cast<std::uint32_t>(now.budget_steps), static_cast<std::uint64_t>(now.budget_tokens),
                      now.budget_cost_micros, now.budget_time_ms};
    };
    return out;
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
    const auto find_secret = [secrets](std::string_view name) { return (*secrets)(name); };
    auto elsewhere = remote_agent_tools(std::filesystem::path(settings.data) / "agents.json", find_secret);
    if (!elsewhere) {
        return elsewhere.error();
    }
    std::ranges::move(*elsewhere, std::back_inserter(own.tools));
    auto tools = add_configured_tools(settings, std::move(own.tools), find_secret);
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
    const node_secrets own_secrets{[&me](std::string_view name) { return me.vault->reveal(system_organization, name); },
                                   [&me](std::string_view name, std::string_view value) {
                                       return me.vault->keep(system_organization, name, value);
                                   },
                                   *secrets};
    auto notifications = notification_desk::open(settings, *me.node->parts().store,
                                                 {own_secrets.reveal, own_secrets.keep, own_secrets.configured});
    if (!notifications) {
        return notifications.error();
    }
    me.notifications = std::move(*notifications);
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
    auto servers = runtime::parse_mcp_servers(settings.mcp_servers);
    if (!servers) {
        return servers.error();
    }
    me.free_sandbox = runtime::make_sandbox(runtime::sandbox_mode::none, commands, runner);
    me.mcp_access = tokens_for(*servers, me.token_parts());
    me.mcp =
        std::make_unique<mcp_hub>(std::move(*servers),
                                  mcp_parts{me.sandbox.get(), me.free_sandbox.get(),
                                            std::filesystem::absolute(settings.data) / "mcp", *secrets, me.mcp_access,
                                            [&node = *me.node](std::string_view kind, std::string data) {
                                                const auto& parts = node.parts();
                                                parts.live->publish({{},
                                                                     system_now(),
                                                                     "mcp",
                                                                     std::string(kind),
                                                                     std::move(data),
                                                                     parts.store->who().default_organization});
                                            }},
                                  me.node->parts().store->who().default_organization);
    me.registries = std::make_unique<mcp_registries>(settings.mcp_registries, settings.mcp_catalogue,
                                                     std::filesystem::absolute(settings.data) / "mcp-registries");
    me.mcp->adopt = [&me](runtime::nudged_part part) {
        const auto id = part.id;
        if (const auto done = me.node->supervise_actor(runtime::nudged_child(std::move(part))); !done) {
            log_for("mcp").error("{} cannot be started: {}", id, done.error().detail);
        }
    };
    me.mcp->release = [&me](std::string id) { me.node->release_actor(std::move(id)); };
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
    auto kinds = all_kinds(
        entity_kinds({std::move(perform), make_keyring_performer(*me.vault, parts), make_compliance_performer(parts),
                      make_erasure_performer({&parts, me.workspaces.get(), commands}), make_task_performer(parts),
                      make_goal_performer(parts),
                      make_installation_performer(*me.free_sandbox, std::filesystem::absolute(settings.data) / "mcp"),
                      make_inbox_performer(*me.notifications), make_chat_performer(parts, make_answer_run)}),
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
    if (auto supervised = me.node->supervise_actor(me.mcp->child(me.node->parts().tree)); !supervised) {
        return supervised.error();
    }
    publish_cluster_metrics(*me.node);
    me.moved->answer_others();
    if (auto reached = wait_for_cluster(parts); !reached) {
        return reached.error();
    }
    me.vault->rewrap_after_start();
    if (auto prepared = me.notifications->prepare(); !prepared) {
        return prepared.error();
    }
    auto who = identity::open(me.node->parts(), own_secrets, *me.key);
    if (!who) {
        return who.error();
    }
    me.who = std::move(*who);
    me.settings_of = link_settings(me.node->parts(), *me.vault, *me.who);
    me.audit = std::make_unique<audit_desk>(me.node->parts());
    me.search = std::make_unique<search_desk>(me.node->parts(), std::filesystem::absolute(settings.data) / "search");
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
    const auto keep_installed = [&me](const runtime::part_failed&) {
        return expected<std::shared_ptr<void>>(std::make_shared<installation_keeper>(me.node->parts(), *me.mcp));
    };
    if (auto kept = me.node->supervise({"installed", "mcp_installations", keep_installed}); !kept) {
        return kept.error();
    }
    const auto keep_usage = [&me](const runtime::part_failed&) {
        return expected<std::shared_ptr<void>>(std::make_shared<mcp_usage_keeper>(me.node->parts(), *me.mcp));
    };
    if (auto kept = me.node->supervise({"mcp_usage", "mcp_usage", keep_usage}); !kept) {
        return kept.error();
    }
    const auto follow = [&me](const runtime::part_failed&) {
        return expected<std::shared_ptr<void>>(std::make_shared<search_follower>(*me.search));
    };
    if (auto followed = me.node->supervise({"search", "search_follower", follow}); !followed) {
        return followed.error();
    }
    if (!settings.board_file.empty()) {
        const auto write_board = [&me](const runtime::part_failed&) {
            return expected<std::shared_ptr<void>>(
                std::make_shared<board_file>(me.node->parts(), std::filesystem::absolute(me.settings.board_file)));
        };
        if (auto shown = me.node->supervise({"board", "board_file", write_board}); !shown) {
            return shown.error();
        }
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
    if (const auto stored = me.mcp ? store_mcp_usage(me.node->parts(), *me.mcp) : expected<void>(); !stored) {
        log_for("mcp").warn("the newest of what MCP tools were used for is lost: {}", stored.error().detail);
    }
    me.refused.reset(); // it journals what it has
    me.audit_streams.clear();
    me.audit.reset();
    me.node->stop(share(1));
    runtime::metrics().forget_functions();
}

} // namespace troupe::actors
