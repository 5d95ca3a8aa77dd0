#include "storage/blobs.hpp"

#include "schemas/base/durable_file.hpp"
#include "schemas/base/sha256.hpp"
#include "schemas/base/unique_fd.hpp"
#include "storage/blob_copies.hpp"
#include "storage/blob_peers.hpp"
#include "storage/blob_row_writer.hpp"
#include "storage/blob_rows.hpp"
#include "storage/keys.hpp"
#include "storage/rocks.hpp"
#include "storage/sealing.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

namespace troupe::storage {

namespace {

problem missing(std::string_view name) {
    return {code::not_found, "there is no blob " + std::string(name) + " in this organization"};
}

problem cut_short(std::string_view name) {
    return {code::journal_damaged, "blob " + std::string(name) + " is cut short"};
}

expected<std::string> read_piece(const store& s, const uuid& organization, const blob_hash& hash, std::uint32_t piece,
                                 bool sealed) {
    auto kept = kept_piece(s, {organization, hash}, piece);
    return kept && sealed ? open_bytes(s, keys::blob_piece(organization, as_bytes(hash), piece), *kept) : kept;
}

/// Writes the pieces of a content, sealed. They lie in the WAL before the event that names the blob, whose fsync covers
/// them; other nodes have synced them before (`blob_peers`).
class content_writer {
public:
    content_writer(store& s, const uuid& organization, const blob_hash& hash, shared_key key)
        : rows_(s, organization, hash), key_(std::move(key)) {}

    expected<void> piece(std::string_view bytes) {
        size_ += bytes.size();
        return key_ ? rows_.add(seal_bytes(key_.get(), rows_.next_key(), bytes)) : rows_.add(bytes);
    }
    expected<void> finish() { return rows_.finish({size_, key_ != nullptr}); }

private:
    blob_row_writer rows_;
    const shared_key key_; ///< Null: nothing is sealed.
    std::uint64_t size_ = 0;
};

/// Stores a content, unless it is there, and sees that other nodes have it. Returns its name.
template <class Write>
expected<std::string> store_content(store& s, const uuid& organization, const blob_hash& hash, const Write& write) {
    const auto known = renew_blob(s, organization, hash);
    if (!known) {
        return known.error();
    }
    if (!known->is_there) {
        if (auto space = s.check_space(s.free_bytes_min()); !space) {
            return space.error();
        }
        auto key = sealing_key(s, organization, organization);
        if (!key) {
            return key.error();
        }
        content_writer rows(s, organization, hash, std::move(*key));
        auto written = write(rows);
        if (written) {
            written = rows.finish();
        }
        if (!written) {
            return written.error();
        }
    }
    if (auto* peers = blob_peers_of(s)) { // also of one that is known: the last try may have found too few of them
        if (auto spread = peers->spread({organization, hash}); !spread) {
            return spread.error();
        }
    }
    return to_hex(as_bytes(hash));
}

/// Of a blob that is here, or was fetched.
expected<std::optional<blob_head>> find_head(const store& s, const uuid& organization, const blob_hash& hash) {
    auto head = read_blob_head(s, organization, hash);
    auto* peers = blob_peers_of(s);
    if (!head || *head || !peers) {
        return head;
    }
    if (auto fetched = peers->fetch({organization, hash}); !fetched) {
        return fetched.error().code == code::not_found ? head : fetched.error();
    }
    return read_blob_head(s, organization, hash);
}

blob_hash to_blob_hash(std::string_view raw) {
    blob_hash out{};
    std::copy_n(raw.begin(), std::min(raw.size(), out.size()), out.begin());
    return out;
}

/// A file that has no name: it goes with its last descriptor, also when the process is killed.
expected<unique_fd> unnamed_file(const std::filesystem::path& folder) {
    unique_fd fd(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (!fd) { // not every file system has them
        auto name = (folder / ".upload-XXXXXX").native();
        fd = unique_fd(::mkostemp(name.data(), O_CLOEXEC));
        if (fd) {
            ::unlink(name.c_str());
        }
    }
    return fd ? expected<unique_fd>(std::move(fd))
              : expected<unique_fd>(file_problem("create a file in", folder.native(), errno));
}

} // namespace

void attach_blob_peers(store& s, blob_peers& peers) { s.db().peers = &peers; }

blob_peers* blob_peers_of(const store& s) { return s.db().peers; }

std::optional<blob_hash> blob_hash_of(std::string_view name) {
    if (name.size() != 64 || name.find_first_not_of("0123456789abcdef") != std::string_view::npos) {
        return std::nullopt;
    }
    const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
    blob_hash out{};
    for (std::size_t i = 0; i < out.size(); ++i) {
        out[i] = static_cast<std::uint8_t>(digit(name[2 * i]) * 16 + digit(name[2 * i + 1]));
    }
    return out;
}

struct blob_writer::state {
    state(store& s, const uuid& o) : into(s), organization(o) {}

    store& into;
    const uuid organization;
    sha256_stream hash;
    std::string tail; ///< Not in the file yet: less than a piece, or all of a small content.
    unique_fd file;
    std::uint64_t size = 0;

    expected<void> spool() {
        if (auto space = into.check_space(into.free_bytes_min()); !space) {
            return space;
        }
        if (!file) {
            auto made = unnamed_file(into.directory());
            if (!made) {
                return made.error();
            }
            file = std::move(*made);
        }
        auto written = write_whole(file.get(), tail, "an upload");
        tail.clear();
        return written;
    }

    expected<void> write_pieces(content_writer& rows) {
        std::string piece(file ? blob_piece_bytes : 0, '\0');
        const auto in_file = size - tail.size();
        for (std::uint64_t at = 0; at < in_file;) {
            const auto wanted = std::min<std::uint64_t>(blob_piece_bytes, in_file - at);
            std::size_t have = 0;
            while (have < wanted) {
                const auto got = ::pread(file.get(), piece.data() + have, wanted - have, static_cast<off_t>(at + have));
                if (got < 0 && errno == EINTR) {
                    continue;
                }
                if (got <= 0) {
                    return file_problem("read", "an upload", got < 0 ? errno : EIO);
                }
                have += static_cast<std::size_t>(got);
            }
            if (auto written = rows.piece(std::string_view(piece).substr(0, have)); !written) {
                return written;
            }
            at += have;
        }
        return tail.empty() ? expected<void>() : rows.piece(tail);
    }
};

blob_writer::blob_writer(store& s, const uuid& organization) : state_(std::make_unique<state>(s, organization)) {}

blob_writer::~blob_writer() = default;

expected<void> blob_writer::append(std::string_view bytes) {
    auto& me = *state_;
    me.hash.add(bytes);
    me.size += bytes.size();
    while (!bytes.empty()) {
        if (me.tail.size() == blob_piece_bytes) { // and more follows
            if (auto spooled = me.spool(); !spooled) {
                return spooled;
            }
        }
        const auto part = bytes.substr(0, blob_piece_bytes - me.tail.size());
        me.tail += part;
        bytes.remove_prefix(part.size());
    }
    return {};
}

std::uint64_t blob_writer::size() const { return state_->size; }

expected<std::string> blob_writer::finish() {
    auto& me = *state_;
    return store_content(me.into, me.organization, to_blob_hash(me.hash.finish()),
                         [&](content_writer& rows) { return me.write_pieces(rows); });
}

expected<std::string> put_blob(store& s, const uuid& organization, std::string_view bytes) {
    return store_content(s, organization, sha256(bytes), [&](content_writer& rows) {
        expected<void> written;
        for (; written && !bytes.empty(); bytes.remove_prefix(std::min(bytes.size(), blob_piece_bytes))) {
            written = rows.piece(bytes.substr(0, blob_piece_bytes));
        }
        return written;
    });
}

expected<std::optional<std::uint64_t>> blob_size(const store& s, const uuid& organization, std::string_view name) {
    const auto hash = blob_hash_of(name);
    if (!hash) {
        return std::optional<std::uint64_t>();
    }
    auto head = find_head(s, organization, *hash);
    if (!head) {
        return head.error();
    }
    return *head ? std::optional((*head)->size) : std::nullopt;
}

expected<std::string> read_blob_piece(const store& s, const uuid& organization, std::string_view name,
                                      std::uint64_t offset, std::uint64_t bytes_max) {
    const auto hash = blob_hash_of(name);
    const auto head = hash ? find_head(s, organization, *hash) : expected<std::optional<blob_head>>(std::nullopt);
    if (!head) {
        return head.error();
    }
    if (!*head) {
        return missing(name);
    }
    const auto size = (*head)->size;
    if (offset >= size) {
        return std::string();
    }
    auto value =
        read_piece(s, organization, *hash, static_cast<std::uint32_t>(1 + offset / blob_piece_bytes), (*head)->sealed);
    if (!value) {
        return value;
    }
    const auto skip = static_cast<std::size_t>(offset % blob_piece_bytes);
    if (skip >= value->size()) {
        return cut_short(name);
    }
    if (value->size() - skip > size - offset) {
        return problem{code::journal_damaged, "blob " + std::string(name) + " is longer than its head says"};
    }
    if (skip > 0) {
        value->erase(0, skip);
    }
    if (bytes_max < value->size()) {
        value->resize(static_cast<std::size_t>(bytes_max));
    }
    return value;
}

expected<void> read_blob(const store& s, const uuid& organization, std::string_view name, std::uint64_t offset,
                         const std::function<bool(std::string_view)>& visit) {
    for (;;) {
        const auto piece = read_blob_piece(s, organization, name, offset);
        if (!piece) {
            return piece.error();
        }
        offset += piece->size();
        if (piece->empty() || !visit(*piece)) {
            return {};
        }
    }
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

expected<void> name_blobs(store& s, const uuid& organization, std::span<const blob_hash> blobs) {
    auto* peers = blob_peers_of(s);
    for (const auto& hash : blobs) {
        const auto known = renew_blob(s, organization, hash);
        if (!known) {
            return known.error();
        }
        if (!known->is_there) {
            const problem gone{code::not_found, "the content " + to_hex(as_bytes(hash)) +
                                                    " is not there, or not any more; send it again and repeat the "
                                                    "change"};
            if (!peers) {
                return gone;
            }
            auto why = peers->begin_fetch({organization, hash});
            return why.code == code::not_found ? gone : why;
        }
        if (known->was_marked && peers) { // others may be about to collect it
            peers->offer({organization, hash});
        }
    }
    return {};
}

expected<void> verify_blob(const store& s, const uuid& organization, const blob_hash& hash) {
    const auto name = to_hex(as_bytes(hash));
    const auto head = read_blob_head(s, organization, hash);
    if (!head || !*head) {
        return head ? missing(name) : head.error();
    }
    sha256_stream bytes;
    std::uint64_t size = 0;
    for (std::uint32_t piece = 1; size < (*head)->size; ++piece) {
        const auto value = read_piece(s, organization, hash, piece, (*head)->sealed);
        if (!value) {
            return value.error();
        }
        const auto wanted = std::min<std::uint64_t>(blob_piece_bytes, (*head)->size - size);
        if (value->size() != wanted) {
            return problem{code::journal_damaged,
                           "piece " + std::to_string(piece) + " of blob " + name + " has another size than it should"};
        }
        bytes.add(*value);
        size += value->size();
    }
    if (bytes.finish() != as_bytes(hash)) {
        return problem{code::journal_damaged, "the content of blob " + name + " is not the one that its name says"};
    }
    return {};
}

} // namespace troupe::storage
