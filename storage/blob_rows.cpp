#include "storage/blob_rows.hpp"

#include "storage/blobs.hpp"
#include "storage/bytes.hpp"
#include "storage/keys.hpp"
#include "storage/rocks.hpp"

#include <algorithm>
#include <cstring>

namespace troupe::storage {

namespace {

constexpr std::uint8_t row_format = 1;
constexpr std::uint8_t sealed_row_format = 2; ///< Of a head: as 1, with pieces that are sealed.
constexpr std::size_t name_bytes = 48;        ///< Of organization and hash.

expected<std::optional<std::string>> get(const store& s, const uuid& organization, const blob_hash& hash,
                                         std::uint32_t piece) {
    std::string value;
    const auto status = s.db().db->Get({}, s.db().blobs, keys::blob_piece(organization, as_bytes(hash), piece), &value);
    if (status.IsNotFound()) {
        return std::optional<std::string>();
    }
    return status.ok()
               ? expected<std::optional<std::string>>(std::move(value))
               : expected<std::optional<std::string>>(to_problem(status, "cannot read blob " + to_hex(as_bytes(hash))));
}

problem unreadable(const blob_hash& hash) {
    return {code::journal_damaged, "the head of blob " + to_hex(as_bytes(hash)) + " cannot be read"};
}

std::optional<blob_head> decode_head(std::string_view bytes) {
    byte_reader in(bytes);
    const auto format = in.fixed<std::uint8_t>();
    if (format != row_format && format != sealed_row_format) {
        return std::nullopt;
    }
    const blob_head out{in.varint(), format == sealed_row_format};
    return in.at_end() ? std::optional(out) : std::nullopt;
}

std::optional<timestamp> decode_mark(std::string_view bytes) {
    byte_reader in(bytes);
    if (in.fixed<std::uint8_t>() != row_format) {
        return std::nullopt;
    }
    timestamp out;
    out.ms = in.fixed<std::int64_t>();
    return in.at_end() ? std::optional(out) : std::nullopt;
}

} // namespace

std::string encode_blob_head(const blob_head& head) {
    std::string out;
    put_fixed(out, head.sealed ? sealed_row_format : row_format);
    put_varint(out, head.size);
    return out;
}

expected<std::optional<blob_head>> read_blob_head(const store& s, const uuid& organization, const blob_hash& hash) {
    const auto value = get(s, organization, hash, 0);
    if (!value || !*value) {
        return value ? expected<std::optional<blob_head>>(std::nullopt) : value.error();
    }
    const auto head = decode_head(**value);
    return head ? expected<std::optional<blob_head>>(head) : unreadable(hash);
}

std::string encode_blob_mark(timestamp since) {
    std::string out;
    put_fixed(out, row_format);
    put_fixed(out, since.ms);
    return out;
}

expected<std::optional<timestamp>> read_blob_mark(const store& s, const uuid& organization, const blob_hash& hash) {
    const auto value = get(s, organization, hash, blob_mark_piece);
    if (!value || !*value) {
        return value ? expected<std::optional<timestamp>>(std::nullopt) : value.error();
    }
    const auto mark = decode_mark(**value);
    return mark ? expected<std::optional<timestamp>>(mark) : unreadable(hash);
}

expected<void> each_blob(const store& s, const std::string& after, const std::function<bool(const blob_row&)>& visit) {
    prefix_scan scan(*s.db().db, s.db().blobs, "");
    if (!after.empty()) {
        scan.seek(after + '\x01'); // after all of its rows
    }
    while (scan.valid()) {
        const std::string name(scan.key().substr(0, name_bytes));
        if (scan.key().size() != name_bytes + 1 + sizeof(std::uint32_t)) {
            return problem{code::journal_damaged, "a row of blobs has a key that none has"};
        }
        blob_row row;
        std::memcpy(row.organization.bytes.data(), name.data(), row.organization.bytes.size());
        std::memcpy(row.hash.data(), name.data() + row.organization.bytes.size(), row.hash.size());
        const auto piece_at = [&] { return get_big_endian<std::uint32_t>(scan.key().substr(name_bytes + 1)); };
        std::uint32_t next = blob_mark_piece;
        if (piece_at() == 0) {
            row.head = decode_head(scan.value());
            if (!row.head) {
                return unreadable(row.hash);
            }
            next = static_cast<std::uint32_t>((row.head->size + blob_piece_bytes - 1) / blob_piece_bytes) + 1;
        }
        scan.seek(keys::blob_piece(row.organization, as_bytes(row.hash), next));
        if (scan.valid() && scan.key().starts_with(name)) {
            if (piece_at() != blob_mark_piece) {
                return problem{code::journal_damaged,
                               "blob " + to_hex(as_bytes(row.hash)) + " has more pieces than its head says"};
            }
            row.mark = decode_mark(scan.value());
            if (!row.mark) {
                return unreadable(row.hash);
            }
            scan.next();
        }
        if (!visit(row)) {
            return {};
        }
    }
    return scan.status().ok() ? expected<void>() : expected<void>(to_problem(scan.status(), "cannot read the blobs"));
}

expected<std::vector<std::string>> named_blobs(const store& s, const std::string& first, const std::string& last) {
    std::vector<std::string> out;
    for (std::uint32_t shard = 0; shard < s.who().shards; ++shard) {
        prefix_scan scan(*s.db().db, s.db().derived, keys::shard_table(shard, keys::table::reference));
        for (scan.seek(first); scan.valid() && scan.rest().substr(0, name_bytes) <= last; scan.next()) {
            out.emplace_back(scan.rest().substr(0, name_bytes));
        }
        if (!scan.status().ok()) {
            return to_problem(scan.status(), "cannot read what names blobs");
        }
    }
    std::ranges::sort(out);
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
}

} // namespace troupe::storage
