#include "storage/blob_copies.hpp"

#include "storage/blobs.hpp"
#include "storage/key_store.hpp"
#include "storage/keys.hpp"
#include "storage/rocks.hpp"
#include "storage/sealing.hpp"

#include <algorithm>
#include <cstring>

namespace troupe::storage {

namespace {

problem wrong(const blob_id& id, std::string_view what) {
    return {code::journal_damaged, "what came of blob " + to_hex(as_bytes(id.hash)) + " " + std::string(what)};
}

} // namespace

std::uint32_t blob_pieces(std::uint64_t size) {
    return static_cast<std::uint32_t>((size + blob_piece_bytes - 1) / blob_piece_bytes);
}

expected<std::optional<blob_head>> head_of_blob(const store& s, const blob_id& id) {
    return read_blob_head(s, id.organization, id.hash);
}

expected<std::optional<blob_head>> renew_blob(store& s, const blob_id& id) {
    const auto known = renew_blob(s, id.organization, id.hash);
    if (!known || !known->is_there) {
        return known ? expected<std::optional<blob_head>>(std::nullopt) : known.error();
    }
    return head_of_blob(s, id);
}

expected<std::string> kept_piece(const store& s, const blob_id& id, std::uint32_t piece) {
    std::string value;
    const auto status =
        s.db().db->Get({}, s.db().blobs, keys::blob_piece(id.organization, as_bytes(id.hash), piece), &value);
    if (status.IsNotFound()) {
        return problem{code::journal_damaged,
                       "blob " + to_hex(as_bytes(id.hash)) + " lacks its piece " + std::to_string(piece)};
    }
    return status.ok() ? expected<std::string>(std::move(value))
                       : expected<std::string>(to_problem(status, "cannot read blob " + to_hex(as_bytes(id.hash))));
}

blob_copy::blob_copy(store& s, const blob_id& id, const blob_head& head)
    : store_(s), id_(id), head_(head), rows_(s, id.organization, id.hash) {}

expected<std::unique_ptr<blob_copy>> blob_copy::begin(store& s, const blob_id& id, const blob_head& head) {
    if (s.keys() && s.keys()->erased_at(id.organization)) {
        return problem{code::erased, "the contents of this organization were erased"};
    }
    if (auto space = s.check_space(s.free_bytes_min()); !space) {
        return space.error();
    }
    return std::unique_ptr<blob_copy>(new blob_copy(s, id, head));
}

expected<void> blob_copy::add(std::string_view kept) {
    if (kept.size() > kept_piece_bytes_max) {
        return wrong(id_, "is too long");
    }
    const auto plain = head_.sealed ? open_bytes(store_, rows_.next_key(), kept) : expected<std::string>(kept);
    const bool closed = !plain && (plain.error().code == code::erased || plain.error().code == code::secrets_locked);
    if (!plain && !closed) {
        return plain.error();
    }
    const auto before = static_cast<std::uint64_t>(next_ - 1) * blob_piece_bytes;
    if (has_all() || (plain && plain->size() != std::min<std::uint64_t>(blob_piece_bytes, head_.size - before))) {
        return wrong(id_, "has another size than was said");
    }
    open_ = open_ && plain;
    if (open_) {
        opened_.add(*plain);
    }
    ++next_;
    return rows_.add(kept);
}

expected<void> blob_copy::finish() {
    if (open_ && opened_.finish() != as_bytes(id_.hash)) {
        return wrong(id_, "is another content");
    }
    return rows_.finish(head_);
}

expected<blob_look> find_missing_blobs(const store& s, std::uint32_t shard, const std::string& from,
                                       std::size_t looked_max) {
    blob_look out;
    prefix_scan scan(*s.db().db, s.db().derived, keys::shard_table(shard, keys::table::reference), from);
    for (std::size_t looked = 0; scan.valid(); scan.next(), ++looked) {
        const auto name = scan.rest();
        if (looked == looked_max) {
            out.next = name;
            break;
        }
        blob_id id;
        if (name.size() < id.organization.bytes.size() + id.hash.size()) {
            return problem{code::journal_damaged, "a row of references has a key that none has"};
        }
        std::memcpy(id.organization.bytes.data(), name.data(), id.organization.bytes.size());
        std::memcpy(id.hash.data(), name.data() + id.organization.bytes.size(), id.hash.size());
        const auto head = head_of_blob(s, id);
        if (!head) {
            return head.error();
        }
        if (!*head && (out.missing.empty() || out.missing.back() != id)) {
            out.missing.push_back(id);
        }
    }
    return scan.status().ok() ? expected<blob_look>(std::move(out))
                              : expected<blob_look>(to_problem(scan.status(), "cannot read what names blobs"));
}

} // namespace troupe::storage
