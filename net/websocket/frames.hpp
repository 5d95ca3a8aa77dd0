#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

/// Frames of WebSocket (RFC 6455), without extensions, as a server writes and reads them. Pure.
namespace troupe::net {

enum class frame_kind : std::uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

/// Codes of a close that the edge uses.
enum class close_code : std::uint16_t {
    normal = 1000,
    going_away = 1001,
    protocol_error = 1002,
    bad_payload = 1007,
    policy_error = 1008,
    too_big = 1009,
    try_again_later = 1013,
};

/// A whole message, not masked: the same for all clients.
std::string to_frame(frame_kind kind, std::string_view payload);
/// `reason` is at most 123 bytes.
std::string to_close_frame(close_code code, std::string_view reason);

/// The answer to `Sec-WebSocket-Key`.
std::string accept_key(std::string_view key);

/// Puts together what a client sends, in whatever pieces it comes.
class frame_reader {
public:
    explicit frame_reader(std::size_t message_bytes_max) : message_bytes_max_(message_bytes_max) {}

    enum class outcome : std::uint8_t {
        more,    ///< All was taken; nothing is whole yet.
        message, ///< `kind` and `payload` say which. The rest of the input is still to be read.
        failed,  ///< The client broke the protocol, as `failure` says: nothing it sends can be read any more.
    };
    /// Takes bytes off the front of `in`.
    outcome read(std::string_view& in);

    [[nodiscard]] frame_kind kind() const { return kind_; }
    /// Of the last message: text (well-formed UTF-8), binary, close, ping or pong. It is gone from here.
    std::string take_payload();
    [[nodiscard]] close_code failure() const { return failure_; }

private:
    outcome fail(close_code why);
    [[nodiscard]] std::size_t header_bytes() const;
    outcome read_header();
    outcome finish_frame();
    [[nodiscard]] bool is_control() const { return opcode_ >= 8; }

    std::size_t message_bytes_max_;
    std::array<unsigned char, 14> header_{}; ///< Flags and opcode, length, mask.
    std::size_t header_at_ = 0;
    bool in_payload_ = false;
    bool failed_ = false;
    bool last_ = false;
    std::uint8_t opcode_ = 0;
    std::uint64_t left_ = 0;  ///< Of the payload of this frame.
    std::size_t mask_at_ = 0; ///< Byte of the mask for the next one.
    std::uint8_t begun_ = 0;  ///< Opcode of a message of several frames; 0: none.
    std::string message_;     ///< Text or binary so far.
    std::string control_;     ///< Of a control frame, which may come between the frames of a message.
    std::string payload_;     ///< Of the last whole message.
    frame_kind kind_ = frame_kind::text;
    close_code failure_ = close_code::protocol_error;
};

} // namespace troupe::net
