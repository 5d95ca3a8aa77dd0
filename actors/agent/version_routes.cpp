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

expected<std::string> show(const runtime::services& s, const request& r) {
    const auto all = versions_of(s, r);
    if (!all) {
        return all.error();
    }
    const auto number = number_in(r.param("version"));
    const auto found = std::find_if(all->begin(), all->end(), [&](const auto& one) { return one.number == number; });
    if (found == all->end()) {
        return problem{code::not_found, "The agent has no configuration " + std::string(r.param("version")) +
                                            ". GET /agents/{id}/versions lists those that there are."};
    }
    return to_json(*found);
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
         .in_path = {agent, {"version", "The number.", R"({"type":"string"})", R"("1")"}},
         .reply = net::reply_of<agent_version_document>("agent_version"),
         .errors = {code::not_found},
         .run = answer(s, show),
         .blocks = always}};
}

} // namespace troupe::actors
