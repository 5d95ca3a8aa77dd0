#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

/// Authenticated encryption and what belongs to it, over OpenSSL. Thread-safe. Without a working OpenSSL the process
/// ends: there is nothing safe to go on with.
namespace troupe {

inline constexpr std::size_t cipher_key_bytes = 32;

/// From the system's generator.
std::string random_bytes(std::size_t count);

/// AES-256-GCM under a fresh random nonce: nonce, ciphertext, tag. `associated` is authenticated with it and not
/// stored: only who gives the same can open it. The key has `cipher_key_bytes`.
std::string seal(std::string_view key, std::string_view plain, std::string_view associated = {});

/// What was sealed; nothing for another key, other associated data or changed bytes.
std::optional<std::string> unseal(std::string_view key, std::string_view sealed, std::string_view associated = {});

std::array<std::uint8_t, 32> hmac_sha256(std::string_view key, std::string_view data);

/// Overwrites the bytes before it lets go of them: for keys and secrets.
void wipe(std::string& text);

/// Text that is wiped at its end. Copies are the caller's own business.
class wiped_text {
public:
    wiped_text() = default;
    explicit wiped_text(std::string text) : text_(std::move(text)) {}
    wiped_text(wiped_text&& other) noexcept { text_.swap(other.text_); }
    wiped_text& operator=(wiped_text&& other) noexcept {
        text_.swap(other.text_);
        return *this;
    }
    ~wiped_text() { wipe(text_); }
    [[nodiscard]] const std::string& text() const { return text_; }

private:
    std::string text_;
};

/// With padding, as Go's decoder, data URLs and providers of models insist on.
std::string to_base64(std::string_view bytes);
/// URL-safe base64 without padding.
std::string to_base64url(std::string_view bytes);
/// Takes both alphabets, with or without padding; nothing for anything else.
std::optional<std::string> from_base64(std::string_view text);
/// Of an even number of hexadecimal digits.
std::optional<std::string> from_hex(std::string_view text);

} // namespace troupe
