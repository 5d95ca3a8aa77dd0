// Accounts, for administrators of the node.
#include "actors/common/routes.hpp"
#include "actors/identity/accounts.hpp"
#include "actors/identity/organization_model.hpp"
#include "actors/identity/proof.hpp"
#include "actors/identity/user_model.hpp"
#include "schemas/name_messages.hpp"
#include "storage/views.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace troupe::actors {
namespace {

using net::request;
using net::responder;
using net::verb;

const std::string kind{user_model::kind};
const std::string by_email = "email";

net::response created(const std::string& document, std::uint64_t version, const uuid& id) {
    net::response out{201, document};
    out.headers.emplace_back("ETag", "\"" + std::to_string(version) + "\"");
    out.headers.emplace_back("Location", "/api/v1/users/" + to_string(id));
    return out;
}

net::handler create(identity& me) {
    return [&me](request r, responder respond) {
        if (const auto recent = me.doors->check_recent(r.who); !recent) {
            return respond(net::to_response(recent.error(), r));
        }
        auto body = from_json<create_user_body>(r.body, strictness::input);
        if (body && body->node_admin && !r.who.admin) { // a narrowed key of an administrator is none
            return respond(net::to_response({code::forbidden, "only an administrator of the node makes another"}, r));
        }
        const auto email = body ? clean_email(body->email) : std::nullopt;
        if (!email) {
            return respond(net::to_response(body ? bad_email() : body.error(), r));
        }
        const auto policy = body->role ? me.doors->policy_of(r.who.organization)
                                       : expected<std::shared_ptr<const security_policy>>(nullptr);
        const auto weak = policy ? check_password(me, body->password, "/password", {*email, body->name}, policy->get())
                                 : std::optional(policy.error());
        if (weak) {
            return respond(net::to_response(*weak, r));
        }
        if (body->role) {
            if (const auto may = check_may_give(me, r.who, r.who.organization, *body->role); !may) {
                return respond(net::to_response(may.error(), r));
            }
        }
        if (!r.header("idempotency-key")) {
            r.headers["idempotency-key"] = to_string(make_uuid()); // one id for account and membership
        }
        new_account account{*email, body->name, wiped_text(std::move(body->password)), body->node_admin};
        make_account(me, r, std::move(account), [&me, r, respond, role = body->role](expected<runtime::outcome> made) {
            const auto user = made ? from_json<user_document>(made->document, strictness::stored)
                                   : expected<user_document>(made.error());
            if (!user) {
                return respond(net::to_response(user.error(), r));
            }
            if (!role) {
                return respond(created(made->document, made->version, user->id));
            }
            auto join = command_of(me, r, organization_address(r.who.organization), add_member{user->id, *role});
            if (!join) {
                return respond(net::to_response(join.error(), r));
            }
            me.services.submit(std::move(*join), [&me, r, respond, made = std::move(*made),
                                                  id = user->id](const runtime::reply& joined) {
                if (!joined) {
                    return respond(net::to_response(joined.error(), r));
                }
                tell_member(me, r, r.who.organization, joined->version, id, [&me, respond, made, id] {
                    const auto now = storage::read_document(*me.services.store, user_address(id));
                    respond(now && *now ? created((*now)->json, (*now)->version, id)
                                        : created(made.document, made.version, id));
                });
            });
        });
    };
}

void submit_change(identity& me, const request& r, const uuid& id, const update_user& change,
                   const responder& respond) {
    auto c = command_of(me, r, user_address(id), change);
    if (!c) {
        return respond(net::to_response(c.error(), r));
    }
    net::submit_and_answer(me.services, r, std::move(*c), 200, {}, respond);
}

net::handler update(identity& me) {
    return [&me](request r, responder respond) {
        if (const auto recent = me.doors->check_recent(r.who); !recent) {
            return respond(net::to_response(recent.error(), r));
        }
        r.who.organization = system_organization;
        auto body = from_json<update_user_body>(r.body, strictness::input);
        if (body && (body->node_admin || body->password) && !r.who.admin) {
            return respond(net::to_response(
                {code::forbidden, "rights on the node and passwords are given by its administrators only"}, r));
        }
        const auto id = body ? net::resolve_id(me.services, r, kind, by_email) : expected<uuid>(body.error());
        const auto user = id ? read_user(me, *id) : expected<std::optional<user_document>>(id.error());
        if (!user || !*user) {
            return respond(net::to_response(
                user ? problem{code::not_found, "there is no user '" + std::string(r.param("id")) + "'"} : user.error(),
                r));
        }
        update_user change{body->name, {}, body->status, body->node_admin, {}};
        if (!body->password) {
            return submit_change(me, r, *id, change, respond);
        }
        const auto password = std::make_shared<wiped_text>(std::move(*body->password));
        const auto hashed = [&me, r, id = *id, change, respond](expected<std::string> hash) mutable {
            if (!hash) {
                return respond(net::to_response(hash.error(), r));
            }
            change.password_hash = std::move(*hash);
            submit_change(me, r, id, change, respond);
        };
        check_new_password(me, **user, password->text(), "/password",
                           [&me, r, respond, password, hashed](const expected<void>& good) {
                               if (!good) {
                                   return respond(net::to_response(good.error(), r));
                               }
                               me.passwords.hash(std::move(*password), hashed);
                           });
    };
}

} // namespace

std::vector<net::route> user_routes(identity& me) {
    const std::string tag = "users";
    const std::vector<net::query_parameter> which{
        {"id", "Id or e-mail address.", R"({"type":"string"})", R"("ada@example.org")"}};
    const auto document = net::reply_of<user_document>("user");
    const auto update_route = [&](verb v, std::string operation) {
        return net::route{.verb = v,
                          .path = "/users/{id}",
                          .operation = std::move(operation),
                          .summary = "Replaces what is given: name, status, password, rights on the node.",
                          .tag = tag,
                          .permission = "system:admin",
                          .in_path = which,
                          .body = net::body_of<update_user_body>("update_user"),
                          .reply = document,
                          .errors = {code::not_found, code::precondition_failed, code::step_up_required},
                          .reply_headers = net::changed_headers(),
                          .run = update(me)};
    };
    return {
        {.verb = verb::get,
         .path = "/users",
         .operation = "list_users",
         .summary = "Lists accounts, newest first.",
         .tag = tag,
         .permission = "system:admin",
         .query = net::list_parameters({by_email}),
         .reply = page_of<user_document>("user_list"),
         .run = in_system(net::list_entities(me.services, kind, {by_email}))},
        {.verb = verb::post,
         .path = "/users",
         .operation = "create_user",
         .summary = "Makes an account, and with `role` a membership in the organization of the request.",
         .tag = tag,
         .permission = "system:admin",
         .body = net::body_of<create_user_body>("create_user"),
         .reply = document,
         .success = 201,
         .errors = {code::already_exists, code::limit_reached, code::step_up_required},
         .reply_headers = net::created_headers(),
         .run = create(me)},
        {.verb = verb::get,
         .path = "/users/{id}",
         .operation = "get_user",
         .summary = "Shows an account, by its id or e-mail address.",
         .tag = tag,
         .permission = "system:admin",
         .in_path = which,
         .reply = document,
         .errors = {code::not_found},
         .reply_headers = net::read_headers(),
         .run = in_system(net::read_entity(me.services, kind, by_email))},
        update_route(verb::put, "update_user"),
        update_route(verb::patch, "patch_user"),
        {.verb = verb::post,
         .path = "/users/{id}/disable-mfa",
         .operation = "disable_user_mfa",
         .summary = "Ends the second factor of a person who has lost it.",
         .tag = tag,
         .permission = "system:admin",
         .in_path = which,
         .reply = document,
         .errors = {code::not_found, code::step_up_required},
         .reply_headers = net::changed_headers(),
         .run =
             [&me, disable = in_system(net::change_entity(
                       me.services, kind, net::empty_command(std::string(wire_name<disable_mfa>::value)), 200,
                       by_email))](request r, responder respond) {
                 if (const auto recent = me.doors->check_recent(r.who); !recent) {
                     return respond(net::to_response(recent.error(), r));
                 }
                 disable(std::move(r), std::move(respond));
             }},
        {.verb = verb::post,
         .path = "/users/{id}/unlock",
         .operation = "unlock_user",
         .summary = "Lets a person try again who failed to log in too often.",
         .tag = tag,
         .permission = "system:admin",
         .in_path = which,
         .reply = document,
         .errors = {code::not_found},
         .reply_headers = net::changed_headers(),
         .run =
             [&me, unlock = in_system(net::change_entity(me.services, kind,
                                                         net::empty_command(std::string(wire_name<unlock_user>::value)),
                                                         200, by_email))](request r, responder respond) {
                 auto of = r;
                 of.who.organization = system_organization;
                 const auto id = net::resolve_id(me.services, of, kind, by_email);
                 if (const auto user = id ? read_user(me, *id) : expected<std::optional<user_document>>(id.error());
                     user && *user) {
                     const auto account = fold_name((*user)->email);
                     me.by_account.forget(account + "|");
                     me.by_account_everywhere.succeeded(account);
                 }
                 unlock(std::move(r), std::move(respond));
             }},
    };
}

} // namespace troupe::actors
