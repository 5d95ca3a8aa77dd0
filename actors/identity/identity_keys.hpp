#pragma once

#include "actors/identity/tokens.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/base/problem.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

/// The node's own keys: for access tokens (Ed25519, rotated) and for opaque tokens. They are secrets of the
/// organization `system`.
namespace troupe::actors {

/// How the node keeps what nobody may read: the secret vault, for the organization `system`. Both block.
struct node_secrets {
    std::function<expected<std::string>(std::string_view name)> reveal; ///< `not_found` when it was never set.
    /// `conflict` when another node of the cluster set it at this moment.
    std::function<expected<void>(std::string_view name, std::string_view value)> keep;
    /// Of "secret:NAME" in the configuration: a secret of the default organization. Blocks, too.
    std::function<expected<std::string>(std::string_view name)> configured = {};
};

/// A signing key signs for so long; it is good for checking as long as a token of it can live.
inline constexpr std::int64_t signing_key_ms = 30LL * 24 * 3600 * 1000;

/// Thread-safe.
class identity_keys {
public:
    /// Reads the keys, makes what is missing and rotates what is due. After the node has started. `issuer` names this
    /// cluster in tokens; tokens live for `token_ms`.
    static expected<std::unique_ptr<identity_keys>> open(node_secrets secrets, std::string issuer,
                                                         std::int64_t token_ms);

    [[nodiscard]] std::string sign(const uuid& user, const uuid& session, const std::optional<uuid>& organization,
                                   timestamp now) const;
    /// A key that another node of the cluster has made is looked for.
    [[nodiscard]] expected<access_claims> verify(std::string_view token, timestamp now) const;
    [[nodiscard]] std::string jwks() const;

    /// A new key signs from now on. Blocks.
    expected<void> rotate(timestamp now);
    /// Whether the newest key has signed for long enough.
    [[nodiscard]] bool is_due(timestamp now) const;

    /// Of opaque tokens; see tokens.hpp. Never changes.
    [[nodiscard]] const std::string& opaque_key() const { return opaque_key_; }
    [[nodiscard]] std::int64_t token_ms() const { return token_ms_; }

private:
    identity_keys() = default;
    [[nodiscard]] std::shared_ptr<const std::vector<signing_key>> keys() const;
    /// From the tables; never waits.
    expected<void> read_keys() const;

    node_secrets secrets_;
    std::string issuer_;
    std::int64_t token_ms_ = 0;
    std::string opaque_key_;
    std::mutex rotation_mutex_;
    mutable std::mutex mutex_;         ///< Of the list and the time.
    mutable std::int64_t read_ms_ = 0; ///< When the list was read last, on the monotonic clock.
    mutable std::shared_ptr<const std::vector<signing_key>> keys_; ///< Oldest first, never empty.
};

} // namespace troupe::actors
