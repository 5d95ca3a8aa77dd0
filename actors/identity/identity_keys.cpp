#include "actors/identity/identity_keys.hpp"

#include "schemas/base/cipher.hpp"
#include "schemas/base/described.hpp"
#include "schemas/base/log.hpp"

#include <utility>

namespace troupe::actors {
namespace {

constexpr std::string_view signing_secret = "identity.signing";
constexpr std::string_view opaque_secret = "identity.tokens";
constexpr std::size_t seed_bytes = 32;
constexpr std::int64_t read_again_ms = 1000;

/// What the secret holds.
struct stored_key {
    std::string seed; ///< base64url.
    timestamp created_at;
};
BOOST_DESCRIBE_STRUCT(stored_key, (), (seed, created_at))
struct stored_keys {
    std::vector<stored_key> keys;
};
BOOST_DESCRIBE_STRUCT(stored_keys, (), (keys))

problem unreadable(std::string_view name) {
    return {code::secrets_locked, "the secret '" + std::string(name) +
                                      "' of the organization `system` is not what the node wrote: restore a backup, or "
                                      "delete it and start again, which ends all sessions"};
}

expected<std::vector<signing_key>> decode(const std::string& text) {
    const auto stored = from_json<stored_keys>(text, strictness::stored);
    if (!stored) {
        return unreadable(signing_secret);
    }
    std::vector<signing_key> out;
    for (const auto& k : stored->keys) {
        auto seed = from_base64(k.seed);
        if (!seed || seed->size() != seed_bytes) {
            return unreadable(signing_secret);
        }
        out.push_back(make_signing_key(std::move(*seed), k.created_at));
    }
    return out;
}

} // namespace

expected<std::unique_ptr<identity_keys>> identity_keys::open(node_secrets secrets, std::string issuer,
                                                             std::int64_t token_ms) {
    std::unique_ptr<identity_keys> out(new identity_keys);
    out->secrets_ = std::move(secrets);
    out->issuer_ = std::move(issuer);
    out->token_ms_ = token_ms;
    auto opaque = out->secrets_.reveal(opaque_secret);
    if (!opaque && opaque.error().code == code::not_found) {
        opaque = to_base64url(random_bytes(cipher_key_bytes));
        if (auto kept = out->secrets_.keep(opaque_secret, *opaque); !kept && kept.error().code != code::conflict) {
            return kept.error();
        }
        opaque = out->secrets_.reveal(opaque_secret); // of two nodes that begin a cluster one was first
    }
    if (!opaque) {
        return opaque.error();
    }
    auto key = from_base64(*opaque);
    if (!key || key->size() != cipher_key_bytes) {
        return unreadable(opaque_secret);
    }
    out->opaque_key_ = std::move(*key);

    if (auto read = out->read_keys(); !read) {
        return read.error();
    }
    const auto now = system_now();
    if (out->is_due(now)) {
        auto rotated = out->rotate(now);
        if (!rotated && out->keys()->empty()) {
            return rotated.error();
        }
        if (!rotated) { // of a full disk, say: the old key is good until there is another
            log_for("identity").warn("the key that signs tokens could not be replaced: {}", rotated.error().detail);
        }
    }
    return out;
}

expected<void> identity_keys::read_keys() const {
    std::vector<signing_key> keys;
    if (const auto stored = secrets_.reveal(signing_secret); stored) {
        auto decoded = decode(*stored);
        if (!decoded) {
            return decoded.error();
        }
        keys = std::move(*decoded);
    } else if (stored.error().code != code::not_found) {
        return stored.error();
    }
    const std::lock_guard lock(mutex_);
    keys_ = std::make_shared<const std::vector<signing_key>>(std::move(keys));
    read_ms_ = monotonic_ms();
    return {};
}

std::shared_ptr<const std::vector<signing_key>> identity_keys::keys() const {
    const std::lock_guard lock(mutex_);
    return keys_;
}

bool identity_keys::is_due(timestamp now) const {
    const auto present = keys();
    return present->empty() || now - present->back().created_at >= signing_key_ms;
}

expected<void> identity_keys::rotate(timestamp now) {
    const std::lock_guard rotating(rotation_mutex_);
    const auto present = keys();
    std::vector<signing_key> fresh;
    for (std::size_t i = 0; i < present->size(); ++i) {
        // A key signed until its successor came; tokens of then live on for a while.
        const bool newest = i + 1 == present->size();
        if (newest || now - (*present)[i + 1].created_at < token_ms_) {
            fresh.push_back((*present)[i]);
        }
    }
    fresh.push_back(make_signing_key(random_bytes(seed_bytes), now));
    stored_keys stored;
    for (const auto& key : fresh) {
        stored.keys.push_back({to_base64url(key.seed), key.created_at});
    }
    if (auto kept = secrets_.keep(signing_secret, to_json(stored)); !kept) {
        return kept.error().code == code::conflict ? read_keys() : kept; // another node was faster
    }
    const std::lock_guard lock(mutex_);
    keys_ = std::make_shared<const std::vector<signing_key>>(std::move(fresh));
    return {};
}

std::string identity_keys::sign(const uuid& user, const uuid& session, const std::optional<uuid>& organization,
                                timestamp now) const {
    return sign_access_token(keys()->back(), {user, session, organization, now, now + token_ms_, issuer_});
}

expected<access_claims> identity_keys::verify(std::string_view token, timestamp now) const {
    auto claims = verify_access_token(*keys(), issuer_, token, now);
    {
        const std::lock_guard lock(mutex_);
        if (claims || monotonic_ms() - read_ms_ < read_again_ms) {
            return claims; // whoever makes tokens up does not make the node read
        }
    }
    return read_keys() ? verify_access_token(*keys(), issuer_, token, now) : claims;
}

std::string identity_keys::jwks() const { return to_jwks(*keys()); }

} // namespace troupe::actors
