#include "actors/secret/secret_routes.hpp"

#include "actors/common/routes.hpp"
#include "net/http/handlers.hpp"

#include <cstring>
#include <memory>
#include <string>
#include <utility>

namespace troupe::actors {
namespace {

using net::request;
using net::responder;
using net::response;
using net::verb;

/// Others may set the same secret at the same moment; each time one of them gets through.
constexpr int attempts_max = 200;

problem no_secret(std::string_view name) {
    return {code::not_found, "there is no secret '" + std::string(name) + "'; see the list for what there is"};
}

/// For handlers of an entity by its id: the name in the path becomes the id, and is what a refusal speaks of.
net::handler by_name(net::handler run) {
    return [run = std::move(run)](request r, responder respond) {
        const std::string name(r.param("name"));
        if (!is_secret_name(name)) {
            respond(net::to_response(no_secret(name), r));
            return;
        }
        const auto id = secret_address(r.who.organization, name).id;
        r.params["id"] = to_string(id);
        run(r, [r, name, respond = std::move(respond)](response answer) {
            respond(answer.status == 404 ? net::to_response(no_secret(name), r) : std::move(answer));
        });
    };
}

/// One PUT. Lives until it has answered; its steps are the answers of the entities that it asks.
class setting : public std::enable_shared_from_this<setting> {
public:
    setting(const runtime::services& s, const secret_vault& vault, request r, wiped_text value, responder respond)
        : services_(s),
          vault_(vault),
          request_(std::move(r)),
          value_(std::move(value)),
          respond_(std::move(respond)),
          name_(request_.param("name")) {}

    void run() {
        const auto ring = vault_.keyring(request_.who.organization);
        if (!ring) {
            refuse(ring.error());
        } else if (!*ring) {
            make_keyring();
        } else if (const auto done = submit(**ring); !done) {
            refuse(done.error());
        }
    }

private:
    void refuse(const problem& p) { respond_(net::to_response(p, request_)); }

    /// The first secret of an organization makes its keys.
    void make_keyring() {
        auto c =
            net::caller_command(request_, keyring_address(request_.who.organization), wire_name<add_data_keys>::value,
                                to_json(add_data_keys{vault_.make_keys(request_.who.organization, 0, 2)}));
        services_.submit(std::move(c), [me = shared_from_this()](runtime::reply made) {
            if (!made && made.error().code != code::conflict) { // else somebody else made them just now
                me->refuse(made.error());
                return;
            }
            me->again({code::internal, "the keyring was made and is not there"});
        });
    }

    void again(const problem& why) {
        if (--attempts_ > 0) {
            run();
        } else {
            refuse(why);
        }
    }

    expected<void> submit(const keyring_state& ring) {
        const auto out = vault_.seal_next(ring, name_, value_.text());
        if (!out) {
            return out.error();
        }
        const auto hash_key = vault_.open_key(ring, 0);
        if (!hash_key) {
            return hash_key.error();
        }
        auto c = net::make_command(request_, secret_address(request_.who.organization, name_),
                                   wire_name<set_secret>::value, to_json(*out));
        if (!c) {
            return c.error();
        }
        if (!c->id.empty()) { // a plain hash would let whoever reads the journal try values
            const auto keyed =
                hmac_sha256(hash_key->bytes.text(), std::to_string(name_.size()) + ":" + name_ + value_.text());
            std::memcpy(&c->request_hash, keyed.data(), sizeof c->request_hash);
        }
        services_.submit(std::move(*c), [me = shared_from_this()](runtime::reply answer) {
            if (!answer && answer.error().code == code::conflict) {
                me->again(answer.error());
                return;
            }
            me->answer(answer);
        });
        return {};
    }

    void answer(const runtime::reply& given) {
        if (!given) {
            refuse(given.error());
            return;
        }
        response out;
        out.body = given->document;
        out.headers.emplace_back("ETag", "\"" + std::to_string(given->version) + "\"");
        if (given->repeated) {
            out.headers.emplace_back("Idempotent-Replayed", "true");
        }
        respond_(std::move(out));
    }

    const runtime::services& services_;
    const secret_vault& vault_;
    request request_; ///< Without its body.
    wiped_text value_;
    responder respond_;
    std::string name_;
    int attempts_ = attempts_max;
};

net::handler put_secret(const runtime::services& s, const secret_vault& vault) {
    return [&s, &vault](request r, responder respond) {
        if (!is_secret_name(r.param("name"))) {
            respond(
                net::to_response({code::invalid_request,
                                  "A secret's name has 1 to 128 letters, digits, '_', '-' or '.', and begins with a "
                                  "letter or a digit.",
                                  {{"name", "is no name of a secret"}}},
                                 r));
            return;
        }
        auto body = from_json<set_secret_body>(r.body, strictness::input);
        if (!body) {
            respond(net::to_response(body.error(), r));
            return;
        }
        wipe(r.body);
        std::make_shared<setting>(s, vault, std::move(r), wiped_text(std::move(body->value)), std::move(respond))
            ->run();
    };
}

void answer_keys(const secret_vault& vault, const request& r, const responder& respond) {
    const auto found = vault.describe(r.who.organization);
    respond(found ? response{200, to_json(*found)} : net::to_response(found.error(), r));
}

net::handler rotate_keys(const runtime::services& s, secret_vault& vault) {
    return [&s, &vault](request r, responder respond) {
        const auto body = from_json<rotate_keys_body>(r.body.empty() ? "{}" : r.body, strictness::input);
        const auto ring = body ? vault.keyring(r.who.organization) : body.error();
        if (!ring) {
            respond(net::to_response(ring.error(), r));
            return;
        }
        const auto answer = [&vault, r, respond](const auto& done) {
            done ? answer_keys(vault, r, respond) : respond(net::to_response(done.error(), r));
        };
        if (body->master) {
            if (!r.who.admin) { // it is the node's, and wraps the keys of all organizations
                respond(
                    net::to_response({code::forbidden, "the master key is rotated by administrators of the node"}, r));
                return;
            }
            vault.rotate_master(answer);
            return;
        }
        if (!*ring) {
            respond(
                net::to_response({code::not_found, "There is no secret yet: the first one makes the first key."}, r));
            return;
        }
        const auto number = static_cast<std::uint32_t>((*ring)->keys.size());
        auto c = net::make_command(r, keyring_address(r.who.organization), wire_name<add_data_keys>::value,
                                   to_json(add_data_keys{vault.make_keys(r.who.organization, number, 1)}));
        if (!c) {
            respond(net::to_response(c.error(), r));
            return;
        }
        s.submit(std::move(*c), answer);
    };
}

} // namespace

std::vector<net::route> secret_routes(const runtime::services& s, secret_vault& vault) {
    const std::string kind(secret_model::kind);
    const std::string tag = "secrets";
    const std::vector<net::query_parameter> which{
        {"name", "1 to 128 letters, digits, '_', '-' or '.'; a letter or digit first.",
         R"({"type":"string","minLength":1,"maxLength":128})", R"("OPENAI")"}};
    const auto document = net::reply_of<secret_document>("secret");
    const auto keys = net::reply_of<secret_keys_document>("secret_keys");
    return {
        {.verb = verb::get,
         .path = "/secrets",
         .operation = "list_secrets",
         .summary = "Lists secrets: names and versions, never values.",
         .tag = tag,
         .permission = "secret:read",
         .query = net::list_parameters({}),
         .reply = page_of<secret_document>("secret_list"),
         .run = net::list_entities(s, kind, {})},
        {.verb = verb::get,
         .path = "/secrets/{name}",
         .operation = "get_secret",
         .summary = "Shows a secret's version and dates, never its value.",
         .tag = tag,
         .permission = "secret:read",
         .in_path = which,
         .reply = document,
         .errors = {code::not_found},
         .reply_headers = net::read_headers(),
         .run = by_name(net::read_entity(s, kind))},
        {.verb = verb::put,
         .path = "/secrets/{name}",
         .operation = "set_secret",
         .summary = "Sets a secret. Its value is encrypted before anything is written, and never shown again.",
         .tag = tag,
         .permission = "secret:write",
         .in_path = which,
         .body = net::body_of<set_secret_body>("set_secret"),
         .reply = document,
         .errors = {code::conflict, code::secrets_locked},
         .reply_headers = net::changed_headers(),
         .run = put_secret(s, vault)},
        {.verb = verb::del,
         .path = "/secrets/{name}",
         .operation = "delete_secret",
         .summary = "Deletes a secret. Its ciphertext stays in the journal.",
         .tag = tag,
         .permission = "secret:write",
         .in_path = which,
         .success = 204,
         .errors = {code::not_found},
         .reply_headers = net::changed_headers(),
         .run = by_name(
             net::change_entity(s, kind, net::empty_command(std::string(wire_name<delete_secret>::value)), 204))},
        {.verb = verb::get,
         .path = "/secret-keys",
         .operation = "get_secret_keys",
         .summary = "Which keys secrets are encrypted with, by number and id.",
         .tag = tag,
         .permission = "secret:read",
         .reply = keys,
         .run = [&vault](const request& r, const responder& respond) { answer_keys(vault, r, respond); }},
        {.verb = verb::post,
         .path = "/secret-keys/rotate",
         .operation = "rotate_secret_keys",
         .summary = "Makes a new data key and encrypts every secret anew, which goes on after the answer; or a new "
                    "master key.",
         .tag = tag,
         .permission = "secret:admin",
         .body = net::body_of<rotate_keys_body>("rotate_keys"),
         .reply = keys,
         .errors = {code::not_found, code::conflict, code::secrets_locked, code::step_up_required},
         .run = rotate_keys(s, vault)},
    };
}

} // namespace troupe::actors
