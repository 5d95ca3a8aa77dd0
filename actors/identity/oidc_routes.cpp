// Logging in at an issuer of OpenID Connect: authorization code with PKCE.
#include "actors/common/routes.hpp"
#include "actors/identity/accounts.hpp"
#include "actors/identity/oidc_desk.hpp"
#include "actors/identity/oidc_entry.hpp"
#include "actors/identity/oidc_pages.hpp"
#include "actors/identity/oidc_state.hpp"
#include "actors/identity/proof.hpp"
#include "actors/identity/session_model.hpp"
#include "net/client/oauth_wire.hpp"
#include "schemas/base/network.hpp"

#include <memory>
#include <utility>

namespace troupe::actors {
namespace {

using net::request;
using net::responder;
using net::response;
using net::verb;

/// What a login is bound to in a browser. Lax: it has to come along when the issuer sends the browser back.
constexpr std::string_view binding_cookie = "__Host-troupe-oidc";
/// A login that lacks the second factor.
constexpr std::string_view ticket_cookie = "__Host-troupe-login";
/// Where browsers go in the end when nobody says otherwise: the only page that the node has.
constexpr std::string_view home_path = "/api/v1/docs";
constexpr std::string_view ticket_header = "X-Login-Ticket";

std::string cookie_of(std::string_view name, std::string_view value, std::string_view site, std::int64_t seconds) {
    return std::string(name) + "=" + std::string(value) + "; Path=/; Secure; HttpOnly; SameSite=" + std::string(site) +
           "; Max-Age=" + std::to_string(seconds);
}

void forget_binding(response& out) { out.headers.emplace_back("Set-Cookie", cookie_of(binding_cookie, "", "Lax", 0)); }

response redirection(std::string to) {
    response out{302};
    out.headers.emplace_back("Location", std::move(to));
    out.headers.emplace_back("Cache-Control", "no-store");
    return out;
}

std::string with_parameter(const std::string& url, std::string_view name, std::string_view value) {
    return net::with_query(url, {{std::string(name), std::string(value)}});
}

problem too_busy() {
    return {code::overloaded, "too many people wait for their issuers: try again in a moment", {}, 5};
}

problem bad_state(std::string_view provider) {
    return {code::invalid_request, "This login was not begun here, or took longer than ten minutes. Begin again at "
                                   "/api/v1/auth/oidc/" +
                                       std::string(provider) + "/start."};
}

expected<oidc_issuer*> issuer_of(const identity& me, const request& r) {
    const auto name = r.param("provider");
    auto* found = me.issuers ? me.issuers->find(name) : nullptr;
    if (found == nullptr) {
        return problem{code::not_found, "there is no issuer '" + std::string(name) +
                                            "' to log in with; GET /api/v1/auth/oidc lists them, `identity.oidc` "
                                            "names them"};
    }
    return found;
}

/// Where the issuer sends the browser back to.
std::string callback_of(const identity& me, const request& r, const std::string& provider) {
    auto base = me.services.settings->identity_public_url;
    if (base.empty()) {
        base = (r.secure ? "https://" : "http://") + std::string(r.header("host").value_or("localhost"));
    }
    while (base.ends_with('/')) {
        base.pop_back();
    }
    return base + "/api/v1/auth/oidc/" + provider + "/callback";
}

/// A login on its way to the issuer.
struct beginning {
    oidc_attempt attempt;
    std::string binding;
};

beginning begin_at(const identity& me, const request& r, const oidc_issuer& issuer) {
    beginning out;
    out.binding = make_secret();
    out.attempt.id = make_uuid();
    out.attempt.provider = issuer.settings().name;
    out.attempt.started_at = system_now();
    out.attempt.redirect_uri = callback_of(me, r, issuer.settings().name);
    out.attempt.binding = hash_of_binding(out.binding);
    out.attempt.max_age_ms = me.services.settings->identity_step_up_ms;
    return out;
}

/// Asks the issuer where to go, and answers with what `show` makes of the URL.
void send_there(identity& me, const request& r, oidc_issuer& issuer, const beginning& b,
                std::function<response(const std::string& url)> show, const responder& respond) {
    const auto& key = me.keys->opaque_key();
    authorization a{b.attempt.redirect_uri, seal_attempt(key, b.attempt), nonce_of(key, b.attempt),
                    net::pkce_challenge(verifier_of(key, b.attempt)), b.attempt.max_age_ms};
    const bool taken =
        me.issuers->run([&issuer, r, a = std::move(a), show = std::move(show), respond](const std::stop_token& stop) {
            const auto url = issuer.authorization_url(a, stop);
            if (!url) {
                log_refusal(url.error(), r);
                return respond(refusal_page(without_reason(url.error(), issuer.settings().name, r), r));
            }
            respond(show(*url));
        });
    if (!taken) {
        respond(refusal_page(too_busy(), r));
    }
}

void add_binding(response& out, const std::string& binding) {
    out.headers.emplace_back("Set-Cookie", cookie_of(binding_cookie, binding, "Lax", oidc_attempt_ms / 1000));
}

net::handler start_browser(identity& me) {
    return [&me](const request& r, const responder& respond) {
        const auto issuer = issuer_of(me, r);
        const std::string path(r.query_value("redirect").value_or(home_path));
        if (!issuer || !is_own_path(path)) {
            return respond(refusal_page(issuer ? problem{code::invalid_request,
                                                         "redirect: has to be a path of this node, as in /api/v1/docs",
                                                         {{"redirect", "is no path of this node"}}}
                                               : issuer.error(),
                                        r));
        }
        auto b = begin_at(me, r, **issuer);
        b.attempt.path = path;
        if (const auto organization = r.query_value("organization")) {
            b.attempt.organization = std::string(*organization);
        }
        send_there(
            me, r, **issuer, b,
            [binding = b.binding](const std::string& url) {
                auto out = redirection(url);
                add_binding(out, binding);
                return out;
            },
            respond);
    };
}

response started(const std::string& url, const std::optional<std::string>& binding,
                 const std::optional<std::string>& check) {
    response out{200, to_json(oidc_started_document{url, binding, oidc_attempt_ms / 1000, check})};
    out.headers.emplace_back("Cache-Control", "no-store");
    return out;
}

net::handler start_program(identity& me) {
    return [&me](const request& r, const responder& respond) {
        const auto issuer = issuer_of(me, r);
        const auto body =
            issuer ? from_json<oidc_start_body>(r.body, strictness::input) : expected<oidc_start_body>(issuer.error());
        if (!body || !is_loopback_redirect(body->redirect)) {
            return respond(net::to_response(body ? problem{code::invalid_request,
                                                           "/redirect: has to be http://127.0.0.1:PORT/ or "
                                                           "http://[::1]:PORT/ (RFC 8252)",
                                                           {{"/redirect", "is not on this machine"}}}
                                                 : body.error(),
                                            r));
        }
        auto b = begin_at(me, r, **issuer);
        b.attempt.loopback = body->redirect;
        b.attempt.organization = body->organization;
        send_there(
            me, r, **issuer, b,
            [binding = b.binding, check = check_of(me.keys->opaque_key(), b.attempt)](const std::string& url) {
                return started(url, binding, check);
            },
            respond);
    };
}

/// The identity that comes back becomes one of the caller's.
net::handler start_link(identity& me) {
    return [&me](const request& r, const responder& respond) {
        const auto& c = r.who.credentials;
        const auto issuer = issuer_of(me, r);
        const auto body = issuer ? from_json<oidc_link_body>(r.body.empty() ? "{}" : r.body, strictness::input)
                                 : expected<oidc_link_body>(issuer.error());
        if (!body) {
            return respond(net::to_response(body.error(), r));
        }
        if (!c || !c->session || !c->user) {
            return respond(net::to_response(
                {code::forbidden, "this is for people: log in with POST /api/v1/auth/login and use that token"}, r));
        }
        if (const auto recent = me.doors->check_recent(r.who); !recent) {
            return respond(net::to_response(recent.error(), r));
        }
        const auto family = read_stored<session_family>(*me.services.store, session_address(*c->session),
                                                        family_collection, family_key);
        if (!family || !*family) {
            return respond(net::to_response(
                family ? problem{code::unauthenticated, "this session is over: log in again"} : family.error(), r));
        }
        auto b = begin_at(me, r, **issuer);
        b.attempt.path = body->redirect.value_or(std::string(home_path));
        b.attempt.link = oidc_link{*c->user, *c->session, (*family)->generation};
        if (!is_own_path(b.attempt.path)) {
            return respond(net::to_response({code::invalid_request,
                                             "/redirect: has to be a path of this node, as in /api/v1/docs",
                                             {{"/redirect", "is no path of this node"}}},
                                            r));
        }
        send_there(
            me, r, **issuer, b,
            [binding = b.binding](const std::string& url) {
                auto out = started(url, {}, {});
                add_binding(out, binding);
                return out;
            },
            respond);
    };
}

/// What came back from the issuer, on its way to a session.
class arrival : public std::enable_shared_from_this<arrival> {
public:
    arrival(identity& me, request r, oidc_issuer& issuer, oidc_attempt attempt, responder respond)
        : me_(me),
          request_(std::move(r)),
          issuer_(issuer),
          attempt_(std::move(attempt)),
          respond_(std::move(respond)),
          browser_(!attempt_.loopback) {}

    /// Each one counts as a failed attempt of its network until it is known to be none.
    void run(std::string code, std::optional<std::string> iss) {
        const auto wait = me_.by_address.begin(client_network(request_.address), monotonic_ms());
        if (wait > 0) {
            const auto seconds = static_cast<std::uint32_t>((wait + 999) / 1000);
            return refuse({code::rate_limited, "too many attempts failed: try again later", {}, seconds});
        }
        const auto& key = me_.keys->opaque_key();
        authorization_answer a{
            std::move(code),         std::move(iss),      attempt_.redirect_uri, verifier_of(key, attempt_),
            nonce_of(key, attempt_), attempt_.started_at, attempt_.max_age_ms};
        const bool taken = me_.issuers->run(
            [self = shared_from_this(), a = std::move(a)](const std::stop_token& stop) { self->exchange(a, stop); });
        if (!taken) {
            not_judged(too_busy());
        }
    }

private:
    void exchange(const authorization_answer& a, const std::stop_token& stop) {
        auto claims = issuer_.exchange(a, stop);
        if (!claims) {
            log_refusal(claims.error(), request_);
            return claims.error().code == code::invalid_credentials
                       ? refuse(claims.error())
                       : not_judged(without_reason(claims.error(), issuer_.settings().name, request_));
        }
        enter_by_oidc(me_, request_, issuer_.settings(), attempt_, std::move(*claims),
                      [self = shared_from_this()](expected<oidc_person> person) {
                          if (person) {
                              return self->on_person(*person);
                          }
                          log_refusal(person.error(), self->request_);
                          self->not_judged(
                              without_reason(person.error(), self->issuer_.settings().name, self->request_));
                      });
    }

    void on_person(const oidc_person& p) {
        me_.by_address.undo(client_network(request_.address));
        if (attempt_.link) {
            auto out = redirection(with_parameter(attempt_.path, "linked", attempt_.provider));
            forget_binding(out);
            return respond_(std::move(out));
        }
        if (p.needs_code) {
            return ask_for_code(p);
        }
        start_session(me_, request_,
                      {.user = p.user.id,
                       .methods = p.methods,
                       .organization = attempt_.organization,
                       .cookie = browser_,
                       .generation = p.generation},
                      [self = shared_from_this()](response answer) { self->on_session(std::move(answer)); });
    }

    /// The issuer proved one factor: the person's own second one is asked for here.
    void ask_for_code(const oidc_person& p) {
        const auto ticket = seal_ticket(me_.keys->opaque_key(), {p.user.id, attempt_.provider, system_now(),
                                                                 p.generation, attempt_.organization, browser_});
        if (browser_) {
            auto out = redirection(with_parameter(attempt_.path, "login", "mfa_required"));
            forget_binding(out);
            out.headers.emplace_back("Set-Cookie", cookie_of(ticket_cookie, ticket, "Strict", oidc_ticket_ms / 1000));
            return respond_(std::move(out));
        }
        auto out =
            net::to_response({code::mfa_required, "the issuer asked for no second factor: send the code of yours "
                                                  "to POST /api/v1/auth/oidc/mfa, with the header "
                                                  "X-Login-Ticket of this answer as `ticket`"},
                             request_);
        out.headers.emplace_back(ticket_header, ticket);
        out.headers.emplace_back("Cache-Control", "no-store");
        respond_(std::move(out));
    }

    void on_session(response answer) {
        if (!browser_) {
            return respond_(std::move(answer));
        }
        if (answer.status >= 400) {
            return refuse(from_problem_json(answer.body, answer.status));
        }
        auto out = redirection(attempt_.path);
        for (auto& h : answer.headers) {
            if (h.first == "Set-Cookie") {
                out.headers.push_back(std::move(h));
            }
        }
        forget_binding(out);
        respond_(std::move(out));
    }

    void not_judged(const problem& p) {
        me_.by_address.undo(client_network(request_.address));
        refuse(p);
    }

    void refuse(const problem& p) {
        auto out = browser_ ? refusal_page(p, request_) : net::to_response(p, request_);
        if (browser_) {
            forget_binding(out);
        }
        respond_(std::move(out));
    }

    identity& me_;
    request request_;
    oidc_issuer& issuer_; ///< Lives as long as the threads that come here.
    oidc_attempt attempt_;
    responder respond_;
    bool browser_;
};

/// What the issuer says when the person or the issuer itself did not want to.
problem issuer_error(const oidc_issuer& issuer, std::string_view error) {
    if (error == "access_denied") {
        return {code::forbidden, "logging in with '" + issuer.settings().name + "' was refused there."};
    }
    const bool plain = error.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string_view::npos;
    return {code::invalid_credentials, "logging in with '" + issuer.settings().name + "' ended there with " +
                                           (plain ? "`" + std::string(error.substr(0, 64)) + "`" : "an error") +
                                           ": begin again, or ask an administrator."};
}

net::handler callback_browser(identity& me) {
    return [&me](const request& r, const responder& respond) {
        const auto issuer = issuer_of(me, r);
        if (!issuer) {
            return respond(refusal_page(issuer.error(), r));
        }
        auto attempt = open_attempt(me.keys->opaque_key(), r.query_value("state").value_or(""), system_now());
        if (!attempt || attempt->provider != (*issuer)->settings().name) {
            return respond(refusal_page(bad_state((*issuer)->settings().name), r));
        }
        if (attempt->loopback) { // the program that began it brings it here again, with what binds it
            auto to = *attempt->loopback;
            for (const std::string_view name : {"code", "state", "iss", "error"}) {
                if (const auto value = r.query_value(name)) {
                    to = with_parameter(to, name, *value);
                }
            }
            return respond(question_page(to, check_of(me.keys->opaque_key(), *attempt)));
        }
        const auto refuse = [&](const problem& p) {
            auto out = refusal_page(p, r);
            forget_binding(out);
            respond(std::move(out));
        };
        if (!is_bound(*attempt, r.cookie(binding_cookie).value_or(""))) {
            return refuse({code::forbidden, "this login was begun in another browser, is done already, or the browser "
                                            "keeps no cookies of this address, which needs https: begin again."});
        }
        if (const auto error = r.query_value("error")) {
            return refuse(issuer_error(**issuer, *error));
        }
        const auto code = r.query_value("code");
        if (!code || code->empty()) {
            return refuse(
                {code::invalid_request, "code: is missing in what the issuer sent", {{"code", "is required"}}});
        }
        const auto iss = r.query_value("iss");
        std::make_shared<arrival>(me, r, **issuer, std::move(*attempt), respond)
            ->run(std::string(*code), iss ? std::optional(std::string(*iss)) : std::nullopt);
    };
}

net::handler callback_program(identity& me) {
    return [&me](request r, const responder& respond) {
        const auto issuer = issuer_of(me, r);
        auto body = issuer ? from_json<oidc_callback_body>(r.body, strictness::input)
                           : expected<oidc_callback_body>(issuer.error());
        if (!body) {
            return respond(net::to_response(body.error(), r));
        }
        wipe(r.body);
        auto attempt = open_attempt(me.keys->opaque_key(), body->state, system_now());
        if (!attempt || !attempt->loopback || attempt->provider != (*issuer)->settings().name) {
            return respond(net::to_response(bad_state((*issuer)->settings().name), r));
        }
        if (!is_bound(*attempt, body->binding)) {
            return respond(net::to_response({code::forbidden, "this login was begun by another program: `binding` is "
                                                              "what the answer of its start says"},
                                            r));
        }
        std::make_shared<arrival>(me, std::move(r), **issuer, std::move(*attempt), respond)
            ->run(std::move(body->code), std::move(body->iss));
    };
}

net::handler second_factor(identity& me) {
    return [&me](const request& r, const responder& respond) {
        auto body = from_json<oidc_mfa_body>(r.body, strictness::input);
        if (!body) {
            return respond(net::to_response(body.error(), r));
        }
        const auto text = body->ticket ? *body->ticket : std::string(r.cookie(ticket_cookie).value_or(""));
        const auto ticket = open_ticket(me.keys->opaque_key(), text, system_now());
        const auto user = ticket ? read_user(me, ticket->user) : expected<std::optional<user_document>>(std::nullopt);
        if (!user || !*user || ticket->cookie == body->ticket.has_value()) {
            return respond(net::to_response(
                user ? problem{code::unauthenticated, "this login took too long, or was not begun here: begin again"}
                     : user.error(),
                r));
        }
        prove_code(
            me, r, (*user)->email, std::move(body->code), "oidc",
            [&me, r, respond, ticket = *ticket](const expected<proven_person>& proven) {
                if (!proven) {
                    return respond(net::to_response(proven.error(), r));
                }
                if (proven->user.id != ticket.user || proven->generation != ticket.generation) {
                    return respond(net::to_response({code::unauthenticated, "this login is over: begin again"}, r));
                }
                start_session(me, r,
                              {.user = ticket.user,
                               .methods = proven->methods,
                               .organization = ticket.organization,
                               .cookie = ticket.cookie,
                               .generation = ticket.generation},
                              [respond, cookie = ticket.cookie](response out) {
                                  if (cookie && out.status < 400) {
                                      out.headers.emplace_back("Set-Cookie", cookie_of(ticket_cookie, "", "Strict", 0));
                                  }
                                  respond(std::move(out));
                              });
            });
    };
}

net::handler list_issuers(identity& me) {
    return [&me](const request&, const responder& respond) {
        std::vector<std::string> items;
        if (me.issuers) {
            for (const auto& i : me.issuers->issuers()) {
                items.push_back(to_json(oidc_provider_document{i->settings().name, i->title(), i->settings().issuer}));
            }
        }
        respond({200, net::list_body(items, std::nullopt)});
    };
}

std::vector<net::query_parameter> callback_query() {
    const auto text = [](int bytes) { return R"({"type":"string","maxLength":)" + std::to_string(bytes) + "}"; };
    return {{"code", "What the issuer gives for a login.", text(4096)},
            {"state", "As the login began.", text(4096)},
            {"iss", "The issuer, as it names itself (RFC 9207).", text(512)},
            {"error", "Why the issuer gives no code.", text(256)},
            {"*", "Issuers add others of their own."}};
}

net::route on(verb v, std::string path, std::string operation, std::string summary, net::handler run) {
    net::route out;
    out.verb = v;
    out.path = "/auth/oidc" + path;
    out.operation = std::move(operation);
    out.summary = std::move(summary);
    out.tag = "auth";
    out.open = v == verb::post;
    if (path.starts_with("/{provider}")) {
        out.in_path = {
            {"provider", "Name of the issuer in `identity.oidc`.", R"({"type":"string","maxLength":32})", R"("acme")"}};
        out.errors = {code::not_found, code::unavailable, code::overloaded};
    }
    out.run = std::move(run);
    return out;
}

} // namespace

std::vector<net::route> oidc_routes(identity& me) {
    auto listing = on(verb::get, "", "list_oidc_providers",
                      "The issuers of OpenID Connect that people may log in with.", list_issuers(me));
    listing.reply = page_of<oidc_provider_document>("oidc_provider_list");

    auto start =
        on(verb::get, "/{provider}/start", "start_oidc_login",
           "Sends a browser to the issuer, to log in there (authorization code with PKCE).", start_browser(me));
    start.query = {{"redirect", "Path of this node that the browser is sent to in the end; default: /api/v1/docs.",
                    R"({"type":"string","maxLength":1024})", R"("/api/v1/docs")"},
                   {"organization", "Id or slug of the organization to work in.",
                    R"({"type":"string","maxLength":100})", R"("acme")"}};
    start.success = 302;
    start.reply_headers = {"Location", "Set-Cookie"};

    auto program =
        on(verb::post, "/{provider}/start", "start_oidc_login_of_program",
           "Begins a login for a program: gives the address to open in a browser (RFC 8252).", start_program(me));
    program.description = "The browser shows a page with the letters of `check`, which the program shows, too; the "
                          "person goes on from there to `redirect`, with `code` and `state`, or `error`. The program "
                          "then sends them with `binding` to POST …/callback.";
    program.body = net::body_of<oidc_start_body>("oidc_start");
    program.reply = net::reply_of<oidc_started_document>("oidc_started");

    auto callback = on(verb::get, "/{provider}/callback", "finish_oidc_login",
                       "Where the issuer sends the browser back: opens a session, with cookies.", callback_browser(me));
    callback.description =
        "Goes on to the path that the login began with. `login=mfa_required` in its query: the account has a second "
        "factor, and the issuer asked for none; POST /auth/oidc/mfa takes the code. `csrf_token` comes from POST "
        "/auth/refresh. The login of a program is asked about on a page (200), which goes on to its loopback address.";
    callback.query = callback_query();
    callback.success = 302;
    callback.reply_headers = {"Location", "Set-Cookie"};
    callback.errors.insert(callback.errors.end(),
                           {code::invalid_credentials, code::forbidden, code::conflict, code::rate_limited});

    auto finish = on(verb::post, "/{provider}/callback", "finish_oidc_login_of_program",
                     "Opens a session for a program that a browser brought code and state.", callback_program(me));
    finish.description = "`mfa_required` has the header `X-Login-Ticket`: POST /auth/oidc/mfa takes it with the code.";
    finish.body = net::body_of<oidc_callback_body>("oidc_callback");
    finish.reply = net::reply_of<login_document>("login");
    finish.errors.insert(finish.errors.end(), {code::invalid_credentials, code::forbidden, code::conflict,
                                               code::mfa_required, code::rate_limited});

    auto mfa = on(verb::post, "/mfa", "finish_oidc_login_with_code",
                  "The second factor of a login at an issuer that asked for none.", second_factor(me));
    mfa.body = net::body_of<oidc_mfa_body>("oidc_mfa");
    mfa.reply = net::reply_of<login_document>("login");
    mfa.errors = {code::unauthenticated, code::invalid_credentials, code::secrets_locked, code::rate_limited};
    mfa.reply_headers = {"Set-Cookie"};

    auto link =
        on(verb::post, "/{provider}/link", "link_identity",
           "Begins to link an identity of the issuer to the caller's account: gives the address to open in this "
           "browser.",
           start_link(me));
    link.open = false;
    link.permission = "self:write";
    link.body = net::body_of<oidc_link_body>("link_identity");
    link.reply = net::reply_of<oidc_started_document>("oidc_started");
    link.errors.push_back(code::step_up_required);
    link.reply_headers = {"Set-Cookie"};
    return {listing, start, program, callback, finish, mfa, link};
}

} // namespace troupe::actors
