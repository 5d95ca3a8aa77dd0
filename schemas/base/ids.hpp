#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace troupe {

/// 16 bytes, ordered bytewise (so that UUIDv7 orders by time). Nil by default.
struct uuid {
    std::array<std::uint8_t, 16> bytes{};

    auto operator<=>(const uuid&) const = default;
    [[nodiscard]] bool is_nil() const { return *this == uuid{}; }
};

/// "018f3c1e-…", lower case.
std::string to_string(const uuid& id);

/// Accepts the canonical form in either case; nothing else.
std::optional<uuid> parse_uuid(std::string_view text);

/// UUIDv7 (RFC 9562): milliseconds, then a per-process counter and randomness, so that ids made by one
/// process are strictly increasing. Thread-safe.
uuid make_uuid();

/// UUIDv8 from SHA-256 over the length-prefixed parts: the same parts always give the same id.
uuid derive_uuid(std::initializer_list<std::string_view> parts);

/// The reserved organization of people, plans and nodes: "system" as a fixed id.
inline constexpr uuid system_organization{{0, 0, 0, 0, 0, 0, 0x80, 0, 0x80, 0, 0, 0, 0, 0, 0, 1}};

/// The address of an entity: (organization, kind, id). The organization is immutable, never a slug.
struct entity_address {
    uuid organization;
    std::string kind; ///< "task"; [a-z_]{1,32}, fixed by the kind's registration.
    uuid id;

    auto operator<=>(const entity_address&) const = default;
};

/// "task/018f…": what logs and paths show.
std::string to_string(const entity_address& a);

/// The SHA-256 of `data`, as 32 raw bytes.
std::array<std::uint8_t, 32> sha256(std::string_view data);

/// Lower-case hexadecimal.
std::string to_hex(std::string_view bytes);

/// 32 bytes from the system's generator, as URL-safe text without padding: keys and tokens.
std::string make_secret();

} // namespace troupe

template <>
struct std::hash<troupe::uuid> {
    std::size_t operator()(const troupe::uuid& id) const noexcept {
        std::uint64_t words[2];
        std::memcpy(words, id.bytes.data(), sizeof words);
        return words[0] * 0x9e3779b97f4a7c15ULL ^ words[1];
    }
};

template <>
struct std::hash<troupe::entity_address> {
    std::size_t operator()(const troupe::entity_address& a) const noexcept {
        return std::hash<troupe::uuid>{}(a.id) ^ std::hash<std::string>{}(a.kind);
    }
};
