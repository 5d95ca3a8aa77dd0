#pragma once

#include "schemas/base/clock.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The second factor: time-based codes (RFC 6238: HMAC-SHA-1, six digits, 30 seconds, which is what authenticators
/// know) and recovery codes. Pure but for the generator.
namespace troupe::actors {

inline constexpr std::size_t totp_seed_bytes = 20;
inline constexpr std::int64_t totp_step_ms = 30'000;

/// The code of a step.
std::string totp_code(std::string_view seed, std::uint64_t step);
/// The step whose code this is: the present one or one of its neighbours, since clocks differ. A step up to `last_used`
/// is over: a code is good once.
std::optional<std::uint64_t> totp_step(std::string_view seed, std::string_view code, timestamp now,
                                       std::uint64_t last_used);

/// RFC 4648, without padding: how people type a seed.
std::string to_base32(std::string_view bytes);
/// "otpauth://totp/…": what authenticators read from a QR code.
std::string totp_uri(std::string_view issuer, std::string_view account, std::string_view seed);
/// A QR code as SVG, black on white with its quiet zone; empty when the text is too long for one.
std::string qr_svg(std::string_view text);

/// The same for terminals, two modules above each other a character; in reverse: black where a module is white, for
/// light text on dark. Empty when the text is too long.
std::string qr_text(std::string_view text);

/// Ten codes as people keep them, "xxxxx-xxxxx", each with 50 bits.
std::vector<std::string> make_recovery_codes();
/// How one is kept, however it is typed.
std::string hash_of_recovery_code(std::string_view code);

} // namespace troupe::actors
