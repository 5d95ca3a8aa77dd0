// Rows of the derived tables and the keys of views. The first byte chooses the table.
#include "storage/keys.hpp"
#include "storage/tables.hpp"
#include "storage/views.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <zlib.h>

namespace troupe::fuzz {

namespace {

using namespace storage;

template <class Decode, class Encode>
void check(std::string_view bytes, Decode decode, Encode encode) {
    if (const auto row = decode(bytes)) {
        const auto written = encode(*row);
        const auto again = decode(written);
        claim(again && encode(*again) == written, "a row that was read is written as it was");
    }
}

/// A snapshot's row: format, checksum, what it covers. With the checksum made good.
std::string as_snapshot(std::string_view covered) {
    const auto crc = static_cast<std::uint32_t>(
        crc32(crc32(0, nullptr, 0), reinterpret_cast<const Bytef*>(covered.data()), static_cast<uInt>(covered.size())));
    std::string out(1, '\1');
    out.append(reinterpret_cast<const char*>(&crc), sizeof crc);
    return out.append(covered);
}

void check_snapshot(std::string_view bytes) {
    const auto decode = [](std::string_view b) { return decode_snapshot_row(5, b); };
    check(bytes, decode, encode_snapshot_row);
    check(as_snapshot(bytes), decode, encode_snapshot_row);
    const snapshot_row row{5, 3, std::string(bytes)};
    auto written = encode_snapshot_row(row);
    const auto back = decode_snapshot_row(5, written);
    claim(back && back->state == row.state && back->state_version == 3 && back->version == 5,
          "a snapshot is read as it was written");
    written[bytes.size() % written.size()] ^= 0x10;
    claim(!decode_snapshot_row(5, written), "a damaged snapshot is refused");
}

void check_document(std::string_view bytes) {
    check(bytes, decode_document_row, encode_document_row);
    cutter in(bytes);
    document_row row;
    row.version = in.number<std::uint64_t>();
    for (auto keys = in.byte() % 8; keys > 0; --keys) {
        auto filter = in.text();
        row.keys.emplace_back(std::move(filter), in.text());
    }
    row.json = in.rest();
    const auto back = decode_document_row(encode_document_row(row));
    claim(back && back->version == row.version && back->keys == row.keys && back->json == row.json,
          "a document is read as it was written");
}

void check_keys(std::string_view bytes) {
    (void)owner_of_view_row(bytes);
    cutter in(bytes);
    const std::string text = in.text();
    entity_address a{system_organization, "task", derive_uuid({text})};
    const auto owner = owner_text(a);
    for (const auto& key : {keys::entity(3, keys::table::document, a), keys::entity(3, keys::table::owed, a),
                            keys::item(3, a, "steps", text), keys::index(3, a, text, in.rest()),
                            keys::timer(3, {in.number<std::int64_t>()}, a, text)}) {
        claim(owner_of_view_row(key) == owner, "a key of a view tells whose it is");
    }
    const auto after = keys::after_prefix(std::string(bytes));
    claim(after.empty() || after > bytes, "what follows a prefix is greater");
}

} // namespace

void try_input(std::string_view input) {
    cutter in(input);
    switch (in.byte() % 4) {
    case 0:
        return check(in.rest(), decode_command_row, encode_command_row);
    case 1:
        return check_snapshot(in.rest());
    case 2:
        return check_document(in.rest());
    default:
        return check_keys(in.rest());
    }
}

} // namespace troupe::fuzz
