// API keys of people, agents and services.
#include "actors/common/routes.hpp"
#include "actors/identity/accounts.hpp"
#include "actors/identity/api_key_model.hpp"
#include "actors/identity/proof.hpp"
#include "schemas/permissions.hpp"
#include "storage/views.hpp"

#include <algorithm>
#include <memory>
#include <utility>

namespace troupe::actors {
namespace {

using net::request;
using net::responder;
using net::verb;

const std::string kind{api_key_model::kind};

problem no_key(const request& r) {
    return {code::not_found,
            "there is no API key '" + std::string(r.param("id")) + "'; see the list for what there is"};
}

bool manages_keys(const identity& me, const request& r, std::string_view permission) {
    return me.doors->authorize(r.who, permission).has_value();
}

std::string person_of(const request& r) {
    const auto& user = r.who.credentials->user;
    return user ? "user/" + to_string(*user) : std::string();
}

/// The key that a path names: of the caller's organization, and the caller's own unless it manages keys.
expected<api_key_document> find_key(const identity& me, const request& r, std::string_view permission) {
    const auto id = parse_uuid(r.param("id"));
    const auto stored = id ? storage::read_document(*me.services.store, api_key_address(*id))
                           : expected<std::optional<storage::stored_document>>(std::nullopt);
    if (!stored || !*stored) {
        return stored ? no_key(r) : stored.error();
    }
    auto key = from_json<api_key_document>((*stored)->json, strictness::stored);
    if (!key) {
        return key.error();
    }
    const bool visible =
        key->organization_id == r.who.organization && (key->owner == person_of(r) || manages_keys(me, r, permission));
    return visible ? expected<api_key_document>(std::move(*key)) : no_key(r);
}

/// Scopes are patterns.
expected<void> check_scopes(const std::vector<std::string>& scopes) {
    for (std::size_t i = 0; i < scopes.size(); ++i) {
        if (!is_permission_pattern(scopes[i])) {
            return problem{code::invalid_request,
                           "'" + scopes[i] + "' is no permission: write it as `task:read`, `task:*` or `*:read`.",
                           {{"/scopes/" + std::to_string(i), "is no permission"}}};
        }
    }
    return {};
}

/// Whose the key is: an agent's, a service's with a role, or the caller's.
expected<create_api_key> owned(const identity& me, const request& r, const create_api_key_body& body) {
    create_api_key out;
    out.organization_id = r.who.organization;
    out.name = body.name;
    out.scopes = body.scopes;
    out.expires_at = body.expires_at;
    if (auto recent = me.doors->check_recent(r.who); !recent) {
        return recent.error();
    }
    if (r.who.credentials->key) { // what a key makes would outlive it
        return problem{code::forbidden, "A key makes no further keys: log in, or use the administrator's key."};
    }
    if (auto may = me.doors->check_policy(r.who); !may) { // whoever may make one has the permission `self:write` alone
        return may.error();
    }
    if (r.who.credentials->suspended) {
        return problem{code::organization_suspended, "This organization is suspended: nothing in it changes."};
    }
    if (r.who.organization.is_nil()) {
        return problem{code::conflict,
                       "You belong to no organization yet, and a key belongs to one: make one with POST "
                       "/api/v1/organizations."};
    }
    if (!body.agent && !body.role) {
        out.owner = person_of(r);
        if (out.owner.empty()) {
            return problem{code::invalid_request,
                           "This caller is no person who could own a key: give `role` for the key of a service, or "
                           "`agent`.",
                           {{"/role", "is missing"}}};
        }
        return out;
    }
    if (auto may = me.doors->authorize(r.who, "api_key:write"); !may) {
        return may.error();
    }
    out.role = body.role.value_or(std::string(agent_role));
    out.owner = "service";
    if (body.agent) {
        auto of = r;
        of.params["id"] = *body.agent;
        const auto agent = net::resolve_id(me.services, of, "agent", "name");
        const auto there = agent ? storage::read_document(*me.services.store, {r.who.organization, "agent", *agent})
                                 : expected<std::optional<storage::stored_document>>(std::nullopt);
        if (!there || !*there) {
            return problem{code::invalid_request,
                           "There is no agent '" + *body.agent + "'.",
                           {{"/agent", "is no agent of this organization"}}};
        }
        out.owner = "agent/" + to_string(*agent);
    }
    if (auto may = check_may_give(me, r.who, r.who.organization, out.role); !may) {
        return may.error();
    }
    return out;
}

/// For the key; a repeat of its creation needs none.
expected<std::shared_ptr<void>> place_of(identity& me, const create_api_key& c, const uuid& id) {
    const auto known = storage::read_document(*me.services.store, api_key_address(id));
    if (!known) {
        return known.error();
    }
    return *known ? std::shared_ptr<void>() : me.places_of_keys.take(me, c.organization_id, c.owner);
}

net::handler create(identity& me) {
    return [&me](request r, responder respond) {
        const auto body = from_json<create_api_key_body>(r.body, strictness::input);
        const auto fits = body ? check_scopes(body->scopes) : expected<void>(body.error());
        auto command = fits ? owned(me, r, *body) : expected<create_api_key>(fits.error());
        if (!command) {
            return respond(net::to_response(command.error(), r));
        }
        const auto id = net::id_for_create(r, "create_api_key");
        const auto key = make_api_key(me.keys->opaque_key(), id);
        const auto digest = sha256(key);
        command->hash = to_hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
        command->prefix = key.substr(0, api_key_prefix.size() + 6);
        auto place = place_of(me, *command, id);
        auto c = place ? command_of(me, r, api_key_address(id), *command) : expected<runtime::command>(place.error());
        if (!c) {
            return respond(net::to_response(c.error(), r));
        }
        me.services.submit(
            std::move(*c), [r, respond, key, id, place = std::move(*place)](const runtime::reply& made) mutable {
                place.reset(); // the key is there to be counted; whoever hears of it may ask for the next one
                auto shown = made ? from_json<api_key_document>(made->document, strictness::stored)
                                  : expected<api_key_document>(made.error());
                if (!shown) {
                    return respond(net::to_response(shown.error(), r));
                }
                created_api_key_document d;
                static_cast<api_key_document&>(d) = std::move(*shown);
                d.key = key;
                net::response out{201, to_json(d)};
                out.headers.emplace_back("ETag", "\"" + std::to_string(made->version) + "\"");
                out.headers.emplace_back("Location", "/api/v1/api-keys/" + to_string(id));
                out.headers.emplace_back("Cache-Control", "no-store");
                respond(std::move(out));
            });
    };
}

/// All keys of the organization for whoever manages them, else the caller's own.
net::handler list(identity& me) {
    return [&me](request r, responder respond) {
        const bool own = !manages_keys(me, r, "api_key:read");
        r.query["organization"] = to_string(r.who.organization);
        if (own) {
            r.query["owner"] = person_of(r);
        }
        r.who.organization = system_organization;
        net::list_entities(me.services, kind, {"organization", "owner"})(std::move(r), std::move(respond));
    };
}

net::handler get(identity& me) {
    return [&me](request r, responder respond) {
        if (const auto key = find_key(me, r, "api_key:read"); !key) {
            return respond(net::to_response(key.error(), r));
        }
        r.who.organization = system_organization;
        net::read_entity(me.services, kind)(std::move(r), std::move(respond));
    };
}

net::handler revoke(identity& me) {
    return [&me](request r, responder respond) {
        const auto key = find_key(me, r, "api_key:write");
        auto c = key ? command_of(me, r, api_key_address(key->id), revoke_api_key{})
                     : expected<runtime::command>(key.error());
        if (!c) {
            return respond(net::to_response(c.error(), r));
        }
        me.services.submit(std::move(*c), [r, respond](const runtime::reply& done) {
            respond(done ? net::response{204} : net::to_response(done.error(), r));
        });
    };
}

} // namespace

std::vector<net::route> api_key_routes(identity& me) {
    const std::string tag = "api-keys";
    return {
        {.verb = verb::get,
         .path = "/api-keys",
         .operation = "list_api_keys",
         .summary = "Lists API keys that are good: the caller's own, or all of the organization for who manages them.",
         .tag = tag,
         .permission = "self:read",
         .query = net::list_parameters({"owner"}),
         .reply = page_of<api_key_document>("api_key_list"),
         .run = list(me)},
        {.verb = verb::post,
         .path = "/api-keys",
         .operation = "create_api_key",
         .summary = "Makes an API key, which is shown this once: the caller's own, or an agent's or service's.",
         .tag = tag,
         .permission = "self:write",
         .body = net::body_of<create_api_key_body>("create_api_key"),
         .reply = net::reply_of<created_api_key_document>("created_api_key"),
         .success = 201,
         .errors = {code::conflict, code::too_many_keys, code::organization_suspended, code::step_up_required},
         .reply_headers = {"ETag", "Location"},
         .run = create(me)},
        {.verb = verb::get,
         .path = "/api-keys/{id}",
         .operation = "get_api_key",
         .summary = "Shows an API key: what it may do and when it was used, never the key.",
         .tag = tag,
         .permission = "self:read",
         .reply = net::reply_of<api_key_document>("api_key"),
         .errors = {code::not_found},
         .reply_headers = net::read_headers(),
         .run = get(me)},
        {.verb = verb::del,
         .path = "/api-keys/{id}",
         .operation = "revoke_api_key",
         .summary = "Revokes an API key: from this answer on nothing is done with it.",
         .tag = tag,
         .permission = "self:write",
         .success = 204,
         .errors = {code::not_found},
         .run = revoke(me)},
    };
}

} // namespace troupe::actors
