#pragma once

#include "schemas/base/problem.hpp"
#include "storage/blob_peers.hpp"
#include "storage/blob_rows.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

/// What nodes say to each other about blobs: frames of the lane `bulk`. Pure.
namespace troupe::runtime::cluster {

/// The first byte of these frames, which tells them from others of the lane.
inline constexpr char blob_channel = 'B';

/// I have it: take it, and say when it is on your disk.
struct blob_offer {
    storage::blob_id id;
    storage::blob_head head;
};
/// It is on my disk.
struct blob_stored {
    storage::blob_id id;
};
/// I cannot keep it now.
struct blob_refused {
    storage::blob_id id;
    std::string why;
};
/// Who has it? Answered with an offer, or:
struct blob_ask {
    storage::blob_id id;
};
struct blob_none {
    storage::blob_id id;
};
/// One piece of what was offered, from 1 on.
struct blob_want {
    storage::blob_id id;
    std::uint32_t piece = 0;
};
struct blob_piece {
    storage::blob_id id;
    std::uint32_t piece = 0;
    std::string bytes; ///< As they are kept.
};

using blob_frame = std::variant<blob_offer, blob_stored, blob_refused, blob_ask, blob_none, blob_want, blob_piece>;

/// With the channel in front.
std::string encode(const blob_frame& f);
/// Of what comes after the channel. `invalid_request` says what is wrong.
expected<blob_frame> decode_blob_frame(std::string_view bytes);

} // namespace troupe::runtime::cluster
