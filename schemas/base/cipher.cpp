#include "schemas/base/cipher.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>

namespace troupe {
namespace {

constexpr std::size_t nonce_bytes = 12;
constexpr std::size_t tag_bytes = 16;

using cipher = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

[[noreturn]] void end_without_crypto(const char* what) {
    std::fprintf(stderr, "troupe: OpenSSL failed in %s\n", what);
    std::abort();
}

void require(bool good, const char* what) {
    if (!good) {
        end_without_crypto(what);
    }
}

unsigned char* bytes(std::string& s) { return reinterpret_cast<unsigned char*>(s.data()); }
const unsigned char* bytes(std::string_view s) { return reinterpret_cast<const unsigned char*>(s.data()); }
int count_of(std::string_view s) { return static_cast<int>(s.size()); }

constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::optional<std::uint32_t> value_of(char c) {
    const auto at = digits.find(c == '+' ? '-' : c == '/' ? '_' : c);
    return at == std::string_view::npos ? std::nullopt : std::optional(static_cast<std::uint32_t>(at));
}

} // namespace

std::string random_bytes(std::size_t count) {
    std::string out(count, '\0');
    require(RAND_bytes(bytes(out), static_cast<int>(count)) == 1, "RAND_bytes");
    return out;
}

std::string seal(std::string_view key, std::string_view plain, std::string_view associated) {
    require(key.size() == cipher_key_bytes, "the length of a key");
    std::string out = random_bytes(nonce_bytes);
    out.resize(nonce_bytes + plain.size() + tag_bytes);
    const cipher c(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
    int written = 0;
    const bool good =
        c && EVP_EncryptInit_ex(c.get(), EVP_aes_256_gcm(), nullptr, bytes(key), bytes(out)) == 1 &&
        EVP_EncryptUpdate(c.get(), nullptr, &written, bytes(associated), count_of(associated)) == 1 &&
        EVP_EncryptUpdate(c.get(), bytes(out) + nonce_bytes, &written, bytes(plain), count_of(plain)) == 1 &&
        EVP_EncryptFinal_ex(c.get(), bytes(out) + nonce_bytes + plain.size(), &written) == 1 &&
        EVP_CIPHER_CTX_ctrl(c.get(), EVP_CTRL_GCM_GET_TAG, tag_bytes, bytes(out) + nonce_bytes + plain.size()) == 1;
    require(good, "AES-256-GCM");
    return out;
}

std::optional<std::string> unseal(std::string_view key, std::string_view sealed, std::string_view associated) {
    require(key.size() == cipher_key_bytes, "the length of a key");
    if (sealed.size() < nonce_bytes + tag_bytes) {
        return std::nullopt;
    }
    const auto body = sealed.substr(nonce_bytes, sealed.size() - nonce_bytes - tag_bytes);
    std::string tag(sealed.substr(sealed.size() - tag_bytes)); // OpenSSL's call is not const
    std::string plain(body.size(), '\0');
    const cipher c(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
    int written = 0;
    const bool ready = c && EVP_DecryptInit_ex(c.get(), EVP_aes_256_gcm(), nullptr, bytes(key), bytes(sealed)) == 1 &&
                       EVP_DecryptUpdate(c.get(), nullptr, &written, bytes(associated), count_of(associated)) == 1 &&
                       EVP_DecryptUpdate(c.get(), bytes(plain), &written, bytes(body), count_of(body)) == 1 &&
                       EVP_CIPHER_CTX_ctrl(c.get(), EVP_CTRL_GCM_SET_TAG, tag_bytes, tag.data()) == 1;
    require(ready, "AES-256-GCM");
    if (EVP_DecryptFinal_ex(c.get(), bytes(plain) + plain.size(), &written) != 1) {
        wipe(plain);
        return std::nullopt;
    }
    return plain;
}

std::array<std::uint8_t, 32> hmac_sha256(std::string_view key, std::string_view data) {
    std::array<std::uint8_t, 32> out{};
    unsigned count = 0;
    require(HMAC(EVP_sha256(), key.data(), count_of(key), bytes(data), data.size(), out.data(), &count) != nullptr &&
                count == out.size(),
            "HMAC");
    return out;
}

void wipe(std::string& text) {
    text.resize(text.capacity()); // also what a move or a shorter text left in the buffer
    OPENSSL_cleanse(text.data(), text.size());
    text.clear();
}

std::string to_base64url(std::string_view data) {
    std::string out;
    std::uint32_t bits = 0;
    int bit_count = 0;
    for (const char c : data) {
        bits = (bits << 8) | static_cast<unsigned char>(c);
        for (bit_count += 8; bit_count >= 6; bit_count -= 6) {
            out += digits[(bits >> (bit_count - 6)) & 63];
        }
    }
    if (bit_count > 0) {
        out += digits[(bits << (6 - bit_count)) & 63];
    }
    return out;
}

std::string to_base64(std::string_view data) {
    auto out = to_base64url(data);
    std::replace(out.begin(), out.end(), '-', '+');
    std::replace(out.begin(), out.end(), '_', '/');
    out.append((4 - out.size() % 4) % 4, '=');
    return out;
}

std::optional<std::string> from_base64(std::string_view text) {
    while (text.ends_with('=')) {
        text.remove_suffix(1);
    }
    std::string out;
    std::uint32_t bits = 0;
    int bit_count = 0;
    for (const char c : text) {
        const auto value = value_of(c);
        if (!value) {
            return std::nullopt;
        }
        bits = (bits << 6) | *value;
        bit_count += 6;
        if (bit_count >= 8) {
            bit_count -= 8;
            out += static_cast<char>((bits >> bit_count) & 0xff);
        }
    }
    const bool whole = bit_count < 6 && (bits & ((1U << bit_count) - 1)) == 0;
    return whole ? std::optional(std::move(out)) : std::nullopt;
}

std::optional<std::string> from_hex(std::string_view text) {
    constexpr std::string_view hex = "0123456789abcdef";
    std::string out;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
        const auto high = hex.find(static_cast<char>(text[i] | 0x20));
        const auto low = hex.find(static_cast<char>(text[i + 1] | 0x20));
        if (high == std::string_view::npos || low == std::string_view::npos) {
            return std::nullopt;
        }
        out += static_cast<char>(high << 4 | low);
    }
    return text.size() % 2 == 0 ? std::optional(std::move(out)) : std::nullopt;
}

} // namespace troupe
