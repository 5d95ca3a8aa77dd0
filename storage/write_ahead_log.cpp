#include "storage/write_ahead_log.hpp"

#include <boost/crc.hpp>
#include <rocksdb/env.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::storage {

namespace {

namespace fs = std::filesystem;

// The format: blocks of 32 KiB, each a row of records {masked CRC-32C 4 bytes, length 2, type 1, payload}. What does
// not fit goes on in the next block: first, middle, last; else it is a full one. A block's last bytes are zero when no
// header fits any more.
constexpr std::size_t block_bytes = 32 * 1024;
constexpr std::size_t header_bytes = 7;
constexpr unsigned type_full = 1;
constexpr unsigned type_first = 2;
constexpr unsigned type_last = 4;
constexpr std::size_t batch_header_bytes = 12;

struct record_header {
    std::uint32_t crc = 0;
    std::size_t length = 0;
    unsigned type = 0;
};

template <class Number>
Number number_at(std::string_view bytes, std::size_t at) {
    Number n{};
    std::memcpy(&n, bytes.data() + at, sizeof n);
    return n;
}

/// There have to be `header_bytes` at that place.
record_header header_at(std::string_view block, std::size_t at) {
    return {number_at<std::uint32_t>(block, at), number_at<std::uint16_t>(block, at + 4),
            number_at<std::uint8_t>(block, at + 6)};
}

/// Whether a whole record begins there, by its checksum; with that length instead of its own.
bool is_record(std::string_view block, std::size_t at, std::optional<std::size_t> length = {}) {
    if (block.size() - at < header_bytes) {
        return false;
    }
    auto h = header_at(block, at);
    h.length = length.value_or(h.length);
    if (h.type < type_full || h.type > type_last || h.length > block.size() - at - header_bytes) {
        return false;
    }
    boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
    crc.process_bytes(block.data() + at + header_bytes - 1, h.length + 1); // type and payload
    const auto plain = static_cast<std::uint32_t>(crc.checksum());
    return ((plain >> 15) | (plain << 17)) + 0xa282ead8U == h.crc;
}

/// Where the write batch that begins in a fragment ends: the sequence number of the one that is written next. Batches
/// begin with {sequence number 8 bytes, count 4}, and have no gaps between them.
std::optional<std::uint64_t> next_sequence(std::string_view block, std::size_t at) {
    const auto type = header_at(block, at).type;
    const auto batch = block.substr(at + header_bytes);
    if ((type != type_full && type != type_first) || batch.size() < batch_header_bytes) {
        return std::nullopt;
    }
    return number_at<std::uint64_t>(batch, 0) + number_at<std::uint32_t>(batch, sizeof(std::uint64_t));
}

/// Whether the batch with that number begins there. What a client stores may look like a record, but does not know it.
bool begins_batch(std::string_view block, std::size_t at, std::uint64_t sequence) {
    return next_sequence(block, at) && number_at<std::uint64_t>(block, at + header_bytes) == sequence;
}

bool has_content(std::string_view bytes) { return bytes.find_first_not_of('\0') != std::string_view::npos; }

problem damaged(const fs::path& file, std::uint64_t at) {
    return {code::journal_damaged, "the log " + file.string() + " is damaged at byte " + std::to_string(at) +
                                       ", which is not a torn end; nothing was changed. Restore it, or a backup"};
}

/// Fills the block, but at the end of the file.
rocksdb::Status read_block(rocksdb::SequentialFile& in, std::string& buffer, std::string_view& block) {
    std::size_t filled = 0;
    for (;;) {
        rocksdb::Slice piece;
        auto* const into = buffer.data() + filled;
        const auto status = in.Read(buffer.size() - filled, &piece, into);
        if (status.ok() && piece.data() != into) {
            std::copy_n(piece.data(), piece.size(), into);
        }
        filled += piece.size();
        block = std::string_view(buffer).substr(0, filled);
        if (!status.ok() || piece.empty() || filled == buffer.size()) {
            return status;
        }
    }
}

expected<void> check_log(rocksdb::Env& disk, const fs::path& file) {
    std::unique_ptr<rocksdb::SequentialFile> in;
    if (!disk.NewSequentialFile(file.string(), &in, rocksdb::EnvOptions()).ok()) {
        return problem{code::storage_failed, "cannot read " + file.string() + "; check its permissions"};
    }
    std::string buffer(block_bytes, '\0');
    std::optional<std::uint64_t> zeros; // where a record should begin
    const bool has_batches = file.extension() == ".log";
    std::optional<std::uint64_t> sequence; // of the batch after the one that began last
    std::string_view block = buffer;
    for (std::uint64_t begin = 0; block.size() == block_bytes; begin += block_bytes) {
        if (!read_block(*in, buffer, block).ok()) {
            return problem{code::storage_failed, "cannot read " + file.string() + "; check the disk"};
        }
        if (zeros && has_content(block)) {
            return damaged(file, *zeros);
        }
        for (std::size_t at = 0; block.size() - at >= header_bytes;) {
            const auto h = header_at(block, at);
            if (h.type == 0 && h.length == 0) {
                zeros = begin + at;
                if (has_content(block.substr(at))) {
                    return damaged(file, *zeros);
                }
                break;
            }
            if (h.type > type_last) {
                return damaged(file, begin + at); // RocksDB takes it for the rest of a recycled log, which we have not
            }
            if (const auto next = next_sequence(block, at)) {
                sequence = next;
            }
            if (h.length > block.size() - at - header_bytes) {
                // In a whole block RocksDB refuses it itself. The last record is whole, but for its length, when its
                // checksum fits what is there.
                if (is_record(block, at, block.size() - at - header_bytes)) {
                    return damaged(file, begin + at);
                }
                for (auto next = at + 1; block.size() < block_bytes && next < block.size(); ++next) {
                    if (is_record(block, next) &&
                        (!has_batches || (sequence && begins_batch(block, next, *sequence)))) {
                        return damaged(file, begin + at);
                    }
                }
                break;
            }
            at += header_bytes + h.length;
        }
    }
    return {};
}

} // namespace

expected<void> check_write_ahead_logs(rocksdb::Env& disk, const fs::path& database) {
    bool was_opened = false; // once, to its end
    bool has_log = false;
    std::vector<std::string> names; // a folder that cannot be read shows when it is opened
    (void)disk.GetChildren(database.string(), &names);
    for (const auto& name : names) {
        was_opened = was_opened || name.starts_with("OPTIONS-");
        // RocksDB's manifest is a log as well, and ends in silence where it is damaged.
        if (!name.ends_with(".log") && !name.starts_with("MANIFEST-")) {
            continue;
        }
        has_log = has_log || name.ends_with(".log");
        if (auto checked = check_log(disk, database / name); !checked) {
            return checked;
        }
    }
    if (was_opened && !has_log) { // RocksDB keeps always one, and begins without it in silence
        return problem{code::journal_damaged,
                       "the write-ahead log (*.log) in " + database.string() +
                           " is lost, and with it what was written last; restore it, or a backup"};
    }
    return {};
}

} // namespace troupe::storage
