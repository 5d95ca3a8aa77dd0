#pragma once

#include "schemas/base/cipher.hpp"
#include "schemas/base/described.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/problem.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// How secrets are encrypted: AES-256-GCM in an envelope. A value is encrypted with its organization's data key, a data
/// key with the node's master key, which is never in the data that it protects. What a ciphertext belongs to is
/// authenticated with it, so that none can stand in the place of another. No I/O in here.
namespace troupe::actors {

/// A key of a node. Its id may be shown: it is a hash.
struct master_key {
    std::string id;    ///< 16 hexadecimal digits.
    std::string bytes; ///< `cipher_key_bytes`; never shown, never stored.
};

/// The master keys that a node has: the first one wraps, all of them open.
class master_keys {
public:
    /// Of a key file or variable: keys as base64 or hexadecimal digits, between blanks, commas or line ends; what
    /// follows a '#' in a line is a comment. `config_invalid` names what is wrong, never the text.
    static expected<master_keys> parse(std::string_view text, std::string_view origin);

    /// These, and behind them those of `older` that are not among them.
    [[nodiscard]] master_keys with(const master_keys& older) const;

    [[nodiscard]] const master_key& current() const { return keys_.front(); }
    [[nodiscard]] const master_key* find(std::string_view id) const;
    /// "3f2a91c0…, 77ab…": the ids, for sentences.
    [[nodiscard]] std::string ids() const;

private:
    std::vector<master_key> keys_; ///< Never empty.
};

/// A fresh master key as it stands in a key file.
std::string make_master_key();

/// A data key as the keyring keeps it.
struct wrapped_key {
    std::uint32_t number = 0;
    std::string master;  ///< Id of the master key that it is wrapped with.
    std::string wrapped; ///< base64url.
};
BOOST_DESCRIBE_STRUCT(wrapped_key, (), (number, master, wrapped))

wrapped_key wrap_key(const master_key& master, const uuid& organization, std::uint32_t number,
                     std::string_view data_key);
/// `secrets_locked` without its master key, or when it was changed.
expected<wiped_text> unwrap_key(const master_keys& masters, const uuid& organization, const wrapped_key& key);

/// What a ciphertext is bound to.
struct secret_place {
    uuid organization;
    std::string name;
    std::uint64_t version = 0;
};

/// "s1.KEY.BASE64URL": format, number of the data key, ciphertext.
std::string seal_secret(std::string_view data_key, std::uint32_t number, const secret_place& place,
                        std::string_view value);
/// The number of the data key that it needs; nothing for text of another format.
std::optional<std::uint32_t> data_key_of(std::string_view sealed);
/// Nothing for another key, another place, or changed text.
std::optional<std::string> open_secret(std::string_view data_key, const secret_place& place, std::string_view sealed);

} // namespace troupe::actors
