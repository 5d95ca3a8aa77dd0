#pragma once

#include "runtime/cluster/links.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

/// What a connection between nodes consists of: frames {length 4 bytes, CRC-32 4 bytes, type 1 byte, payload}, numbers
/// little-endian; the checksum is that of length, type and payload. This layout never changes: it is what two nodes of
/// any versions refuse each other with. Pure.
namespace troupe::runtime::cluster {

enum class frame_type : std::uint8_t {
    hello = 1, ///< The first of the node that dials.
    welcome,   ///< The answer,
    refuse,    ///< or this, and the end.
    data,
    credit, ///< How much was taken so far.
    ping,
    pong,
    bye, ///< The end, with the reason.
};

/// What a node that dials says before its first frame, so that whatever else came here is known by its first bytes.
inline constexpr std::string_view link_magic = "TROUPE1\n";

inline constexpr std::size_t frame_head_bytes = 9;
/// Of the payload of a hello and of a welcome.
inline constexpr std::size_t card_bytes_max = 4 << 10;
/// Of the payload of a refusal and of a bye.
inline constexpr std::size_t farewell_bytes_max = 1 << 10;

/// The most that the payload of this type may have.
std::size_t payload_bytes_max(frame_type type);

/// The head of a frame of that payload.
std::array<char, frame_head_bytes> frame_head(frame_type type, std::string_view payload);

/// Frames on their way out.
class frame_outbox {
public:
    /// Bytes that are no frame.
    void add_bytes(std::string bytes);
    void add(frame_type type, std::string_view payload);
    void add(frame_type type, shared_bytes payload);

    [[nodiscard]] bool empty() const { return pieces_.empty(); }
    [[nodiscard]] std::size_t bytes() const { return bytes_; }
    /// What comes next, in as many pieces as `into` takes; how many those are. They stay where they are until
    /// `written` takes them.
    std::size_t gather(std::span<std::string_view> into) const;
    /// So much of the front has gone out.
    void written(std::size_t bytes);
    /// Drops all but the frame that has gone out in part.
    void keep_begun();

private:
    struct piece {
        std::string bytes;
        shared_bytes payload; // after them; may be null
        [[nodiscard]] std::size_t size() const { return bytes.size() + (payload ? payload->size() : 0); }
    };
    std::deque<piece> pieces_;
    std::size_t bytes_ = 0;  // of all, without
    std::size_t offset_ = 0; // what has gone out of the first
};

/// Puts together what comes, however it is cut.
class frame_reader {
public:
    /// Types that may come now; others fail by their head, before any payload is kept.
    void expect(std::initializer_list<frame_type> types);

    enum class outcome : std::uint8_t {
        more,   ///< All was taken; nothing is whole yet.
        frame,  ///< `type` and `payload` say which. The rest of the input is still to be read.
        failed, ///< As `failure` says: nothing more can be read.
    };
    /// Takes bytes off the front of `in`.
    outcome read(std::string_view& in);

    [[nodiscard]] frame_type type() const { return type_; }
    /// Of the last whole frame: valid until the next `read`, and as long as the bytes that it was read from.
    [[nodiscard]] std::string_view payload() const { return payload_; }
    /// What is wrong with the peer's bytes: "sent a frame of an unknown type (99)".
    [[nodiscard]] const std::string& failure() const { return failure_; }

private:
    outcome fail(std::string why);
    outcome read_head();

    std::uint32_t expected_ = 0; // a bit a type
    std::array<char, frame_head_bytes> head_{};
    std::size_t head_at_ = 0;
    frame_type type_ = frame_type::hello;
    std::uint32_t length_ = 0;
    std::uint32_t checksum_ = 0;
    std::string kept_; // of a payload that did not come in one piece
    std::string_view payload_;
    std::string failure_;
};

} // namespace troupe::runtime::cluster
