#include "net/websocket/frames.hpp"

#include "net/http/text.hpp"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>
#include <utility>

namespace troupe::net {

namespace {

constexpr unsigned last_bit = 0x80;
constexpr unsigned reserved_bits = 0x70;
constexpr unsigned mask_bit = 0x80;
constexpr std::size_t control_bytes_max = 125;
constexpr std::string_view protocol_id = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Codes that may stand in a close.
bool may_be_sent(unsigned code) {
    return (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
           (code >= 3000 && code <= 4999);
}

} // namespace

std::string to_frame(frame_kind kind, std::string_view payload) {
    std::string out;
    out.reserve(payload.size() + 10);
    out += static_cast<char>(last_bit | static_cast<unsigned>(kind));
    const auto size = static_cast<std::uint64_t>(payload.size());
    unsigned bytes = 0;
    if (size < 126) {
        out += static_cast<char>(size);
    } else {
        bytes = size <= 0xffff ? 2 : 8;
        out += static_cast<char>(bytes == 2 ? 126 : 127);
    }
    while (bytes > 0)
        out += static_cast<char>(size >> 8U * --bytes & 0xffU);
    return out.append(payload);
}

std::string to_close_frame(close_code code, std::string_view reason) {
    const auto number = static_cast<unsigned>(code);
    std::string payload{static_cast<char>(number >> 8U), static_cast<char>(number & 0xffU)};
    return to_frame(frame_kind::close, payload.append(reason.substr(0, control_bytes_max - 2)));
}

std::string accept_key(std::string_view key) {
    const auto text = std::string(key).append(protocol_id);
    unsigned char digest[SHA_DIGEST_LENGTH];
    EVP_Digest(text.data(), text.size(), digest, nullptr, EVP_sha1(), nullptr);
    unsigned char out[32];
    const int size = EVP_EncodeBlock(out, digest, SHA_DIGEST_LENGTH);
    return {reinterpret_cast<const char*>(out), static_cast<std::size_t>(size)};
}

frame_reader::outcome frame_reader::fail(close_code why) {
    failed_ = true;
    failure_ = why;
    message_ = {};
    control_ = {};
    return outcome::failed;
}

std::string frame_reader::take_payload() { return std::exchange(payload_, {}); }

std::size_t frame_reader::header_bytes() const {
    if (header_at_ < 2)
        return 2;
    const unsigned length = header_[1] & ~mask_bit;
    return 2U + (length < 126 ? 0U : length == 126 ? 2U : 8U) + 4U;
}

frame_reader::outcome frame_reader::read(std::string_view& in) {
    if (failed_)
        return outcome::failed;
    for (;;) {
        while (!in_payload_) {
            if (header_at_ == header_bytes()) {
                if (const auto read = read_header(); read != outcome::more)
                    return read;
                break;
            }
            if (in.empty())
                return outcome::more;
            header_[header_at_++] = static_cast<unsigned char>(in.front());
            in.remove_prefix(1);
        }
        const auto part = in.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(left_, in.size())));
        auto& into = is_control() ? control_ : message_;
        const auto* const mask = header_.data() + header_bytes() - 4;
        for (const char c : part)
            into += static_cast<char>(static_cast<unsigned char>(c) ^ mask[mask_at_++ % 4]);
        left_ -= part.size();
        in.remove_prefix(part.size());
        if (left_ > 0)
            return outcome::more;
        if (const auto finished = finish_frame(); finished != outcome::more)
            return finished;
    }
}

/// Judges a whole header. Nothing of a message that is too long is kept.
frame_reader::outcome frame_reader::read_header() {
    last_ = (header_[0] & last_bit) != 0;
    opcode_ = header_[0] & 0x0fU;
    left_ = header_[1] & ~mask_bit;
    if (left_ >= 126) {
        const std::size_t bytes = left_ == 126 ? 2 : 8;
        left_ = 0;
        for (std::size_t i = 0; i < bytes; ++i)
            left_ = left_ << 8U | header_[2 + i];
        if (left_ < 126 || (bytes == 8 && (left_ <= 0xffff || left_ >> 63U != 0)))
            return fail(close_code::protocol_error);
    }
    const bool known = opcode_ <= 2 || (opcode_ >= 8 && opcode_ <= 10);
    if (!known || (header_[0] & reserved_bits) != 0 || (header_[1] & mask_bit) == 0)
        return fail(close_code::protocol_error);
    if (is_control()) {
        if (!last_ || left_ > control_bytes_max)
            return fail(close_code::protocol_error);
    } else {
        if ((opcode_ == 0) == (begun_ == 0)) // goes on with nothing, or begins within another
            return fail(close_code::protocol_error);
        if (left_ > message_bytes_max_ || message_.size() > message_bytes_max_ - left_)
            return fail(close_code::too_big);
        begun_ = opcode_ == 0 ? begun_ : opcode_;
    }
    in_payload_ = true;
    mask_at_ = 0;
    return outcome::more;
}

frame_reader::outcome frame_reader::finish_frame() {
    in_payload_ = false;
    header_at_ = 0;
    if (!is_control() && !last_)
        return outcome::more;
    kind_ = static_cast<frame_kind>(is_control() ? opcode_ : std::exchange(begun_, std::uint8_t{0}));
    payload_ = std::exchange(is_control() ? control_ : message_, {});
    if (kind_ == frame_kind::text && !is_utf8(payload_))
        return fail(close_code::bad_payload);
    if (kind_ == frame_kind::close && !payload_.empty()) {
        const auto byte = [&](std::size_t i) { return static_cast<unsigned>(static_cast<unsigned char>(payload_[i])); };
        if (payload_.size() == 1 || !may_be_sent(byte(0) << 8U | byte(1)))
            return fail(close_code::protocol_error);
        if (!is_utf8(std::string_view(payload_).substr(2)))
            return fail(close_code::bad_payload);
    }
    return outcome::message;
}

} // namespace troupe::net
