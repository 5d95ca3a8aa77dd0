// Erasing people and organizations. What follows the request is actors/erasure.
#include "actors/common/routes.hpp"
#include "actors/identity/accounts.hpp"
#include "actors/identity/organization_model.hpp"
#include "schemas/erasure_messages.hpp"
#include "schemas/permissions.hpp"
#include "storage/views.hpp"

#include <utility>

namespace troupe::actors {
namespace {

using net::request;
using net::responder;
using net::verb;

/// The answer shows the erasure as it is after the request; it goes on by itself.
void begin_erasing(identity& me, const request& r, const uuid& id, erasure_subject subject, const responder& respond) {
    auto c = command_of(me, r, erasure_address(id), request_erasure{subject});
    if (!c) {
        return respond(net::to_response(c.error(), r));
    }
    net::submit_and_answer(me.services, r, std::move(*c), 202, {}, respond);
}

/// What cannot be taken back asks for its name.
expected<void> check_confirmed(const request& r, const std::string& name, std::string_view what) {
    if (r.query_value("confirm").value_or("") == name) {
        return {};
    }
    return problem{code::invalid_request,
                   "This erases " + std::string(what) + " for ever. Say so with `confirm=" + name + "`.",
                   {{"confirm", "has to be " + name}}};
}

net::handler erase_organization(identity& me) {
    return [&me](request r, responder respond) {
        const auto id = r.who.organization;
        const auto found = read_stored<organization_document>(*me.services.store, organization_address(id));
        if (!found || !*found) {
            return respond(
                net::to_response(found ? problem{code::not_found, "there is no such organization"} : found.error(), r));
        }
        if (id == me.services.store->who().default_organization) {
            return respond(net::to_response(
                {code::conflict, "this is the organization of the node itself, which stays as long as the node does"},
                r));
        }
        if (const auto sure = check_confirmed(r, (*found)->slug, "the organization with all that is in it"); !sure) {
            return respond(net::to_response(sure.error(), r));
        }
        r.who.organization = system_organization;
        begin_erasing(me, r, id, erasure_subject::organization, respond);
    };
}

/// Whether an organization would be nobody's without the person.
expected<bool> is_last_owner(const identity& me, const uuid& organization, const uuid& user) {
    storage::item_query query{organization_address(organization), std::string(members_collection), false, 500, {}};
    for (;;) {
        const auto page = storage::read_items(*me.services.store, query);
        if (!page) {
            return page.error();
        }
        for (const auto& item : page->items) {
            const auto m = from_json<member_record>(item, strictness::stored);
            if (m && m->user_id != user && !m->removed && m->role == owner_role && m->status == member_status::active) {
                return false;
            }
        }
        if (!page->next_cursor) {
            return true;
        }
        query.cursor = *page->next_cursor;
    }
}

expected<void> check_owns_nothing(const identity& me, const user_document& user) {
    for (const auto& m : user.organizations) {
        const auto last = m.role == owner_role ? is_last_owner(me, m.organization_id, user.id) : expected<bool>(false);
        if (!last) {
            return last.error();
        }
        if (*last) {
            return problem{code::conflict,
                           "This person is the only owner of the organization " + to_string(m.organization_id) +
                               ". Give the role `owner` to somebody else, or delete the organization first."};
        }
    }
    return {};
}

void erase_user(identity& me, request r, const user_document& user, const responder& respond) {
    auto sure = check_confirmed(r, user.email, "the account with its sessions and keys");
    if (sure) {
        sure = check_owns_nothing(me, user);
    }
    if (!sure) {
        return respond(net::to_response(sure.error(), r));
    }
    r.who.organization = system_organization;
    begin_erasing(me, r, user.id, erasure_subject::user, respond);
}

net::handler erase_account(identity& me) {
    return [&me](request r, responder respond) {
        if (const auto recent = me.doors->check_recent(r.who); !recent) {
            return respond(net::to_response(recent.error(), r));
        }
        auto of = r;
        of.who.organization = system_organization;
        const auto id = net::resolve_id(me.services, of, std::string(user_model::kind), "email");
        const auto user = id ? read_user(me, *id) : expected<std::optional<user_document>>(id.error());
        if (!user || !*user) {
            return respond(net::to_response(
                user ? problem{code::not_found, "there is no user '" + std::string(r.param("id")) + "'"} : user.error(),
                r));
        }
        erase_user(me, std::move(r), **user, respond);
    };
}

net::handler erase_own_account(identity& me) {
    return [&me](request r, responder respond) {
        if (!r.who.credentials->session || !r.who.credentials->user) {
            return respond(net::to_response(people_only(), r));
        }
        if (const auto recent = me.doors->check_recent(r.who); !recent) {
            return respond(net::to_response(recent.error(), r));
        }
        const auto user = read_user(me, *r.who.credentials->user);
        if (!user || !*user) {
            return respond(net::to_response(
                user ? problem{code::not_found, "there is no such account any more"} : user.error(), r));
        }
        erase_user(me, std::move(r), **user, respond);
    };
}

} // namespace

std::vector<net::route> deletion_routes(identity& me) {
    const auto confirm = [](std::string doc, std::string example) {
        return std::vector<net::query_parameter>{
            {"confirm", std::move(doc), R"({"type":"string"})", std::move(example)}};
    };
    const auto document = net::reply_of<erasure_document>("erasure");
    return {
        {.verb = verb::del,
         .path = "/organizations/{id}",
         .operation = "erase_organization",
         .summary = "Erases an organization with all that is in it, in backups too. There is no way back.",
         .tag = "organizations",
         .permission = "organization:delete",
         .query = confirm("Its slug: that it is meant.", R"("acme")"),
         .in_path = {{"id", "Id or slug.", R"({"type":"string"})", R"("acme")"}},
         .reply = document,
         .success = 202,
         .errors = {code::not_found, code::conflict, code::step_up_required},
         .run = erase_organization(me)},
        {.verb = verb::del,
         .path = "/users/{id}",
         .operation = "erase_user",
         .summary = "Erases a person: the account, its sessions, keys and what is known of where it was used from.",
         .tag = "users",
         .permission = "system:admin",
         .query = confirm("The account's e-mail address: that it is meant.", R"("ada@example.org")"),
         .in_path = {{"id", "Id or e-mail address.", R"({"type":"string"})", R"("ada@example.org")"}},
         .reply = document,
         .success = 202,
         .errors = {code::not_found, code::conflict, code::step_up_required},
         .run = erase_account(me)},
        {.verb = verb::del,
         .path = "/auth/profile",
         .operation = "erase_profile",
         .summary = "Erases the caller's own account, as administrators do for others.",
         .tag = "auth",
         .permission = "self:write",
         .query = confirm("The account's e-mail address: that it is meant.", R"("ada@example.org")"),
         .reply = document,
         .success = 202,
         .errors = {code::forbidden, code::conflict, code::step_up_required},
         .run = erase_own_account(me)},
    };
}

} // namespace troupe::actors
