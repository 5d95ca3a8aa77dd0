#include "runtime/cluster/frames.hpp"

#include <fmt/format.h>

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace troupe::runtime::cluster {

namespace {

/// A buffer that has grown beyond is given back.
constexpr std::size_t kept_bytes = 1 << 20;
constexpr std::size_t checksum_at = 4;
constexpr std::size_t type_at = 8;

std::uint32_t number_at(const char* at) {
    std::uint32_t out = 0;
    for (unsigned i = 0; i < 4; ++i)
        out |= static_cast<std::uint32_t>(static_cast<unsigned char>(at[i])) << 8U * i;
    return out;
}

void put_number(char* at, std::uint32_t number) {
    for (unsigned i = 0; i < 4; ++i)
        at[i] = static_cast<char>(number >> 8U * i & 0xffU);
}

std::uint32_t checksum(std::string_view bytes, std::uint32_t before) {
    return static_cast<std::uint32_t>(
        crc32(before, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size())));
}

/// Of length and type; that of the payload goes on from it.
std::uint32_t head_checksum(const char* head) {
    return checksum({head + type_at, 1}, checksum({head, checksum_at}, 0));
}

std::uint32_t bit_of(frame_type type) { return 1U << static_cast<unsigned>(type); }

bool is_known(unsigned type) {
    return type >= static_cast<unsigned>(frame_type::hello) && type <= static_cast<unsigned>(frame_type::bye);
}

} // namespace

std::size_t payload_bytes_max(frame_type type) {
    switch (type) {
    case frame_type::hello:
    case frame_type::welcome:
        return card_bytes_max;
    case frame_type::refuse:
    case frame_type::bye:
        return farewell_bytes_max;
    case frame_type::data:
        return frame_bytes_max;
    case frame_type::credit:
    case frame_type::ping:
    case frame_type::pong:
        break;
    }
    return sizeof(std::uint64_t);
}

std::array<char, frame_head_bytes> frame_head(frame_type type, std::string_view payload) {
    std::array<char, frame_head_bytes> out{};
    put_number(out.data(), static_cast<std::uint32_t>(payload.size()));
    out[type_at] = static_cast<char>(type);
    put_number(out.data() + checksum_at, checksum(payload, head_checksum(out.data())));
    return out;
}

// ---- out

void frame_outbox::add_bytes(std::string bytes) {
    bytes_ += bytes.size();
    if (!bytes.empty())
        pieces_.push_back({std::move(bytes), nullptr});
}

void frame_outbox::add(frame_type type, std::string_view payload) {
    const auto head = frame_head(type, payload);
    add_bytes(std::string(head.data(), head.size()).append(payload));
}

void frame_outbox::add(frame_type type, shared_bytes payload) {
    const auto head = frame_head(type, *payload);
    bytes_ += head.size() + payload->size();
    pieces_.push_back({std::string(head.data(), head.size()), std::move(payload)});
}

std::size_t frame_outbox::gather(std::span<std::string_view> into) const {
    std::size_t count = 0;
    auto skipped = offset_;
    const auto put = [&](std::string_view part) {
        const auto gone = std::min(skipped, part.size());
        skipped -= gone;
        part.remove_prefix(gone);
        if (!part.empty() && count < into.size())
            into[count++] = part;
    };
    for (auto at = pieces_.begin(); at != pieces_.end() && count < into.size(); ++at) {
        put(at->bytes);
        if (at->payload)
            put(*at->payload);
    }
    return count;
}

void frame_outbox::written(std::size_t bytes) {
    bytes_ -= bytes;
    offset_ += bytes;
    while (!pieces_.empty() && offset_ >= pieces_.front().size()) {
        offset_ -= pieces_.front().size();
        pieces_.pop_front();
    }
}

void frame_outbox::keep_begun() {
    pieces_.resize(offset_ > 0 ? 1 : 0);
    bytes_ = pieces_.empty() ? 0 : pieces_.front().size() - offset_;
}

// ---- in

void frame_reader::expect(std::initializer_list<frame_type> types) {
    expected_ = 0;
    for (const auto type : types)
        expected_ |= bit_of(type);
}

frame_reader::outcome frame_reader::fail(std::string why) {
    failure_ = std::move(why);
    payload_ = {};
    kept_ = {};
    return outcome::failed;
}

frame_reader::outcome frame_reader::read(std::string_view& in) {
    if (!failure_.empty())
        return outcome::failed;
    if (head_at_ == 0) { // the caller is done with the last frame
        payload_ = {};
        kept_.capacity() > kept_bytes ? void(kept_ = {}) : kept_.clear();
    }
    if (head_at_ < frame_head_bytes) {
        const auto part = in.substr(0, frame_head_bytes - head_at_);
        std::memcpy(head_.data() + head_at_, part.data(), part.size());
        head_at_ += part.size();
        in.remove_prefix(part.size());
        if (head_at_ < frame_head_bytes)
            return outcome::more;
        if (const auto judged = read_head(); judged == outcome::failed)
            return judged;
    }
    const auto part = in.substr(0, length_ - kept_.size());
    in.remove_prefix(part.size());
    if (part.size() == length_) {
        payload_ = part;
    } else {
        kept_.append(part); // grows with what has come, not with what the head claims
        if (kept_.size() < length_)
            return outcome::more;
        payload_ = kept_;
    }
    head_at_ = 0;
    if (checksum(payload_, head_checksum(head_.data())) != checksum_)
        return fail("sent a frame whose checksum is wrong");
    return outcome::frame;
}

frame_reader::outcome frame_reader::read_head() {
    length_ = number_at(head_.data());
    checksum_ = number_at(head_.data() + checksum_at);
    const unsigned type = static_cast<unsigned char>(head_[type_at]);
    if (!is_known(type))
        return fail(fmt::format("sent a frame of an unknown type ({})", type));
    type_ = static_cast<frame_type>(type);
    if ((expected_ & bit_of(type_)) == 0)
        return fail(fmt::format("sent a frame that has no place there (type {})", type));
    if (length_ > payload_bytes_max(type_))
        return fail(fmt::format("sent a frame that is too big ({} bytes of type {})", length_, type));
    return outcome::more;
}

} // namespace troupe::runtime::cluster
