#include "schemas/base/ids.hpp"

#include "schemas/base/cipher.hpp"
#include "schemas/base/clock.hpp"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>

namespace troupe {
namespace {

constexpr char hex_digits[] = "0123456789abcdef";

/// Without randomness or a digest no id and no key is safe: there is nothing to go on with.
[[noreturn]] void end_without_crypto(const char* what) {
    std::fprintf(stderr, "troupe: OpenSSL failed in %s\n", what);
    std::abort();
}

void fill_random(std::uint8_t* into, std::size_t count) {
    if (RAND_bytes(into, static_cast<int>(count)) != 1) {
        end_without_crypto("RAND_bytes");
    }
}

/// Random bytes taken from a buffer of the thread: one call of the generator serves many ids.
std::uint64_t random_word() {
    constexpr std::size_t words = 64;
    thread_local std::array<std::uint64_t, words> buffer;
    thread_local std::size_t used = words;
    if (used == words) {
        fill_random(reinterpret_cast<std::uint8_t*>(buffer.data()), sizeof buffer);
        used = 0;
    }
    return buffer[used++];
}

void set_version(uuid& id, std::uint8_t version) {
    id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0f) | (version << 4));
    id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3f) | 0x80);
}

std::optional<std::uint8_t> hex_value(char c) {
    if (c >= '0' && c <= '9') {
        return static_cast<std::uint8_t>(c - '0');
    }
    const char lower = static_cast<char>(c | 0x20);
    if (lower >= 'a' && lower <= 'f') {
        return static_cast<std::uint8_t>(lower - 'a' + 10);
    }
    return std::nullopt;
}

constexpr bool dash_before(std::size_t byte) { return byte == 4 || byte == 6 || byte == 8 || byte == 10; }

} // namespace

std::string to_string(const uuid& id) {
    char text[36];
    char* at = text;
    for (std::size_t i = 0; i < id.bytes.size(); ++i) {
        if (dash_before(i)) {
            *at++ = '-';
        }
        *at++ = hex_digits[id.bytes[i] >> 4];
        *at++ = hex_digits[id.bytes[i] & 15];
    }
    return {text, sizeof text};
}

std::optional<uuid> parse_uuid(std::string_view text) {
    if (text.size() != 36) {
        return std::nullopt;
    }
    uuid id;
    const char* at = text.data();
    for (std::size_t i = 0; i < id.bytes.size(); ++i) {
        if (dash_before(i) && *at++ != '-') {
            return std::nullopt;
        }
        const auto high = hex_value(*at++);
        const auto low = hex_value(*at++);
        if (!high || !low) {
            return std::nullopt;
        }
        id.bytes[i] = static_cast<std::uint8_t>(*high << 4 | *low);
    }
    return id;
}

uuid make_uuid() {
    // Milliseconds and a 12-bit counter in one word: a full counter carries into the milliseconds, and a clock that
    // steps back is overtaken, so the word only ever grows.
    static std::atomic<std::uint64_t> last{0};
    const auto now = static_cast<std::uint64_t>(std::max<std::int64_t>(system_now().ms, 0)) << 12;
    auto before = last.load(std::memory_order_relaxed);
    auto stamp = std::max(now, before + 1);
    while (!last.compare_exchange_weak(before, stamp, std::memory_order_relaxed)) {
        stamp = std::max(now, before + 1);
    }
    uuid id;
    for (std::size_t i = 0; i < 6; ++i) {
        id.bytes[i] = static_cast<std::uint8_t>(stamp >> (52 - 8 * i));
    }
    id.bytes[6] = static_cast<std::uint8_t>((stamp >> 8) & 0x0f);
    id.bytes[7] = static_cast<std::uint8_t>(stamp);
    const auto noise = random_word();
    std::memcpy(id.bytes.data() + 8, &noise, sizeof noise);
    set_version(id, 7);
    return id;
}

uuid derive_uuid(std::initializer_list<std::string_view> parts) {
    std::string joined; // each length first, so that ("ab","c") and ("a","bc") differ
    for (const auto part : parts) {
        for (int shift = 56; shift >= 0; shift -= 8) {
            joined += static_cast<char>(static_cast<std::uint64_t>(part.size()) >> shift);
        }
        joined += part;
    }
    const auto digest = sha256(joined);
    uuid id;
    std::copy_n(digest.begin(), id.bytes.size(), id.bytes.begin());
    set_version(id, 8);
    return id;
}

std::string to_string(const entity_address& a) { return a.kind + "/" + to_string(a.id); }

std::array<std::uint8_t, 32> sha256(std::string_view data) {
    static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr); // a fetch per call costs more
    std::array<std::uint8_t, 32> digest{};
    if (!algorithm || EVP_Digest(data.data(), data.size(), digest.data(), nullptr, algorithm, nullptr) != 1) {
        end_without_crypto("SHA-256");
    }
    return digest;
}

std::string to_hex(std::string_view bytes) {
    std::string out;
    out.reserve(bytes.size() * 2);
    for (const char c : bytes) {
        const auto byte = static_cast<std::uint8_t>(c);
        out += hex_digits[byte >> 4];
        out += hex_digits[byte & 15];
    }
    return out;
}

std::string make_secret() { return to_base64url(random_bytes(32)); }

} // namespace troupe
