#include "storage/record.hpp"

#include "storage/bytes.hpp"
#include "storage/keys.hpp"

#include <zlib.h>

namespace troupe::storage {

namespace {

constexpr std::size_t crc_offset = 4; // after format, flags and version

std::uint32_t checksum(std::uint32_t shard, std::uint64_t seq, std::string_view value) {
    const auto key = keys::log(shard, seq);
    const auto update = [](uLong crc, std::string_view bytes) {
        return crc32(crc, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size()));
    };
    auto crc = update(crc32(0, nullptr, 0), key);
    crc = update(crc, value.substr(0, crc_offset));
    return static_cast<std::uint32_t>(update(crc, value.substr(crc_offset + sizeof(std::uint32_t))));
}

problem damaged(std::uint32_t shard, std::uint64_t seq, std::string_view why) {
    return {code::journal_damaged,
            "record " + std::to_string(seq) + " of shard " + std::to_string(shard) + " " + std::string(why) +
                "; restore a backup, or ask `troupe journal verify` how far the journal is good"};
}

} // namespace

std::string caller_command_id(const uuid& organization, std::string_view principal, std::string_view idempotency_key) {
    // No second slash, unlike ids of format 1 (storage/upgrade.cpp).
    return std::string(principal) + ':' +
           to_string(derive_uuid({"idempotency-key", to_string(organization), principal, idempotency_key}));
}

std::string encode_record(const record& r) { return encode_record(r, r.payload, r.client); }

std::string encode_record(const record& r, std::string_view payload, const client_info& client) {
    std::string out;
    out.reserve(160 + r.command_id.size() + r.type.size() + r.principal.size() + r.cause.size() + r.correlation.size() +
                r.trace.size() + client.address.size() + client.program.size() + payload.size());
    put_fixed(out, record_format);
    put_fixed<std::uint8_t>(out, 0); // flags
    put_fixed(out, r.version);
    put_fixed<std::uint32_t>(out, 0); // crc, filled in below
    put_varint(out, r.epoch);
    put_uuid(out, r.entity.organization);
    put_uuid(out, r.entity.id);
    put_text(out, r.entity.kind);
    put_varint(out, r.entity_seq);
    put_text(out, r.command_id);
    put_fixed(out, r.request_hash);
    put_varint(out, r.index_in_batch);
    put_varint(out, r.batch_size);
    put_text(out, r.type);
    put_fixed(out, r.time.ms);
    put_text(out, r.principal);
    put_text(out, r.cause);
    put_text(out, r.correlation);
    put_text(out, r.trace);
    put_text(out, client.address);
    put_text(out, client.program);
    put_uuid(out, client.organization);
    put_varint(out, r.key_id);
    put_text(out, payload);
    const auto crc = checksum(r.shard, r.seq, out);
    std::memcpy(out.data() + crc_offset, &crc, sizeof crc);
    return out;
}

expected<record> decode_record(std::uint32_t shard, std::uint64_t seq, std::string_view value) {
    byte_reader in(value);
    const auto format = in.fixed<std::uint8_t>();
    const auto flags = in.fixed<std::uint8_t>();
    record r;
    r.shard = shard;
    r.seq = seq;
    r.version = in.fixed<std::uint16_t>();
    const auto crc = in.fixed<std::uint32_t>();
    if (!in.ok()) {
        return damaged(shard, seq, "is cut short");
    }
    if (crc != checksum(shard, seq, value)) {
        return damaged(shard, seq, "fails its checksum");
    }
    if (format == 0 || format > record_format || flags != 0) {
        return problem{code::data_dir_newer, "record " + std::to_string(seq) + " of shard " + std::to_string(shard) +
                                                 " has format " + std::to_string(format) + " and flags " +
                                                 std::to_string(flags) +
                                                 ", which this version does not know; run a newer Troupe"};
    }
    r.epoch = in.varint();
    r.entity.organization = in.id();
    r.entity.id = in.id();
    r.entity.kind = in.text();
    r.entity_seq = in.varint();
    r.command_id = in.text();
    r.request_hash = in.fixed<std::uint64_t>();
    r.index_in_batch = static_cast<std::uint32_t>(in.varint());
    r.batch_size = static_cast<std::uint32_t>(in.varint());
    r.type = in.text();
    r.time.ms = in.fixed<std::int64_t>();
    r.principal = in.text();
    r.cause = in.text();
    r.correlation = in.text();
    r.trace = in.text();
    if (format >= 2) {
        r.client.address = in.text();
        r.client.program = in.text();
        r.client.organization = in.id();
    }
    r.key_id = static_cast<std::uint32_t>(in.varint());
    r.payload = in.text();
    if (!in.at_end()) {
        return damaged(shard, seq, "cannot be read although its checksum is good");
    }
    return r;
}

} // namespace troupe::storage
