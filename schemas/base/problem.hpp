#pragma once

#include <boost/system/result.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

/// The stable code of a problem. Append only: the text of a code is part of the public API.
/// Each one has its HTTP status, title, cause and remedy in `problem.cpp`, the single mapping.
enum class code : std::uint16_t {
    invalid_request,        ///< The request is malformed or fails validation (422 or 400).
    malformed_json,         ///< The text is not JSON.
    malformed_http,         ///< The bytes are not HTTP/1.1.
    payload_too_large,      ///< A body, header or line is over its limit.
    unsupported_media_type, ///< The body is not JSON.
    unauthenticated,        ///< No key, or an unknown one.
    forbidden,              ///< The principal may not do this.
    not_found,              ///< No such entity or path.
    method_not_allowed,     ///< The path exists, the method does not.
    conflict,               ///< The entity's state does not allow this.
    already_exists,         ///< An entity with this name or id exists.
    precondition_failed,    ///< `If-Match` does not match the current version.
    idempotency_mismatch,   ///< The same key was used with another request.
    overloaded,             ///< Over a bound; try again later.
    unavailable,            ///< The part that answers is starting, stopping or lost.
    deadline_exceeded,      ///< The time allowed has passed.
    cancelled,              ///< The caller or an operator ended it.
    poison,                 ///< The command crashed its entity again and again.
    quarantined,            ///< The entity cannot be replayed.
    unknown_outcome,        ///< It may or may not have happened.
    storage_full,           ///< Not enough disk space to accept writes.
    storage_failed,         ///< The disk returned an error.
    journal_damaged,        ///< A record fails its checksum or a sequence has a gap.
    data_dir_in_use,        ///< Another process holds the data directory.
    data_dir_unusable,      ///< Missing, unwritable or not a data directory.
    data_dir_newer,         ///< Written by a newer version.
    config_invalid,         ///< The configuration has an error.
    address_in_use,         ///< The port is taken.
    listen_failed,          ///< The address cannot be listened on.
    sandbox_unavailable,    ///< Commands cannot be confined here.
    tool_unknown,           ///< The model called a tool that does not exist.
    tool_arguments_invalid, ///< The tool's arguments fail its schema.
    tool_failed,            ///< The tool ran and reported an error.
    model_unknown,          ///< No such model or provider.
    model_unavailable,      ///< The provider cannot be reached or answers 5xx.
    model_rate_limited,     ///< The provider answers 429.
    model_refused,          ///< The provider refuses the request (4xx).
    model_reply_invalid,    ///< The provider's answer cannot be understood.
    script_invalid,         ///< A rehearsal script has an error.
    script_exhausted,       ///< No rule of a rehearsal script matches.
    budget_exhausted,       ///< Steps, tokens, money or time are used up.
    path_outside_project,   ///< A path leaves the project.
    connection_failed,      ///< A client could not reach the node.
    internal,               ///< A defect in Troupe; the log has the details.
    secrets_locked,         ///< Secrets that the node's master keys cannot open.
    erased,                 ///< Its key was destroyed: nobody can read it any more.
    invalid_credentials,    ///< E-mail, password or code are wrong, or the account is locked: never which.
    token_reused,           ///< A refresh token came a second time: its session is ended.
    mfa_required,           ///< The password was right, the code of the second factor is missing.
    step_up_required,       ///< The caller has to prove again who it is.
    registration_off,       ///< Nobody may register by themselves.
    rate_limited,           ///< Too many requests or attempts; try again later.
    limit_reached,          ///< The organization's plan allows no more.
    organization_suspended, ///< The organization may only be read.
    quota_exceeded,         ///< A limit of the organization's plan is reached.
    too_many_keys,          ///< Who would own another API key has as many as it may have.
    second_factor_required, ///< The organization asks for a second factor, and this session has none.
    password_expired,       ///< The organization asks for a password that is not so old.
    session_too_old,        ///< The organization asks for a login that is not so long ago.
    address_not_allowed,    ///< The organization is not open to the caller's address.
    would_lock_out,         ///< The change would keep out whoever makes it.
};

/// One place in a bad input and what is wrong there.
struct field_error {
    std::string pointer; ///< JSON pointer ("/steps/0/name"), a query parameter, or FILE:LINE.
    std::string message;
};

/// An error as a value: a stable code for programs, a sentence for people that says what to do.
struct problem {
    troupe::code code = code::internal;
    std::string detail;
    std::vector<field_error> errors = {};
    std::optional<std::uint32_t> retry_after_s = {}; ///< For `overloaded` and `unavailable`.
};

/// The result of every fallible function that crosses a module border.
template <class T>
using expected = boost::system::result<T, problem>;

/// Everything fixed about a code; `explain` finds it.
struct code_info {
    troupe::code code;
    std::string_view name; ///< "not_found": what the wire carries.
    int http_status;
    std::string_view title;
    std::string_view cause;
    std::string_view remedy;
};

/// The page of explanation of a code. Never fails: every enumerator has a row (a test checks).
const code_info& explain(code c);

/// All codes, in the order of the enumeration.
std::span<const code_info> all_codes();

/// The code of a wire name, if there is one.
std::optional<code> code_named(std::string_view name);

/// RFC 9457 body: {"type","title","status","detail","code","errors"?,"instance"?}.
std::string to_problem_json(const problem& p, std::string_view instance = {});

/// The inverse, for clients and for replies that crossed a border. Bad text becomes `internal`.
problem from_problem_json(std::string_view text, int http_status);

/// Found by `expected<T>::value()`; only tests and `main` may let it escape.
[[noreturn]] inline void throw_exception_from_error(const problem& p, const boost::source_location&) {
    throw std::runtime_error(std::string(explain(p.code).name) + ": " + p.detail);
}

} // namespace troupe
