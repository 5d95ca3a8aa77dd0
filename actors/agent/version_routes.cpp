#include "actors/agent/version_routes.hpp"

#include "actors/agent/agent_model.hpp"
#include "actors/common/model.hpp"
#include "actors/common/routes.hpp"
#include "net/http/handlers.hpp"
#include "runtime/entity/kind.hpp"
#include "schemas/agent_version.hpp"
#include "storage/base.hpp"
#include "storage/log_reader.hpp"
#include "storage/views.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <utility>

namespace troupe::actors {
namespace {

using net::request;
using net::responder;
using net::verb;

const std::string kind{agent_model::kind};

using versions = std::vector<agent_version_document>; ///< Oldest first.

/// The number that a path or a cursor names.
std::optional<std::uint64_t> number_in(std::string_view text) {
    std::uint64_t out = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc() && end == text.data() + text.size() ? std::optional(out) : std::nullopt;
}

expected<versions> read_versions(const runtime::services& s, const entity_address& agent) {
    const auto base = storage::read_base(*s.store, agent);
    if (!base) {
        return base.error();
    }
    versions out;
    const auto read = storage::read_history(
        *s.store, agent, *base ? (*base)->version : 0, [&](storage::record&& x) -> expected<void> {
            if (x.type != wire_name<agent_created>::value && x.type != wire_name<agent_updated>::value) {
                return {};
            }
            auto e = runtime::detail::decode_event<agent_model>(x);
            if (!e) {
                return e.error();
            }
            if (auto* made = std::get_if<agent_created>(&*e)) {
                out.push_back({x.entity_seq, x.time, x.principal, std::move(made->settings)});
            } else if (auto* changed = std::get_if<agent_updated>(&*e)) {
                out.push_back({x.entity_seq, x.time, x.principal, std::move(changed->settings)});
            }
            return {};
        });
    return read ? expected<versions>(std::move(out)) : read.error();
}

/// Those of the agent that the path names, which has to be there.
expected<versions> versions_of(const runtime::services& s, const request& r) {
    const auto id = net::resolve_id(s, r, kind, "name");
    const auto agent = id ? storage::read_document(*s.store, {r.who.organization, kind, *id})
                          : expected<std::optional<storage::stored_document>>(id.error());
    if (!agent || !*agent) {
        return agent ? no_such(kind, *id) : agent.error();
    }
    return read_versions(s, {r.who.organization, kind, *id});
}

/// Newest first; the cursor is the number of the last one of the page before.
expected<std::string> list(const runtime::services& s, const request& r) {
    const auto limit = net::page_limit(r);
    const auto before = number_in(r.query_value("cursor").value_or("18446744073709551615"));
    if (!limit || !before) {
        return limit ? problem{code::invalid_request,
                               "cursor: this is none of this list",
                               {{"cursor", "is none of this list"}}}
                     : limit.error();
    }
    const auto all = versions_of(s, r);
    if (!all) {
        return all.error();
    }
    std::vector<std::string> items;
    std::optional<std::string> next;
    std::uint64_t last = 0;
    for (auto one = all->rbegin(); one != all->rend(); ++one) {
        if (one->number >= *before) {
            continue;
        }
        if (items.size() == *limit) {
            next = std::to_string(last);
            break;
        }
        items.push_back(to_json(*one));
        last = one->number;
    }
    return net::list_body(items, next);
}

expected<agent_version_document> find(const versions& all, std::string_view number) {
    const auto wanted = number_in(number);
    const auto found = std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.number == wanted; });
    if (found == all.end()) {
        return problem{code::not_found, "The agent has no configuration " + std::string(number) +
                                            ". GET /agents/{id}/versions lists those that there are."};
    }
    return *found;
}

expected<agent_version_document> named_version(const runtime::services& s, const request& r) {
    const auto all = versions_of(s, r);
    return all ? find(*all, r.param("version")) : all.error();
}

expected<std::string> show(const runtime::services& s, const request& r) {
    const auto found = named_version(s, r);
    return found ? expected<std::string>(to_json(*found)) : found.error();
}

json::raw as_raw(std::string text) { return {std::move(text)}; } // of a value that was just written

/// Member by member; an absent one is null.
std::vector<settings_change> changes_between(const agent_settings& from, const agent_settings& to) {
    std::vector<settings_change> out;
    boost::mp11::mp_for_each<detail::members_of<agent_settings>>([&](auto member) {
        auto before = to_json(from.*member.pointer);
        auto after = to_json(to.*member.pointer);
        if (before != after) {
            out.push_back({member.name, as_raw(std::move(before)), as_raw(std::move(after))});
        }
    });
    return out;
}

/// From the version in the path to the one of `?to=`, by default the newest.
expected<std::string> diff(const runtime::services& s, const request& r) {
    const auto all = versions_of(s, r);
    const auto from = all ? find(*all, r.param("version")) : expected<agent_version_document>(all.error());
    const auto other = r.query_value("to");
    const auto to = !from   ? expected<agent_version_document>(from.error())
                    : other ? find(*all, *other)
                            : expected<agent_version_document>(all->back());
    if (!to) {
        return to.error();
    }
    return to_json(agent_diff_document{from->number, to->number, changes_between(from->settings, to->settings)});
}

/// All settings as they were, but for the name: that may be another agent's by now.
net::handler restore(const runtime::services& s) {
    return [&s](request r, responder respond) {
        const auto refuse = [&](const problem& p) { respond(net::to_response(p, r)); };
        const auto id = net::resolve_id(s, r, kind, "name");
        const auto all = id ? versions_of(s, r) : expected<versions>(id.error());
        const auto found = all ? find(*all, r.param("version")) : expected<agent_version_document>(all.error());
        if (!found) {
            return refuse(found.error());
        }
        restore_agent wanted{found->settings};
        wanted.settings.name = all->back().settings.name;
        auto c =
            net::make_command(r, {r.who.organization, kind, *id}, wire_name<restore_agent>::value, to_json(wanted));
        if (!c) {
            return refuse(c.error());
        }
        net::submit_and_answer(s, std::move(r), std::move(*c), 200, {}, std::move(respond));
    };
}

net::handler answer(const runtime::services& s,
                    expected<std::string> (*read)(const runtime::services&, const request&)) {
    return [&s, read](const request& r, const responder& respond) {
        auto body = read(s, r);
        respond(body ? net::response{.body = std::move(*body)} : net::to_response(body.error(), r));
    };
}

} // namespace

std::vector<net::route> agent_version_routes(const runtime::services& s) {
    const net::query_parameter agent{"id", "The agent's id or name.", R"({"type":"string"})", R"("scout")"};
    const net::query_parameter version{"version", "The number.", R"({"type":"string"})", R"("1")"};
    const auto always = [] { return true; }; // a whole history is read
    return {
        {.verb = verb::get,
         .path = "/agents/{id}/versions",
         .operation = "list_agent_versions",
         .summary = "The configurations that an agent had, newest first: when, by whom, and its settings from then on.",
         .description = "Read from the agent's history. What retention has cut from it is not shown.",
         .tag = "agents",
         .permission = "agent:read",
         .query = net::page_parameters(),
         .in_path = {agent},
         .reply = page_of<agent_version_document>("agent_version_list"),
         .errors = {code::not_found},
         .run = answer(s, list),
         .blocks = always},
        {.verb = verb::get,
         .path = "/agents/{id}/versions/{version}",
         .operation = "get_agent_version",
         .summary = "One configuration that an agent had, by its number.",
         .tag = "agents",
         .permission = "agent:read",
         .in_path = {agent, version},
         .reply = net::reply_of<agent_version_document>("agent_version"),
         .errors = {code::not_found},
         .run = answer(s, show),
         .blocks = always},
        {.verb = verb::get,
         .path = "/agents/{id}/versions/{version}/diff",
         .operation = "diff_agent_versions",
         .summary = "What differs between two configurations of an agent, setting by setting.",
         .tag = "agents",
         .permission = "agent:read",
         .query = {{"to", "The number of the other one; by default the newest.", R"({"type":"string"})", R"("7")"}},
         .in_path = {agent, version},
         .reply = net::reply_of<agent_diff_document>("agent_diff"),
         .errors = {code::not_found},
         .run = answer(s, diff),
         .blocks = always},
        {.verb = verb::post,
         .path = "/agents/{id}/versions/{version}/restore",
         .operation = "restore_agent_version",
         .summary = "Gives an agent the settings that it had, all but its name. A new version is made of it.",
         .tag = "agents",
         .permission = "agent:write",
         .in_path = {agent, version},
         .reply = net::reply_of<agent_document>("agent"),
         .errors = {code::not_found, code::precondition_failed},
         .reply_headers = net::changed_headers(),
         .run = restore(s),
         .blocks = always}};
}

} // namespace troupe::actors
