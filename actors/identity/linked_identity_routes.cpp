// The identities at issuers that open the caller's account.
#include "actors/common/routes.hpp"
#include "actors/identity/accounts.hpp"
#include "actors/identity/linked_identity_model.hpp"
#include "actors/identity/proof.hpp"

#include <utility>

namespace troupe::actors {
namespace {

using net::request;
using net::responder;
using net::verb;

net::handler list_identities(identity& me) {
    return [&me](request r, responder respond) {
        if (!r.who.credentials->user) {
            return respond(net::to_response(people_only(), r));
        }
        r.query["user"] = to_string(*r.who.credentials->user);
        r.who.organization = system_organization;
        net::list_entities(me.services, std::string(linked_identity_model::kind), {"user"})(std::move(r),
                                                                                            std::move(respond));
    };
}

/// Whether the person would be without any way to log in.
expected<bool> is_last_way(const identity& me, const uuid& user) {
    const auto credential = read_credential(me, user);
    if (!credential) {
        return credential.error();
    }
    if (*credential && !(*credential)->password_hash.empty()) {
        return false;
    }
    storage::list_query query;
    query.organization = system_organization;
    query.kind = linked_identity_model::kind;
    query.filter = "user=" + to_string(user);
    query.limit = 2;
    const auto found = storage::read_list(*me.services.store, query);
    return found ? expected<bool>(found->items.size() < 2) : found.error();
}

net::handler remove_identity(identity& me) {
    return [&me](request r, const responder& respond) {
        const auto& c = r.who.credentials;
        const auto id = parse_uuid(r.param("id"));
        const auto stored = id ? storage::read_document(*me.services.store, linked_identity_address(*id))
                               : expected<std::optional<storage::stored_document>>(std::nullopt);
        const auto link = stored && *stored ? from_json<linked_identity_document>((*stored)->json, strictness::stored)
                                            : expected<linked_identity_document>(problem{});
        const auto refuse = [&](const problem& p) { respond(net::to_response(p, r)); };
        if (!c || !c->session || !c->user) {
            return refuse(people_only());
        }
        if (!link || link->user_id != *c->user || link->removed_at) {
            return refuse({code::not_found, "you have no linked identity '" + std::string(r.param("id")) + "'"});
        }
        if (const auto recent = me.doors->check_recent(r.who); !recent) {
            return refuse(recent.error());
        }
        const auto last = is_last_way(me, *c->user);
        if (!last || *last) {
            return refuse(last ? problem{code::conflict, "this account has no password: without this identity nobody "
                                                         "could log in to it; ask an administrator to set one"}
                               : last.error());
        }
        auto command = command_of(me, r, linked_identity_address(*id), unlink_identity{});
        if (!command) {
            return refuse(command.error());
        }
        me.services.submit(std::move(*command), [r, respond](const runtime::reply& removed) {
            respond(removed ? net::response{204} : net::to_response(removed.error(), r));
        });
    };
}

} // namespace

std::vector<net::route> linked_identity_routes(identity& me) {
    return {
        {.verb = verb::get,
         .path = "/auth/profile/identities",
         .operation = "list_identities",
         .summary = "Lists the identities at issuers of OpenID Connect that open the caller's account.",
         .tag = "auth",
         .permission = "self:read",
         .query = net::list_parameters({}),
         .reply = page_of<linked_identity_document>("linked_identity_list"),
         .run = list_identities(me)},
        {.verb = verb::del,
         .path = "/auth/profile/identities/{id}",
         .operation = "unlink_identity",
         .summary = "Unlinks an identity from the caller's account: it opens nothing before it is linked anew.",
         .tag = "auth",
         .permission = "self:write",
         .success = 204,
         .errors = {code::not_found, code::conflict, code::step_up_required},
         .run = remove_identity(me)},
    };
}

} // namespace troupe::actors
