#pragma once

#include "bin/cli/node.hpp"
#include "schemas/auth.hpp"
#include "schemas/base/described.hpp"
#include "schemas/base/problem.hpp"
#include "schemas/base/unique_fd.hpp"

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The logins of this person on this machine: tokens by the URL of the node, in a file for its owner alone.
namespace troupe::cli {

struct stored_login {
    std::string url;
    std::string email = {};
    std::string organization = {}; ///< Slug or id chosen with --org or `org use`; empty: that of the token.
    std::string access_token = {}; ///< Empty: the session is over.
    std::string refresh_token = {};
    timestamp renew_at = {};          ///< By this machine's clock, shortly before the access token expires.
    std::string renewal_request = {}; ///< Idempotency key of a renewal whose answer has not been saved.
};
BOOST_DESCRIBE_STRUCT(stored_login, (),
                      (url, email, organization, access_token, refresh_token, renew_at, renewal_request))

struct stored_logins {
    std::vector<stored_login> logins;
};
BOOST_DESCRIBE_STRUCT(stored_logins, (), (logins))

/// logins.json. Nothing of it is cached: other processes change it.
class login_file {
public:
    explicit login_file(std::filesystem::path path) : path_(std::move(path)) {}
    /// $XDG_CONFIG_HOME/troupe/logins.json, else ~/.config/troupe/logins.json; nothing without a home.
    static std::optional<login_file> of(const node_search& search);

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }
    [[nodiscard]] expected<std::optional<stored_login>> find(std::string_view url) const;

    /// Held while tokens are renewed or replaced; waits for other processes. Makes the folder. Released by its end.
    [[nodiscard]] expected<unique_fd> lock() const;
    /// Replaces the login of that URL, durably. Call with the lock held.
    [[nodiscard]] expected<void> put(const stored_login& login) const;
    /// Whether there was one. Call with the lock held.
    [[nodiscard]] expected<bool> remove(std::string_view url) const;

private:
    [[nodiscard]] expected<stored_logins> read() const;
    [[nodiscard]] expected<void> write(const stored_logins& logins) const;
    std::filesystem::path path_;
};

/// Takes the tokens of an answer over, which came just now.
void take_tokens(stored_login& login, const login_document& answer);

/// A connection whose access token has expired, or was refused, with another token: that of another process which
/// renewed meanwhile, or a new one, which is saved before this answers. `unauthenticated`, `token_reused`: log in
/// again.
expected<connection> renew_login(const login_file& file, const connection& used);

/// What to say of a login whose session is over.
problem login_is_over(std::string_view url, std::string_view why);

} // namespace troupe::cli
