#include "actors/identity/oidc_entry.hpp"

#include "actors/identity/linked_identity_model.hpp"
#include "actors/identity/organization_model.hpp"
#include "actors/identity/session_model.hpp"
#include "schemas/base/log.hpp"
#include "storage/key_store.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

namespace troupe::actors {
namespace {

template <class Document>
expected<std::optional<Document>> read(const identity& me, const entity_address& a) {
    const auto found = storage::read_document(*me.services.store, a);
    if (!found || !*found) {
        return found ? expected<std::optional<Document>>(std::nullopt) : found.error();
    }
    auto decoded = from_json<Document>((*found)->json, strictness::stored);
    return decoded ? expected<std::optional<Document>>(std::move(*decoded)) : decoded.error();
}

/// The account that whoever comes for the first time gets: the same for a repeat. Who was erased may come again, as
/// somebody new.
uuid account_of(const storage::store& s, std::string_view issuer, std::string_view subject) {
    auto id = derive_uuid({"oidc user", issuer, subject});
    for (std::uint32_t life = 2; s.keys() && s.keys()->erased_at(id); ++life) {
        id = derive_uuid({"oidc user", issuer, subject, std::to_string(life)});
    }
    return id;
}

class entry : public std::enable_shared_from_this<entry> {
public:
    entry(identity& me, net::request r, runtime::oidc_provider provider, const oidc_attempt& attempt,
          id_token_claims claims, std::function<void(expected<oidc_person>)> done)
        : me_(me),
          request_(std::move(r)),
          provider_(std::move(provider)),
          link_(attempt.link),
          claims_(std::move(claims)),
          done_(std::move(done)),
          link_id_(linked_identity_id(provider_.issuer, claims_.subject)),
          new_user_(account_of(*me_.services.store, provider_.issuer, claims_.subject)) {
        // What is made here is made once by its ids; the headers are of a request that was not meant for it.
        request_.headers.erase("idempotency-key");
        request_.headers.erase("if-match");
        request_.who.name = "oidc/" + provider_.name;
        const auto address = clean_email(claims_.email);
        email_ = claims_.email_verified ? address : std::nullopt;
        given_ = address.value_or("");
    }

    void run() {
        if (auto allowed = check_domain(); !allowed) {
            return done_(allowed.error());
        }
        const auto link = read<linked_identity_document>(me_, linked_identity_address(link_id_));
        if (!link) {
            return done_(link.error());
        }
        if (link_) {
            return link_anew();
        }
        if (*link && !(*link)->removed_at) {
            note_use();
            return open((*link)->user_id);
        }
        if (*link) {
            return refuse("this identity was unlinked from its account: log in by password, then link it anew in your "
                          "profile");
        }
        find_account();
    }

private:
    void refuse(std::string why, code c = code::forbidden) {
        done_(problem{c, "logging in with '" + provider_.name + "' is not possible: " + std::move(why) + "."});
    }

    [[nodiscard]] expected<void> check_domain() const {
        const auto domain = email_ ? domain_of(*email_) : std::string();
        if (provider_.domains.empty() || std::ranges::find(provider_.domains, domain) != provider_.domains.end()) {
            return {};
        }
        if (claims_.not_told) {
            return *claims_.not_told;
        }
        return problem{code::forbidden,
                       fmt::format("logging in with '{}' is for people with a verified e-mail address of {} only.",
                                   provider_.name, fmt::join(provider_.domains, ", "))};
    }

    /// As `access::judge_session`: it ended, or all of them did, while the person was at the issuer.
    [[nodiscard]] expected<void> check_session() const {
        const auto session = read<session_document>(me_, session_address(link_->session));
        const auto family = read_stored<session_family>(*me_.services.store, session_address(link_->session),
                                                        family_collection, family_key);
        const auto user = read_user(me_, link_->user);
        const auto credential = read_credential(me_, link_->user);
        if (!session || !family || !user || !credential) {
            return !session ? session.error() : !family ? family.error() : !user ? user.error() : credential.error();
        }
        const bool lasts = *session && *family && *user && *credential && !(*session)->ended_at &&
                           (*session)->user_id == link_->user && (*user)->status == user_status::active &&
                           (*family)->generation == (*credential)->generation &&
                           (*credential)->generation == link_->generation;
        return lasts ? expected<void>()
                     : problem{code::unauthenticated, "this session is over: log in again, then link the identity"};
    }

    /// Somebody who is logged in asked for it.
    void link_anew() {
        if (const auto lasts = check_session(); !lasts) {
            return done_(lasts.error());
        }
        request_.who.name = "user/" + to_string(link_->user);
        link(link_->user, true);
    }

    void find_account() {
        if (!email_ && claims_.not_told) {
            return done_(*claims_.not_told);
        }
        if (!email_) {
            return refuse(claims_.email.empty()
                              ? "the issuer gives no e-mail address, and nobody here is linked to this identity"
                              : "the issuer has not verified the e-mail address of this identity: verify it there, or "
                                "log in by password and link the identity in your profile");
        }
        const auto known = find_user(me_, *email_);
        if (!known) {
            return done_(known.error());
        }
        if (*known && (*known)->status != user_status::active) {
            return refuse("the account is disabled: ask an administrator");
        }
        if (*known && (*known)->id == new_user_) {
            return join(); // a login before this one was cut short
        }
        // Nobody here has verified that the account's address is its owner's: one that can do more than others, or
        // that has a second factor, is worth asking for its password first.
        if (*known && provider_.link_by_email && !(*known)->node_admin && !(*known)->mfa) {
            return link((*known)->id, false);
        }
        if (*known) {
            return refuse("there is an account with its e-mail address: log in by password, then link the identity in "
                          "your profile",
                          code::conflict);
        }
        if (!provider_.organization) {
            return refuse("nobody here is known by this identity: ask an administrator for an account");
        }
        make_person();
    }

    /// Whether people may join; else why not.
    [[nodiscard]] expected<uuid> find_organization() const {
        const auto id = me_.doors->find_organization(*provider_.organization);
        const auto known =
            id ? me_.doors->permissions_of(*id, *provider_.role) : expected<std::vector<std::string>>(id.error());
        if (!known) {
            log_for("identity")
                .error("identity.oidc: people who come by {} cannot join: {}", provider_.name, known.error().detail);
            return problem{code::unavailable, "logging in with '" + provider_.name +
                                                  "' for the first time does not work now: the organization or the "
                                                  "role of `identity.oidc` is not there; an administrator has to "
                                                  "mend that."};
        }
        const auto document = read<organization_document>(me_, organization_address(*id));
        if (!document) {
            return document.error();
        }
        if (*document && (*document)->status == organization_status::suspended) {
            return problem{code::organization_suspended, "this organization is suspended: nobody joins it now."};
        }
        return *id;
    }

    void make_person() {
        if (const auto organization = find_organization(); !organization) {
            return done_(organization.error());
        }
        make_account_without_password(me_, request_, new_user_, {*email_, claims_.name, "", false},
                                      [self = shared_from_this()](const expected<user_document>& made) {
                                          if (!made && made.error().code == code::already_exists) {
                                              return self->refuse(
                                                  "somebody else is taking its e-mail address just now: "
                                                  "try again",
                                                  code::conflict);
                                          }
                                          made ? self->join() : self->done_(made.error());
                                      });
    }

    void join() {
        const auto organization = provider_.organization
                                      ? find_organization()
                                      : expected<uuid>(problem{code::forbidden, "nobody joins an organization here."});
        if (!organization) {
            return done_(organization.error());
        }
        auto c = command_of(me_, request_, organization_address(*organization), add_member{new_user_, *provider_.role});
        if (!c) {
            return done_(c.error());
        }
        me_.services.submit(std::move(*c),
                            [self = shared_from_this(), organization = *organization](const runtime::reply& joined) {
                                // A membership that is there, with whatever role, was given before.
                                if (!joined && joined.error().code != code::already_exists) {
                                    return self->done_(joined.error());
                                }
                                if (!joined) {
                                    return self->link(self->new_user_, false);
                                }
                                tell_member(self->me_, self->request_, organization, joined->version, self->new_user_,
                                            [self] { self->link(self->new_user_, false); });
                            });
    }

    void link(const uuid& user, bool anew) {
        auto c = command_of(me_, request_, linked_identity_address(link_id_),
                            link_identity{user, provider_.name, provider_.issuer, claims_.subject, given_, anew});
        if (!c) {
            return done_(c.error());
        }
        me_.services.submit(std::move(*c), [self = shared_from_this(), user](const runtime::reply& linked) {
            linked ? self->open(user) : self->done_(linked.error());
        });
    }

    void note_use() {
        if (auto c = command_of(me_, request_, linked_identity_address(link_id_), note_identity_use{given_})) {
            c->principal = "node";
            me_.services.submit(std::move(*c), [](const runtime::reply&) {}); // the next use tries again
        }
    }

    void open(const uuid& id) {
        auto user = read_user(me_, id);
        const auto credential =
            user ? read_credential(me_, id) : expected<std::optional<user_credential>>(user.error());
        if (!credential) {
            return done_(credential.error());
        }
        if (!*user || !*credential || (*user)->status != user_status::active) {
            return refuse("the account is disabled: ask an administrator");
        }
        oidc_person out{std::move(**user), {"oidc"}, false, (*credential)->generation};
        const bool proven = proves_second_factor(claims_, provider_.mfa_acr);
        if (proven) {
            out.methods.emplace_back("mfa");
        }
        out.needs_code = !proven && out.user.mfa;
        done_(std::move(out));
    }

    identity& me_;
    net::request request_;
    runtime::oidc_provider provider_;
    std::optional<oidc_link> link_;
    id_token_claims claims_;
    std::function<void(expected<oidc_person>)> done_;
    uuid link_id_;
    uuid new_user_;
    std::optional<std::string> email_; ///< Verified.
    std::string given_;                ///< Verified or not; empty: none, or no address.
};

} // namespace

void enter_by_oidc(identity& me, const net::request& r, const runtime::oidc_provider& provider,
                   const oidc_attempt& attempt, id_token_claims claims,
                   std::function<void(expected<oidc_person>)> done) {
    std::make_shared<entry>(me, r, provider, attempt, std::move(claims), std::move(done))->run();
}

} // namespace troupe::actors
