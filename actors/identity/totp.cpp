#include "actors/identity/totp.hpp"

#include "schemas/base/cipher.hpp"
#include "schemas/base/ids.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <qrencode.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <memory>

namespace troupe::actors {
namespace {

constexpr std::string_view base32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
constexpr int recovery_codes = 10;
constexpr std::size_t recovery_half = 5;
constexpr int quiet_zone = 4;

std::string percent(std::string_view text) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (std::isalnum(byte) != 0 || std::string_view("-._~").find(c) != std::string_view::npos) {
            out += c;
        } else {
            out += {'%', digits[byte >> 4U], digits[byte & 15U]};
        }
    }
    return out;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
    unsigned char difference = a.size() == b.size() ? 0 : 1;
    for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
        difference = static_cast<unsigned char>(difference | (a[i] ^ b[i]));
    }
    return difference == 0;
}

} // namespace

std::string totp_code(std::string_view seed, std::uint64_t step) {
    std::array<unsigned char, 8> counter{};
    for (std::size_t i = 0; i < counter.size(); ++i) {
        counter[i] = static_cast<unsigned char>(step >> (8 * (7 - i)));
    }
    std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
    unsigned size = 0;
    HMAC(EVP_sha1(), seed.data(), static_cast<int>(seed.size()), counter.data(), counter.size(), mac.data(), &size);
    const auto at = mac[size - 1] & 15U;
    const auto number =
        (static_cast<std::uint32_t>(mac[at] & 0x7fU) << 24U | static_cast<std::uint32_t>(mac[at + 1]) << 16U |
         static_cast<std::uint32_t>(mac[at + 2]) << 8U | mac[at + 3]) %
        1'000'000;
    const auto text = std::to_string(number);
    return std::string(6 - text.size(), '0') + text;
}

std::optional<std::uint64_t> totp_step(std::string_view seed, std::string_view code, timestamp now,
                                       std::uint64_t last_used) {
    const auto present = static_cast<std::uint64_t>(now.ms / totp_step_ms);
    std::optional<std::uint64_t> found;
    for (std::uint64_t step = present - 1; step <= present + 1; ++step) {
        if (equal_in_constant_time(totp_code(seed, step), code) && step > last_used) {
            found = step;
        }
    }
    return found;
}

std::string to_base32(std::string_view bytes) {
    std::string out;
    std::uint32_t buffer = 0;
    unsigned bits = 0;
    for (const char c : bytes) {
        buffer = buffer << 8U | static_cast<unsigned char>(c);
        bits += 8;
        while (bits >= 5) {
            out += base32[buffer >> (bits - 5) & 31U];
            bits -= 5;
        }
    }
    if (bits > 0) {
        out += base32[buffer << (5 - bits) & 31U];
    }
    return out;
}

std::string totp_uri(std::string_view issuer, std::string_view account, std::string_view seed) {
    return "otpauth://totp/" + percent(issuer) + ":" + percent(account) + "?secret=" + to_base32(seed) +
           "&issuer=" + percent(issuer) + "&algorithm=SHA1&digits=6&period=30";
}

namespace {

std::unique_ptr<QRcode, void (*)(QRcode*)> qr_code(std::string_view text, QRecLevel level) {
    return {QRcode_encodeString8bit(std::string(text).c_str(), 0, level), QRcode_free};
}

} // namespace

std::string qr_text(std::string_view text) {
    const auto code = qr_code(text, QR_ECLEVEL_L);
    if (!code) {
        return {};
    }
    const auto is_white = [&](int x, int y) {
        const bool inside = x >= 0 && y >= 0 && x < code->width && y < code->width;
        return !inside || (code->data[y * code->width + x] & 1U) == 0;
    };
    std::string out;
    for (int y = -quiet_zone / 2; y < code->width + quiet_zone / 2; y += 2) {
        for (int x = -quiet_zone / 2; x < code->width + quiet_zone / 2; ++x) {
            const bool above = is_white(x, y);
            const bool below = is_white(x, y + 1);
            out += above && below ? "█" : above ? "▀" : below ? "▄" : " ";
        }
        out += '\n';
    }
    return out;
}

std::string qr_svg(std::string_view text) {
    const auto code = qr_code(text, QR_ECLEVEL_M);
    if (!code) {
        return {};
    }
    const auto side = std::to_string(code->width + 2 * quiet_zone);
    std::string out = R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 )" + side + " " + side +
                      R"(" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h)" + side + "v" + side +
                      "H0z\"/><path d=\"";
    for (int y = 0; y < code->width; ++y) {
        for (int x = 0; x < code->width; ++x) {
            if ((code->data[y * code->width + x] & 1U) != 0) {
                out += "M" + std::to_string(x + quiet_zone) + " " + std::to_string(y + quiet_zone) + "h1v1h-1z";
            }
        }
    }
    return out + "\"/></svg>";
}

std::vector<std::string> make_recovery_codes() {
    std::vector<std::string> out;
    for (int i = 0; i < recovery_codes; ++i) {
        std::string code;
        for (const char c : random_bytes(2 * recovery_half)) {
            if (code.size() == recovery_half) {
                code += '-';
            }
            code += static_cast<char>(std::tolower(base32[static_cast<unsigned char>(c) & 31U]));
        }
        out.push_back(std::move(code));
    }
    return out;
}

std::string hash_of_recovery_code(std::string_view code) {
    std::string plain;
    for (const char c : code) {
        if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
            plain += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        }
    }
    const auto digest = sha256("recovery/" + plain);
    return to_hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

} // namespace troupe::actors
