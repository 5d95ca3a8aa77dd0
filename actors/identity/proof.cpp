#include "actors/identity/proof.hpp"

#include "actors/identity/totp.hpp"
#include "schemas/base/network.hpp"
#include "schemas/name_messages.hpp"

#include <algorithm>
#include <memory>

namespace troupe::actors {
namespace {

/// From here on a wait is an event of the account, so that it lasts over a restart and administrators see it.
constexpr std::int64_t lock_from_ms = 60'000;

using proven = proven_person;

problem wrong_credentials() {
    return {code::invalid_credentials,
            "the e-mail address, the password or the code is wrong, or the account is locked "
            "for a while or disabled"};
}

std::string mfa_key(const identity& me) {
    const auto key = hmac_sha256(me.keys->opaque_key(), "mfa");
    return {reinterpret_cast<const char*>(key.data()), key.size()};
}

class proving : public std::enable_shared_from_this<proving> {
public:
    proving(identity& me, net::request r, proof given, std::function<void(expected<proven>)> done)
        : me_(me), request_(std::move(r)), given_(std::move(given)), done_(std::move(done)) {
        account_ = fold_name(clean_email(given_.email).value_or(given_.email));
    }

    /// The password is proven in another way.
    void opened_by(std::string method) {
        first_ = std::move(method);
        elsewhere_ = true;
    }

    void run() {
        if (const auto wait = begin(); wait > 0) {
            return done_(wait_first(wait));
        }
        auto user = find_user(me_, account_);
        auto credential =
            user && *user ? read_credential(me_, (*user)->id) : expected<std::optional<user_credential>>(std::nullopt);
        if (!user || !credential) {
            return not_judged(user ? credential.error() : user.error());
        }
        user_ = std::move(*user);
        std::string hash;
        if (user_ && *credential && user_->status == user_status::active &&
            (!user_->locked_until || system_now() >= *user_->locked_until)) {
            credential_ = std::move(**credential);
            hash = credential_.password_hash;
        }
        if (elsewhere_) { // such an account may have no password at all
            return credential_.generation > 0 ? on_verified(true) : on_wrong(wrong_credentials());
        }
        me_.passwords.verify(std::move(given_.password), std::move(hash),
                             [self = shared_from_this()](expected<bool> right) { self->on_verified(right); });
    }

private:
    void on_verified(const expected<bool>& right) {
        if (!right) {
            return not_judged(right.error());
        }
        if (!*right) {
            return on_wrong(wrong_credentials());
        }
        if (credential_.mfa.sealed.empty()) {
            return on_right({first_});
        }
        if (!given_.code) {
            return not_judged(
                problem{code::mfa_required, "the password is right: send the `code` of the second factor, too"});
        }
        check_code(*given_.code);
    }

    void check_code(const std::string& text) {
        const auto seed = open_mfa_seed(me_, user_->id, credential_.mfa.sealed);
        if (!seed) {
            return not_judged(problem{code::secrets_locked, "the second factor of this account cannot be opened: an "
                                                            "administrator can disable it"});
        }
        if (const auto step = totp_step(*seed, text, system_now(), 0)) {
            return spend(use_mfa_code{*step}, "otp");
        }
        spend(use_recovery_code{hash_of_recovery_code(text)}, "recovery");
    }

    /// The person's own entity decides whether it was used before.
    template <class Command>
    void spend(const Command& use, const char* method) {
        auto c = net::caller_command(request_, user_address(user_->id), wire_name<Command>::value, to_json(use));
        c.principal = "user/" + to_string(user_->id);
        me_.services.submit(std::move(c), [self = shared_from_this(), method](const runtime::reply& used) {
            if (used) {
                return self->on_right({self->first_, method});
            }
            used.error().code == code::invalid_credentials ? self->on_wrong(used.error())
                                                           : self->not_judged(used.error());
        });
    }

    /// Each attempt counts as a failure until it is known to be none.
    std::int64_t begin() {
        const auto now = monotonic_ms();
        network_ = client_network(request_.address);
        const auto wait =
            std::max({me_.by_account.wait_ms(account_ + "|" + network_, now),
                      me_.by_account_everywhere.wait_ms(account_, now), me_.by_address.wait_ms(network_, now)});
        if (wait > 0) {
            return wait;
        }
        const auto late = me_.by_account.begin(account_ + "|" + network_, now); // another one was faster
        if (late > 0) {
            return late;
        }
        me_.by_account_everywhere.failed(account_, now);
        me_.by_address.failed(network_, now);
        return 0;
    }

    void not_judged(const problem& why) {
        me_.by_account.undo(account_ + "|" + network_);
        me_.by_account_everywhere.undo(account_);
        me_.by_address.undo(network_);
        done_(why);
    }

    void on_right(std::vector<std::string> methods) {
        me_.by_account.succeeded(account_ + "|" + network_);
        me_.by_account_everywhere.succeeded(account_);
        me_.by_address.undo(network_);
        done_(proven{std::move(*user_), std::move(methods), credential_.generation});
    }

    /// Guessing from many places becomes an event of the account, so that the wait lasts over a restart and
    /// administrators see it.
    void on_wrong(const problem& why) {
        const auto wait = me_.by_account_everywhere.wait_ms(account_, monotonic_ms());
        if (wait >= lock_from_ms && user_) {
            auto c = net::caller_command(request_, user_address(user_->id), wire_name<lock_user>::value,
                                         to_json(lock_user{system_now() + wait}));
            c.principal = "node";
            c.deadline_ms = 0;
            me_.services.submit(std::move(c), [](const runtime::reply&) {}); // the count in memory holds meanwhile
        }
        done_(why);
    }

    identity& me_;
    net::request request_;
    proof given_;
    std::function<void(expected<proven>)> done_;
    std::string first_ = "password";
    bool elsewhere_ = false;
    std::string account_;
    std::string network_;
    std::optional<user_document> user_;
    user_credential credential_;
};

} // namespace

problem wait_first(std::int64_t ms) {
    const auto seconds = static_cast<std::uint32_t>((ms + 999) / 1000);
    return {code::rate_limited,
            "too many attempts failed: try again in " + std::to_string(seconds) + " seconds",
            {},
            seconds};
}

void prove(identity& me, const net::request& r, proof given, std::function<void(expected<proven>)> done) {
    std::make_shared<proving>(me, r, std::move(given), std::move(done))->run();
}

void prove_code(identity& me, const net::request& r, const std::string& email, std::string code, std::string first,
                std::function<void(expected<proven>)> done) {
    const auto one = std::make_shared<proving>(me, r, proof{email, {}, std::move(code)}, std::move(done));
    one->opened_by(std::move(first));
    one->run();
}

std::string seal_mfa_seed(const identity& me, const uuid& user, std::string_view seed) {
    return to_base64url(seal(mfa_key(me), seed, to_string(user)));
}

std::optional<std::string> open_mfa_seed(const identity& me, const uuid& user, std::string_view sealed) {
    const auto bytes = from_base64(sealed);
    return bytes ? unseal(mfa_key(me), *bytes, to_string(user)) : std::nullopt;
}

} // namespace troupe::actors
