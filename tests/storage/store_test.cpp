#include "storage/store.hpp"

#include "schemas/base/durable_file.hpp"
#include "storage/blobs.hpp"
#include "storage/keys.hpp"
#include "storage/log_reader.hpp"
#include "storage/rocks.hpp"
#include "storage/tables.hpp"
#include "storage/written_log.hpp"
#include "tests/storage/journal_fixture.hpp"
#include "tests/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::storage;
using namespace troupe::test;

namespace fs = std::filesystem;

namespace {

std::string read_file(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

void write_file(const fs::path& path, const std::string& content) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

void check_refused(const store_options& options, code expected_code, std::string_view words) {
    const auto opened = store::open(options);
    BOOST_REQUIRE(opened.has_error());
    BOOST_TEST((opened.error().code == expected_code),
               explain(opened.error().code).name << ": " << opened.error().detail);
    BOOST_TEST(opened.error().detail.find(words) != std::string::npos, opened.error().detail);
}

/// The newest write-ahead log of the database.
fs::path newest_wal(const fs::path& directory) {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(directory / "db")) {
        if (entry.path().extension() == ".log" && entry.file_size() > 0) {
            found.push_back(entry.path());
        }
    }
    BOOST_REQUIRE(!found.empty());
    return *std::max_element(found.begin(), found.end());
}

/// A directory with `count` records of one entity, each synced by itself. Gives the size of the WAL after each.
std::vector<std::uintmax_t> write_records(const fs::path& directory, std::size_t count) {
    journal_fixture journal(directory);
    const auto a = journal.address_in(0);
    std::vector<std::uintmax_t> sizes;
    for (std::size_t i = 0; i < count; ++i) {
        journal.write(a, 1, std::string(200, static_cast<char>('a' + i % 26)));
        sizes.push_back(fs::file_size(newest_wal(directory)));
    }
    return sizes;
}

void change_identity(const fs::path& directory, const std::string& from, const std::string& to) {
    auto text = read_file(directory / "identity.json");
    const auto at = text.find(from);
    BOOST_REQUIRE(at != std::string::npos);
    write_file(directory / "identity.json", text.replace(at, from.size(), to));
}

} // namespace

BOOST_AUTO_TEST_SUITE(stores)

BOOST_AUTO_TEST_CASE(a_new_directory_is_made_and_keeps_its_identity) {
    temporary_directory directory;
    const auto path = directory.path / "new" / "data";
    identity first;
    {
        const auto opened = store::open(options_for(path, 8));
        BOOST_REQUIRE(opened.has_value());
        first = (*opened)->who();
        BOOST_TEST(first.shards == 8u);
        BOOST_TEST(!first.cluster.is_nil());
        BOOST_TEST(!first.replica.is_nil());
        BOOST_TEST(!first.default_organization.is_nil());
        BOOST_TEST((first.cluster != first.replica));
        BOOST_TEST((*opened)->free_bytes() > 0u);
    }
    const auto again = store::open(options_for(path, 16)); // not given by the operator: the directory's count holds
    BOOST_REQUIRE(again.has_value());
    BOOST_TEST(to_json((*again)->who()) == to_json(first));
}

BOOST_AUTO_TEST_CASE(an_entity_is_in_the_same_shard_after_a_restart) {
    temporary_directory directory;
    std::vector<entity_address> all;
    std::vector<std::uint32_t> shards;
    {
        const auto opened = store::open(options_for(directory.path));
        for (int i = 0; i < 100; ++i) {
            all.push_back({make_uuid(), i % 2 == 0 ? "task" : "run", make_uuid()});
            shards.push_back((*opened)->shard_of(all.back()));
            BOOST_TEST(shards.back() < 4u);
        }
    }
    const auto again = store::open(options_for(directory.path));
    for (std::size_t i = 0; i < all.size(); ++i) {
        BOOST_TEST((*again)->shard_of(all[i]) == shards[i]);
    }
    for (std::uint32_t shard = 0; shard < 4; ++shard) {
        BOOST_TEST(std::count(shards.begin(), shards.end(), shard) > 0);
    }
}

BOOST_AUTO_TEST_CASE(a_directory_in_use_is_refused_and_free_again_after_closing) {
    temporary_directory directory;
    {
        const auto first = store::open(options_for(directory.path));
        BOOST_REQUIRE(first.has_value());
        check_refused(options_for(directory.path), code::data_dir_in_use, directory.path.string());
    }
    BOOST_TEST(store::open(options_for(directory.path)).has_value());
}

BOOST_AUTO_TEST_CASE(a_file_in_place_of_the_directory_is_refused) {
    temporary_directory directory;
    const auto file = directory.path / "file";
    write_file(file, "not a directory");
    check_refused(options_for(file), code::data_dir_unusable, file.string());
    check_refused(options_for(file / "below"), code::data_dir_unusable, file.string());
    BOOST_TEST(read_file(file) == "not a directory");
}

BOOST_AUTO_TEST_CASE(reading_only_makes_no_directory) {
    temporary_directory directory;
    auto options = options_for(directory.path / "none");
    options.read_only = true;
    check_refused(options, code::data_dir_unusable, "none");
    BOOST_TEST(!fs::exists(directory.path / "none"));
}

BOOST_AUTO_TEST_CASE(an_open_directory_can_be_inspected_read_only) {
    temporary_directory directory;
    journal_fixture journal(directory.path);
    journal.write(journal.address_in(2), 3);
    auto options = options_for(directory.path);
    options.read_only = true;
    const auto beside = store::open(options);
    BOOST_REQUIRE(beside.has_value());
    BOOST_TEST(verify_journal(**beside, [](std::uint64_t) {}).records == 4u); // the epoch's start and three events
}

BOOST_AUTO_TEST_CASE(a_directory_of_a_newer_format_is_refused_and_of_one_before_all_known) {
    temporary_directory directory;
    BOOST_REQUIRE(store::open(options_for(directory.path)).has_value());
    change_identity(directory.path, "\"format\":2", "\"format\":3");
    check_refused(options_for(directory.path), code::data_dir_newer, "format 3");
    change_identity(directory.path, "\"format\":3", "\"format\":0");
    check_refused(options_for(directory.path), code::data_dir_unusable, "older than all that this version reads");
    change_identity(directory.path, "\"format\":0", "\"format\":2");
    BOOST_TEST(store::open(options_for(directory.path)).has_value());
}

BOOST_AUTO_TEST_CASE(nodes_of_a_cluster_have_in_common_what_their_file_says_and_refuse_directories_of_others) {
    temporary_directory directory;
    auto options = options_for(directory.path / "one");
    options.common = {make_uuid(), make_uuid(), 7};
    const auto one = store::open(options).value()->who();
    BOOST_TEST((one.cluster == options.common->cluster));
    BOOST_TEST((one.default_organization == options.common->default_organization));
    BOOST_TEST(one.hash_seed == 7u);
    BOOST_TEST(store::open(options).has_value());
    options.directory = directory.path / "two";
    const auto two = store::open(options).value()->who();
    BOOST_TEST((two.replica != one.replica));
    options.common->cluster = make_uuid();
    check_refused(options, code::data_dir_unusable, "is of cluster " + to_string(two.cluster));
    options.common = {two.cluster, two.default_organization, 8};
    check_refused(options, code::data_dir_unusable, "is of cluster");
}

BOOST_AUTO_TEST_CASE(another_shard_count_is_refused_when_it_was_asked_for) {
    temporary_directory directory;
    BOOST_REQUIRE(store::open(options_for(directory.path, 4)).has_value());
    auto options = options_for(directory.path, 8);
    options.shards_given = true;
    check_refused(options, code::data_dir_unusable, "4 shards");
    options.shards = 4;
    BOOST_TEST(store::open(options).has_value());
}

BOOST_AUTO_TEST_CASE(a_shard_count_out_of_bounds_is_refused_before_anything_is_made) {
    temporary_directory directory;
    check_refused(options_for(directory.path / "new", 0), code::config_invalid, "shards");
    check_refused(options_for(directory.path / "new", shards_max + 1), code::config_invalid, "shards");
    BOOST_TEST(!fs::exists(directory.path / "new"));
}

BOOST_AUTO_TEST_CASE(a_damaged_identity_is_refused_and_left_as_it_is) {
    temporary_directory directory;
    BOOST_REQUIRE(store::open(options_for(directory.path)).has_value());
    const auto file = directory.path / "identity.json";
    const auto good = read_file(file);
    auto no_shards = good;
    no_shards.replace(no_shards.find("\"shards\":4"), 10, "\"shards\":0");
    auto other_hash = good;
    other_hash.replace(other_hash.find("xxh64"), 5, "md500");
    for (const auto& bad :
         {std::string(), std::string("{"), std::string("[]"), good.substr(0, good.size() / 2), no_shards, other_hash}) {
        write_file(file, bad);
        check_refused(options_for(directory.path), code::data_dir_unusable, "identity.json");
        BOOST_TEST(read_file(file) == bad);
    }
    write_file(file, good);
    BOOST_TEST(store::open(options_for(directory.path)).has_value());
}

BOOST_AUTO_TEST_CASE(a_database_without_identity_is_refused) {
    temporary_directory directory;
    BOOST_REQUIRE(store::open(options_for(directory.path)).has_value());
    fs::remove(directory.path / "identity.json");
    check_refused(options_for(directory.path), code::data_dir_unusable, "identity.json");
    BOOST_TEST(!fs::exists(directory.path / "identity.json"));
}

BOOST_AUTO_TEST_CASE(a_flipped_byte_in_the_journal_stops_the_start) {
    temporary_directory directory;
    write_records(directory.path, 300);
    const auto wal = newest_wal(directory.path);
    const auto good = read_file(wal);
    BOOST_REQUIRE(good.size() > 200'000u);
    // Every kind of byte: headers of writes (checksum, length, type) and contents lie at all of these.
    for (std::size_t at = 0; at < good.size() / 3; at += at < 16 ? 1 : 2999) {
        auto bad = good;
        bad[at] = static_cast<char>(bad[at] ^ 0x55);
        write_file(wal, bad);
        check_refused(options_for(directory.path), code::journal_damaged, directory.path.string());
    }
    write_file(wal, good);
    journal_fixture journal(directory.path);
    BOOST_TEST(journal.store->applied(0) == 301u); // nothing was changed by the refusals
}

BOOST_AUTO_TEST_CASE(damage_that_looks_like_a_torn_tail_stops_the_start) {
    temporary_directory directory;
    write_records(directory.path, 20);
    const auto wal = newest_wal(directory.path);
    const auto good = read_file(wal);
    constexpr std::size_t header_bytes = 7;
    std::vector<std::size_t> records; // their places
    for (std::size_t at = 0; at + header_bytes <= good.size();) {
        records.push_back(at);
        at += header_bytes + static_cast<unsigned char>(good[at + 4]) + 256U * static_cast<unsigned char>(good[at + 5]);
    }
    BOOST_REQUIRE(good.size() < 32768U); // one block
    BOOST_REQUIRE(records.size() > 10U);
    const auto middle = records[records.size() / 2];
    auto too_long = good;
    too_long[middle + 5] = '\x7f';
    write_file(wal, too_long);
    check_refused(options_for(directory.path), code::journal_damaged, "at byte " + std::to_string(middle));
    auto zeros = good;
    std::fill_n(zeros.begin() + static_cast<std::ptrdiff_t>(middle), records[records.size() / 2 + 1] - middle, '\0');
    write_file(wal, zeros);
    check_refused(options_for(directory.path), code::journal_damaged, "at byte " + std::to_string(middle));
    write_file(wal, good);
    BOOST_TEST(store::open(options_for(directory.path)).has_value());
}

BOOST_AUTO_TEST_CASE(a_torn_content_that_looks_like_records_is_a_torn_tail) {
    const std::string record("\xf2\x70\xe8\x9d\3\0\1"
                             "abc",
                             10); // whole, with its checksum
    std::string content;
    for (int i = 0; i < 10'000; ++i) {
        content += record;
    }
    for (const std::size_t kept : {200U, 20'000U, 50'000U, 99'990U}) {
        temporary_directory directory;
        {
            const auto s = std::move(store::open(options_for(directory.path)).value());
            BOOST_REQUIRE(put_blob(*s, system_organization, "before").has_value());
            BOOST_REQUIRE(put_blob(*s, system_organization, content).has_value());
        }
        const auto wal = newest_wal(directory.path);
        const auto begin = read_file(wal).find(record + record);
        BOOST_REQUIRE(begin != std::string::npos);
        fs::resize_file(wal, begin + kept);
        const auto opened = store::open(options_for(directory.path));
        BOOST_REQUIRE_MESSAGE(opened.has_value(), (opened ? "" : opened.error().detail));
        BOOST_TEST(blob_size(**opened, system_organization, put_blob(**opened, system_organization, "before").value())
                       ->has_value());
    }
}

BOOST_AUTO_TEST_CASE(a_write_ahead_log_that_is_gone_stops_the_start) {
    temporary_directory directory;
    write_records(directory.path, 3);
    fs::remove(newest_wal(directory.path));
    check_refused(options_for(directory.path), code::journal_damaged, "lost");
}

BOOST_AUTO_TEST_CASE(a_torn_tail_loses_at_most_the_write_that_was_not_finished) {
    temporary_directory directory;
    const auto sizes = write_records(directory.path, 20);
    const auto wal = newest_wal(directory.path);
    const auto good = read_file(wal);
    for (std::size_t cut = 1; cut < good.size() - sizes[17]; cut += 97) {
        temporary_directory copy;
        fs::copy(directory.path, copy.path, fs::copy_options::recursive);
        const auto torn = copy.path / "db" / wal.filename();
        fs::resize_file(torn, good.size() - cut);
        const auto opened = store::open(options_for(copy.path));
        BOOST_REQUIRE_MESSAGE(opened.has_value(), (opened ? "" : opened.error().detail));
        const auto whole =
            std::count_if(sizes.begin(), sizes.end(), [&](auto size) { return size <= good.size() - cut; });
        BOOST_TEST((*opened)->applied(0) == static_cast<std::uint64_t>(whole) + 1); // and the epoch's start
        BOOST_TEST(check_tails(**opened).has_value());
        BOOST_TEST(!verify_journal(**opened, [](std::uint64_t) {}).first_bad.has_value());
    }
}

BOOST_AUTO_TEST_CASE(after_a_torn_tail_the_journal_goes_on) {
    temporary_directory directory;
    write_records(directory.path, 5);
    const auto wal = newest_wal(directory.path);
    fs::resize_file(wal, fs::file_size(wal) - 1);
    {
        journal_fixture journal(directory.path);
        journal.write(journal.address_in(0), 2);
    }
    journal_fixture journal(directory.path);
    BOOST_TEST(!verify_journal(*journal.store, [](std::uint64_t) {}).first_bad.has_value());
    BOOST_TEST(journal.store->applied(0) == 1u + 4u + 1u + 2u);
}

BOOST_AUTO_TEST_CASE(a_record_that_is_gone_is_named) {
    temporary_directory directory;
    write_records(directory.path, 10);
    const auto opened = store::open(options_for(directory.path));
    BOOST_REQUIRE(opened.has_value());
    auto& rocks = (*opened)->db();
    BOOST_REQUIRE(rocks.db->Delete({}, rocks.log, keys::log(0, 5)).ok());
    const auto read = read_log(**opened, 0, 0, [](record&&) { return true; });
    BOOST_REQUIRE(read.has_error());
    BOOST_TEST((read.error().code == code::journal_damaged));
    BOOST_TEST(read.error().detail.find("shard 0") != std::string::npos);
    BOOST_TEST(read.error().detail.find("record 5 is missing") != std::string::npos);
    const auto verified = verify_journal(**opened, [](std::uint64_t) {});
    BOOST_REQUIRE(verified.first_bad.has_value());
    BOOST_TEST(verified.first_bad->detail == read.error().detail);
    BOOST_TEST(read_log(**opened, 0, 5, [](record&&) { return true; }).has_value()); // behind it all is well
}

BOOST_AUTO_TEST_CASE(a_lost_end_of_a_log_stops_the_start) {
    temporary_directory directory;
    write_records(directory.path, 130); // the mark moves in steps of 64 records
    {
        const auto opened = store::open(options_for(directory.path));
        auto& rocks = (*opened)->db();
        for (std::uint64_t seq = 51; seq <= 131; ++seq) {
            BOOST_REQUIRE(rocks.db->Delete({}, rocks.log, keys::log(0, seq)).ok());
        }
    }
    check_refused(options_for(directory.path), code::journal_damaged, "shard 0 ends at record 50");
}

BOOST_AUTO_TEST_CASE(a_database_that_is_gone_is_never_made_anew) {
    temporary_directory directory;
    store_options options;
    options.directory = directory.path;
    BOOST_REQUIRE(store::open(options).has_value());
    std::filesystem::remove_all(directory.path / "db");
    const auto refused = store::open(options);
    BOOST_REQUIRE(refused.has_error());
    BOOST_TEST((refused.error().code == code::journal_damaged));
    BOOST_TEST(refused.error().detail.find("mounted") != std::string::npos);
    BOOST_TEST(!std::filesystem::exists(directory.path / "db"));
}

BOOST_AUTO_TEST_CASE(a_start_that_was_cut_before_the_database_was_there_goes_on) {
    temporary_directory directory;
    store_options options;
    options.directory = directory.path;
    BOOST_REQUIRE(store::open(options).has_value());
    const auto file = directory.path / "identity.json";
    auto text = read_whole_file(file, 1 << 16).value();
    text.replace(text.find("\"has_database\":true"), 19, "\"has_database\":false");
    BOOST_REQUIRE(replace_file(file, text).has_value());
    std::filesystem::remove_all(directory.path / "db");
    BOOST_TEST(store::open(options).has_value());
}

/// Which rows of de-duplication a compaction leaves, of commands and of effects, by their age in hours.
struct rows_by_age {
    explicit rows_by_age(std::int64_t effect_rows_ms) {
        auto options = options_for(directory.path);
        options.effect_rows_ms = effect_rows_ms;
        auto opened = store::open(options);
        BOOST_REQUIRE(opened.has_value());
        journal = std::move(*opened);
        for (const int hours : {1, 23, 25, 24 * 29, 24 * 31}) {
            for (const bool of_effect : {false, true}) {
                const auto row = encode_command_row({7, 1, 1, newest + -hours * hour_ms});
                BOOST_REQUIRE(journal->db().db->Put({}, journal->db().derived, key(hours, of_effect), row).ok());
            }
        }
    }

    [[nodiscard]] std::string key(int hours, bool of_effect) const {
        return keys::command(0, address, (of_effect ? "effect/" : "c") + std::to_string(hours));
    }

    std::string left() const {
        rocksdb::CompactRangeOptions all;
        all.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
        BOOST_REQUIRE(journal->db().db->CompactRange(all, journal->db().derived, nullptr, nullptr).ok());
        std::string out;
        for (const int hours : {1, 23, 25, 24 * 29, 24 * 31}) {
            for (const bool of_effect : {false, true}) {
                std::string row;
                if (journal->db().db->Get({}, journal->db().derived, key(hours, of_effect), &row).ok()) {
                    out += (out.empty() ? "" : " ") + std::to_string(hours) + (of_effect ? "e" : "");
                }
            }
        }
        return out;
    }

    static constexpr std::int64_t hour_ms = 3'600'000;
    temporary_directory directory;
    const timestamp newest{1'700'000'000'000}; ///< Of long ago: the node was away since.
    const entity_address address{system_organization, "counter", make_uuid()};
    std::unique_ptr<store> journal;
};

BOOST_AUTO_TEST_CASE(rows_of_repeats_grow_old_only_while_the_node_lives) {
    rows_by_age rows(30 * 24 * rows_by_age::hour_ms);
    BOOST_TEST(rows.left() == "1 1e 23 23e 25 25e 696 696e 744 744e"); // the store does not know how old they are
    rows.journal->let_rows_age(rows.newest);
    BOOST_TEST(rows.left() == "1 1e 23 23e 25e 696e"); // not of the years since then
}

BOOST_AUTO_TEST_CASE(rows_of_effects_stay_where_logs_are_kept_for_ever) {
    rows_by_age rows(0);
    rows.journal->let_rows_age(rows.newest);
    BOOST_TEST(rows.left() == "1 1e 23 23e 25e 696e 744e");
}

BOOST_AUTO_TEST_SUITE_END()
