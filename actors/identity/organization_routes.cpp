// Organizations. A path names one by id or slug; the edge has put the caller into it (access.hpp), or answered 404.
#include "actors/common/names.hpp"
#include "actors/common/routes.hpp"
#include "actors/identity/accounts.hpp"
#include "actors/identity/organization_model.hpp"

#include <algorithm>
#include <utility>

namespace troupe::actors {
namespace {

using net::request;
using net::responder;
using net::verb;

const std::string kind{organization_model::kind};
constexpr std::size_t organizations_max = 100; // of one person

/// The caller's organization as an entity of `system`.
net::handler of_caller(net::handler run) {
    return [run = std::move(run)](request r, responder respond) {
        r.params["id"] = to_string(r.who.organization);
        r.who.organization = system_organization;
        run(std::move(r), std::move(respond));
    };
}

net::handler create(identity& me) {
    return [&me](request r, responder respond) {
        const auto body = from_json<create_organization_body>(r.body, strictness::input);
        if (!body) {
            return respond(net::to_response(body.error(), r));
        }
        if (!r.who.admin && me.services.settings->identity_registration != "open") {
            return respond(net::to_response(
                {code::registration_off,
                 "organizations are made by administrators of the node while `identity.registration` is not `open`"},
                r));
        }
        if (const auto& user = r.who.credentials->user; user && !r.who.admin) {
            const auto found = read_user(me, *user);
            if (!found || (*found && (*found)->organizations.size() >= organizations_max)) {
                return respond(net::to_response(
                    found ? problem{code::limit_reached, "a person belongs to at most " +
                                                             std::to_string(organizations_max) + " organizations"}
                          : found.error(),
                    r));
            }
        }
        new_organization wanted{body->name, body->slug, body->domain, r.who.credentials->user};
        const auto owner = wanted.owner;
        make_organization(me, r, std::move(wanted), [&me, r, respond, owner](const expected<runtime::outcome>& made) {
            const auto document = made ? from_json<organization_document>(made->document, strictness::stored)
                                       : expected<organization_document>(made.error());
            if (!document) {
                return respond(net::to_response(document.error(), r));
            }
            net::response out{201, made->document};
            out.headers.emplace_back("ETag", "\"" + std::to_string(made->version) + "\"");
            out.headers.emplace_back("Location", "/api/v1/organizations/" + to_string(document->id));
            if (!owner) {
                return respond(std::move(out));
            }
            tell_member(me, r, document->id, made->version, *owner, [respond, out] { respond(out); });
        });
    };
}

/// Administrators of the node see all, others those that they belong to (which are few: one page).
net::handler list(identity& me) {
    return [&me, all = net::list_entities(me.services, kind, {})](request r, responder respond) {
        if (r.who.admin) {
            r.who.organization = system_organization;
            return all(std::move(r), std::move(respond));
        }
        std::vector<uuid> ids;
        if (const auto& user = r.who.credentials->user; user && r.who.credentials->session) {
            const auto found = read_user(me, *user);
            if (!found) {
                return respond(net::to_response(found.error(), r));
            }
            for (const auto& m : *found ? (*found)->organizations : std::vector<user_membership>()) {
                if (m.active) {
                    ids.push_back(m.organization_id);
                }
            }
        } else if (!r.who.organization.is_nil()) {
            ids.push_back(r.who.organization);
        }
        std::vector<std::string> items;
        for (const auto& id : ids) {
            auto document = storage::read_document(*me.services.store, organization_address(id));
            if (!document) {
                return respond(net::to_response(document.error(), r));
            }
            if (*document) {
                items.push_back(std::move((*document)->json));
            }
        }
        respond({200, net::list_body(items, std::nullopt)});
    };
}

/// Another domain is reserved first, and given up when the change was refused.
void change(identity& me, const request& r, const uuid& id, const update_organization& c, const responder& respond) {
    auto command = command_of(me, r, organization_address(id), c);
    if (!command) {
        return respond(net::to_response(command.error(), r));
    }
    if (!c.domain || c.domain->empty()) {
        return net::submit_and_answer(me.services, r, std::move(*command), 200, {}, respond);
    }
    const wanted_name wanted{system_organization, std::string(domain_name_kind), *c.domain, id};
    reserve(me.services, r, wanted, [&me, r, wanted, command = *command, respond](expected<void> has) {
        if (!has) {
            return respond(net::to_response(has.error(), r));
        }
        net::submit_and_answer(me.services, r, command, 200, {}, [&me, r, wanted, respond](net::response answer) {
            if (answer.status < 400) {
                return respond(std::move(answer));
            }
            release(me.services, r, wanted, 0, [respond, answer = std::move(answer)] { respond(answer); });
        });
    });
}

net::handler update(identity& me) {
    return [&me](request r, responder respond) {
        const auto body = from_json<update_organization_body>(r.body, strictness::input);
        if (!body) {
            return respond(net::to_response(body.error(), r));
        }
        if ((body->plan || body->status || body->trial_ends_at || body->limits) && !r.who.admin) {
            return respond(net::to_response(
                {code::forbidden, "plan, status, trial and limits are changed by administrators of the node only"}, r));
        }
        change(me, r, r.who.organization,
               {body->name, body->domain, {}, body->plan, body->status, body->trial_ends_at, body->limits}, respond);
    };
}

} // namespace

std::vector<net::route> organization_routes(identity& me) {
    const std::string tag = "organizations";
    const std::vector<net::query_parameter> which{{"id", "Id or slug.", R"({"type":"string"})", R"("acme")"}};
    const auto document = net::reply_of<organization_document>("organization");
    const auto update_route = [&](verb v, std::string operation) {
        return net::route{.verb = v,
                          .path = "/organizations/{id}",
                          .operation = std::move(operation),
                          .summary = "Replaces what is given.",
                          .tag = tag,
                          .permission = "organization:write",
                          .in_path = which,
                          .body = net::body_of<update_organization_body>("update_organization"),
                          .reply = document,
                          .errors = {code::not_found, code::already_exists, code::precondition_failed},
                          .reply_headers = net::changed_headers(),
                          .run = update(me)};
    };
    return {
        {.verb = verb::get,
         .path = "/organizations",
         .operation = "list_organizations",
         .summary = "Lists the organizations that the caller belongs to; all of them for administrators of the node.",
         .tag = tag,
         .permission = "self:read",
         .query = net::list_parameters({}),
         .reply = page_of<organization_document>("organization_list"),
         .run = list(me)},
        {.verb = verb::post,
         .path = "/organizations",
         .operation = "create_organization",
         .summary = "Makes an organization, which the caller owns.",
         .tag = tag,
         .permission = "self:write",
         .body = net::body_of<create_organization_body>("create_organization"),
         .reply = document,
         .success = 201,
         .errors = {code::already_exists, code::registration_off, code::limit_reached},
         .reply_headers = net::created_headers(),
         .run = create(me)},
        {.verb = verb::get,
         .path = "/organizations/{id}",
         .operation = "get_organization",
         .summary = "Shows an organization, by its id or slug.",
         .tag = tag,
         .permission = "organization:read",
         .in_path = which,
         .reply = document,
         .errors = {code::not_found},
         .reply_headers = net::read_headers(),
         .run = of_caller(net::read_entity(me.services, kind))},
        update_route(verb::put, "update_organization"),
        update_route(verb::patch, "patch_organization"),
    };
}

} // namespace troupe::actors
