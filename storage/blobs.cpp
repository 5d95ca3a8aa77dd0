#include "storage/blobs.hpp"

#include "storage/bytes.hpp"
#include "storage/keys.hpp"
#include "storage/rocks.hpp"

#include <rocksdb/write_batch.h>

#include <algorithm>

namespace troupe::storage {

namespace {

constexpr std::uint8_t head_format = 1;

struct blob_head {
    std::uint64_t size = 0;
};

problem missing(std::string_view name) {
    return {code::not_found, "there is no blob " + std::string(name) + " in this organization"};
}

/// The raw hash of a name, or nothing when the name is no SHA-256 in hex.
std::optional<std::string> hash_of(std::string_view name) {
    if (name.size() != 64 || name.find_first_not_of("0123456789abcdef") != std::string_view::npos) {
        return std::nullopt;
    }
    std::string out;
    const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
    for (std::size_t i = 0; i < name.size(); i += 2) {
        out += static_cast<char>(digit(name[i]) * 16 + digit(name[i + 1]));
    }
    return out;
}

expected<std::optional<blob_head>> read_head(const store& s, const uuid& organization, std::string_view hash) {
    std::string value;
    const auto status = s.db().db->Get({}, s.db().blobs, keys::blob_piece(organization, hash, 0), &value);
    if (status.IsNotFound()) {
        return std::optional<blob_head>();
    }
    if (!status.ok()) {
        return to_problem(status, "cannot read a blob");
    }
    byte_reader in(value);
    const auto format = in.fixed<std::uint8_t>();
    const blob_head head{in.varint()};
    if (format != head_format || !in.at_end()) {
        return problem{code::journal_damaged, "the head of a blob cannot be read"};
    }
    return std::optional(head);
}

} // namespace

expected<std::string> put_blob(store& s, const uuid& organization, std::string_view bytes) {
    const auto digest = sha256(bytes);
    const std::string_view hash(reinterpret_cast<const char*>(digest.data()), digest.size());
    auto known = read_head(s, organization, hash);
    if (!known) {
        return known.error();
    }
    if (!*known) {
        if (auto space = s.check_space(s.free_bytes_min()); !space) {
            return space.error();
        }
        rocksdb::WriteBatch batch;
        std::string head;
        put_fixed(head, head_format);
        put_varint(head, bytes.size());
        batch.Put(s.db().blobs, keys::blob_piece(organization, hash, 0), head);
        for (std::uint32_t piece = 1; !bytes.empty(); ++piece) {
            const auto part = bytes.substr(0, blob_piece_bytes);
            batch.Put(s.db().blobs, keys::blob_piece(organization, hash, piece),
                      rocksdb::Slice(part.data(), part.size()));
            bytes.remove_prefix(part.size());
        }
        // Not synced: it lies in the WAL before the event that names it, whose fsync covers both.
        if (const auto status = s.db().db->Write({}, &batch); !status.ok()) {
            return to_problem(status, "cannot write a blob");
        }
    }
    return to_hex(hash);
}

expected<std::optional<std::uint64_t>> blob_size(const store& s, const uuid& organization, std::string_view name) {
    const auto hash = hash_of(name);
    if (!hash) {
        return std::optional<std::uint64_t>();
    }
    auto head = read_head(s, organization, *hash);
    if (!head) {
        return head.error();
    }
    return *head ? std::optional((*head)->size) : std::nullopt;
}

expected<void> read_blob(const store& s, const uuid& organization, std::string_view name, std::uint64_t offset,
                         const std::function<bool(std::string_view)>& visit) {
    auto size = blob_size(s, organization, name);
    if (!size) {
        return size.error();
    }
    if (!*size) {
        return missing(name);
    }
    const auto hash = *hash_of(name);
    auto piece = static_cast<std::uint32_t>(1 + offset / blob_piece_bytes);
    for (auto position = offset; position < **size; ++piece) {
        std::string value;
        if (const auto status = s.db().db->Get({}, s.db().blobs, keys::blob_piece(organization, hash, piece), &value);
            !status.ok()) {
            return to_problem(status, "cannot read blob " + std::string(name));
        }
        const auto skip = static_cast<std::size_t>(position % blob_piece_bytes);
        if (skip >= value.size()) {
            return problem{code::journal_damaged, "blob " + std::string(name) + " is cut short"};
        }
        if (value.size() - skip > **size - position) {
            return problem{code::journal_damaged, "blob " + std::string(name) + " is longer than its head says"};
        }
        position += value.size() - skip;
        if (!visit(std::string_view(value).substr(skip))) {
            return {};
        }
    }
    return {};
}

expected<std::string> get_blob(const store& s, const uuid& organization, std::string_view name, std::size_t bytes_max) {
    auto size = blob_size(s, organization, name);
    if (!size) {
        return size.error();
    }
    if (*size && **size > bytes_max) {
        return problem{code::payload_too_large, "blob " + std::string(name) + " has " + std::to_string(**size) +
                                                    " bytes, over the limit of " + std::to_string(bytes_max)};
    }
    std::string out;
    auto read = read_blob(s, organization, name, 0, [&](std::string_view piece) {
        out += piece;
        return true;
    });
    return read ? expected<std::string>(std::move(out)) : expected<std::string>(read.error());
}

} // namespace troupe::storage
