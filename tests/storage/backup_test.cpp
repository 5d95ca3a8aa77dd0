#include "storage/backup.hpp"

#include "schemas/base/durable_file.hpp"
#include "schemas/base/unique_fd.hpp"
#include "storage/blobs.hpp"
#include "storage/cut.hpp"
#include "storage/keys.hpp"
#include "storage/log_reader.hpp"
#include "storage/rocks.hpp"
#include "storage/tables.hpp"
#include "storage/written_log.hpp"
#include "tests/storage/journal_fixture.hpp"
#include "tests/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/file.h>

using namespace troupe;
using namespace troupe::storage;
using namespace troupe::test;

namespace {

namespace fs = std::filesystem;

backup_manifest backup(journal_fixture& f, const fs::path& directory, backup_maker made_by = backup_maker::person,
                       std::string_view key = {}) {
    auto made = create_backup(*f.store, directory, made_by, key);
    BOOST_REQUIRE_MESSAGE(made.has_value(), (made ? "" : made.error().detail));
    return *made;
}

expected<verification> verify(const fs::path& folder) {
    return verify_backup(folder, [](std::uint64_t) {});
}

void check_damaged(const fs::path& folder, std::string_view place) {
    const auto found = verify(folder);
    BOOST_REQUIRE(found.has_error());
    BOOST_TEST((found.error().code == code::journal_damaged));
    BOOST_TEST(found.error().detail.find(place) != std::string::npos, found.error().detail);
}

/// A data directory of a backup's files, as a restore makes it.
void copy_data(const fs::path& from, const fs::path& to) {
    fs::create_directories(to);
    fs::copy(from, to, fs::copy_options::recursive);
}

std::size_t rows(const store& s, std::uint32_t shard, keys::table t) {
    std::size_t count = 0;
    for (prefix_scan scan(*s.db().db, s.db().derived, keys::shard_table(shard, t)); scan.valid(); scan.next()) {
        ++count;
    }
    return count;
}

void add_snapshot(journal_fixture& f, const entity_address& a, std::uint64_t version) {
    auto snapshot = f.prepare(a, 0);
    snapshot.derived.puts.emplace_back(keys::numbered(f.store->shard_of(a), keys::table::snapshot, a, version),
                                       encode_snapshot_row({version, 1, "{}"}));
    BOOST_REQUIRE(f.commit(std::move(snapshot)).has_value());
}

cut_result cut(store& s, std::int64_t until_ms) {
    auto done = cut_journal(s, {until_ms}, [](std::uint64_t) {});
    BOOST_REQUIRE_MESSAGE(done.has_value(), (done ? "" : done.error().detail));
    return *done;
}

} // namespace

BOOST_AUTO_TEST_SUITE(backups)

BOOST_AUTO_TEST_CASE(backup_holds_all_that_was_committed_before_it) {
    const temporary_directory d;
    journal_fixture f(d.path / "data");
    const auto a = f.address_in(1);
    const auto b = f.address_in(2);
    f.write(a, 3);
    const auto last = f.write(b).back();
    const auto blob = put_blob(*f.store, system_organization, "content");
    BOOST_REQUIRE(blob.has_value());
    const auto made = backup(f, d.path / "backups");
    f.write(a, 5); // comes too late

    BOOST_TEST(made.records == 6U); // with the starts of two epochs
    BOOST_TEST(made.last_seqs == (std::vector<std::uint64_t>{0, 4, 2, 0}), boost::test_tools::per_element());
    BOOST_TEST((made.newest_record_at >= last.time));
    const auto verified = verify(made.directory);
    BOOST_REQUIRE_MESSAGE(verified.has_value(), (verified ? "" : verified.error().detail));
    BOOST_TEST(verified->records == 6U);

    copy_data(made.directory, d.path / "restored");
    journal_fixture r(d.path / "restored");
    BOOST_TEST((r.store->who().cluster == f.store->who().cluster));
    BOOST_TEST(r.store->applied(1) == 4U);
    BOOST_TEST((*get_blob(*r.store, system_organization, *blob, 100) == "content"));
    BOOST_TEST(r.write(a).back().entity_seq == 4U); // goes on where the backup ends
}

BOOST_AUTO_TEST_CASE(backup_while_commits_go_on_is_a_prefix_of_each_shard) {
    const temporary_directory d;
    journal_fixture f(d.path / "data");
    std::vector<entity_address> all;
    for (std::uint32_t shard = 0; shard < 4; ++shard) {
        all.push_back(f.address_in(shard));
        f.write(all.back());
    }
    std::atomic<std::uint64_t> committed{0};
    std::atomic<bool> ending{false};
    std::thread writer([&] {
        std::vector<expected<appended>> results;
        while (!ending) {
            std::vector<append> batch;
            for (const auto& a : all) {
                batch.push_back(f.prepare(a, 2, {}, std::string(2000, '1')));
            }
            if (!f.committer->commit(batch, results)) {
                return; // then the counting below ends the test
            }
            ++committed;
        }
    });
    std::vector<backup_manifest> made;
    for (int i = 0; i < 3; ++i) {
        std::uint64_t before = 0;
        while ((before = committed) < 20U * static_cast<unsigned>(i + 1)) {
            std::this_thread::yield();
        }
        auto one = create_backup(*f.store, d.path / "backups", backup_maker::person);
        if (one) {
            BOOST_TEST(one->last_seqs[3] >= 2 + 2 * before);
            made.push_back(std::move(*one));
        }
    }
    ending = true;
    writer.join();
    BOOST_REQUIRE(made.size() == 3U);
    for (const auto& one : made) {
        const auto verified = verify(one.directory);
        BOOST_REQUIRE_MESSAGE(verified.has_value(), (verified ? "" : verified.error().detail));
        BOOST_TEST(verified->records == one.records);
    }
    const auto listed = list_backups(d.path / "backups");
    BOOST_REQUIRE(listed.has_value());
    BOOST_REQUIRE(listed->size() == 3U);
    BOOST_TEST(listed->front().id == made.back().id); // newest first
}

BOOST_AUTO_TEST_CASE(unchanged_files_are_shared_with_the_backup_before) {
    const temporary_directory d;
    journal_fixture f(d.path / "data");
    f.write(f.address_in(1), 1, std::string(100'000, 'x'));
    const auto first = backup(f, d.path / "backups");
    const auto second = backup(f, d.path / "backups");
    std::size_t shared = 0;
    for (const auto& file : second.files) {
        shared += fs::path(file.path).extension() == ".sst" &&
                  fs::equivalent(fs::path(first.directory) / file.path, fs::path(second.directory) / file.path);
    }
    BOOST_TEST(shared > 0U);
    BOOST_REQUIRE(delete_backup(d.path / "backups", first.id).has_value());
    BOOST_TEST(verify(second.directory).has_value());
}

BOOST_AUTO_TEST_CASE(repeat_with_the_same_key_gives_the_first_backup) {
    const temporary_directory d;
    journal_fixture f(d.path / "data");
    const auto first = backup(f, d.path / "backups", backup_maker::person, "k1");
    BOOST_TEST(backup(f, d.path / "backups", backup_maker::person, "k1").id == first.id);
    BOOST_TEST(backup(f, d.path / "backups", backup_maker::person, "k2").id != first.id);
    BOOST_TEST(backup(f, d.path / "backups").id != first.id);
}

BOOST_AUTO_TEST_CASE(damage_is_refused_with_its_place) {
    const temporary_directory d;
    journal_fixture f(d.path / "data");
    f.write(f.address_in(1), 1, std::string(100'000, 'x'));
    const auto made = backup(f, d.path / "backups");
    const fs::path folder(made.directory);

    for (const auto& file : made.files) {
        // A copy: files are shared with the database.
        const auto copy = d.path / "copy";
        fs::remove_all(copy);
        copy_data(folder, copy);
        BOOST_REQUIRE(verify(copy).has_value());
        if (file.bytes > 0) {
            std::fstream out(copy / file.path, std::ios::in | std::ios::out | std::ios::binary);
            out.seekg(static_cast<std::streamoff>(file.bytes / 2));
            const auto byte = static_cast<char>(out.get() ^ 1);
            out.seekp(static_cast<std::streamoff>(file.bytes / 2));
            out.put(byte);
            out.close();
            check_damaged(copy, file.path);
        }
        fs::remove(copy / file.path);
        check_damaged(copy, file.path);
    }
    const auto copy = d.path / "other";
    copy_data(folder, copy);
    BOOST_REQUIRE(replace_file(copy / "db" / "000999.log", "").has_value());
    check_damaged(copy, "000999.log");
}

BOOST_AUTO_TEST_CASE(folder_without_a_good_manifest_is_no_backup) {
    const temporary_directory d;
    journal_fixture f(d.path / "data");
    const auto directory = d.path / "backups";
    BOOST_TEST(list_backups(directory)->empty());
    const auto made = backup(f, directory);
    const auto manifest = fs::path(made.directory) / "manifest.json";
    const auto text = *read_whole_file(manifest, 1 << 20);
    for (const auto& wrong : {text.substr(0, text.size() / 2), std::string("{}"), std::string()}) {
        BOOST_REQUIRE(replace_file(manifest, wrong).has_value());
        BOOST_TEST(list_backups(directory)->empty());
        BOOST_TEST((find_backup(directory, made.id).error().code == code::journal_damaged));
    }
    auto leading_out = made;
    leading_out.files.front().path = "db/../../identity.json";
    BOOST_REQUIRE(replace_file(manifest, to_json(leading_out)).has_value());
    BOOST_TEST((find_backup(directory, made.id).error().code == code::journal_damaged));
    auto newer = made;
    newer.format = backup_format + 1;
    BOOST_REQUIRE(replace_file(manifest, to_json(newer)).has_value());
    BOOST_TEST((find_backup(directory, made.id).error().code == code::data_dir_newer));
    fs::remove(manifest);
    BOOST_TEST((find_backup(directory, made.id).error().code == code::not_found));
    BOOST_TEST((find_backup(directory, "../backups/" + made.id).error().code == code::not_found));
    BOOST_TEST((delete_backup(directory, "..").error().code == code::not_found));
}

BOOST_AUTO_TEST_CASE(what_a_kill_left_is_not_shown_and_goes_with_the_next_backup) {
    const temporary_directory d;
    journal_fixture f(d.path / "data");
    const auto directory = d.path / "backups";
    const auto made = backup(f, directory);
    const auto half = directory / ".creating-20260101T000000Z-00000000";
    copy_data(made.directory, half);
    BOOST_TEST(list_backups(directory)->size() == 1U);
    backup(f, directory);
    BOOST_TEST(!fs::exists(half));
    BOOST_TEST(list_backups(directory)->size() == 2U);
}

BOOST_AUTO_TEST_CASE(one_at_a_time_in_a_folder) {
    const temporary_directory d;
    journal_fixture f(d.path / "data");
    const auto directory = d.path / "backups";
    const auto made = backup(f, directory);
    const unique_fd other(::open((directory / ".lock").c_str(), O_RDWR | O_CLOEXEC));
    BOOST_REQUIRE(::flock(other.get(), LOCK_EX) == 0);
    BOOST_TEST((create_backup(*f.store, directory, backup_maker::person).error().code == code::conflict));
    BOOST_TEST((delete_backup(directory, made.id).error().code == code::conflict));
    BOOST_TEST(list_backups(directory)->size() == 1U);
}

BOOST_AUTO_TEST_CASE(retention_deletes_the_oldest_on_schedule_and_no_others) {
    const temporary_directory d;
    journal_fixture f(d.path / "data");
    const auto directory = d.path / "backups";
    std::vector<std::string> ids;
    for (const auto maker : {backup_maker::person, backup_maker::schedule, backup_maker::schedule, backup_maker::person,
                             backup_maker::schedule}) {
        ids.push_back(backup(f, directory, maker).id);
    }
    const auto deleted = retain_backups(directory, 2);
    BOOST_REQUIRE(deleted.has_value());
    BOOST_TEST(deleted->size() == 1U);
    BOOST_TEST(deleted->front() == ids[1]);
    BOOST_TEST(list_backups(directory)->size() == 4U);
    BOOST_TEST(retain_backups(directory, 2)->empty());
}

BOOST_AUTO_TEST_CASE(full_disk_is_respected) {
    const temporary_directory d;
    auto options = options_for(d.path / "data");
    options.free_bytes_min = std::numeric_limits<std::int64_t>::max();
    const auto store = store::open(options);
    BOOST_REQUIRE(store.has_value());
    const auto made = create_backup(**store, d.path / "backups", backup_maker::person);
    BOOST_REQUIRE(made.has_error());
    BOOST_TEST((made.error().code == code::storage_full));
    BOOST_TEST(list_backups(d.path / "backups")->empty());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(cut_journals)

// The fixture's clock: the nth record is of 1'700'000'000'000 + n; starts of epochs have that of the record behind.
constexpr std::int64_t start_ms = 1'700'000'000'000;

namespace {

/// Records with times of their own.
std::vector<record> write_at(journal_fixture& f, const entity_address& a, std::int64_t ms, std::uint32_t events = 1) {
    auto append = f.prepare(a, events);
    for (auto& r : append.records) {
        r.time = {ms};
    }
    std::vector<storage::append> batch;
    batch.push_back(std::move(append));
    BOOST_REQUIRE(f.commit(batch).front().has_value());
    return std::move(batch.front().records);
}

} // namespace

BOOST_AUTO_TEST_CASE(cut_leaves_what_would_be_there_if_the_rest_had_never_happened) {
    const temporary_directory d;
    const auto far = system_now().ms + 3'600'000; // after every start of an epoch
    std::vector<entity_address> all;
    std::vector<record> late;
    {
        journal_fixture f(d.path / "data");
        for (std::uint32_t shard = 0; shard < 4; ++shard) {
            all.push_back(f.address_in(shard)); // 0, 1: kept and cut; 2: kept; 3: only cut
        }
        write_at(f, all[0], far, 2);
        write_at(f, all[1], far + 10, 3);
        write_at(f, all[2], far + 10);
        add_snapshot(f, all[0], 2);
        late = write_at(f, all[0], far + 11, 2);
        add_snapshot(f, all[0], 4);
        write_at(f, all[1], far + 20);
        write_at(f, all[3], far + 20);
    }
    {
        auto store = std::move(*store::open(options_for(d.path / "data")));
        const auto done = cut(*store, far + 10);
        BOOST_TEST(done.records_cut == 4U + 1U); // with the start of the epoch in which all was cut
        BOOST_TEST(done.shards_cut == 3U);
        BOOST_TEST(done.records_kept == 3U + 6U);
        BOOST_TEST(cut(*store, far + 10).records_cut == 0U);
    }
    journal_fixture f(d.path / "data");
    const auto found = verify_journal(*f.store, [](std::uint64_t) {});
    BOOST_REQUIRE_MESSAGE(!found.first_bad, (found.first_bad ? found.first_bad->detail : ""));
    const std::uint64_t versions[] = {2, 3, 1};
    for (std::size_t i = 0; i < 3; ++i) {
        BOOST_TEST(read_version(*f.store, all[i]).value() == versions[i]);
    }
    BOOST_TEST(read_version(*f.store, all[3]).value() == 0U);
    BOOST_TEST(read_snapshots(*f.store, all[0], 5).size() == 1U);
    BOOST_TEST(!read_command(*f.store, all[0], late.front().command_id).value().has_value());
    BOOST_TEST(rows(*f.store, 0, keys::table::history) == 2U);
    BOOST_TEST(rows(*f.store, 0, keys::table::command) == 1U);
    BOOST_TEST(rows(*f.store, 3, keys::table::history) + rows(*f.store, 3, keys::table::command) == 0U);

    const auto next = f.write(all[0]); // history goes on without a gap
    BOOST_TEST(next.front().entity_seq == 3U);
    BOOST_TEST(next.front().epoch > late.front().epoch);
    BOOST_TEST(f.write(all[3]).front().entity_seq == 1U);
}

BOOST_AUTO_TEST_CASE(cut_never_divides_a_command) {
    const temporary_directory d;
    const auto far = system_now().ms + 3'600'000;
    {
        journal_fixture f(d.path / "data");
        const auto a = f.address_in(1);
        write_at(f, a, far);
        auto divided = f.prepare(a, 2);
        divided.records[0].time = {far};
        divided.records[1].time = {far + 1};
        BOOST_REQUIRE(f.commit(std::move(divided)).has_value());
    }
    auto store = std::move(*store::open(options_for(d.path / "data")));
    BOOST_TEST(cut(*store, far).records_cut == 2U);
    BOOST_TEST(!verify_journal(*store, [](std::uint64_t) {}).first_bad.has_value());
}

BOOST_AUTO_TEST_CASE(cut_to_a_time_before_everything_leaves_an_empty_journal_that_can_be_written) {
    const temporary_directory d;
    entity_address a;
    {
        journal_fixture f(d.path / "data");
        a = f.address_in(2);
        f.write(a, 2);
        f.write(a, 1);
    }
    {
        auto store = std::move(*store::open(options_for(d.path / "data")));
        BOOST_TEST(cut(*store, start_ms).records_kept == 0U);
        BOOST_TEST(store->applied(2) == 0U);
        BOOST_TEST(applied_mark(*store, 2) == 0U);
    }
    journal_fixture f(d.path / "data");
    BOOST_TEST(f.write(a).front().entity_seq == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
