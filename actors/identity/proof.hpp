#pragma once

#include "actors/identity/accounts.hpp"

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

/// A person proves who it is: the password, and the second factor where there is one.
namespace troupe::actors {

/// What is compared.
struct proof {
    std::string email; ///< As it was typed.
    wiped_text password;
    std::optional<std::string> code;
};

/// Who it is.
struct proven_person {
    user_document user;
    std::vector<std::string> methods; ///< "password", "otp", "recovery".
    std::uint64_t generation = 0;     ///< Of the credential that was compared: a session that follows belongs to it.
};

/// Checks it. Unknown, wrong, disabled and locked are the same `invalid_credentials` after the same work;
/// `mfa_required` only with the right password; `rate_limited` while a wait goes on. A code is good once, also over a
/// crash.
void prove(identity& me, const net::request& r, proof given, std::function<void(expected<proven_person>)> done);

/// The same for an account that something else than its password opened, which `first` names among the methods: only
/// the code of the second factor is compared.
void prove_code(identity& me, const net::request& r, const std::string& email, std::string code, std::string first,
                std::function<void(expected<proven_person>)> done);

/// The key that seeds of second factors are sealed with, and the seed itself; nothing when it does not belong to the
/// user.
std::string seal_mfa_seed(const identity& me, const uuid& user, std::string_view seed);
std::optional<std::string> open_mfa_seed(const identity& me, const uuid& user, std::string_view sealed);

/// After failed attempts.
problem wait_first(std::int64_t ms);

} // namespace troupe::actors
