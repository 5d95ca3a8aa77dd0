#include "storage/record.hpp"

#include "storage/keys.hpp"
#include "tests/storage/sample_record.hpp"

#include <boost/test/unit_test.hpp>

#include <zlib.h>

#include <cstring>
#include <limits>

using namespace troupe;
using namespace troupe::storage;

namespace {

record full_record() { return test::sample_record({make_uuid(), "task", make_uuid()}); }

void check_same(const record& a, const record& b) {
    BOOST_TEST(a.shard == b.shard);
    BOOST_TEST(a.seq == b.seq);
    BOOST_TEST(a.epoch == b.epoch);
    BOOST_TEST((a.entity == b.entity));
    BOOST_TEST(a.entity_seq == b.entity_seq);
    BOOST_TEST(a.command_id == b.command_id);
    BOOST_TEST(a.request_hash == b.request_hash);
    BOOST_TEST(a.index_in_batch == b.index_in_batch);
    BOOST_TEST(a.batch_size == b.batch_size);
    BOOST_TEST(a.type == b.type);
    BOOST_TEST(a.version == b.version);
    BOOST_TEST(a.time.ms == b.time.ms);
    BOOST_TEST(a.principal == b.principal);
    BOOST_TEST(a.cause == b.cause);
    BOOST_TEST(a.correlation == b.correlation);
    BOOST_TEST(a.trace == b.trace);
    BOOST_TEST((a.client == b.client));
    BOOST_TEST(a.key_id == b.key_id);
    BOOST_TEST(a.payload == b.payload);
}

void check_comes_back(const record& r) {
    const auto back = decode_record(r.shard, r.seq, encode_record(r));
    BOOST_REQUIRE(back.has_value());
    check_same(*back, r);
}

/// The checksum as the format defines it: over the key, the four bytes before it, and all after it.
void seal(std::string& value, std::uint32_t shard, std::uint64_t seq) {
    const auto bytes = keys::log(shard, seq) + value.substr(0, 4) + value.substr(8);
    const auto crc = static_cast<std::uint32_t>(
        crc32(crc32(0, nullptr, 0), reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size())));
    std::memcpy(value.data() + 4, &crc, sizeof crc);
}

void check_damaged(const expected<record>& r, std::string_view shard, std::string_view seq) {
    BOOST_REQUIRE(r.has_error());
    BOOST_TEST((r.error().code == code::journal_damaged));
    BOOST_TEST(r.error().detail.find("record " + std::string(seq) + " of shard " + std::string(shard) + " ") == 0u);
}

} // namespace

BOOST_AUTO_TEST_SUITE(records)

BOOST_AUTO_TEST_CASE(every_field_comes_back) { check_comes_back(full_record()); }

BOOST_AUTO_TEST_CASE(empty_fields_come_back) {
    check_comes_back({});
    auto r = full_record();
    r.command_id = r.principal = r.cause = r.correlation = r.trace = r.payload = "";
    check_comes_back(r);
}

BOOST_AUTO_TEST_CASE(binary_and_long_texts_come_back) {
    std::string all_bytes;
    for (int i = 0; i < 256; ++i) {
        all_bytes += static_cast<char>(i);
    }
    auto r = full_record();
    r.command_id = r.principal = r.cause = r.correlation = r.trace = r.type = r.entity.kind = r.payload = all_bytes;
    check_comes_back(r);
    r.payload = std::string(3 << 20, '\0');
    check_comes_back(r);
}

BOOST_AUTO_TEST_CASE(the_ends_of_the_numbers_come_back) {
    auto r = full_record();
    r.shard = 4095;
    r.seq = r.epoch = r.entity_seq = r.request_hash = std::numeric_limits<std::uint64_t>::max();
    r.index_in_batch = r.batch_size = r.key_id = std::numeric_limits<std::uint32_t>::max();
    r.version = std::numeric_limits<std::uint16_t>::max();
    r.time = {std::numeric_limits<std::int64_t>::min()};
    check_comes_back(r);
}

BOOST_AUTO_TEST_CASE(one_flipped_bit_anywhere_is_found_and_the_place_is_named) {
    const auto good = encode_record(full_record());
    for (std::size_t i = 0; i < good.size(); ++i) {
        for (int bit = 0; bit < 8; ++bit) {
            auto bad = good;
            bad[i] = static_cast<char>(bad[i] ^ (1 << bit));
            check_damaged(decode_record(3, 1234567, bad), "3", "1234567");
        }
    }
}

BOOST_AUTO_TEST_CASE(a_record_under_the_key_of_another_is_found) {
    const auto value = encode_record(full_record());
    check_damaged(decode_record(3, 1234568, value), "3", "1234568");
    check_damaged(decode_record(4, 1234567, value), "4", "1234567");
}

BOOST_AUTO_TEST_CASE(a_record_cut_short_or_with_more_behind_it_is_found) {
    const auto good = encode_record(full_record());
    for (std::size_t length = 0; length < good.size(); ++length) {
        check_damaged(decode_record(3, 1234567, std::string_view(good).substr(0, length)), "3", "1234567");
    }
    check_damaged(decode_record(3, 1234567, good + '\0'), "3", "1234567");
}

BOOST_AUTO_TEST_CASE(bytes_that_do_not_fit_are_found_also_under_a_good_checksum) {
    const auto good = encode_record(full_record());
    for (std::size_t length = 8; length < good.size(); ++length) {
        auto bad = good.substr(0, length);
        seal(bad, 3, 1234567);
        check_damaged(decode_record(3, 1234567, bad), "3", "1234567");
    }
    auto longer = good + "x";
    seal(longer, 3, 1234567);
    check_damaged(decode_record(3, 1234567, longer), "3", "1234567");
}

BOOST_AUTO_TEST_CASE(an_unknown_format_or_flag_is_from_a_newer_version) {
    for (const std::size_t byte : {0u, 1u}) {
        auto newer = encode_record(full_record());
        newer[byte] = static_cast<char>(newer[byte] + 1);
        seal(newer, 3, 1234567);
        const auto r = decode_record(3, 1234567, newer);
        BOOST_REQUIRE(r.has_error());
        BOOST_TEST((r.error().code == code::data_dir_newer));
        BOOST_TEST(r.error().detail.find("record 1234567 of shard 3") == 0u);
    }
}

BOOST_AUTO_TEST_SUITE_END()
