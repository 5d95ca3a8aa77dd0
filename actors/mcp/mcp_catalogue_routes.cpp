#include "actors/mcp/mcp_catalogue_routes.hpp"

#include "actors/common/model.hpp"
#include "actors/common/routes.hpp"
#include "actors/common/stored.hpp"
#include "actors/mcp/installation_model.hpp"
#include "net/http/handlers.hpp"
#include "schemas/mcp.hpp"
#include "storage/views.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <utility>

namespace troupe::actors {
namespace {

using net::request;
using net::responder;
using net::verb;

constexpr std::size_t id_bytes_max = 24; ///< As of `mcp.servers`.

bool always() { return true; } // registries take their time: not on an io thread

/// "weather" of "io.github.someone/Weather-Server".
std::string short_name(const std::string& name) {
    std::string out;
    for (const char c : name.substr(name.find_last_of('/') + 1)) {
        const auto lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
        const bool plain =
            (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9') || lower == '-' || lower == '_';
        out += plain ? lower : '-';
    }
    return out.substr(0, id_bytes_max);
}

bool is_id(const std::string& id) {
    return !id.empty() && id.size() <= id_bytes_max &&
           id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-") == id.npos;
}

class catalogue {
public:
    catalogue(const runtime::services& s, const mcp_hub& hub, const mcp_registries& registries,
              std::vector<std::string> configured)
        : s_(s), hub_(hub), registries_(registries), configured_(std::move(configured)) {}

    void available(const request& r, const responder& respond) const {
        const auto limit = net::page_limit(r);
        const auto word = std::string(r.query_value("search").value_or(""));
        const auto cursor = std::string(r.query_value("cursor").value_or(""));
        auto found = limit ? registries_.search(word, *limit, cursor) : expected<mcp_registries::page>(limit.error());
        const auto have = found ? installed() : expected<std::map<std::string, std::string>>(found.error());
        if (!have) {
            return respond(net::to_response(have.error(), r));
        }
        std::vector<std::string> items;
        for (auto& server : found->servers) {
            if (const auto here = have->find(server.name); here != have->end() && sees(r)) {
                server.installed_as = here->second;
            }
            items.push_back(to_json(server));
        }
        respond({.body = net::list_body(items, found->next_cursor.empty() ? std::nullopt
                                                                          : std::optional(found->next_cursor))});
    }

    void install(request r, responder respond) const {
        const auto body = from_json<install_mcp_body>(r.body, strictness::input);
        auto wanted = body ? wanted_of(r, *body) : expected<mcp_wanted>(body.error());
        if (!wanted) {
            return respond(net::to_response(wanted.error(), r));
        }
        submit(std::move(r), wanted->id, wire_name<install_server>::value, to_json(install_server{*wanted}), 201,
               std::move(respond));
    }

    void configure(request r, responder respond) const {
        const auto body = from_json<configure_mcp_body>(r.body, strictness::input);
        const auto known = body ? check_installed(r, body->id) : expected<void>(body.error());
        if (!known) {
            return respond(net::to_response(known.error(), r));
        }
        submit(std::move(r), body->id, wire_name<configure_server>::value, to_json(*body), 200, std::move(respond));
    }

    void enable(request r, responder respond, bool on) const {
        const std::string id(r.param("id"));
        if (const auto known = check_installed(r, id); !known) {
            return respond(net::to_response(known.error(), r));
        }
        configure_mcp_body body;
        body.id = id;
        body.enabled = on;
        submit(std::move(r), id, wire_name<configure_server>::value, to_json(body), 200, std::move(respond));
    }

    void uninstall(request r, responder respond) const {
        const std::string id(r.param("id"));
        if (const auto known = check_installed(r, id); !known) {
            return respond(net::to_response(known.error(), r));
        }
        submit(std::move(r), id, wire_name<uninstall_server>::value, "{}", 204, std::move(respond));
    }

    /// The same once more, with another version.
    void upgrade(request r, responder respond) const {
        const std::string id(r.param("id"));
        const auto body = from_json<upgrade_mcp_body>(r.body.empty() ? "{}" : r.body, strictness::input);
        const auto known = body ? check_installed(r, id) : expected<void>(body.error());
        const auto now = known ? read(r, id) : expected<std::optional<mcp_installation_document>>(known.error());
        if (!now) {
            return respond(net::to_response(now.error(), r));
        }
        install_mcp_body again;
        again.name = (*now)->name;
        again.version = body->version;
        again.id = id;
        again.type = (*now)->package.type;
        again.values = (*now)->values;
        again.idempotent = (*now)->idempotent;
        again.network = (*now)->network;
        const auto wanted = wanted_of(r, again);
        if (!wanted) {
            return respond(net::to_response(wanted.error(), r));
        }
        submit(std::move(r), id, wire_name<install_server>::value, to_json(install_server{*wanted}), 200,
               std::move(respond));
    }

    void show(const request& r, const responder& respond) const {
        const std::string id(r.param("id"));
        const auto known = check_installed(r, id);
        const auto now = known ? read(r, id) : expected<std::optional<mcp_installation_document>>(known.error());
        respond(now ? net::response{.body = to_json(**now)} : net::to_response(now.error(), r));
    }

private:
    /// The servers are one organization's, so far.
    [[nodiscard]] bool sees(const request& r) const { return r.who.organization == hub_.organization(); }

    [[nodiscard]] expected<std::optional<mcp_installation_document>> read(const request& r,
                                                                          const std::string& id) const {
        return read_stored<mcp_installation_document>(*s_.store, address(r, id));
    }

    static entity_address address(const request& r, const std::string& id) {
        return {r.who.organization, std::string(installation_model::kind), installation_id(r.who.organization, id)};
    }

    [[nodiscard]] bool is_configured(const std::string& id) const {
        return std::ranges::find(configured_, id) != configured_.end();
    }

    [[nodiscard]] expected<void> check_installed(const request& r, const std::string& id) const {
        if (sees(r) && is_configured(id)) {
            return problem{code::conflict, fmt::format("\"{}\" stands in the node's configuration, under mcp.servers. "
                                                       "Change it there, and start the node anew.",
                                                       id)};
        }
        const auto now =
            sees(r) ? read(r, id)
                    : expected<std::optional<mcp_installation_document>>(std::optional<mcp_installation_document>());
        if (!now) {
            return now.error();
        }
        return *now ? expected<void>()
                    : problem{code::not_found, fmt::format("No MCP server \"{}\" is installed. See GET "
                                                           "/mcp/servers/installed.",
                                                           id)};
    }

    /// Ids by the names of registries.
    [[nodiscard]] expected<std::map<std::string, std::string>> installed() const {
        storage::list_query query;
        query.organization = hub_.organization();
        query.kind = installation_model::kind;
        query.limit = 200;
        const auto page = storage::read_list(*s_.store, query);
        if (!page) {
            return page.error();
        }
        std::map<std::string, std::string> out;
        for (const auto& item : page->items) {
            if (const auto one = from_json<mcp_installation_document>(item.json, strictness::stored)) {
                out[one->name] = one->id;
            }
        }
        return out;
    }

    /// The package that is meant: of that type, else the first that can be installed here.
    static expected<mcp_package> package_of(const mcp_available_document& server, const install_mcp_body& body) {
        std::optional<problem> why;
        for (auto package : server.packages) {
            if (body.type && package.type != *body.type) {
                continue;
            }
            if (package.version.empty() && package.type != mcp_package_type::remote) {
                package.version = server.version;
            }
            const auto good = check_package(package);
            if (good) {
                return package;
            }
            why = why ? why : std::optional(good.error());
        }
        return why ? *why
                   : problem{code::invalid_request,
                             fmt::format("{} {} has no such package.", server.name, server.version),
                             {{"/type", "is none of its packages"}}};
    }

    [[nodiscard]] expected<mcp_wanted> wanted_of(const request& r, const install_mcp_body& body) const {
        if (!sees(r)) {
            return problem{code::forbidden, "MCP servers are installed for the default organization only."};
        }
        mcp_wanted out;
        out.id = body.id.empty() ? short_name(body.name) : body.id;
        if (!is_id(out.id)) {
            return problem{
                code::invalid_request, "An id has a-z, 0-9, - and _ only, at most 24.", {{"/id", "is none"}}};
        }
        if (is_configured(out.id)) {
            return problem{code::conflict,
                           fmt::format("\"{}\" stands in the node's configuration. Choose another id.", out.id)};
        }
        const auto server = registries_.find(body.name, body.version);
        auto package = server ? package_of(*server, body) : expected<mcp_package>(server.error());
        if (!package) {
            return package.error();
        }
        out.name = server->name;
        out.version = server->version;
        out.package = std::move(*package);
        out.values = body.values;
        out.idempotent = body.idempotent;
        out.network = body.network;
        const auto good = check_values(out.package, out.values);
        return good ? expected<mcp_wanted>(std::move(out)) : good.error();
    }

    void submit(request r, const std::string& id, std::string_view type, std::string payload, int status,
                responder respond) const {
        auto c = net::make_command(r, address(r, id), type, std::move(payload));
        if (!c) {
            return respond(net::to_response(c.error(), r));
        }
        net::submit_and_answer(s_, std::move(r), std::move(*c), status, status == 201 ? "/mcp/servers/" + id : "",
                               std::move(respond));
    }

    const runtime::services& s_;
    const mcp_hub& hub_;
    const mcp_registries& registries_;
    const std::vector<std::string> configured_;
};

} // namespace

std::vector<net::route> mcp_catalogue_routes(const runtime::services& s, const mcp_hub& hub,
                                             const mcp_registries& registries, std::vector<std::string> configured) {
    const auto all = std::make_shared<catalogue>(s, hub, registries, std::move(configured));
    const std::string tag = "mcp";
    const std::string admin = "system:admin";
    const auto document = net::reply_of<mcp_installation_document>("mcp_installation");
    const std::vector<net::query_parameter> which{{"id", "Its id here.", R"({"type":"string"})", R"("weather")"}};
    const auto change = [&](verb v, std::string path, std::string operation, std::string summary, auto act) {
        net::route out;
        out.verb = v;
        out.path = std::move(path);
        out.operation = std::move(operation);
        out.summary = std::move(summary);
        out.tag = tag;
        out.permission = admin;
        out.in_path = which;
        out.reply = document;
        out.errors = {code::not_found, code::conflict};
        out.reply_headers = net::changed_headers();
        out.run = [all, act](request r, responder respond) { act(*all, std::move(r), std::move(respond)); };
        return out;
    };
    auto uninstall =
        change(verb::del, "/mcp/servers/{id}", "uninstall_mcp_server",
               "Takes an installed server away: it ends, and its tools go.",
               [](const catalogue& c, request r, responder respond) { c.uninstall(std::move(r), std::move(respond)); });
    uninstall.reply = {};
    uninstall.success = 204;
    auto upgrade =
        change(verb::post, "/mcp/servers/{id}/upgrade", "upgrade_mcp_server",
               "Brings another version of an installed server; the one that is there runs until then.",
               [](const catalogue& c, request r, responder respond) { c.upgrade(std::move(r), std::move(respond)); });
    upgrade.body = net::body_of<upgrade_mcp_body>("upgrade_mcp_server");
    upgrade.errors = {code::not_found, code::conflict, code::unavailable};
    upgrade.blocks = always;
    auto query = net::page_parameters();
    query.insert(query.begin(),
                 {"search", "A word of its name or description.", R"({"type":"string"})", R"("weather")"});
    return {{.verb = verb::get,
             .path = "/mcp/servers/available",
             .operation = "list_available_mcp_servers",
             .summary = "Servers that can be installed: those of the operator's catalogue, then of the registries.",
             .tag = tag,
             .permission = "mcp:read",
             .query = query,
             .reply = page_of<mcp_available_document>("available_mcp_servers"),
             .errors = {code::unavailable},
             .run = [all](const request& r, const responder& respond) { all->available(r, respond); },
             .blocks = always},
            {.verb = verb::post,
             .path = "/mcp/servers/install",
             .operation = "install_mcp_server",
             .summary = "Installs a server: its package is brought in the version that is pinned, into a folder of its "
                        "own, and started; GET /mcp/servers/{id}/installation tells how far it is.",
             .tag = tag,
             .permission = admin,
             .body = net::body_of<install_mcp_body>("install_mcp_server"),
             .reply = document,
             .success = 201,
             .errors = {code::not_found, code::conflict, code::unavailable},
             .reply_headers = net::created_headers(),
             .run = [all](request r, responder respond) { all->install(std::move(r), std::move(respond)); },
             .blocks = always},
            {.verb = verb::post,
             .path = "/mcp/configure",
             .operation = "configure_mcp_server",
             .summary = "Changes what an installed server takes, and whether it runs. It is started anew.",
             .tag = tag,
             .permission = admin,
             .body = net::body_of<configure_mcp_body>("configure_mcp_server"),
             .reply = document,
             .errors = {code::not_found, code::conflict},
             .reply_headers = net::changed_headers(),
             .run = [all](request r, responder respond) { all->configure(std::move(r), std::move(respond)); }},
            {.verb = verb::get,
             .path = "/mcp/servers/{id}/installation",
             .operation = "get_mcp_installation",
             .summary = "What was installed: package, version, checksum, values, and what became of it.",
             .tag = tag,
             .permission = "mcp:read",
             .in_path = which,
             .reply = document,
             .errors = {code::not_found, code::conflict},
             .run = [all](const request& r, const responder& respond) { all->show(r, respond); }},
            change(verb::post, "/mcp/servers/{id}/enable", "enable_mcp_server", "Lets an installed server run.",
                   [](const catalogue& c, request r, responder respond) {
                       c.enable(std::move(r), std::move(respond), true);
                   }),
            change(verb::post, "/mcp/servers/{id}/disable", "disable_mcp_server",
                   "Ends an installed server until it is enabled; it stays installed.",
                   [](const catalogue& c, request r, responder respond) {
                       c.enable(std::move(r), std::move(respond), false);
                   }),
            std::move(upgrade),
            std::move(uninstall)};
}

} // namespace troupe::actors
