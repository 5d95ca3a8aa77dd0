#include "storage/epochs.hpp"

#include "storage/bytes.hpp"
#include "storage/keys.hpp"
#include "storage/rocks.hpp"

namespace troupe::storage {

namespace {

constexpr std::uint8_t whole_log_format = 1; ///< Written before logs could be trimmed.
constexpr std::uint8_t epochs_format = 2;

} // namespace

std::string encode_epochs(std::uint64_t promise, const log_base& base, std::span<const replication::epoch_run> runs) {
    std::string out;
    put_fixed(out, epochs_format);
    put_varint(out, promise);
    put_varint(out, base.at.seq);
    put_varint(out, base.at.epoch);
    put_fixed(out, base.time.ms);
    put_varint(out, runs.size());
    for (const auto& run : runs) {
        put_varint(out, run.epoch);
        put_varint(out, run.first_seq);
    }
    return out;
}

std::optional<epochs_row> decode_epochs(std::string_view bytes) {
    epochs_row row;
    byte_reader in(bytes);
    const auto format = in.fixed<std::uint8_t>();
    row.promise = in.varint();
    if (format == epochs_format) {
        row.base.at.seq = in.varint();
        row.base.at.epoch = in.varint();
        row.base.time.ms = in.fixed<std::int64_t>();
    }
    const auto count = in.varint();
    for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
        const auto epoch = in.varint();
        row.runs.push_back({epoch, in.varint()});
    }
    const bool known = format == epochs_format || format == whole_log_format;
    return known && in.at_end() ? std::optional(std::move(row)) : std::nullopt;
}

expected<epochs_row> read_epochs(const store& s, std::uint32_t shard) {
    std::string value;
    const auto status = s.db().db->Get({}, s.db().derived, keys::shard_table(shard, keys::table::epochs), &value);
    if (status.IsNotFound()) {
        return epochs_row{};
    }
    auto row = status.ok() ? decode_epochs(value) : std::nullopt;
    return row ? expected<epochs_row>(std::move(*row))
               : problem{code::journal_damaged,
                         "the epochs of shard " + std::to_string(shard) + " cannot be read; restore a backup"};
}

std::optional<replication::log_outline> outline_of(const epochs_row& row, std::uint64_t last_seq) {
    replication::log_outline out(row.base.at);
    auto runs = row.runs;
    if (runs.empty() && row.base.at.seq > 0 && last_seq > row.base.at.seq) {
        // All was trimmed while the epoch went on: what came after it is of the same epoch, and wrote no new row.
        runs.push_back({row.base.at.epoch, row.base.at.seq + 1});
    }
    for (std::size_t i = 0; i < runs.size(); ++i) {
        const auto end = i + 1 < runs.size() ? runs[i + 1].first_seq - 1 : last_seq;
        if (runs[i].first_seq != out.last().seq + 1 || end < runs[i].first_seq || runs[i].epoch < out.last().epoch) {
            return std::nullopt;
        }
        out.append(runs[i].epoch, end - out.last().seq);
    }
    return out.last().seq == last_seq ? std::optional(std::move(out)) : std::nullopt;
}

} // namespace troupe::storage
