#include "actors/common/message_ids.hpp"

#include <fmt/format.h>

#include <string_view>

namespace troupe::actors {
namespace {

constexpr std::size_t mark_bytes = 8;
constexpr std::uint8_t version_bits = 0x80; // of the seventh byte
constexpr std::uint8_t variant_bits = 0x80; // of the ninth

std::string filter_of(const uuid& message) {
    const std::string_view bytes(reinterpret_cast<const char*>(message.bytes.data()), mark_bytes);
    return "messages=" + to_hex(bytes);
}

} // namespace

uuid message_id(const uuid& said_on, std::uint64_t number) {
    auto out = derive_uuid({"messages", to_string(said_on)}); // has version and variant
    for (std::size_t i = out.bytes.size() - 1; i > mark_bytes; --i, number >>= 8) {
        out.bytes[i] = static_cast<std::uint8_t>(number);
    }
    out.bytes[mark_bytes] = static_cast<std::uint8_t>(variant_bits | (number & 0x3f));
    return out;
}

std::string message_filter(const uuid& said_on) { return filter_of(message_id(said_on, 0)); }

std::optional<message_place> place_of_message(const uuid& message) {
    const auto& b = message.bytes;
    if ((b[6] & 0xf0) != version_bits || (b[mark_bytes] & 0xc0) != variant_bits) {
        return std::nullopt;
    }
    std::uint64_t number = b[mark_bytes] & 0x3f;
    for (std::size_t i = mark_bytes + 1; i < b.size(); ++i) {
        number = number << 8 | b[i];
    }
    return number == 0 ? std::nullopt : std::optional(message_place{filter_of(message), number});
}

std::string message_key(std::uint64_t number) { return fmt::format("{:012}", number); }

} // namespace troupe::actors
