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

expected<epochs_row> read_epochs(const store& s, std::uint32_t shard) {
    epochs_row row;
    std::string value;
    const auto status = s.db().db->Get({}, s.db().derived, keys::shard_table(shard, keys::table::epochs), &value);
    if (status.IsNotFound()) {
        return row;
    }
    byte_reader in(value);
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
    if (!status.ok() || !known || !in.at_end()) {
        return problem{code::journal_damaged,
                       "the epochs of shard " + std::to_string(shard) + " cannot be read; restore a backup"};
    }
    return row;
}

} // namespace troupe::storage
