// Logging in and out: register, login, refresh, logout, and the keys that others check tokens with.
#include "actors/identity/accounts.hpp"
#include "actors/identity/organization_model.hpp"
#include "actors/identity/proof.hpp"
#include "actors/identity/session_model.hpp"
#include "actors/identity/user_model.hpp"
#include "schemas/base/log.hpp"
#include "schemas/base/network.hpp"
#include "schemas/name_messages.hpp"
#include "storage/views.hpp"

#include <algorithm>
#include <memory>
#include <utility>

namespace troupe::actors {
namespace {

using net::request;
using net::responder;
using net::verb;

net::handler login_handler(identity& me) {
    return [&me](request r, responder respond) {
        auto body = from_json<login_body>(r.body, strictness::input);
        wipe(r.body);
        if (!body) {
            respond(net::to_response(body.error(), r));
            return;
        }
        prove(me, r, {body->email, wiped_text(std::move(body->password)), body->code},
              [&me, r, respond, organization = body->organization, cookie = body->cookie](const auto& proven) {
                  if (!proven) {
                      return respond(net::to_response(proven.error(), r));
                  }
                  start_session(me, r,
                                {.user = proven->user.id,
                                 .methods = proven->methods,
                                 .organization = organization,
                                 .cookie = cookie,
                                 .generation = proven->generation},
                                respond);
              });
    };
}

/// An account, then its organization (a new one, or that of the invitation), then a session. What a crash leaves is an
/// account without an organization: its person can log in and make one, or accept the invitation.
class registration : public std::enable_shared_from_this<registration> {
public:
    registration(identity& me, request r, register_body body, responder respond)
        : me_(me), request_(std::move(r)), body_(std::move(body)), respond_(std::move(respond)) {}

    void run() {
        if (const auto wait = me_.by_address.wait_ms(client_network(request_.address), monotonic_ms()); wait > 0) {
            return refuse(wait_first(wait));
        }
        if (auto allowed = check_allowed(); !allowed) {
            return refuse(allowed.error());
        }
        const auto email = clean_email(body_.email);
        if (!email) {
            return refuse(bad_email());
        }
        const auto policy = invitation_ ? me_.doors->policy_of(invitation_->id)
                                        : expected<std::shared_ptr<const security_policy>>(nullptr);
        if (!policy) {
            return refuse(policy.error());
        }
        if (const auto weak = check_password(me_, body_.password, "/password", {*email, body_.name}, policy->get())) {
            return refuse(*weak);
        }
        email_ = *email;
        make_account(me_, request_, {email_, body_.name, wiped_text(std::move(body_.password)), false},
                     [self = shared_from_this()](const expected<runtime::outcome>& made) {
                         made ? self->on_account(*made) : self->on_refused(made.error());
                     });
    }

private:
    void refuse(const problem& p) { respond_(net::to_response(p, request_)); }

    /// Registering tells who has an account: not often.
    void on_refused(const problem& p) {
        if (p.code == code::already_exists) {
            me_.by_address.failed(client_network(request_.address), monotonic_ms());
            return refuse({code::already_exists,
                           "there is an account with this e-mail address: log in",
                           {{"/email", "has an account"}}});
        }
        refuse(p);
    }

    expected<void> check_allowed() {
        const auto& mode = me_.services.settings->identity_registration;
        if (mode == "off" || (mode == "invite" && !body_.invitation)) {
            return problem{code::registration_off,
                           mode == "off" ? "nobody can register by themselves here: `identity.registration` is `off`"
                                         : "registering needs an invitation: `identity.registration` is `invite`"};
        }
        if (!body_.invitation) {
            return {};
        }
        invitation_ = read_opaque(me_.keys->opaque_key(), invitation_prefix, *body_.invitation);
        const auto item = invitation_ ? storage::read_item(*me_.services.store, organization_address(invitation_->id),
                                                           invitations_collection, to_string(invitation_->second))
                                      : expected<std::optional<std::string>>(std::nullopt);
        if (!item) {
            return item.error();
        }
        const auto invitation = *item ? from_json<invitation_document>(**item, strictness::stored)
                                      : expected<invitation_document>(problem{});
        const bool good = invitation && invitation->status == invitation_status::open &&
                          system_now() < invitation->expires_at &&
                          fold_name(invitation->email) == fold_name(clean_email(body_.email).value_or(""));
        const bool repeated = invitation && request_.header("idempotency-key") &&
                              invitation->accepted_by == net::id_for_create(request_, "create_user");
        if (!good && !repeated) {
            me_.by_address.failed(client_network(request_.address), monotonic_ms());
            return problem{code::invalid_request,
                           "This invitation is not for this e-mail address, was used or revoked, or has expired.",
                           {{"/invitation", "is not good for this address"}}};
        }
        return {};
    }

    void on_account(const runtime::outcome& made) {
        const auto user = from_json<user_document>(made.document, strictness::stored);
        if (!user) {
            return refuse(user.error());
        }
        user_ = user->id;
        request_.who.name = "user/" + to_string(user_);
        if (invitation_) { // its owners see in their audit log who joined
            request_.who.organization = invitation_->id;
        }
        const auto begin = [self = shared_from_this()](const expected<runtime::outcome>& joined) {
            if (!joined) {
                return self->refuse(joined.error());
            }
            const auto organization = from_json<organization_document>(joined->document, strictness::stored);
            if (!organization) {
                return self->refuse(organization.error());
            }
            tell_member(self->me_, self->request_, organization->id, joined->version, self->user_,
                        [self, id = organization->id] {
                            start_session(self->me_, self->request_,
                                          {.user = self->user_, .methods = {"password"}, .status = 201, .joined = id},
                                          self->respond_);
                        });
        };
        if (!invitation_) {
            const auto name = body_.name.empty() ? email_.substr(0, email_.find('@')) : body_.name;
            make_organization(me_, request_, {body_.organization.value_or(name), {}, {}, user_}, begin);
            return;
        }
        auto c = command_of(me_, request_, organization_address(invitation_->id),
                            accept_invitation{invitation_->second, user_, email_});
        if (!c) {
            return refuse(c.error());
        }
        me_.services.submit(std::move(*c), begin);
    }

    identity& me_;
    request request_;
    register_body body_;
    responder respond_;
    std::string email_;
    uuid user_;
    std::optional<opaque_token> invitation_;
};

net::handler register_handler(identity& me) {
    return [&me](request r, responder respond) {
        auto body = from_json<register_body>(r.body, strictness::input);
        if (!body) {
            respond(net::to_response(body.error(), r));
            return;
        }
        std::make_shared<registration>(me, std::move(r), std::move(*body), std::move(respond))->run();
    };
}

problem bad_refresh_token() { return {code::unauthenticated, "this refresh token is not known: log in again"}; }

/// Whether that is the session's present rotation.
bool is_rotation(const identity& me, const uuid& session, std::uint64_t rotation) {
    const auto item = storage::read_item(*me.services.store, session_address(session), family_collection, family_key);
    const auto family =
        item && *item ? from_json<session_family>(**item, strictness::stored) : expected<session_family>(problem{});
    return family && family->rotation == rotation;
}

void on_rotated(identity& me, const request& r, const responder& respond, const runtime::reply& rotated,
                std::uint64_t rotation, bool cookie) {
    const auto session = rotated ? from_json<session_document>(rotated->document, strictness::stored)
                                 : expected<session_document>(rotated.error());
    const auto user =
        session ? read_user(me, session->user_id) : expected<std::optional<user_document>>(session.error());
    if (!user || !*user) {
        return respond(net::to_response(user ? bad_refresh_token() : user.error(), r));
    }
    if (rotated->repeated && !session->ended_at && !is_rotation(me, session->id, rotation + 1)) {
        return respond(net::to_response({code::unauthenticated, "this refresh came again too late: its token was used "
                                                                "since, log in again"},
                                        r));
    }
    if (session->ended_at) {
        log_for("identity")
            .warn("a refresh token of the session {} was used twice: the session is ended (from {})",
                  to_string(session->id), r.address);
        auto refusal = net::to_response(
            {code::token_reused, "this refresh token was used before, so its session was ended: log in again"}, r);
        clear_cookies(refusal);
        return respond(std::move(refusal));
    }
    respond(tokens_of(me, **user, session->id, session->organization_id, rotation + 1, cookie, 200));
}

net::handler refresh_handler(identity& me) {
    return [&me](request r, responder respond) {
        const auto refuse = [&](const problem& p) { respond(net::to_response(p, r)); };
        const auto body = from_json<refresh_body>(r.body.empty() ? "{}" : r.body, strictness::input);
        if (!body) {
            return refuse(body.error());
        }
        const bool cookie = !body->refresh_token;
        const auto text = cookie ? std::string(r.cookie(refresh_cookie).value_or("")) : *body->refresh_token;
        const auto token = read_opaque(me.keys->opaque_key(), refresh_prefix, text);
        if (!token) { // made up: whoever has one of this node is never slowed down by others
            const auto wait = me.by_address.begin(client_network(r.address), monotonic_ms());
            return refuse(wait > 0 ? wait_first(wait) : bad_refresh_token());
        }
        const auto stored = storage::read_document(*me.services.store, session_address(token->id));
        const auto session = stored && *stored ? from_json<session_document>((*stored)->json, strictness::stored)
                                               : expected<session_document>(bad_refresh_token());
        const auto user =
            session ? read_user(me, session->user_id) : expected<std::optional<user_document>>(session.error());
        if (!user || !*user) {
            return refuse(user ? bad_refresh_token() : user.error());
        }
        const auto family =
            storage::read_item(*me.services.store, session_address(token->id), family_collection, family_key);
        const auto credential = read_credential(me, (*user)->id);
        const auto mine = family && *family ? from_json<session_family>(**family, strictness::stored)
                                            : expected<session_family>(problem{});
        if (!mine || !credential || !*credential || mine->generation != (*credential)->generation ||
            (*user)->status != user_status::active) {
            return refuse({code::unauthenticated, "this session is over: log in again"});
        }
        const auto organization = body->organization ? choose_organization(me, **user, body->organization)
                                                     : expected<std::optional<uuid>>(std::nullopt);
        if (!organization) {
            return refuse(organization.error());
        }
        const auto target = *organization ? *organization : session->organization_id;
        if (const auto may = me.doors->check_refresh(*session, **user, target); !may) {
            return refuse(may.error());
        }
        r.who.name = "user/" + to_string((*user)->id);
        r.body += text; // a cookie's token is part of the request, too: its repeat is another one
        auto c = command_of(me, r, session_address(token->id),
                            rotate_session{token->number, *organization, r.address,
                                           std::string(r.user_agent().substr(0, 200)),
                                           me.services.settings->identity_session_ms});
        if (!c) {
            return refuse(c.error());
        }
        me.services.submit(std::move(*c),
                           [&me, r, respond, number = token->number, cookie](const runtime::reply& rotated) {
                               on_rotated(me, r, respond, rotated, number, cookie);
                           });
    };
}

net::handler logout_handler(identity& me) {
    return [&me](request r, responder respond) {
        const auto& c = r.who.credentials;
        if (!c || !c->session) {
            respond(net::to_response({code::invalid_request, "this is no session: a key is revoked with DELETE "
                                                             "/api/v1/api-keys/{id}"},
                                     r));
            return;
        }
        auto end = command_of(me, r, session_address(*c->session), end_session{"logout"});
        if (!end) {
            respond(net::to_response(end.error(), r));
            return;
        }
        me.services.submit(std::move(*end), [r, respond](const runtime::reply& ended) {
            net::response out = ended ? net::response{204} : net::to_response(ended.error(), r);
            clear_cookies(out);
            respond(std::move(out));
        });
    };
}

net::body_type jwks_type() {
    return {
        "jwks",
        [] {
            return R"({"type":"object","properties":{"keys":{"type":"array","items":{"type":"object"}}},"required":["keys"]})";
        },
        nullptr};
}

net::route jwks_route(identity& me, std::string path, std::string operation, bool rooted) {
    return {.verb = verb::get,
            .path = std::move(path),
            .operation = std::move(operation),
            .summary = "The public keys that access tokens are checked with (RFC 7517).",
            .tag = "auth",
            .reply = jwks_type(),
            .run =
                [&me](const request&, const responder& respond) {
                    net::response out{200, me.keys->jwks()};
                    out.headers.emplace_back("Cache-Control", "public, max-age=300");
                    respond(std::move(out));
                },
            .rooted = rooted};
}

} // namespace

std::vector<net::route> login_routes(identity& me) {
    const std::string tag = "auth";
    const auto tokens = net::reply_of<login_document>("login");
    return {
        {.verb = verb::post,
         .path = "/auth/register",
         .operation = "register",
         .summary =
             "Makes an account and an organization for it, or joins the organization of an invitation, and logs in.",
         .tag = tag,
         .body = net::body_of<register_body>("register"),
         .reply = tokens,
         .success = 201,
         .errors = {code::registration_off, code::already_exists, code::not_found, code::limit_reached},
         .run = register_handler(me),
         .open = true},
        {.verb = verb::post,
         .path = "/auth/login",
         .operation = "login",
         .summary = "Logs in with e-mail address and password, and opens a session.",
         .tag = tag,
         .body = net::body_of<login_body>("login_request"),
         .reply = tokens,
         .errors = {code::invalid_credentials, code::mfa_required, code::secrets_locked},
         .reply_headers = {"Set-Cookie"},
         .run = login_handler(me),
         .open = true},
        {.verb = verb::post,
         .path = "/auth/refresh",
         .operation = "refresh",
         .summary = "Gives new tokens for a refresh token, which is good once: its second use ends the session.",
         .tag = tag,
         .body = net::body_of<refresh_body>("refresh_request"),
         .reply = tokens,
         .errors = {code::unauthenticated, code::token_reused, code::session_too_old},
         .reply_headers = {"Set-Cookie"},
         .run = refresh_handler(me),
         .open = true},
        {.verb = verb::post,
         .path = "/auth/logout",
         .operation = "logout",
         .summary = "Ends the caller's session and takes its cookies away.",
         .tag = tag,
         .permission = "self:write",
         .success = 204,
         .reply_headers = {"Set-Cookie"},
         .run = logout_handler(me)},
        jwks_route(me, "/auth/jwks", "get_jwks", false),
        jwks_route(me, "/.well-known/jwks.json", "get_well_known_jwks", true),
    };
}

} // namespace troupe::actors
