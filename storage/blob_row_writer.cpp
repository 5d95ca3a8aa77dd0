#include "storage/blob_row_writer.hpp"

#include "storage/blobs.hpp"
#include "storage/keys.hpp"
#include "storage/rocks.hpp"

#include <rocksdb/write_batch.h>

#include <chrono>
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

} // namespace

expected<blob_renewal> renew_blob(store& s, const uuid& organization, const blob_hash& hash) {
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
    return blob_renewal{head->has_value(), marked->has_value()};
}

struct blob_row_writer::state {
    state(store& s, const uuid& o, const blob_hash& h) : into(s), organization(o), hash(h) {}

    store& into;
    const uuid organization;
    const blob_hash hash;
    rocksdb::WriteBatch batch;
    std::uint32_t pieces = 0;
};

blob_row_writer::blob_row_writer(store& s, const uuid& organization, const blob_hash& hash)
    : state_(std::make_unique<state>(s, organization, hash)) {}

blob_row_writer::~blob_row_writer() = default;

std::string blob_row_writer::next_key() const {
    return keys::blob_piece(state_->organization, as_bytes(state_->hash), state_->pieces + 1);
}

expected<void> blob_row_writer::add(std::string_view kept) {
    auto& me = *state_;
    if (me.batch.GetDataSize() >= batch_bytes_max) {
        if (auto written = write(); !written) {
            return written;
        }
        if (auto ready = wait_for_disk(); !ready) {
            return ready;
        }
    }
    me.batch.Put(me.into.db().blobs, next_key(), rocksdb::Slice(kept.data(), kept.size()));
    ++me.pieces;
    return {};
}

expected<void> blob_row_writer::finish(const blob_head& head) {
    auto& me = *state_;
    me.batch.Put(me.into.db().blobs, keys::blob_piece(me.organization, as_bytes(me.hash), 0), encode_blob_head(head));
    return write();
}

expected<void> blob_row_writer::write() {
    const auto status = state_->into.db().db->Write({}, &state_->batch);
    state_->batch.Clear();
    return status.ok() ? expected<void>() : expected<void>(to_problem(status, "cannot write a blob"));
}

expected<void> blob_row_writer::wait_for_disk() {
    auto& s = state_->into;
    const auto deadline = std::chrono::steady_clock::now() + disk_wait_max;
    std::uint64_t waiting = 0;
    while (s.db().db->GetIntProperty(s.db().blobs, rocksdb::DB::Properties::kNumImmutableMemTable, &waiting) &&
           waiting >= waiting_tables_max) {
        if (std::chrono::steady_clock::now() > deadline) {
            return problem{code::unavailable, "the disk does not keep up; try again in a moment", {}, 5};
        }
        std::this_thread::sleep_for(disk_poll);
    }
    return s.check_space(s.free_bytes_min());
}

} // namespace troupe::storage
