// What callers do with themselves: profile, password, sessions, permissions.
#include "actors/common/names.hpp"
#include "actors/common/routes.hpp"
#include "actors/identity/accounts.hpp"
#include "actors/identity/proof.hpp"
#include "actors/identity/session_model.hpp"
#include "actors/identity/user_model.hpp"
#include "schemas/base/network.hpp"
#include "schemas/name_messages.hpp"
#include "schemas/permissions.hpp"
#include "storage/views.hpp"

#include <memory>
#include <utility>

namespace troupe::actors {
namespace {

using net::request;
using net::responder;
using net::verb;

/// Who logged in; keys have no password and no sessions.
std::optional<uuid> person_of(const request& r) {
    const auto& c = r.who.credentials;
    return c && c->session ? c->user : std::nullopt;
}

std::string_view name_of(credential_kind k) {
    return k == credential_kind::admin_key ? "admin_key" : k == credential_kind::api_key ? "api_key" : "user";
}

net::handler me_handler(identity& me) {
    return [&me](const request& r, const responder& respond) {
        const auto& c = *r.who.credentials;
        caller_document d;
        d.principal = r.who.name;
        d.kind = name_of(c.kind);
        if (c.user) {
            auto user = read_user(me, *c.user);
            if (!user) {
                return respond(net::to_response(user.error(), r));
            }
            d.user = std::move(*user);
        }
        d.organization_id = r.who.organization.is_nil() ? std::nullopt : std::optional(r.who.organization);
        d.role = c.role.empty() ? std::nullopt : std::optional(c.role);
        d.permissions = c.scopes.empty() ? c.permissions : c.scopes;
        d.session_id = c.session;
        d.node_admin = r.who.admin;
        respond({200, to_json(d)});
    };
}

net::handler get_profile(identity& me) {
    return [&me](request r, responder respond) {
        if (!r.who.credentials->user) {
            return respond(net::to_response(people_only(), r));
        }
        r.params["id"] = to_string(*r.who.credentials->user);
        r.who.organization = system_organization;
        net::read_entity(me.services, std::string(user_model::kind))(std::move(r), std::move(respond));
    };
}

/// Another address is reserved first, and given up when the change was refused.
void change_email(identity& me, const request& r, const uuid& user, const update_user& change,
                  const responder& respond) {
    // It tells who has an account: not often, and not with a session that somebody left open.
    if (const auto recent = me.doors->check_recent(r.who); !recent) {
        return respond(net::to_response(recent.error(), r));
    }
    if (const auto wait = me.by_address.begin(client_network(r.address), monotonic_ms()); wait > 0) {
        return respond(net::to_response({code::rate_limited,
                                         "too many attempts failed: try again later",
                                         {},
                                         static_cast<std::uint32_t>((wait + 999) / 1000)},
                                        r));
    }
    const wanted_name wanted{system_organization, std::string(user_model::kind), *change.email, user};
    reserve(me.services, r, wanted, [&me, r, wanted, user, change, respond](expected<void> has) {
        if (has) {
            me.by_address.undo(client_network(r.address));
        }
        auto c = has ? command_of(me, r, user_address(user), change) : expected<runtime::command>(has.error());
        if (!c) {
            return respond(net::to_response(c.error(), r));
        }
        net::submit_and_answer(me.services, r, std::move(*c), 200, {}, [&me, r, wanted, respond](net::response answer) {
            if (answer.status < 400) {
                return respond(std::move(answer));
            }
            release(me.services, r, wanted, 0, [respond, answer = std::move(answer)] { respond(answer); });
        });
    });
}

net::handler put_profile(identity& me) {
    return [&me](request r, responder respond) {
        const auto user = person_of(r);
        const auto body = from_json<update_profile_body>(r.body, strictness::input);
        if (!user || !body) {
            return respond(net::to_response(!user ? people_only() : body.error(), r));
        }
        update_user change;
        change.name = body->name;
        if (body->email) {
            change.email = clean_email(*body->email);
            if (!change.email) {
                return respond(net::to_response(bad_email(), r));
            }
            return change_email(me, r, *user, change, respond);
        }
        auto c = command_of(me, r, user_address(*user), change);
        if (!c) {
            return respond(net::to_response(c.error(), r));
        }
        net::submit_and_answer(me.services, std::move(r), std::move(*c), 200, {}, std::move(respond));
    };
}

/// Compares the old one, hashes the new one, ends all sessions and begins a new one for whoever asked.
class changing_password : public std::enable_shared_from_this<changing_password> {
public:
    changing_password(identity& me, request r, change_password_body body, const uuid& user, responder respond)
        : me_(me), request_(std::move(r)), body_(std::move(body)), user_(user), respond_(std::move(respond)) {}

    void run() {
        const auto user = read_user(me_, user_);
        if (!user || !*user) {
            return refuse(user ? people_only() : user.error());
        }
        const auto policy = me_.doors->policy_of(**user);
        if (!policy) {
            return refuse(policy.error());
        }
        if (const auto weak =
                check_password(me_, body_.new_password, "/new_password", {(*user)->email, (*user)->name}, &*policy)) {
            return refuse(*weak);
        }
        prove(me_, request_, {(*user)->email, wiped_text(std::move(body_.current_password)), body_.code},
              [self = shared_from_this()](const auto& proven) {
                  if (!proven) {
                      return self->refuse(proven.error());
                  }
                  self->methods_ = proven->methods;
                  check_new_password(
                      self->me_, proven->user, self->body_.new_password, "/new_password",
                      [self](const expected<void>& good) { good ? self->hash() : self->refuse(good.error()); });
              });
    }

private:
    void refuse(const problem& p) { respond_(net::to_response(p, request_)); }

    void hash() {
        me_.passwords.hash(wiped_text(std::move(body_.new_password)),
                           [self = shared_from_this()](expected<std::string> hash) {
                               hash ? self->change(std::move(*hash)) : self->refuse(hash.error());
                           });
    }

    void change(std::string hash) {
        update_user change;
        change.password_hash = std::move(hash);
        auto c = command_of(me_, request_, user_address(user_), change);
        if (!c) {
            return refuse(c.error());
        }
        me_.services.submit(std::move(*c), [self = shared_from_this()](const runtime::reply& changed) {
            if (!changed) {
                return self->refuse(changed.error());
            }
            const auto organization = self->request_.who.organization;
            start_session(self->me_, self->request_,
                          {.user = self->user_,
                           .methods = self->methods_,
                           .joined = organization.is_nil() ? std::nullopt : std::optional(organization)},
                          self->respond_);
        });
    }

    identity& me_;
    request request_;
    change_password_body body_;
    uuid user_;
    responder respond_;
    std::vector<std::string> methods_;
};

net::handler change_password(identity& me) {
    return [&me](request r, responder respond) {
        const auto user = person_of(r);
        auto body = from_json<change_password_body>(r.body, strictness::input);
        if (!user || !body) {
            return respond(net::to_response(!user ? people_only() : body.error(), r));
        }
        std::make_shared<changing_password>(me, std::move(r), std::move(*body), *user, std::move(respond))->run();
    };
}

net::handler list_sessions(identity& me) {
    return [&me](request r, responder respond) {
        if (!r.who.credentials->user) {
            return respond(net::to_response(people_only(), r));
        }
        r.query["user"] = to_string(*r.who.credentials->user);
        r.who.organization = system_organization;
        net::list_entities(me.services, std::string(session_model::kind), {"user"})(std::move(r), std::move(respond));
    };
}

net::handler delete_session(identity& me) {
    return [&me](request r, responder respond) {
        const auto user = person_of(r);
        const auto id = parse_uuid(r.param("id"));
        const auto stored = user && id ? storage::read_document(*me.services.store, session_address(*id))
                                       : expected<std::optional<storage::stored_document>>(std::nullopt);
        const auto session = stored && *stored ? from_json<session_document>((*stored)->json, strictness::stored)
                                               : expected<session_document>(problem{});
        if (!user || !session || session->user_id != *user) {
            return respond(net::to_response(
                user ? problem{code::not_found, "you have no session '" + std::string(r.param("id")) + "'"}
                     : people_only(),
                r));
        }
        auto c = command_of(me, r, session_address(*id), end_session{"ended by the user"});
        if (!c) {
            return respond(net::to_response(c.error(), r));
        }
        me.services.submit(std::move(*c), [r, respond](const runtime::reply& ended) {
            respond(ended ? net::response{204} : net::to_response(ended.error(), r));
        });
    };
}

net::handler delete_sessions(identity& me) {
    return [&me](request r, responder respond) {
        const auto user = person_of(r);
        auto c =
            user ? command_of(me, r, user_address(*user), end_sessions{}) : expected<runtime::command>(people_only());
        if (!c) {
            return respond(net::to_response(c.error(), r));
        }
        me.services.submit(std::move(*c), [r, respond](const runtime::reply& ended) {
            respond(ended ? net::response{204} : net::to_response(ended.error(), r));
        });
    };
}

net::handler explain_permission(const identity& me) {
    return [&me](const request& r, const responder& respond) {
        const auto permission = r.query_value("permission").value_or("");
        if (!is_permission_pattern(permission) || permission.find('*') != std::string_view::npos) {
            return respond(net::to_response({code::invalid_request,
                                             "permission: expected RESOURCE:ACTION, as task:write",
                                             {{"permission", "expected RESOURCE:ACTION"}}},
                                            r));
        }
        respond({200, to_json(me.doors->explain(r.who, permission))});
    };
}

} // namespace

std::vector<net::route> profile_routes(identity& me) {
    const std::string tag = "auth";
    const auto user = net::reply_of<user_document>("user");
    return {
        {.verb = verb::get,
         .path = "/auth/me",
         .operation = "get_me",
         .summary = "Who the caller is, in which organization, and what it may do.",
         .tag = tag,
         .permission = "caller:read",
         .reply = net::reply_of<caller_document>("caller"),
         .run = me_handler(me)},
        {.verb = verb::get,
         .path = "/auth/permissions",
         .operation = "explain_permission",
         .summary = "Says whether the caller has a permission, and why.",
         .tag = tag,
         .permission = "caller:read",
         .query = {{"permission", "Needed: RESOURCE:ACTION, as the operations of this API name it.",
                    R"({"type":"string"})", R"("task:write")"}},
         .reply = net::reply_of<permission_decision_document>("permission_decision"),
         .run = explain_permission(me)},
        {.verb = verb::get,
         .path = "/auth/profile",
         .operation = "get_profile",
         .summary = "Shows the caller's account.",
         .tag = tag,
         .permission = "self:read",
         .reply = user,
         .reply_headers = net::read_headers(),
         .run = get_profile(me)},
        {.verb = verb::put,
         .path = "/auth/profile",
         .operation = "update_profile",
         .summary = "Changes the caller's name or e-mail address.",
         .tag = tag,
         .permission = "self:write",
         .body = net::body_of<update_profile_body>("update_profile"),
         .reply = user,
         .errors = {code::already_exists, code::precondition_failed, code::step_up_required, code::rate_limited},
         .reply_headers = net::changed_headers(),
         .run = put_profile(me)},
        {.verb = verb::post,
         .path = "/auth/change-password",
         .operation = "change_password",
         .summary = "Changes the caller's password, ends all sessions and begins a new one.",
         .tag = tag,
         .permission = "self:write",
         .body = net::body_of<change_password_body>("change_password"),
         .reply = net::reply_of<login_document>("login"),
         .errors = {code::invalid_credentials, code::mfa_required, code::secrets_locked},
         .run = change_password(me)},
        {.verb = verb::get,
         .path = "/auth/sessions",
         .operation = "list_sessions",
         .summary = "Lists the caller's sessions that are open.",
         .tag = tag,
         .permission = "self:read",
         .query = net::list_parameters({}),
         .reply = page_of<session_document>("session_list"),
         .run = list_sessions(me)},
        {.verb = verb::del,
         .path = "/auth/sessions",
         .operation = "end_sessions",
         .summary = "Logs the caller out everywhere, here too.",
         .tag = tag,
         .permission = "self:write",
         .success = 204,
         .run = delete_sessions(me)},
        {.verb = verb::del,
         .path = "/auth/sessions/{id}",
         .operation = "end_session",
         .summary = "Ends one session of the caller.",
         .tag = tag,
         .permission = "self:write",
         .success = 204,
         .errors = {code::not_found},
         .run = delete_session(me)},
    };
}

} // namespace troupe::actors
