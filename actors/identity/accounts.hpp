#pragma once

#include "actors/common/stored.hpp"
#include "actors/identity/identity.hpp"
#include "actors/identity/user_model.hpp"
#include "net/http/handlers.hpp"
#include "schemas/base/cipher.hpp"

#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What several routes of identity do: accounts, organizations and sessions are made here. All of it answers later.
namespace troupe::actors {

/// A command of a request to an entity of `system`. A body with a password is hashed under a key, so that nobody can
/// try passwords against the journal.
template <class Command>
expected<runtime::command> command_of(const identity& me, const net::request& r, entity_address to, const Command& c) {
    auto out = net::make_command(r, std::move(to), wire_name<Command>::value, to_json(c));
    if (out && out->request_hash != 0) {
        const auto mac =
            hmac_sha256(me.keys->opaque_key(), std::string(net::name_of(r.verb)) + "\n" + r.path + "\n" + r.body);
        std::memcpy(&out->request_hash, mac.data(), sizeof out->request_hash);
    }
    return out;
}

/// Trimmed; nothing when it cannot be an e-mail address.
std::optional<std::string> clean_email(std::string_view text);
problem bad_email();
/// At `pointer`; nothing when the password is good enough for the node, and for a policy where one is given.
std::optional<problem> check_password(const identity& me, std::string_view password, std::string_view pointer,
                                      const std::vector<std::string>& about, const security_policy* policy = nullptr);

/// A new password of an account: long enough for all organizations that it belongs to, and none of the last ones where
/// a policy asks for that. Compares hashes, so it answers later; `done` is called exactly once.
void check_new_password(identity& me, const user_document& user, std::string_view password, std::string_view pointer,
                        std::function<void(expected<void>)> done);

/// What a key is told where only a person can ask.
problem people_only();

expected<std::optional<user_document>> find_user(const identity& me, std::string_view email);
expected<std::optional<user_document>> read_user(const identity& me, const uuid& id);
/// The stored credential of a person; nothing when there is none.
expected<std::optional<user_credential>> read_credential(const identity& me, const uuid& user);

/// The caller may give somebody that role only when it has all permissions of it itself.
expected<void> check_may_give(const identity& me, const net::principal& who, const uuid& organization,
                              std::string_view role);

struct new_account {
    std::string email;
    std::string name;
    wiped_text password;
    bool node_admin = false;
};
/// Reserves the address, hashes, creates. `already_exists`, `overloaded`.
void make_account(identity& me, const net::request& r, new_account account,
                  std::function<void(expected<runtime::outcome>)> done);

/// The same without a password: only an issuer of OpenID Connect opens it. The id is the caller's, so that a repeat
/// finds the account that is there. `already_exists`: another one has the address.
void make_account_without_password(identity& me, const net::request& r, const uuid& id, const create_user& account,
                                   std::function<void(expected<user_document>)> done);

struct new_organization {
    std::string name;
    std::optional<std::string> slug; ///< None: made from the name, with a number where it is taken.
    std::optional<std::string> domain;
    std::optional<uuid> owner;
};
void make_organization(identity& me, const net::request& r, new_organization organization,
                       std::function<void(expected<runtime::outcome>)> done);

/// Tells a person's own document of its membership before whoever changed it is answered, so that who reads it then
/// sees it. The organization's outbox tells it too, should the node end meanwhile. `done` is called exactly once.
void tell_member(const identity& me, const net::request& r, const uuid& organization, std::uint64_t version,
                 const uuid& user, std::function<void()> done);

/// How a session begins.
struct session_start {
    uuid user;
    std::vector<std::string> methods;
    std::optional<std::string> organization = {}; ///< Id or slug; none: the first that the person belongs to.
    bool cookie = false;
    int status = 200;
    std::optional<uuid> joined = {};              ///< Goes before: the person joined it just now.
    std::optional<std::uint64_t> generation = {}; ///< Of the credential that was proven; none: the present one.
};
/// Opens a session and answers with its tokens.
void start_session(identity& me, const net::request& r, session_start start, const net::responder& respond);

/// The tokens of a session, as the answer or as cookies.
net::response tokens_of(const identity& me, const user_document& user, const uuid& session,
                        const std::optional<uuid>& organization, std::uint64_t rotation, bool cookie, int status);
/// Takes the cookies away.
void clear_cookies(net::response& out);

/// The organization that a person chose, or its first; `invalid_request` for one that it does not belong to.
expected<std::optional<uuid>> choose_organization(const identity& me, const user_document& user,
                                                  const std::optional<std::string>& wanted);

} // namespace troupe::actors
