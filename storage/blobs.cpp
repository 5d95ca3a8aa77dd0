#include "storage/blobs.hpp"

#include "schemas/base/durable_file.hpp"
#include "schemas/base/sha256.hpp"
#include "schemas/base/unique_fd.hpp"
#include "storage/blob_rows.hpp"
#include "storage/keys.hpp"
#include "storage/rocks.hpp"
#include "storage/sealing.hpp"

#include <rocksdb/write_batch.h>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <thread>

namespace troupe::storage {

namespace {

/// One write of a large blob: a commit may have to wait for it.
constexpr std::size_t batch_bytes_max = 2 * blob_piece_bytes;
/// Memory tables of blobs that wait for the disk; beyond, writers of large blobs wait for it, so that RocksDB does not
/// make all writes wait.
constexpr std::uint64_t waiting_tables_max = 2;
constexpr auto disk_poll = std::chrono::milliseconds(2);
constexpr auto disk_wait_max = std::chrono::seconds(60);

problem missing(std::string_view name) {
    return {code::not_found, "there is no blob " + std::string(name) + " in this organization"};
}

problem cut_short(std::string_view name) {
    return {code::journal_damaged, "blob " + std::string(name) + " is cut short"};
}

expected<std::string> read_piece(const store& s, const uuid& organization, const blob_hash& hash, std::uint32_t piece,
                                 bool sealed) {
    std::string value;
    const auto key = keys::blob_piece(organization, as_bytes(hash), piece);
    const auto status = s.db().db->Get({}, s.db().blobs, key, &value);
    if (status.IsNotFound()) {
        return problem{code::journal_damaged,
                       "blob " + to_hex(as_bytes(hash)) + " lacks its piece " + std::to_string(piece)};
    }
    if (!status.ok()) {
        return to_problem(status, "cannot read blob " + to_hex(as_bytes(hash)));
    }
    return sealed ? open_bytes(s, key, value) : expected<std::string>(std::move(value));
}

/// Whether the blob is there; if so its grace begins anew.
expected<bool> renew(store& s, const uuid& organization, const blob_hash& hash) {
    const std::lock_guard lock(s.db().blobs_mutex); // no collector between the look and the renewal
    const auto head = read_blob_head(s, organization, hash);
    if (!head) {
        return head.error();
    }
    const auto marked = read_blob_mark(s, organization, hash);
    if (!marked) {
        return marked.error();
    }
    if (*marked) {
        const auto status =
            s.db().db->Delete({}, s.db().blobs, keys::blob_piece(organization, as_bytes(hash), blob_mark_piece));
        if (!status.ok()) {
            return to_problem(status, "cannot write a blob");
        }
    }
    return head->has_value();
}

/// Writes rows of one blob in batches; the last one has the head, which makes the blob visible.
/// Not synced: they lie in the WAL before the event that names the blob, whose fsync covers them.
class row_writer {
public:
    row_writer(store& s, const uuid& organization, const blob_hash& hash, shared_key key)
        : store_(s), organization_(organization), hash_(hash), key_(std::move(key)) {}

    expected<void> piece(std::string_view bytes) {
        if (batch_.GetDataSize() >= batch_bytes_max) {
            if (auto written = write(); !written) {
                return written;
            }
            if (auto ready = wait_for_disk(); !ready) {
                return ready;
            }
        }
        size_ += bytes.size();
        const auto row = keys::blob_piece(organization_, as_bytes(hash_), ++pieces_);
        key_ ? void(batch_.Put(store_.db().blobs, row, seal_bytes(key_.get(), row, bytes)))
             : void(batch_.Put(store_.db().blobs, row, rocksdb::Slice(bytes.data(), bytes.size())));
        return {};
    }

    expected<void> finish() {
        batch_.Put(store_.db().blobs, keys::blob_piece(organization_, as_bytes(hash_), 0),
                   encode_blob_head({size_, key_ != nullptr}));
        return write();
    }

private:
    expected<void> write() {
        const auto status = store_.db().db->Write({}, &batch_);
        batch_.Clear();
        return status.ok() ? expected<void>() : expected<void>(to_problem(status, "cannot write a blob"));
    }

    expected<void> wait_for_disk() {
        const auto deadline = std::chrono::steady_clock::now() + disk_wait_max;
        std::uint64_t waiting = 0;
        while (store_.db().db->GetIntProperty(store_.db().blobs, rocksdb::DB::Properties::kNumImmutableMemTable,
                                              &waiting) &&
               waiting >= waiting_tables_max) {
            if (std::chrono::steady_clock::now() > deadline) {
                return problem{code::unavailable, "the disk does not keep up; try again in a moment", {}, 5};
            }
            std::this_thread::sleep_for(disk_poll);
        }
        return store_.check_space(store_.free_bytes_min());
    }

    store& store_;
    const uuid organization_;
    const blob_hash hash_;
    const shared_key key_; ///< Null: nothing is sealed.
    rocksdb::WriteBatch batch_;
    std::uint32_t pieces_ = 0;
    std::uint64_t size_ = 0;
};

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

    expected<void> write_rows(row_writer& rows) {
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
        if (!tail.empty()) {
            if (auto written = rows.piece(tail); !written) {
                return written;
            }
        }
        return rows.finish();
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
    const auto hash = to_blob_hash(me.hash.finish());
    const auto known = renew(me.into, me.organization, hash);
    if (!known) {
        return known.error();
    }
    if (!*known) {
        if (auto space = me.into.check_space(me.into.free_bytes_min()); !space) {
            return space.error();
        }
        auto key = sealing_key(me.into, me.organization, me.organization);
        if (!key) {
            return key.error();
        }
        row_writer rows(me.into, me.organization, hash, std::move(*key));
        if (auto written = me.write_rows(rows); !written) {
            return written.error();
        }
    }
    return to_hex(as_bytes(hash));
}

expected<std::string> put_blob(store& s, const uuid& organization, std::string_view bytes) {
    const auto hash = sha256(bytes);
    const auto known = renew(s, organization, hash);
    if (!known) {
        return known.error();
    }
    if (!*known) {
        if (auto space = s.check_space(s.free_bytes_min()); !space) {
            return space.error();
        }
        auto key = sealing_key(s, organization, organization);
        if (!key) {
            return key.error();
        }
        row_writer rows(s, organization, hash, std::move(*key));
        for (; !bytes.empty(); bytes.remove_prefix(std::min(bytes.size(), blob_piece_bytes))) {
            if (auto written = rows.piece(bytes.substr(0, blob_piece_bytes)); !written) {
                return written.error();
            }
        }
        if (auto written = rows.finish(); !written) {
            return written.error();
        }
    }
    return to_hex(as_bytes(hash));
}

expected<std::optional<std::uint64_t>> blob_size(const store& s, const uuid& organization, std::string_view name) {
    const auto hash = blob_hash_of(name);
    if (!hash) {
        return std::optional<std::uint64_t>();
    }
    auto head = read_blob_head(s, organization, *hash);
    if (!head) {
        return head.error();
    }
    return *head ? std::optional((*head)->size) : std::nullopt;
}

expected<std::string> read_blob_piece(const store& s, const uuid& organization, std::string_view name,
                                      std::uint64_t offset, std::uint64_t bytes_max) {
    const auto hash = blob_hash_of(name);
    const auto head = hash ? read_blob_head(s, organization, *hash) : expected<std::optional<blob_head>>(std::nullopt);
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
    for (const auto& hash : blobs) {
        const auto there = renew(s, organization, hash);
        if (!there) {
            return there.error();
        }
        if (!*there) {
            return problem{code::not_found, "the content " + to_hex(as_bytes(hash)) +
                                                " is not there, or not any more; send it again and repeat the change"};
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
