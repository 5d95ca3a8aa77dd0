#pragma once

#include "net/mcp/oauth_client.hpp"
#include "runtime/config/mcp_servers.hpp"
#include "schemas/mcp_auth.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::actors {

/// What tokens need of the node; all of it outlives them.
struct mcp_token_parts {
    std::function<expected<std::string>(std::string_view name)> find_secret; ///< `not_found`: there is none.
    std::function<expected<void>(std::string_view name, std::string_view value)> keep_secret;
    /// Where browsers come back to, of the moment; empty: they cannot yet. None: as the settings say.
    std::function<std::string()> redirect_uri = {};
    net::mcp::oauth_fetch fetch = {}; ///< None: `net::mcp::guarded_fetch` of the server.
    std::function<timestamp()> now = system_now;
};

/// The tokens for one server: an encrypted secret of the organization, `mcp.SERVER.oauth`, which no route shows.
/// Whatever asks the network is done by one thread at a time, the others wait for what it gets. Thread-safe.
class mcp_tokens {
public:
    /// `by_credentials`: no person is asked, the client's own secret is enough.
    mcp_tokens(std::string server, net::mcp::oauth_settings settings, mcp_token_parts parts,
               bool by_credentials = false);

    /// The value of the header `Authorization`, renewed before its end; none: the server has asked for none so far, or
    /// a person has to authorize first. Blocks.
    expected<std::optional<std::string>> authorization();

    /// After a 401, or a 403 that asks for more scopes. `sent` is the header that was refused. Success: send the
    /// request once more. `unauthenticated`: a person has to open a URL, see `document`. `forbidden`: asking again
    /// would not help. Blocks.
    expected<void> challenged(int status, std::string_view www_authenticate, const std::optional<std::string>& sent);

    /// Begins an authorization and gives the URL to open; one that waits is used again.
    expected<std::string> begin();
    /// Whether an authorization waits for a redirect with this state.
    [[nodiscard]] bool waits_for(std::string_view state) const;
    /// With the query of the redirect. An authorization can be finished once.
    expected<void> finish(std::string_view query);
    /// Tokens, client and what waits.
    expected<void> forget();

    [[nodiscard]] mcp_auth_document document() const;
    /// Called when an authorization was finished, from the thread that did. Set before anything else.
    std::function<void()> on_authorized;

    static constexpr std::int64_t wait_ms = 10LL * 60 * 1000; ///< So long a person has.
    /// A token that is refused so soon after it was renewed is not renewed again: a person has to look.
    static constexpr std::int64_t renew_again_ms = 60'000;

private:
    struct waiting {
        net::mcp::authorization_request request;
        timestamp until;
    };

    expected<void> load();
    expected<void> keep(const std::optional<net::mcp::oauth_grant>& grant);
    /// Null: nobody has refused the token, it is only about to end.
    expected<void> renew(const net::mcp::auth_challenge* challenge);
    expected<std::string> ask_person(const net::mcp::auth_challenge& challenge);
    void drop_tokens();
    problem noted(problem p);
    [[nodiscard]] std::optional<net::mcp::oauth_grant> grant() const;
    [[nodiscard]] std::string secret_name() const { return "mcp." + server_ + ".oauth"; }

    const std::string server_;
    const net::mcp::oauth_settings settings_;
    const mcp_token_parts parts_;
    const net::mcp::oauth_fetch fetch_;
    const bool by_credentials_;
    std::mutex work_;                    ///< Held by whoever asks the network. Taken before the other.
    bool loaded_ = false;                ///< Under `work_`.
    timestamp renewed_at_;               ///< After a challenge; under `work_`.
    net::mcp::auth_challenge challenge_; ///< The last one that a person was asked for; under `work_`.
    mutable std::mutex mutex_;
    std::optional<net::mcp::oauth_grant> grant_;
    std::optional<waiting> waiting_;
    std::optional<std::string> error_;
};

/// Those of all servers, by name.
using mcp_token_table = std::map<std::string, std::shared_ptr<mcp_tokens>, std::less<>>;

/// Of those that are reached over HTTP and whose headers do not say the authorization themselves.
mcp_token_table tokens_for(const std::vector<runtime::mcp_server>& servers, const mcp_token_parts& parts);

} // namespace troupe::actors
