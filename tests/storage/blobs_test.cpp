#include "storage/blobs.hpp"

#include "storage/keys.hpp"
#include "storage/rocks.hpp"
#include "tests/storage/journal_fixture.hpp"
#include "tests/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <iterator>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::storage;
using namespace troupe::test;

namespace {

const uuid mine = system_organization;

/// Bytes of that number in which every piece differs.
std::string content(std::size_t bytes) {
    std::string out(bytes, '\0');
    std::uint32_t random = 12345;
    for (auto& c : out) {
        random = random * 1664525 + 1013904223;
        c = static_cast<char>(random >> 24);
    }
    return out;
}

std::unique_ptr<store> open_store(const temporary_directory& directory) {
    return std::move(store::open(options_for(directory.path)).value());
}

std::size_t rows_in(const store& s) {
    std::size_t count = 0;
    for (prefix_scan scan(*s.db().db, s.db().blobs, ""); scan.valid(); scan.next()) {
        ++count;
    }
    return count;
}

} // namespace

BOOST_AUTO_TEST_SUITE(blobs)

BOOST_AUTO_TEST_CASE(blobs_around_the_size_of_a_piece_come_back_also_after_a_restart) {
    temporary_directory directory;
    std::vector<std::pair<std::string, std::string>> all;
    const auto check = [&](const store& s) {
        for (const auto& [name, bytes] : all) {
            BOOST_TEST(blob_size(s, mine, name)->value() == bytes.size());
            BOOST_TEST((get_blob(s, mine, name, bytes.size()).value() == bytes));
        }
    };
    {
        const auto s = open_store(directory);
        for (const auto size : {std::size_t{0}, std::size_t{1}, blob_piece_bytes - 1, blob_piece_bytes,
                                blob_piece_bytes + 1, 2 * blob_piece_bytes, 3 * blob_piece_bytes + 17}) {
            const auto bytes = content(size);
            const auto name = put_blob(*s, mine, bytes);
            BOOST_REQUIRE(name.has_value());
            all.emplace_back(*name, bytes);
        }
        check(*s);
    }
    check(*open_store(directory));
}

BOOST_AUTO_TEST_CASE(a_name_is_the_hash_of_the_content) {
    temporary_directory directory;
    const auto s = open_store(directory);
    BOOST_TEST(put_blob(*s, mine, "").value() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    BOOST_TEST(put_blob(*s, mine, "abc").value() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

BOOST_AUTO_TEST_CASE(the_same_content_is_kept_once) {
    temporary_directory directory;
    const auto s = open_store(directory);
    const auto bytes = content(blob_piece_bytes + 5);
    const auto name = put_blob(*s, mine, bytes).value();
    const auto rows = rows_in(*s);
    BOOST_TEST(rows == 3u); // a head and two pieces
    const auto written = s->db().db->GetLatestSequenceNumber();
    BOOST_TEST(put_blob(*s, mine, bytes).value() == name);
    BOOST_TEST(rows_in(*s) == rows);
    BOOST_TEST(s->db().db->GetLatestSequenceNumber() == written);
    put_blob(*s, mine, bytes + "x").value();
    BOOST_TEST(rows_in(*s) == 2 * rows);
}

BOOST_AUTO_TEST_CASE(a_blob_is_read_from_any_offset_in_pieces) {
    temporary_directory directory;
    const auto s = open_store(directory);
    const auto bytes = content(2 * blob_piece_bytes + 100);
    const auto name = put_blob(*s, mine, bytes).value();
    for (const auto offset :
         {std::size_t{0}, std::size_t{1}, blob_piece_bytes - 1, blob_piece_bytes, blob_piece_bytes + 1,
          2 * blob_piece_bytes, bytes.size() - 1, bytes.size(), bytes.size() + 1, 9 * blob_piece_bytes}) {
        std::string read;
        BOOST_TEST(read_blob(*s, mine, name, offset, [&](std::string_view piece) {
                       BOOST_TEST(piece.size() <= blob_piece_bytes);
                       BOOST_TEST(!piece.empty());
                       read += piece;
                       return true;
                   }).has_value());
        BOOST_TEST((read == bytes.substr(std::min(offset, bytes.size()))), "offset " << offset);
    }
}

BOOST_AUTO_TEST_CASE(a_reader_that_has_enough_ends_early) {
    temporary_directory directory;
    const auto s = open_store(directory);
    const auto name = put_blob(*s, mine, content(5 * blob_piece_bytes)).value();
    int pieces = 0;
    BOOST_TEST(read_blob(*s, mine, name, 0, [&](std::string_view) { return ++pieces < 2; }).has_value());
    BOOST_TEST(pieces == 2);
}

BOOST_AUTO_TEST_CASE(a_head_that_cannot_be_read_or_does_not_fit_is_damage_and_no_empty_blob) {
    temporary_directory directory;
    const auto s = open_store(directory);
    const auto name = put_blob(*s, mine, "hello").value();
    const auto digest = sha256("hello");
    const std::string hash(digest.begin(), digest.end());
    for (const std::string_view head : {"", "\1", "\3\5", "\1\x85", "\1\3"}) {
        BOOST_REQUIRE(s->db().db->Put({}, s->db().blobs, keys::blob_piece(mine, hash, 0), head).ok());
        const auto read = get_blob(*s, mine, name, 100);
        BOOST_TEST_CONTEXT("a head of " << head.size() << " bytes") {
            BOOST_REQUIRE(read.has_error());
            BOOST_TEST((read.error().code == code::journal_damaged));
        }
    }
}

BOOST_AUTO_TEST_CASE(another_organization_does_not_see_it) {
    temporary_directory directory;
    const auto s = open_store(directory);
    const auto name = put_blob(*s, mine, "secret").value();
    const auto other = make_uuid();
    BOOST_TEST(!blob_size(*s, other, name)->has_value());
    const auto read = get_blob(*s, other, name, 100);
    BOOST_REQUIRE(read.has_error());
    BOOST_TEST((read.error().code == code::not_found));
    BOOST_TEST(put_blob(*s, other, "secret").value() == name);
    BOOST_TEST(get_blob(*s, other, name, 100).value() == "secret");
}

BOOST_AUTO_TEST_CASE(an_unknown_name_or_no_name_at_all_is_not_found) {
    temporary_directory directory;
    const auto s = open_store(directory);
    const auto known = put_blob(*s, mine, "x").value();
    for (const auto& name : {std::string(64, '0'), std::string(), std::string("../../etc/passwd"), std::string(64, 'g'),
                             known.substr(1), known + "0", std::string(64, 'A')}) {
        BOOST_TEST(!blob_size(*s, mine, name)->has_value());
        const auto read = get_blob(*s, mine, name, 100);
        BOOST_REQUIRE(read.has_error());
        BOOST_TEST((read.error().code == code::not_found));
        BOOST_TEST(
            (read_blob(*s, mine, name, 0, [](std::string_view) { return true; }).error().code == code::not_found));
    }
}

BOOST_AUTO_TEST_CASE(a_blob_over_the_bound_is_refused) {
    temporary_directory directory;
    const auto s = open_store(directory);
    const auto name = put_blob(*s, mine, "12345").value();
    BOOST_TEST(get_blob(*s, mine, name, 5).value() == "12345");
    const auto refused = get_blob(*s, mine, name, 4);
    BOOST_REQUIRE(refused.has_error());
    BOOST_TEST((refused.error().code == code::payload_too_large));
}

BOOST_AUTO_TEST_CASE(a_missing_piece_is_said_and_not_read_over) {
    temporary_directory directory;
    const auto s = open_store(directory);
    const auto bytes = content(3 * blob_piece_bytes);
    const auto name = put_blob(*s, mine, bytes).value();
    const auto digest = sha256(bytes);
    const std::string hash(reinterpret_cast<const char*>(digest.data()), digest.size());
    BOOST_REQUIRE(s->db().db->Delete({}, s->db().blobs, keys::blob_piece(mine, hash, 2)).ok());
    const auto read = get_blob(*s, mine, name, bytes.size());
    BOOST_REQUIRE(read.has_error());
    BOOST_REQUIRE(s->db().db->Put({}, s->db().blobs, keys::blob_piece(mine, hash, 2), "").ok());
    BOOST_TEST((get_blob(*s, mine, name, bytes.size()).error().code == code::journal_damaged));
}

BOOST_AUTO_TEST_CASE(a_content_that_comes_in_pieces_of_any_size_is_the_same_blob) {
    temporary_directory directory;
    const auto s = open_store(directory);
    for (const auto size : {std::size_t{0}, std::size_t{1}, blob_piece_bytes - 1, blob_piece_bytes,
                            blob_piece_bytes + 1, 9 * blob_piece_bytes + 17}) {
        const auto bytes = content(size);
        for (const auto step : {std::size_t{70'001}, blob_piece_bytes, 3 * blob_piece_bytes}) {
            blob_writer writer(*s, make_uuid()); // another organization: it is written each time
            for (std::size_t at = 0; at < size; at += step) {
                BOOST_REQUIRE(writer.append(std::string_view(bytes).substr(at, step)).has_value());
            }
            BOOST_TEST(writer.size() == size);
            const auto digest = sha256(bytes);
            const auto name = writer.finish();
            BOOST_REQUIRE(name.has_value());
            BOOST_TEST(*name == to_hex({reinterpret_cast<const char*>(digest.data()), digest.size()}));
        }
        blob_writer writer(*s, mine);
        BOOST_REQUIRE(writer.append(bytes).has_value());
        const auto name = writer.finish().value();
        BOOST_TEST((get_blob(*s, mine, name, size).value() == bytes));
        BOOST_TEST(verify_blob(*s, mine, *blob_hash_of(name)).has_value());
    }
}

BOOST_AUTO_TEST_CASE(a_writer_that_is_given_up_leaves_nothing) {
    temporary_directory directory;
    const auto s = open_store(directory);
    const auto files = [&] {
        const std::filesystem::directory_iterator all(directory.path);
        return std::distance(begin(all), end(all));
    };
    const auto before = files();
    {
        blob_writer writer(*s, mine);
        BOOST_REQUIRE(writer.append(content(5 * blob_piece_bytes)).has_value());
        BOOST_TEST(files() == before); // nothing that a kill would leave
        BOOST_TEST(rows_in(*s) == 0u);
    }
    BOOST_TEST(rows_in(*s) == 0u);
    BOOST_TEST(files() == before);
}

BOOST_AUTO_TEST_SUITE_END()
