// The second factor, and proving again who one is.
#include "actors/identity/proof.hpp"
#include "actors/identity/session_model.hpp"
#include "actors/identity/totp.hpp"

#include <memory>
#include <utility>

namespace troupe::actors {
namespace {

using net::request;
using net::responder;
using net::verb;

/// The account of the session that asks.
expected<user_document> person_of(const identity& me, const request& r) {
    const auto& c = r.who.credentials;
    const auto user =
        c && c->session && c->user ? read_user(me, *c->user) : expected<std::optional<user_document>>(std::nullopt);
    if (!user || !*user) {
        return user ? people_only() : user.error();
    }
    return **user;
}

/// Sends a command to the person's entity and answers with what `show` makes.
template <class Command>
void change(identity& me, const request& r, const uuid& user, const Command& c, std::function<net::response()> show,
            const responder& respond) {
    auto command = command_of(me, r, user_address(user), c);
    if (!command) {
        return respond(net::to_response(command.error(), r));
    }
    me.services.submit(std::move(*command), [r, respond, show = std::move(show)](const runtime::reply& done) {
        if (done && done->repeated) { // what it showed was made for the first one alone
            return respond(net::to_response(
                {code::conflict, "this was done before under the same Idempotency-Key, and is shown once: begin again"},
                r));
        }
        respond(done ? show() : net::to_response(done.error(), r));
    });
}

template <class Document>
net::response shown_once(const Document& d) {
    net::response out{200, to_json(d)};
    out.headers.emplace_back("Cache-Control", "no-store");
    return out;
}

std::vector<std::string> hashes_of(const recovery_codes_document& d) {
    std::vector<std::string> out;
    for (const auto& code : d.recovery_codes) {
        out.push_back(hash_of_recovery_code(code));
    }
    return out;
}

net::handler enroll(identity& me) {
    return [&me](const request& r, const responder& respond) {
        const auto user = person_of(me, r);
        const auto recent = user ? me.doors->check_recent(r.who) : expected<void>(user.error());
        if (!recent) {
            return respond(net::to_response(recent.error(), r));
        }
        const auto seed = random_bytes(totp_seed_bytes);
        mfa_enrolment_document d{to_base32(seed), totp_uri("Troupe", user->email, seed), ""};
        d.qr_svg = qr_svg(d.uri);
        change(
            me, r, user->id, begin_mfa{seal_mfa_seed(me, user->id, seed)}, [d] { return shown_once(d); }, respond);
    };
}

net::handler enable(identity& me) {
    return [&me](const request& r, const responder& respond) {
        const auto user = person_of(me, r);
        const auto body =
            user ? from_json<mfa_code_body>(r.body, strictness::input) : expected<mfa_code_body>(user.error());
        const auto credential =
            body ? read_credential(me, user->id) : expected<std::optional<user_credential>>(body.error());
        if (!credential) {
            return respond(net::to_response(credential.error(), r));
        }
        const auto seed = *credential ? open_mfa_seed(me, user->id, (*credential)->mfa.pending) : std::nullopt;
        if (!seed) {
            return respond(net::to_response(
                {code::conflict, "There is no second factor on its way: begin with POST /auth/mfa/enroll."}, r));
        }
        const auto step = totp_step(*seed, body->code, system_now(), 0);
        if (!step) {
            return respond(net::to_response({code::invalid_credentials, "This is not the code that the authenticator "
                                                                        "shows now: check its clock and the seed."},
                                            r));
        }
        const recovery_codes_document d{make_recovery_codes()};
        const enable_mfa command{(*credential)->mfa.pending, *step, hashes_of(d)};
        change(
            me, r, user->id, command, [d] { return shown_once(d); }, respond);
    };
}

/// Proves, then goes on.
void with_proof(identity& me, request r, const responder& respond,
                std::function<void(const request&, const user_document&, const std::vector<std::string>&)> go_on) {
    const auto user = person_of(me, r);
    auto body = user ? from_json<prove_body>(r.body, strictness::input) : expected<prove_body>(user.error());
    if (!body) {
        return respond(net::to_response(body.error(), r));
    }
    prove(me, r, {user->email, wiped_text(std::move(body->password)), body->code},
          [r, respond, go_on = std::move(go_on)](const auto& proven) {
              proven ? go_on(r, proven->user, proven->methods) : respond(net::to_response(proven.error(), r));
          });
}

net::handler disable(identity& me) {
    return [&me](request r, const responder& respond) {
        with_proof(me, std::move(r), respond,
                   [&me, respond](const request& proven, const user_document& user, const auto&) {
                       change(
                           me, proven, user.id, disable_mfa{}, [] { return net::response{204}; }, respond);
                   });
    };
}

net::handler renew_codes(identity& me) {
    return [&me](request r, const responder& respond) {
        with_proof(
            me, std::move(r), respond, [&me, respond](const request& proven, const user_document& user, const auto&) {
                const recovery_codes_document d{make_recovery_codes()};
                change(
                    me, proven, user.id, renew_recovery_codes{hashes_of(d)}, [d] { return shown_once(d); }, respond);
            });
    };
}

net::handler step_up(identity& me) {
    return [&me](request r, const responder& respond) {
        with_proof(
            me, std::move(r), respond,
            [&me, respond](const request& proven, const user_document&, const std::vector<std::string>& methods) {
                auto c = command_of(me, proven, session_address(*proven.who.credentials->session),
                                    confirm_session{methods.back()});
                if (!c) {
                    return respond(net::to_response(c.error(), proven));
                }
                net::submit_and_answer(me.services, proven, std::move(*c), 200, {}, respond);
            });
    };
}

net::route on(std::string path, std::string operation, std::string summary, net::handler run) {
    net::route out;
    out.verb = verb::post;
    out.path = "/auth/" + path;
    out.operation = std::move(operation);
    out.summary = std::move(summary);
    out.tag = "auth";
    out.permission = "self:write";
    out.run = std::move(run);
    return out;
}

} // namespace

std::vector<net::route> mfa_routes(identity& me) {
    auto enrolling =
        on("mfa/enroll", "enroll_mfa", "Begins a second factor: gives the seed as text and QR code.", enroll(me));
    enrolling.reply = net::reply_of<mfa_enrolment_document>("mfa_enrolment");
    enrolling.errors = {code::conflict, code::step_up_required};
    auto enabling =
        on("mfa/enable", "enable_mfa", "Makes the second factor count, and gives recovery codes.", enable(me));
    enabling.body = net::body_of<mfa_code_body>("mfa_code");
    enabling.reply = net::reply_of<recovery_codes_document>("recovery_codes");
    enabling.errors = {code::conflict, code::invalid_credentials};
    auto disabling = on("mfa/disable", "disable_mfa", "Ends the second factor.", disable(me));
    disabling.body = net::body_of<prove_body>("prove");
    disabling.success = 204;
    disabling.errors = {code::invalid_credentials, code::mfa_required, code::secrets_locked};
    auto renewing = on("mfa/recovery-codes", "renew_recovery_codes",
                       "New recovery codes, in the place of those that are left.", renew_codes(me));
    renewing.body = net::body_of<prove_body>("prove");
    renewing.reply = net::reply_of<recovery_codes_document>("recovery_codes");
    renewing.errors = {code::conflict, code::invalid_credentials, code::mfa_required, code::secrets_locked};
    auto stepping = on("step-up", "step_up", "Proves again who the caller is, for what is dangerous.", step_up(me));
    stepping.body = net::body_of<prove_body>("prove");
    stepping.reply = net::reply_of<session_document>("session");
    stepping.errors = {code::invalid_credentials, code::mfa_required, code::secrets_locked};
    stepping.reply_headers = net::changed_headers();
    return {enrolling, enabling, renewing, disabling, stepping};
}

} // namespace troupe::actors
