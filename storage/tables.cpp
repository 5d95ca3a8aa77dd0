#include "storage/tables.hpp"

#include "storage/bytes.hpp"

#include <zlib.h>

namespace troupe::storage {

namespace {

constexpr std::uint8_t row_format = 1;

std::string start_row() {
    std::string out;
    put_fixed(out, row_format);
    return out;
}

bool starts_row(byte_reader& in) { return in.fixed<std::uint8_t>() == row_format && in.ok(); }

std::uint32_t checksum(std::string_view bytes) {
    return static_cast<std::uint32_t>(
        crc32(crc32(0, nullptr, 0), reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size())));
}

} // namespace

std::string encode_command_row(const command_row& row) {
    auto out = start_row();
    put_fixed(out, row.time.ms);
    put_fixed(out, row.request_hash);
    put_varint(out, row.first_version);
    put_varint(out, row.events);
    if (row.answer != repeat_answer::made_again) {
        put_fixed(out, static_cast<std::uint8_t>(row.answer));
        out += row.kept;
    }
    return out;
}

std::optional<command_row> decode_command_row(std::string_view bytes) {
    byte_reader in(bytes);
    command_row row;
    if (!starts_row(in)) {
        return std::nullopt;
    }
    row.time.ms = in.fixed<std::int64_t>();
    row.request_hash = in.fixed<std::uint64_t>();
    row.first_version = in.varint();
    row.events = static_cast<std::uint32_t>(in.varint());
    if (in.ok() && !in.at_end()) {
        row.answer = static_cast<repeat_answer>(in.fixed<std::uint8_t>());
        row.kept = in.rest();
    }
    return in.ok() && row.answer <= repeat_answer::poison ? std::optional(std::move(row)) : std::nullopt;
}

std::string encode_snapshot_row(const snapshot_row& row) {
    std::string summed;
    put_fixed(summed, row.state_version);
    summed += row.state;
    auto out = start_row();
    put_fixed(out, checksum(summed));
    return out + summed;
}

std::optional<snapshot_row> decode_snapshot_row(std::uint64_t version, std::string_view bytes) {
    byte_reader in(bytes);
    snapshot_row row;
    row.version = version;
    if (!starts_row(in)) {
        return std::nullopt;
    }
    const auto crc = in.fixed<std::uint32_t>();
    const bool good = crc == checksum(in.rest());
    row.state_version = in.fixed<std::uint16_t>();
    row.state = in.rest();
    return in.ok() && good ? std::optional(std::move(row)) : std::nullopt;
}

std::string encode_base_mark(const base_mark& mark) {
    std::string summed;
    put_varint(summed, mark.version);
    put_varint(summed, mark.seq);
    put_fixed(summed, mark.time.ms);
    auto out = start_row();
    put_fixed(out, checksum(summed));
    return out + summed;
}

std::optional<base_mark> decode_base_mark(std::string_view bytes) {
    byte_reader in(bytes);
    base_mark mark;
    if (!starts_row(in)) {
        return std::nullopt;
    }
    const auto crc = in.fixed<std::uint32_t>();
    const bool good = crc == checksum(in.rest());
    mark.version = in.varint();
    mark.seq = in.varint();
    mark.time.ms = in.fixed<std::int64_t>();
    return in.at_end() && good ? std::optional(mark) : std::nullopt;
}

std::string encode_document_row(const document_row& row) {
    auto out = start_row();
    put_varint(out, row.version);
    put_varint(out, row.keys.size());
    for (const auto& [filter, sort] : row.keys) {
        put_text(out, filter);
        put_text(out, sort);
    }
    out += row.json;
    return out;
}

std::optional<document_row> decode_document_row(std::string_view bytes) {
    byte_reader in(bytes);
    document_row row;
    if (!starts_row(in)) {
        return std::nullopt;
    }
    row.version = in.varint();
    const auto count = in.varint();
    for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
        std::string filter(in.text());
        row.keys.emplace_back(std::move(filter), in.text());
    }
    row.json = in.rest();
    return in.ok() ? std::optional(std::move(row)) : std::nullopt;
}

} // namespace troupe::storage
