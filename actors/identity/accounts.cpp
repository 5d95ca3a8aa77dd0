#include "actors/identity/accounts.hpp"

#include "actors/common/names.hpp"
#include "actors/identity/organization_model.hpp"
#include "actors/identity/session_model.hpp"
#include "actors/identity/user_model.hpp"
#include "schemas/name_messages.hpp"
#include "schemas/permissions.hpp"
#include "storage/views.hpp"

#include <algorithm>
#include <memory>
#include <utility>

namespace troupe::actors {
namespace {

constexpr int slug_attempts_max = 5;
std::string cookie_of(std::string_view name, std::string_view value, std::int64_t seconds) {
    return std::string(name) + "=" + std::string(value) +
           "; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=" + std::to_string(seconds);
}

/// Takes the name for its owner and sends the command that makes the owner; gives the name up when that was refused.
void make_named(const runtime::services& s, const net::request& r, const wanted_name& wanted, runtime::command create,
                std::function<void(expected<runtime::outcome>)> done) {
    reserve(s, r, wanted,
            [&s, r, wanted, create = std::move(create), done = std::move(done)](expected<void> has) mutable {
                if (!has) {
                    done(has.error());
                    return;
                }
                s.submit(std::move(create), [&s, r, wanted, done](runtime::reply made) {
                    if (made) {
                        done(std::move(*made));
                        return;
                    }
                    release(s, r, wanted, 0, [done, why = made.error()] { done(why); });
                });
            });
}

} // namespace

std::optional<std::string> clean_email(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
        text.remove_prefix(1);
    }
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
        text.remove_suffix(1);
    }
    const auto at = text.find('@');
    const bool printable = std::ranges::all_of(text, [](char c) {
        return static_cast<unsigned char>(c) > ' ' && c != 0x7f && c != ',' && c != '<' && c != '>';
    });
    const bool fits = at != std::string_view::npos && at > 0 && at + 1 < text.size() &&
                      text.find('@', at + 1) == std::string_view::npos &&
                      static_cast<std::int64_t>(text.size()) <= email_bytes_max;
    return fits && printable ? std::optional(std::string(text)) : std::nullopt;
}

problem bad_email() {
    return {code::invalid_request,
            "This is no e-mail address: write it as name@example.org.",
            {{"/email", "is no e-mail address"}}};
}

std::optional<problem> check_password(const identity& me, std::string_view password, std::string_view pointer,
                                      const std::vector<std::string>& about, const security_policy* policy) {
    const auto asked = policy != nullptr ? policy->password_length_min.value_or(0) : 0;
    const auto length =
        static_cast<std::size_t>(std::max<std::int64_t>(me.services.settings->identity_password_length_min, asked));
    const auto weak = weakness_of(password, length, about);
    if (!weak) {
        return std::nullopt;
    }
    return problem{code::invalid_request, "The password " + *weak + ".", {{std::string(pointer), *weak}}};
}

namespace {

/// Compares a password with one hash after the other.
class comparing : public std::enable_shared_from_this<comparing> {
public:
    comparing(identity& me, std::string_view password, std::vector<std::string> hashes, std::string pointer,
              std::function<void(expected<void>)> done)
        : me_(me),
          password_(std::string(password)),
          hashes_(std::move(hashes)),
          pointer_(std::move(pointer)),
          done_(std::move(done)) {}

    void run() {
        if (next_ == hashes_.size()) {
            return done_({});
        }
        me_.passwords.verify(wiped_text(std::string(password_.text())), hashes_[next_++],
                             [self = shared_from_this()](const expected<bool>& same) {
                                 same && !*same ? self->run() : self->end(same);
                             });
    }

private:
    void end(const expected<bool>& same) {
        const std::string why = "is one of the last " + std::to_string(hashes_.size()) + " of this account";
        done_(same ? problem{code::invalid_request, "The password " + why + ": choose another.", {{pointer_, why}}}
                   : same.error());
    }

    identity& me_;
    wiped_text password_;
    std::vector<std::string> hashes_;
    std::string pointer_;
    std::function<void(expected<void>)> done_;
    std::size_t next_ = 0;
};

} // namespace

void check_new_password(identity& me, const user_document& user, std::string_view password, std::string_view pointer,
                        std::function<void(expected<void>)> done) {
    const auto policy = me.doors->policy_of(user);
    if (!policy) {
        return done(policy.error());
    }
    if (const auto weak = check_password(me, password, pointer, {user.email, user.name}, &*policy)) {
        return done(*weak);
    }
    const auto count = static_cast<std::size_t>(policy->password_history.value_or(0));
    const auto credential = read_credential(me, user.id);
    const auto former =
        read_stored<former_passwords>(*me.services.store, user_address(user.id), former_collection, former_key);
    if (!credential || !former) {
        return done(credential ? former.error() : credential.error());
    }
    std::vector<std::string> hashes;
    if (*credential && !(*credential)->password_hash.empty()) {
        hashes.push_back((*credential)->password_hash);
    }
    if (*former) {
        hashes.insert(hashes.end(), (*former)->hashes.begin(), (*former)->hashes.end());
    }
    hashes.resize(std::min(hashes.size(), count));
    std::make_shared<comparing>(me, password, std::move(hashes), std::string(pointer), std::move(done))->run();
}

problem people_only() {
    return {code::forbidden, "this is for people: log in with POST /api/v1/auth/login and use that token"};
}

expected<std::optional<user_document>> read_user(const identity& me, const uuid& id) {
    return read_stored<user_document>(*me.services.store, user_address(id));
}

expected<std::optional<user_credential>> read_credential(const identity& me, const uuid& user) {
    return read_stored<user_credential>(*me.services.store, user_address(user), credential_collection, credential_key);
}

expected<std::optional<user_document>> find_user(const identity& me, std::string_view email) {
    storage::list_query query;
    query.organization = system_organization;
    query.kind = user_model::kind;
    query.filter = "email=" + fold_name(email);
    query.limit = 1;
    const auto found = storage::read_list(*me.services.store, query);
    if (!found || found->items.empty()) {
        return found ? expected<std::optional<user_document>>(std::nullopt) : found.error();
    }
    auto decoded = from_json<user_document>(found->items.front().json, strictness::stored);
    return decoded ? expected<std::optional<user_document>>(std::move(*decoded)) : decoded.error();
}

expected<void> check_may_give(const identity& me, const net::principal& who, const uuid& organization,
                              std::string_view role) {
    const auto permissions = me.doors->permissions_of(organization, role);
    if (!permissions) {
        return problem{code::invalid_request,
                       "This organization has no role '" + std::string(role) + "'; GET …/roles lists what it has.",
                       {{"/role", "is no role of this organization"}}};
    }
    const auto* c = who.credentials.get();
    const bool may = who.admin || (c != nullptr && covers_all(c->permissions, *permissions) &&
                                   (c->scopes.empty() || covers_all(c->scopes, *permissions)));
    if (!may) {
        return problem{code::forbidden,
                       "The role '" + std::string(role) + "' may do more than you: only who has it can give it."};
    }
    return {};
}

void make_account(identity& me, const net::request& r, new_account account,
                  std::function<void(expected<runtime::outcome>)> done) {
    const auto id = net::id_for_create(r, "create_user");
    auto command = std::make_shared<create_user>();
    command->email = account.email;
    command->name = std::move(account.name);
    command->node_admin = account.node_admin;
    me.passwords.hash(
        std::move(account.password), [&me, r, id, command, done = std::move(done)](expected<std::string> hash) {
            if (!hash) {
                done(hash.error());
                return;
            }
            command->password_hash = std::move(*hash);
            auto create = command_of(me, r, user_address(id), *command);
            if (!create) {
                done(create.error());
                return;
            }
            const wanted_name wanted{system_organization, std::string(user_model::kind), command->email, id};
            make_named(me.services, r, wanted, std::move(*create), done);
        });
}

void make_account_without_password(identity& me, const net::request& r, const uuid& id, const create_user& account,
                                   std::function<void(expected<user_document>)> done) {
    auto create = command_of(me, r, user_address(id), account);
    if (!create) {
        return done(create.error());
    }
    const wanted_name wanted{system_organization, std::string(user_model::kind), account.email, id};
    make_named(me.services, r, wanted, std::move(*create),
               [&me, id, done = std::move(done)](const expected<runtime::outcome>& made) {
                   if (made) {
                       return done(from_json<user_document>(made->document, strictness::stored));
                   }
                   auto known = read_user(me, id); // two at the same time
                   const bool there = made.error().code == code::already_exists && known && *known;
                   done(there ? expected<user_document>(std::move(**known)) : made.error());
               });
}

namespace {

/// One organization on its way; tries another slug while the one that it made is taken.
class making_organization : public std::enable_shared_from_this<making_organization> {
public:
    making_organization(identity& me, const net::request& r, new_organization o,
                        std::function<void(expected<runtime::outcome>)> done)
        : me_(me),
          request_(r),
          organization_(std::move(o)),
          done_(std::move(done)),
          id_(net::id_for_create(r, "create_organization")) {}

    void run() {
        command_ = {organization_.name, "", organization_.domain, organization_plan::free, organization_.owner};
        if (organization_.slug && !is_slug(*organization_.slug)) {
            done_(problem{code::invalid_request,
                          "A slug has 1 to 63 of a-z, 0-9 and -, and neither begins nor ends with -.",
                          {{"/slug", "is no slug"}}});
            return;
        }
        if (!organization_.domain) {
            take_slug();
            return;
        }
        const wanted_name domain{system_organization, std::string(domain_name_kind), *organization_.domain, id_};
        reserve(me_.services, request_, domain, [self = shared_from_this(), domain](expected<void> has) {
            if (!has) {
                self->done_(has.error());
                return;
            }
            self->done_ = [self, domain, done = self->done_](expected<runtime::outcome> made) {
                if (made) {
                    done(std::move(made));
                    return;
                }
                release(self->me_.services, self->request_, domain, 0, [done, made] { done(made); });
            };
            self->take_slug();
        });
    }

private:
    std::string slug() const {
        if (organization_.slug) {
            return *organization_.slug;
        }
        auto out = slug_of(organization_.name);
        out = out.empty() ? "organization" : out;
        // Later attempts end in a part of the id, which nobody else has.
        return attempts_ == 0 ? out : out + "-" + to_string(id_).substr(36 - 4 - static_cast<std::size_t>(attempts_));
    }

    void take_slug() {
        command_.slug = slug();
        auto create = command_of(me_, request_, organization_address(id_), command_);
        if (!create) {
            const auto done = std::exchange(done_, nullptr); // it may hold this object
            done(create.error());
            return;
        }
        const wanted_name wanted{system_organization, std::string(organization_model::kind), command_.slug, id_};
        make_named(me_.services, request_, wanted, std::move(*create),
                   [self = shared_from_this()](expected<runtime::outcome> made) {
                       const bool taken =
                           !made && made.error().code == code::already_exists && !self->organization_.slug;
                       if (taken && ++self->attempts_ < slug_attempts_max) {
                           self->take_slug();
                           return;
                       }
                       const auto done = std::exchange(self->done_, nullptr); // it may hold this object
                       done(std::move(made));
                   });
    }

    identity& me_;
    net::request request_;
    new_organization organization_;
    std::function<void(expected<runtime::outcome>)> done_;
    uuid id_;
    create_organization command_;
    int attempts_ = 0;
};

} // namespace

void make_organization(identity& me, const net::request& r, new_organization organization,
                       std::function<void(expected<runtime::outcome>)> done) {
    std::make_shared<making_organization>(me, r, std::move(organization), std::move(done))->run();
}

void tell_member(const identity& me, const net::request& r, const uuid& organization, std::uint64_t version,
                 const uuid& user, std::function<void()> done) {
    const auto item =
        storage::read_item(*me.services.store, organization_address(organization), members_collection, to_string(user));
    const auto member =
        item && *item ? from_json<member_record>(**item, strictness::stored) : expected<member_record>(problem{});
    if (!member) {
        return done();
    }
    auto c = net::caller_command(r, user_address(user), wire_name<note_membership>::value,
                                 to_json(note_membership{organization, version, member->role,
                                                         member->status == member_status::active, member->removed}));
    me.services.submit(std::move(c), [done = std::move(done)](const runtime::reply&) { done(); });
}

expected<std::optional<uuid>> choose_organization(const identity& me, const user_document& user,
                                                  const std::optional<std::string>& wanted) {
    if (!wanted) {
        const auto first = std::ranges::find(user.organizations, true, &user_membership::active);
        return first == user.organizations.end() ? std::optional<uuid>() : std::optional(first->organization_id);
    }
    const auto id = me.doors->find_organization(*wanted);
    const auto found =
        id ? std::ranges::find(user.organizations, *id, &user_membership::organization_id) : user.organizations.end();
    const bool belongs = found != user.organizations.end() && found->active;
    if (belongs || (id && user.node_admin)) {
        return std::optional(*id);
    }
    return problem{code::invalid_request,
                   "You belong to no organization '" + *wanted + "'.",
                   {{"/organization", "is none that you belong to"}}};
}

net::response tokens_of(const identity& me, const user_document& user, const uuid& session,
                        const std::optional<uuid>& organization, std::uint64_t rotation, bool cookie, int status) {
    const auto access_token = me.keys->sign(user.id, session, organization, system_now());
    const auto refresh_token = make_opaque(me.keys->opaque_key(), refresh_prefix, {session, {}, rotation});
    login_document d;
    d.expires_in = me.keys->token_ms() / 1000;
    d.session_id = session;
    d.user = user;
    d.organization_id = organization;
    net::response out;
    out.status = status;
    if (cookie) {
        d.csrf_token = csrf_token(me.keys->opaque_key(), session);
        const auto seconds = me.services.settings->identity_session_ms / 1000;
        out.headers.emplace_back("Set-Cookie", cookie_of(access_cookie, access_token, d.expires_in));
        out.headers.emplace_back("Set-Cookie", cookie_of(refresh_cookie, refresh_token, seconds));
    } else {
        d.access_token = access_token;
        d.refresh_token = refresh_token;
    }
    out.body = to_json(d);
    out.headers.emplace_back("Cache-Control", "no-store");
    return out;
}

void clear_cookies(net::response& out) {
    out.headers.emplace_back("Set-Cookie", cookie_of(access_cookie, "", 0));
    out.headers.emplace_back("Set-Cookie", cookie_of(refresh_cookie, "", 0));
}

void start_session(identity& me, const net::request& r, session_start start, const net::responder& respond) {
    const auto refuse = [r, respond](const problem& p) { respond(net::to_response(p, r)); };
    auto user = read_user(me, start.user);
    const auto credential = read_credential(me, start.user);
    if (!user || !credential || !*user || !*credential) {
        return refuse(!user         ? user.error()
                      : !credential ? credential.error()
                                    : problem{code::invalid_credentials, "there is no such account"});
    }
    const auto organization = start.joined ? expected<std::optional<uuid>>(start.joined)
                                           : choose_organization(me, **user, start.organization);
    if (!organization) {
        return refuse(organization.error());
    }
    const auto id = make_uuid();
    open_session open{start.user,
                      *organization,
                      start.generation.value_or((*credential)->generation),
                      start.methods,
                      r.address,
                      r.client().program,
                      me.services.settings->identity_session_ms};
    auto c = net::caller_command(r, session_address(id), wire_name<open_session>::value, to_json(open));
    c.principal = "user/" + to_string(start.user);
    me.services.submit(std::move(c), [&me, r, respond, refuse, user = std::move(**user), organization = *organization,
                                      id, start](const runtime::reply& opened) {
        if (!opened) {
            return refuse(opened.error());
        }
        me.rotate_keys_when_due();
        end_oldest_sessions(me, r, user.id, [&me, respond, user, organization, id, start] {
            respond(tokens_of(me, user, id, organization, 0, start.cookie, start.status));
        });
    });
}

} // namespace troupe::actors
