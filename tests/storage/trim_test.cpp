#include "storage/trim.hpp"

#include "storage/audit.hpp"
#include "storage/base.hpp"
#include "storage/bytes.hpp"
#include "storage/cut.hpp"
#include "storage/keys.hpp"
#include "storage/log_reader.hpp"
#include "storage/rocks.hpp"
#include "tests/storage/journal_fixture.hpp"
#include "tests/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <limits>
#include <optional>

using namespace troupe;
using namespace troupe::storage;
using namespace troupe::test;

namespace {

constexpr timestamp far_ahead{std::numeric_limits<std::int64_t>::max()};

/// Finds and trims once.
trim_point trim(journal_fixture& journal, std::uint32_t shard, timestamp until = far_ahead,
                std::uint64_t records_max = 1000) {
    BOOST_REQUIRE(write_audit_lines(*journal.store, shard, 1'000'000).has_value());
    const auto point = find_trim(*journal.store, shard, until, records_max);
    BOOST_REQUIRE_MESSAGE(point.has_value(), (point ? "" : point.error().detail));
    if (point->to.at.seq > 0) {
        const auto trimmed = journal.committer->trim(shard, point->to);
        BOOST_REQUIRE_MESSAGE(trimmed.has_value(), (trimmed ? "" : trimmed.error().detail));
    }
    return *point;
}

std::vector<std::uint64_t> seqs_after(const store& s, std::uint32_t shard, std::uint64_t after) {
    std::vector<std::uint64_t> out;
    const auto read = read_log(s, shard, after, [&](record&& r) {
        out.push_back(r.seq);
        return true;
    });
    BOOST_REQUIRE_MESSAGE(read.has_value(), (read ? "" : read.error().detail));
    return out;
}

void check_whole(const store& s) {
    const auto found = verify_journal(s, [](std::uint64_t) {});
    BOOST_TEST(!found.first_bad.has_value(), (found.first_bad ? found.first_bad->detail : ""));
}

void put(const store& s, const std::string& key, const std::string& value) {
    BOOST_REQUIRE(s.db().db->Put({}, s.db().derived, key, value).ok());
}

} // namespace

BOOST_AUTO_TEST_SUITE(log_trimming)

BOOST_AUTO_TEST_CASE(a_log_begins_after_the_trimmed_records_and_goes_on_after_restarts) {
    temporary_directory directory;
    entity_address a;
    {
        journal_fixture journal(directory.path);
        a = journal.address_in(1);
        const auto first = journal.write(a, 3);
        journal.write(a, 2);
        BOOST_TEST(trim(journal, 1, first.back().time).to.at.seq == 4u); // the epoch's start, and the first command
        BOOST_TEST(read_log_base(*journal.store, 1)->at.seq == 4u);
        BOOST_TEST(read_log_base(*journal.store, 1)->time.ms == first.back().time.ms);
        BOOST_TEST(seqs_after(*journal.store, 1, 4) == (std::vector<std::uint64_t>{5, 6}));
        const auto before = read_log(*journal.store, 1, 3, [](record&&) { return true; });
        BOOST_REQUIRE(before.has_error());
        BOOST_TEST((before.error().code == code::not_found));
        journal.write(a);
        check_whole(*journal.store);
    }
    journal_fixture journal(directory.path);
    BOOST_TEST(read_log_base(*journal.store, 1)->at.seq == 4u);
    BOOST_TEST(journal.store->applied(1) == 7u);
    journal.write(a); // after the start of another epoch
    BOOST_TEST(seqs_after(*journal.store, 1, 4) == (std::vector<std::uint64_t>{5, 6, 7, 8, 9}));
    BOOST_TEST(read_log_base(*journal.store, 0)->at.seq == 0u);
    check_whole(*journal.store);
    const auto found = verify_journal(*journal.store, [](std::uint64_t) {});
    BOOST_TEST(found.trimmed == 4u);
    BOOST_TEST(found.records == 5u);
}

BOOST_AUTO_TEST_CASE(a_log_without_any_record_left_keeps_its_place_and_its_time) {
    temporary_directory directory;
    std::int64_t time = 0;
    entity_address a;
    {
        journal_fixture journal(directory.path);
        a = journal.address_in(2);
        time = journal.write(a, 4).back().time.ms;
        BOOST_TEST(trim(journal, 2).to.at.seq == 5u);
        BOOST_TEST(trim(journal, 2).to.at.seq == 0u); // nothing is left to trim
    }
    for (int life = 0; life < 2; ++life) {
        journal_fixture journal(directory.path);
        BOOST_TEST(journal.store->applied(2) == 5u);
        BOOST_TEST(last_time(*journal.store, 2).ms == time);
        BOOST_TEST(seqs_after(*journal.store, 2, 5).empty());
        BOOST_TEST(read_log(*journal.store, 2, 0, [](record&&) { return true; }).has_error());
    }
    journal_fixture journal(directory.path);
    BOOST_TEST(journal.write(a).front().seq == 7u); // after the start of an epoch
    BOOST_TEST(journal.active[a].version == 5u);
    check_whole(*journal.store);
}

BOOST_AUTO_TEST_CASE(a_log_that_was_trimmed_to_its_end_goes_on_in_the_same_epoch_and_starts_again) {
    temporary_directory directory;
    entity_address a;
    {
        journal_fixture journal(directory.path);
        a = journal.address_in(1);
        const auto written = journal.write(a, 2);
        const auto log_end = journal.store->applied(1);
        BOOST_REQUIRE(journal.committer->trim(1, {{log_end, written.back().epoch}, written.back().time}).has_value());
        journal.write(a); // no new epoch, so no row of epochs is written with it
    }
    journal_fixture journal(directory.path);
    BOOST_TEST(journal.write(a).front().entity_seq == 4u);
    check_whole(*journal.store);
}

BOOST_AUTO_TEST_CASE(a_log_is_trimmed_to_its_end_although_nobody_writes_to_it_after_a_restart) {
    temporary_directory directory;
    entity_address a;
    {
        journal_fixture journal(directory.path);
        a = journal.address_in(1);
        journal.write(a, 3); // fewer than make a mark of what is applied
    }
    {
        journal_fixture journal(directory.path);
        BOOST_TEST(trim(journal, 1).to.at.seq == 4u);
        BOOST_TEST(seqs_after(*journal.store, 1, 4) ==
                   (std::vector<std::uint64_t>{5})); // the start of this life's epoch
        BOOST_TEST(trim(journal, 1).to.at.seq == 5u);
        BOOST_TEST(trim(journal, 1).to.at.seq == 0u);
        check_whole(*journal.store);
    }
    journal_fixture journal(directory.path);
    BOOST_TEST(trim(journal, 1).to.at.seq == 0u); // a start alone writes no record
    BOOST_TEST(journal.write(a).front().entity_seq == 4u);
    check_whole(*journal.store);
}

BOOST_AUTO_TEST_CASE(a_command_is_trimmed_as_a_whole_and_in_bounded_steps) {
    temporary_directory directory;
    journal_fixture journal(directory.path);
    const auto a = journal.address_in(0);
    for (int i = 0; i < 5; ++i) {
        journal.write(a, 10);
    }
    auto point = trim(journal, 0, far_ahead, 15);
    BOOST_TEST(point.to.at.seq == 11u); // not into the second command
    BOOST_TEST(point.more);
    point = trim(journal, 0, far_ahead, 1); // a command larger than the bound goes all the same
    BOOST_TEST(point.to.at.seq == 21u);
    BOOST_TEST(point.more);
    point = trim(journal, 0, far_ahead, 100);
    BOOST_TEST(point.to.at.seq == 51u);
    BOOST_TEST(!point.more);
}

BOOST_AUTO_TEST_CASE(an_epoch_that_is_trimmed_in_its_middle_is_recovered) {
    temporary_directory directory;
    entity_address a;
    {
        journal_fixture journal(directory.path);
        a = journal.address_in(3);
        journal.write(a, 2);
    }
    std::uint64_t cut = 0;
    {
        journal_fixture journal(directory.path);
        journal.clock = 100; // later than what the first life wrote
        const auto time = journal.write(a).front().time;
        journal.write(a);
        cut = trim(journal, 3, time).to.at.seq;
        BOOST_TEST(cut > 3u);
    }
    journal_fixture journal(directory.path);
    BOOST_TEST(read_log_base(*journal.store, 3)->at.seq == cut);
    journal.write(a);
    check_whole(*journal.store);
}

BOOST_AUTO_TEST_CASE(a_record_that_its_history_lacks_is_not_trimmed) {
    temporary_directory directory;
    journal_fixture journal(directory.path);
    const auto a = journal.address_in(1);
    const auto b = journal.address_in(1);
    journal.write(a, 2);
    const auto kept = journal.write(b, 2);
    const auto row = keys::numbered(1, keys::table::history, b, 2);
    put(*journal.store, row, "something else");
    BOOST_REQUIRE(write_audit_lines(*journal.store, 1, 1000).has_value());
    auto point = find_trim(*journal.store, 1, far_ahead, 1000);
    BOOST_REQUIRE(point.has_error());
    BOOST_TEST((point.error().code == code::journal_damaged));
    BOOST_TEST(point.error().detail.find(to_string(b)) != std::string::npos, point.error().detail);
    // A base stands for it, if its state is good.
    put(*journal.store, keys::entity(1, keys::table::base, b),
        encode_base_mark({2, kept.back().seq, kept.back().time}));
    BOOST_TEST(find_trim(*journal.store, 1, far_ahead, 1000).has_error());
    put(*journal.store, keys::numbered(1, keys::table::base, b, 2), encode_snapshot_row({2, 1, "{}"}));
    BOOST_TEST(find_trim(*journal.store, 1, far_ahead, 1000)->to.at.seq == 5u);
}

BOOST_AUTO_TEST_CASE(a_journal_does_not_go_back_before_its_log_begins) {
    temporary_directory directory;
    journal_fixture journal(directory.path);
    const auto a = journal.address_in(1);
    const auto first = journal.write(a).front().time;
    const auto second = journal.write(a).front().time;
    journal.write(a);
    trim(journal, 1, second);
    journal.committer.reset();
    auto back = cut_journal(*journal.store, first, [](std::uint64_t) {});
    BOOST_REQUIRE(back.has_error());
    BOOST_TEST((back.error().code == code::conflict));
    BOOST_TEST(back.error().detail.find("retention.log_ms") != std::string::npos, back.error().detail);
    BOOST_TEST(read_version(*journal.store, a).value() == 3u); // nothing was changed
    back = cut_journal(*journal.store, second, [](std::uint64_t) {});
    BOOST_REQUIRE_MESSAGE(back.has_value(), (back ? "" : back.error().detail));
    BOOST_TEST(back->records_cut == 1u);
    BOOST_TEST(journal.store->applied(1) == 3u);
    check_whole(*journal.store);
}

BOOST_AUTO_TEST_CASE(an_entity_does_not_go_back_before_its_history_begins) {
    temporary_directory directory;
    journal_fixture journal(directory.path);
    const auto a = journal.address_in(1);
    const auto first = journal.write(a).front();
    const auto second = journal.write(a).front();
    journal.write(a);
    put(*journal.store, keys::entity(1, keys::table::base, a), encode_base_mark({2, second.seq, second.time}));
    journal.committer.reset();
    auto back = cut_journal(*journal.store, first.time, [](std::uint64_t) {});
    BOOST_REQUIRE(back.has_error());
    BOOST_TEST((back.error().code == code::conflict));
    BOOST_TEST(back.error().detail.find("retention.history_ms") != std::string::npos, back.error().detail);
    BOOST_TEST(cut_journal(*journal.store, second.time, [](std::uint64_t) {}).has_value());
}

BOOST_AUTO_TEST_CASE(the_epochs_of_a_log_that_was_never_trimmed_are_read) {
    temporary_directory directory;
    entity_address a;
    {
        journal_fixture journal(directory.path);
        a = journal.address_in(0);
        journal.write(a);
        const auto row = read_epochs(*journal.store, 0);
        std::string old; // as it was before logs could be trimmed
        put_fixed(old, std::uint8_t{1});
        put_varint(old, row->promise);
        put_varint(old, row->runs.size());
        for (const auto& run : row->runs) {
            put_varint(old, run.epoch);
            put_varint(old, run.first_seq);
        }
        put(*journal.store, keys::shard_table(0, keys::table::epochs), old);
    }
    journal_fixture journal(directory.path);
    BOOST_TEST(read_log_base(*journal.store, 0)->at.seq == 0u);
    journal.write(a);
    BOOST_TEST(seqs_after(*journal.store, 0, 0).size() == 4u);
}

BOOST_AUTO_TEST_CASE(old_histories_are_found_page_by_page_and_a_newest_command_is_none) {
    temporary_directory directory;
    journal_fixture journal(directory.path);
    std::vector<entity_address> old;
    timestamp last;
    journal.write(journal.address_in(1), 3); // one command only
    for (int i = 0; i < 5; ++i) {
        old.push_back(journal.address_in(1));
        journal.write(old.back(), 2);
        last = journal.write(old.back()).front().time;
    }
    const auto fresh = journal.address_in(1);
    journal.write(fresh);
    journal.write(fresh);
    std::vector<entity_address> found;
    std::string from;
    do {
        const auto page = find_old_histories(*journal.store, 1, from, 2, [&](std::string_view kind) {
            BOOST_TEST(kind == "counter");
            return std::optional(last);
        });
        BOOST_REQUIRE(page.has_value());
        found.insert(found.end(), page->entities.begin(), page->entities.end());
        from = page->next;
    } while (!from.empty());
    BOOST_TEST(found.size() == 5u);
    for (const auto& a : old) {
        BOOST_TEST((std::find(found.begin(), found.end(), a) != found.end()));
    }
    const auto never =
        find_old_histories(*journal.store, 1, {}, 100, [](std::string_view) { return std::optional<timestamp>(); });
    BOOST_TEST(never->entities.empty());
}

BOOST_AUTO_TEST_SUITE_END()
