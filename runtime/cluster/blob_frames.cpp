#include "runtime/cluster/blob_frames.hpp"

#include "storage/blob_copies.hpp"
#include "storage/bytes.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace troupe::runtime::cluster {

namespace {

using storage::byte_reader;
using storage::put_fixed;
using storage::put_text;
using storage::put_uuid;
using storage::put_varint;

/// More pieces no blob has: the numbers beyond are taken.
constexpr std::uint64_t size_max = 1ULL << 48;

storage::blob_id read_id(byte_reader& in) {
    storage::blob_id out;
    out.organization = in.id();
    const auto hash = in.bytes(out.hash.size());
    std::copy(hash.begin(), hash.end(), out.hash.begin());
    return out;
}

void put_rest(std::string& out, const blob_offer& f) {
    put_fixed(out, static_cast<std::uint8_t>(f.head.sealed));
    put_varint(out, f.head.size);
}
void put_rest(std::string& out, const blob_refused& f) { put_text(out, f.why); }
void put_rest(std::string& out, const blob_want& f) { put_varint(out, f.piece); }
void put_rest(std::string& out, const blob_piece& f) {
    put_varint(out, f.piece);
    put_text(out, f.bytes);
}
void put_rest(std::string&, const blob_stored&) {}
void put_rest(std::string&, const blob_ask&) {}
void put_rest(std::string&, const blob_none&) {}

void read_rest(byte_reader& in, blob_offer& f) {
    f.head.sealed = in.fixed<std::uint8_t>() != 0;
    f.head.size = in.varint();
}
void read_rest(byte_reader& in, blob_refused& f) { f.why = in.text(); }
void read_rest(byte_reader& in, blob_want& f) { f.piece = static_cast<std::uint32_t>(in.varint()); }
void read_rest(byte_reader& in, blob_piece& f) {
    f.piece = static_cast<std::uint32_t>(in.varint());
    f.bytes = in.text();
}
void read_rest(byte_reader&, blob_stored&) {}
void read_rest(byte_reader&, blob_ask&) {}
void read_rest(byte_reader&, blob_none&) {}

/// The alternative with that number.
template <std::size_t... I>
blob_frame make(std::size_t number, std::index_sequence<I...>) {
    blob_frame out;
    static_cast<void>(((number == I && (out.emplace<I>(), true)) || ...));
    return out;
}

} // namespace

std::string encode(const blob_frame& f) {
    std::string out(1, blob_channel);
    put_fixed(out, static_cast<std::uint8_t>(f.index() + 1));
    std::visit(
        [&](const auto& x) {
            put_uuid(out, x.id.organization);
            out += storage::as_bytes(x.id.hash);
            put_rest(out, x);
        },
        f);
    return out;
}

expected<blob_frame> decode_blob_frame(std::string_view bytes) {
    constexpr auto kinds = std::variant_size_v<blob_frame>;
    byte_reader in(bytes);
    const auto kind = in.fixed<std::uint8_t>();
    if (kind == 0 || kind > kinds) {
        return problem{code::invalid_request,
                       "a frame about blobs of kind " + std::to_string(kind) + ", which is not known here"};
    }
    auto out = make(kind - 1U, std::make_index_sequence<kinds>());
    std::visit(
        [&](auto& x) {
            x.id = read_id(in);
            read_rest(in, x);
        },
        out);
    if (!in.at_end()) {
        return problem{code::invalid_request, "a frame about blobs that ends early or late"};
    }
    if (const auto* offer = std::get_if<blob_offer>(&out); offer && offer->head.size > size_max) {
        return problem{code::invalid_request, "an offer of a blob that is larger than any"};
    }
    return out;
}

} // namespace troupe::runtime::cluster
