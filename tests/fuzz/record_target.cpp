// Journal records. An even first byte: the rest is a record's value, whose checksum is made good, so that what stands
// behind it is reached. An odd one: a record is made of the rest, encoded, decoded, and damaged.
#include "storage/keys.hpp"
#include "storage/record.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <zlib.h>

namespace troupe::fuzz {

namespace {

using storage::record;

bool equal(const record& a, const record& b) {
    return storage::encode_record(a) == storage::encode_record(b) && a.shard == b.shard && a.seq == b.seq &&
           a.entity == b.entity && a.payload == b.payload && a.time == b.time && a.command_id == b.command_id;
}

std::string with_good_checksum(std::uint32_t shard, std::uint64_t seq, std::string value) {
    if (value.size() < 8) {
        return value;
    }
    const auto all = storage::keys::log(shard, seq) + value.substr(0, 4) + value.substr(8);
    const auto crc = static_cast<std::uint32_t>(
        crc32(crc32(0, nullptr, 0), reinterpret_cast<const Bytef*>(all.data()), static_cast<uInt>(all.size())));
    std::memcpy(value.data() + 4, &crc, sizeof crc);
    return value;
}

uuid make_id(cutter& in) {
    uuid id;
    const auto bytes = in.bytes(id.bytes.size());
    std::copy(bytes.begin(), bytes.end(), id.bytes.begin());
    return id;
}

record make_record(cutter& in) {
    record r;
    r.shard = in.number<std::uint16_t>();
    r.seq = in.number<std::uint64_t>();
    r.epoch = in.number<std::uint64_t>();
    r.entity = {make_id(in), in.text(), make_id(in)};
    r.entity_seq = in.number<std::uint64_t>();
    r.command_id = in.text();
    r.request_hash = in.number<std::uint64_t>();
    r.index_in_batch = in.number<std::uint32_t>();
    r.batch_size = in.number<std::uint32_t>();
    r.type = in.text();
    r.version = in.number<std::uint16_t>();
    r.time.ms = in.number<std::int64_t>();
    r.principal = in.text();
    r.cause = in.text();
    r.correlation = in.text();
    r.trace = in.text();
    r.client.address = in.text();
    r.client.program = in.text();
    r.client.organization = make_id(in);
    r.key_id = in.number<std::uint32_t>();
    r.payload = in.rest();
    return r;
}

} // namespace

void try_input(std::string_view input) {
    cutter in(input);
    const auto how = in.byte();
    if (how % 2 == 0) {
        (void)storage::decode_record(3, 7, in.rest());
        if (const auto r = storage::decode_record(3, 7, with_good_checksum(3, 7, std::string(in.rest())))) {
            const auto again = storage::decode_record(3, 7, storage::encode_record(*r));
            claim(again && equal(*r, *again), "a record that was read is written as it was");
        }
        return;
    }
    const auto where = in.number<std::uint32_t>();
    const auto r = make_record(in);
    auto value = storage::encode_record(r);
    const auto back = storage::decode_record(r.shard, r.seq, value);
    claim(back && equal(r, *back), "a record is read as it was written");
    claim(!storage::decode_record(r.shard, r.seq + 1, value), "a record at a wrong place is refused");
    value[where % value.size()] ^= static_cast<char>(how & 0xfe ? how & 0xfe : 1);
    claim(!storage::decode_record(r.shard, r.seq, value), "a damaged record is refused");
    value.resize(where % value.size());
    claim(!storage::decode_record(r.shard, r.seq, value), "a record that was cut is refused");
}

} // namespace troupe::fuzz
