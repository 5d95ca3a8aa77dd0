#include "storage/committer.hpp"

#include "storage/keys.hpp"
#include "storage/log_reader.hpp"
#include "storage/rocks.hpp"
#include "storage/tables.hpp"
#include "storage/written_log.hpp"
#include "tests/storage/journal_fixture.hpp"
#include "tests/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <limits>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::storage;
using namespace troupe::test;

namespace {

std::vector<record> log_of(const store& s, std::uint32_t shard) {
    std::vector<record> out;
    const auto read = read_log(s, shard, 0, [&](record&& r) {
        out.push_back(std::move(r));
        return true;
    });
    BOOST_REQUIRE_MESSAGE(read.has_value(), (read ? "" : read.error().detail));
    return out;
}

std::vector<record> history_of(const store& s, const entity_address& a, std::uint64_t after = 0) {
    std::vector<record> out;
    const auto read = read_history(s, a, after, [&](record&& r) -> expected<void> {
        out.push_back(std::move(r));
        return {};
    });
    BOOST_REQUIRE_MESSAGE(read.has_value(), (read ? "" : read.error().detail));
    return out;
}

std::uint64_t version_of(const store& s, const entity_address& a) {
    const auto version = read_version(s, a);
    BOOST_REQUIRE(version.has_value());
    return *version;
}

void check_conflict(const expected<appended>& result) {
    BOOST_REQUIRE(result.has_error());
    BOOST_TEST((result.error().code == code::conflict));
}

verification verify(const store& s) {
    return verify_journal(s, [](std::uint64_t) {});
}

void check_bad(const store& s, std::string_view words) {
    const auto verified = verify(s);
    BOOST_REQUIRE(verified.first_bad.has_value());
    BOOST_TEST((verified.first_bad->code == code::journal_damaged));
    BOOST_TEST(verified.first_bad->detail.find(words) != std::string::npos, verified.first_bad->detail);
}

void put_log(const store& s, const record& r) {
    BOOST_REQUIRE(s.db().db->Put({}, s.db().log, keys::log(r.shard, r.seq), encode_record(r)).ok());
}

} // namespace

BOOST_AUTO_TEST_SUITE(committers)

BOOST_AUTO_TEST_CASE(an_append_is_in_log_history_and_head) {
    temporary_directory directory;
    journal_fixture journal(directory.path);
    const auto a = journal.address_in(1);
    const auto written = journal.write(a, 3, R"({"by":1})");
    const auto log = log_of(*journal.store, 1);
    BOOST_REQUIRE(log.size() == 4u);
    for (std::size_t i = 0; i < 3; ++i) {
        BOOST_TEST(encode_record(log[i + 1]) == encode_record(written[i]));
        BOOST_TEST((log[i + 1].entity == a));
        BOOST_TEST(log[i + 1].entity_seq == i + 1);
    }
    const auto history = history_of(*journal.store, a);
    BOOST_REQUIRE(history.size() == 3u);
    BOOST_TEST(encode_record(history[2]) == encode_record(written[2]));
    BOOST_TEST(history_of(*journal.store, a, 2).size() == 1u);
    BOOST_TEST(history_of(*journal.store, a, 3).empty());
    BOOST_TEST(version_of(*journal.store, a) == 3u);
    BOOST_TEST(last_time(*journal.store, 1).ms == written[2].time.ms);
    BOOST_TEST(version_of(*journal.store, journal.address_in(1)) == 0u);
}

BOOST_AUTO_TEST_CASE(a_new_activation_knows_all_earlier_appends) {
    temporary_directory directory;
    journal_fixture journal(directory.path);
    const auto a = journal.address_in(0);
    BOOST_TEST(journal.activate(a).version == 0u);
    journal.write(a, 2);
    const auto first = journal.active.at(a).id;
    const auto second = journal.activate(a);
    BOOST_TEST(second.version == 2u);
    BOOST_TEST(second.id > first);
}

BOOST_AUTO_TEST_CASE(a_replaced_activation_is_refused_and_writes_nothing) {
    temporary_directory directory;
    journal_fixture journal(directory.path);
    const auto a = journal.address_in(0);
    journal.write(a);
    auto late = journal.prepare(a);
    journal.activate(a);
    check_conflict(journal.commit(std::move(late)));
    BOOST_TEST(version_of(*journal.store, a) == 1u);
    BOOST_TEST(journal.write(a).front().entity_seq == 2u); // the new one appends
}

BOOST_AUTO_TEST_CASE(an_append_is_in_flight_until_it_is_settled) {
    temporary_directory directory;
    journal_fixture journal(directory.path);
    const auto a = journal.address_in(0);
    journal.committer->submit(journal.prepare(a), 1);
    BOOST_TEST(journal.committer->is_in_flight(a));
    BOOST_TEST(!journal.committer->is_in_flight(journal.address_in(0)));
    BOOST_REQUIRE(journal.committer->write().has_value());
    BOOST_TEST(!journal.committer->is_in_flight(a));
    auto snapshot = journal.prepare(a, 0); // has no place in the log
    journal.committer->submit(std::move(snapshot), 2);
    BOOST_TEST(journal.committer->is_in_flight(a));
    BOOST_REQUIRE(journal.committer->write().has_value());
    BOOST_TEST(!journal.committer->is_in_flight(a));
    BOOST_TEST(journal.committer->take_settled().size() == 2u);
}

BOOST_AUTO_TEST_CASE(only_the_owner_of_a_shard_activates) {
    temporary_directory directory;
    auto store = storage::store::open(options_for(directory.path));
    BOOST_REQUIRE(store.has_value());
    auto other = storage::committer::join(**store, 0, {});
    BOOST_REQUIRE(other.has_value());
    const auto refused = (*other)->activate({system_organization, "counter", make_uuid()});
    BOOST_REQUIRE(refused.has_error());
    BOOST_TEST((refused.error().code == code::unavailable));
}

BOOST_AUTO_TEST_CASE(an_unknown_or_released_activation_is_refused) {
    temporary_directory directory;
    journal_fixture journal(directory.path);
    const auto a = journal.address_in(0);
    auto early = journal.prepare(a);
    early.activation += 1;
    check_conflict(journal.commit(std::move(early)));
    journal.activate(a);
    journal.committer->release(a, journal.active.at(a).id + 1); // not its own: ignored
    journal.write(a);
    journal.committer->release(a, journal.active.at(a).id);
    check_conflict(journal.commit(journal.prepare(a)));
    auto never = journal.prepare(journal.address_in(2));
    never.entity = journal.address_in(2);
    check_conflict(journal.commit(std::move(never)));
    BOOST_TEST(log_of(*journal.store, 2).empty());
}

BOOST_AUTO_TEST_CASE(a_wrong_version_is_refused_and_the_right_one_still_goes) {
    temporary_directory directory;
    journal_fixture journal(directory.path);
    const auto a = journal.address_in(0);
    journal.write(a, 2);
    for (const std::uint64_t wrong : {0u, 1u, 3u}) {
        auto bad = journal.prepare(a);
        journal.active.at(a).version = 2;
        bad.expected_version = wrong;
        check_conflict(journal.commit(std::move(bad)));
    }
    BOOST_TEST(journal.write(a).front().entity_seq == 3u);
    BOOST_TEST(history_of(*journal.store, a).size() == 3u);
}

BOOST_AUTO_TEST_CASE(seqs_have_no_gap_across_the_entities_of_a_shard) {
    temporary_directory directory;
    journal_fixture journal(directory.path);
    std::vector<entity_address> all;
    for (int i = 0; i < 12; ++i) {
        all.push_back(journal.address_in(i % 4));
    }
    for (std::uint32_t round = 0; round < 10; ++round) {
        std::vector<append> batch;
        for (const auto& a : all) {
            batch.push_back(journal.prepare(a, 1 + round % 3));
        }
        for (const auto& result : journal.commit(batch)) {
            BOOST_TEST(result.has_value());
        }
    }
    for (std::uint32_t shard = 0; shard < 4; ++shard) {
        const auto log = log_of(*journal.store, shard); // fails on a gap
        BOOST_TEST(log.size() == 1u + 3u * (4 * 1 + 3 * 2 + 3 * 3));
        BOOST_TEST(log.back().seq == log.size());
        BOOST_TEST(journal.store->applied(shard) == log.size());
        BOOST_TEST(applied_mark(*journal.store, shard) == 0u); // a mark every 64 records
    }
    BOOST_TEST(!verify(*journal.store).first_bad.has_value());
}

BOOST_AUTO_TEST_CASE(refused_appends_leave_the_others_of_a_write_alone) {
    temporary_directory directory;
    journal_fixture journal(directory.path);
    const auto one = journal.address_in(3);
    const auto two = journal.address_in(3);
    std::vector<append> batch;
    batch.push_back(journal.prepare(one, 2));
    batch.push_back(journal.prepare(two));
    batch.back().expected_version = 9;
    batch.push_back(journal.prepare(one)); // the second append of the same entity in one write
    const auto results = journal.commit(batch);
    BOOST_REQUIRE(results[0].has_value());
    check_conflict(results[1]);
    BOOST_REQUIRE(results[2].has_value());
    BOOST_TEST(results[0]->last_seq == 3u);
    BOOST_TEST(results[2]->last_seq == 4u);
    BOOST_TEST(version_of(*journal.store, one) == 3u);
    BOOST_TEST(version_of(*journal.store, two) == 0u);
    BOOST_TEST(log_of(*journal.store, 3).size() == 4u);
}

BOOST_AUTO_TEST_CASE(each_opening_is_a_new_epoch_whose_start_stands_before_its_first_write) {
    temporary_directory directory;
    entity_address a;
    std::uint64_t epoch = 0;
    for (std::uint64_t opening = 1; opening <= 4; ++opening) {
        journal_fixture journal(directory.path);
        if (opening == 1) {
            a = journal.address_in(2);
        }
        const auto before = journal.store->applied(2);
        journal.activate(a);
        journal.write(a);
        journal.write(a);
        const auto log = log_of(*journal.store, 2);
        BOOST_REQUIRE(log.size() == before + 3);
        BOOST_TEST(log[before].type == "$epoch_started");
        BOOST_TEST(log[before].epoch > epoch);
        epoch = log[before].epoch;
        BOOST_TEST(log[before + 1].type == "added");
        BOOST_TEST(log[before + 1].epoch == epoch);
        BOOST_TEST(log[before + 2].epoch == epoch);
        BOOST_TEST(journal.store->applied(1) == 0u); // a shard without writes has no record
        BOOST_TEST(!verify(*journal.store).first_bad.has_value());
    }
    journal_fixture journal(directory.path);
    BOOST_TEST(history_of(*journal.store, a).size() == 8u);
}

BOOST_AUTO_TEST_CASE(an_epoch_does_not_start_after_the_time_of_its_first_record) {
    temporary_directory directory;
    journal_fixture journal(directory.path);
    const auto first = journal.write(journal.address_in(0)).front(); // decided long before it is written
    std::vector<timestamp> times;
    BOOST_REQUIRE(storage::read_log(*journal.store, 0, 0, [&](storage::record&& r) {
        times.push_back(r.time);
        return true;
    }));
    BOOST_REQUIRE(times.size() == 2u);
    BOOST_TEST((times[0] == first.time));
    BOOST_TEST((times[1] == first.time));
}

BOOST_AUTO_TEST_CASE(openings_without_writes_still_raise_the_epoch) {
    temporary_directory directory;
    std::uint64_t first = 0;
    {
        journal_fixture journal(directory.path);
        first = journal.write(journal.address_in(0)).front().epoch;
    }
    { journal_fixture idle(directory.path); }
    { journal_fixture idle(directory.path); }
    journal_fixture journal(directory.path);
    BOOST_TEST(journal.write(journal.address_in(0)).front().epoch >= first + 3);
}

BOOST_AUTO_TEST_CASE(a_command_leaves_a_row_that_knows_its_events) {
    temporary_directory directory;
    const auto id = make_uuid();
    const entity_address a{system_organization, "counter", id};
    timestamp time;
    {
        journal_fixture journal(directory.path);
        journal.write(a, 2);
        std::vector<append> batch;
        batch.push_back(journal.prepare(a, 3, "the-key"));
        BOOST_REQUIRE(journal.commit(batch).front().has_value());
        time = batch.front().records.front().time;
    }
    journal_fixture journal(directory.path);
    const auto row = read_command(*journal.store, a, "the-key");
    BOOST_REQUIRE(row.has_value() && row->has_value());
    BOOST_TEST((*row)->request_hash == 7u);
    BOOST_TEST((*row)->first_version == 3u);
    BOOST_TEST((*row)->events == 3u);
    BOOST_TEST((*row)->time.ms == time.ms);
    BOOST_TEST(!read_command(*journal.store, a, "the-ke")->has_value());
    BOOST_TEST(!read_command(*journal.store, a, "the-key2")->has_value());
    BOOST_TEST(!read_command(*journal.store, {a.organization, "counters", id}, "the-key")->has_value());
}

BOOST_AUTO_TEST_CASE(a_command_that_nobody_can_repeat_leaves_no_row) {
    temporary_directory directory;
    journal_fixture journal(directory.path);
    const auto a = journal.address_in(0);
    std::vector<append> batch;
    batch.push_back(journal.prepare(a, 1, "~made-up"));
    BOOST_REQUIRE(journal.commit(batch).front().has_value());
    BOOST_TEST(!read_command(*journal.store, a, "~made-up")->has_value());
    BOOST_TEST(history_of(*journal.store, a).front().command_id == "~made-up");
}

BOOST_AUTO_TEST_CASE(the_applied_mark_follows_in_steps_and_never_runs_ahead) {
    temporary_directory directory;
    journal_fixture journal(directory.path);
    const auto a = journal.address_in(2);
    for (int i = 0; i < 200; ++i) {
        journal.write(a);
        const auto mark = applied_mark(*journal.store, 2);
        const auto last = journal.store->applied(2);
        BOOST_TEST(mark <= last);
        BOOST_TEST(last - mark < 64U);
    }
    BOOST_TEST(applied_mark(*journal.store, 2) >= 128U);
}

BOOST_AUTO_TEST_CASE(neighbours_in_the_bloom_prefix_have_versions_of_their_own) {
    temporary_directory directory;
    journal_fixture journal(directory.path);
    const auto a = journal.address_in(0);
    journal.write(a, 3);
    BOOST_TEST(version_of(*journal.store, a) == 3u);
    // The same organization and id, so the same prefix: kinds that come before and after it.
    for (const auto* kind : {"counte", "counter2", "a", "z"}) {
        BOOST_TEST(version_of(*journal.store, {a.organization, kind, a.id}) == 0u);
    }
}

BOOST_AUTO_TEST_CASE(an_append_without_records_changes_only_derived_tables) {
    temporary_directory directory;
    const entity_address a{system_organization, "counter", make_uuid()};
    {
        journal_fixture journal(directory.path);
        journal.write(a, 3);
        const auto shard = journal.store->shard_of(a);
        auto snapshot = journal.prepare(a, 0);
        snapshot.derived.puts.emplace_back(keys::numbered(shard, keys::table::snapshot, a, 3),
                                           encode_snapshot_row({3, 1, "{}"}));
        BOOST_TEST(journal.commit(std::move(snapshot))->last_seq == 4u);
        BOOST_TEST(journal.store->applied(shard) == 4u);
        BOOST_TEST(journal.write(a).front().entity_seq == 4u);
        auto removal = journal.prepare(a, 0);
        removal.derived.deletes.push_back(keys::command(shard, a, "command-1"));
        BOOST_TEST(journal.commit(std::move(removal)).has_value());
    }
    journal_fixture journal(directory.path);
    const auto& activation = journal.activate(a);
    BOOST_TEST(activation.version == 4u);
    const auto snapshots = read_snapshots(*journal.store, a, 5);
    BOOST_REQUIRE(snapshots.size() == 1u);
    BOOST_TEST(snapshots[0].version == 3u);
    BOOST_TEST(!read_command(*journal.store, a, "command-1")->has_value());
}

BOOST_AUTO_TEST_CASE(a_damaged_snapshot_falls_back_to_the_one_before) {
    temporary_directory directory;
    journal_fixture journal(directory.path);
    const auto a = journal.address_in(0);
    journal.write(a, 2);
    auto snapshots = journal.prepare(a, 0);
    auto bad = encode_snapshot_row({2, 1, R"({"total":2})"});
    bad.back() = '?';
    snapshots.derived.puts.emplace_back(keys::numbered(0, keys::table::snapshot, a, 1),
                                        encode_snapshot_row({1, 1, R"({"total":1})"}));
    snapshots.derived.puts.emplace_back(keys::numbered(0, keys::table::snapshot, a, 2), bad);
    BOOST_REQUIRE(journal.commit(std::move(snapshots)).has_value());
    const auto read = read_snapshots(*journal.store, a, 2);
    BOOST_REQUIRE(read.size() == 1u);
    BOOST_TEST(read[0].state == R"({"total":1})");
    const auto verified = verify(*journal.store);
    BOOST_TEST(verified.snapshots == 2u);
    BOOST_TEST(verified.snapshots_damaged == 1u);
}

BOOST_AUTO_TEST_CASE(without_space_appends_are_refused_and_reads_go_on) {
    temporary_directory directory;
    journal_fixture journal(directory.path);
    const auto a = journal.address_in(0);
    journal.write(a);
    journal.committer = std::move(committer::open(*journal.store, std::numeric_limits<std::uint64_t>::max()).value());
    journal.activate(a);
    const auto refused = journal.commit(journal.prepare(a));
    BOOST_REQUIRE(refused.has_error());
    BOOST_TEST((refused.error().code == code::storage_full));
    BOOST_TEST(refused.error().detail.find(directory.path.string()) != std::string::npos);
    BOOST_TEST(refused.error().retry_after_s.has_value());
    BOOST_TEST(history_of(*journal.store, a).size() == 1u);
    journal.committer = std::move(committer::open(*journal.store, 0).value());
    journal.activate(a);
    BOOST_TEST(journal.write(a).front().entity_seq == 2u);
}

BOOST_AUTO_TEST_CASE(a_good_journal_is_verified) {
    temporary_directory directory;
    journal_fixture journal(directory.path);
    BOOST_TEST(verify(*journal.store).records == 0u);
    for (std::uint32_t i = 0; i < 30; ++i) {
        journal.write(journal.address_in(i % 3), 1 + i % 4);
    }
    const auto verified = verify(*journal.store);
    BOOST_TEST(!verified.first_bad.has_value());
    BOOST_TEST(verified.shards == 3u);
    std::uint64_t events = 3;
    for (std::uint32_t i = 0; i < 30; ++i) {
        events += 1 + i % 4;
    }
    BOOST_TEST(verified.records == events);
}

BOOST_AUTO_TEST_CASE(a_damaged_record_is_named_and_history_of_it_too) {
    temporary_directory directory;
    journal_fixture journal(directory.path);
    const auto a = journal.address_in(2);
    const auto written = journal.write(a, 3);
    auto value = encode_record(written[1]);
    value[value.size() / 2] = static_cast<char>(value[value.size() / 2] ^ 1);
    auto& db = journal.store->db();
    BOOST_REQUIRE(db.db->Put({}, db.log, keys::log(2, written[1].seq), value).ok());
    check_bad(*journal.store, "record 3 of shard 2 fails its checksum");
    BOOST_TEST(history_of(*journal.store, a).size() == 3u); // has its own copy
    BOOST_REQUIRE(
        db.db->Put({}, db.derived, keys::numbered(2, keys::table::history, a, 2), std::string(8, '\0') + value).ok());
    const auto history = read_history(*journal.store, a, 0, [](record&&) -> expected<void> { return {}; });
    BOOST_REQUIRE(history.has_error());
    BOOST_TEST((history.error().code == code::journal_damaged));
    BOOST_REQUIRE(db.db->Delete({}, db.derived, keys::numbered(2, keys::table::history, a, 2)).ok());
    const auto gap = read_history(*journal.store, a, 0, [](record&&) -> expected<void> { return {}; });
    BOOST_REQUIRE(gap.has_error());
    BOOST_TEST(gap.error().detail.find("lacks event 2") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_batch_cut_in_half_is_found) {
    temporary_directory directory;
    journal_fixture journal(directory.path);
    const auto written = journal.write(journal.address_in(1), 3);
    auto& db = journal.store->db();
    BOOST_REQUIRE(db.db->Delete({}, db.log, keys::log(1, written[2].seq)).ok());
    check_bad(*journal.store, "shard 1 ends within the batch");
    auto other = written[2];
    other.index_in_batch = 0;
    other.batch_size = 1;
    put_log(*journal.store, other);
    check_bad(*journal.store, "record 4 of shard 1 does not continue the batch");
    other = written[2];
    other.command_id = "another";
    put_log(*journal.store, other);
    check_bad(*journal.store, "record 4 of shard 1 does not continue the batch");
    put_log(*journal.store, written[2]);
    BOOST_TEST(!verify(*journal.store).first_bad.has_value());
}

BOOST_AUTO_TEST_CASE(records_of_an_unknown_epoch_stop_the_start) {
    temporary_directory directory;
    {
        journal_fixture journal(directory.path);
        journal.write(journal.address_in(1), 3);
        auto& db = journal.store->db();
        BOOST_REQUIRE(db.db->Delete({}, db.derived, keys::shard_table(1, keys::table::epochs)).ok());
    }
    const auto opened = store::open(options_for(directory.path));
    BOOST_REQUIRE(opened.has_value());
    const auto refused = committer::open(**opened, 0);
    BOOST_REQUIRE(refused.has_error());
    BOOST_TEST((refused.error().code == code::journal_damaged));
    BOOST_TEST(refused.error().detail.find("shard 1") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
