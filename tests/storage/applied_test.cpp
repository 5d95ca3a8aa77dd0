// Entries of a replica that are not committed may be dropped again: no reader of a store shows them, or acts on them.

#include "storage/audit.hpp"
#include "storage/backup.hpp"
#include "storage/cut.hpp"
#include "storage/entry_group.hpp"
#include "storage/log_reader.hpp"
#include "storage/trim.hpp"
#include "storage/written_log.hpp"
#include "tests/storage/wired_replicas.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <map>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::storage;
using namespace troupe::test;

namespace {

namespace fs = std::filesystem;

using commands = std::vector<std::string>;

constexpr timestamp never{std::numeric_limits<std::int64_t>::max()};

const commands all_names{"a", "b", "c", "d", "e", "f"};

commands in_log(const store& s) {
    commands out;
    BOOST_TEST(read_log(s, 0, 0, [&](record&& r) {
                   if (r.entity_seq > 0) {
                       out.push_back(r.type);
                   }
                   return true;
               }).has_value());
    return out;
}

commands in_audit(store& s) {
    BOOST_TEST(write_audit_lines(s, 0, 1000).has_value());
    commands out;
    for (const auto& line : *read_audit_after(s, 0, {}, 1000)) {
        out.push_back(line.type);
    }
    const auto verified = verify_audit(s, {}, {}, [](std::uint64_t) {});
    BOOST_TEST(verified.bad_count == 0u);
    BOOST_TEST(verified.pending == 0u);
    BOOST_TEST(verified.compared == out.size());
    return out;
}

commands in_history(const store& s, const entity_address& a) {
    commands out;
    BOOST_TEST(read_history(s, a, 0, [&](record&& r) -> expected<void> {
                   out.push_back(r.type);
                   return {};
               }).has_value());
    BOOST_TEST(*read_version(s, a) == out.size());
    return out;
}

commands remembered(const store& s, const entity_address& a) {
    commands out;
    for (const auto& name : all_names) {
        if (read_command(s, a, name)->has_value()) {
            out.push_back(name);
        }
    }
    return out;
}

/// Beside the node, as exports do it.
commands in_export(const store& s) {
    store_options options;
    options.directory = s.directory();
    options.read_only = true;
    const auto beside = store::open(options);
    BOOST_REQUIRE(beside.has_value());
    const auto verified = verify_journal(**beside, [](std::uint64_t) {});
    BOOST_TEST(!verified.first_bad.has_value());
    BOOST_TEST(verified.records == (*beside)->applied(0));
    BOOST_TEST(verified.waiting == written_seq(**beside, 0) - (*beside)->applied(0));
    return in_log(**beside);
}

timestamp newest(const store& s) {
    timestamp out;
    BOOST_TEST(read_log(s, 0, 0, [&](record&& r) {
                   out = std::max(out, r.time);
                   return true;
               }).has_value());
    return out;
}

/// All readers agree about it: these commands, and nothing else.
void check_shown(store& s, const entity_address& a, const commands& wanted) {
    BOOST_TEST(in_log(s) == wanted, boost::test_tools::per_element());
    BOOST_TEST(in_audit(s) == wanted, boost::test_tools::per_element());
    BOOST_TEST(in_history(s, a) == wanted, boost::test_tools::per_element());
    BOOST_TEST(remembered(s, a) == wanted, boost::test_tools::per_element());
    BOOST_TEST(in_export(s) == wanted, boost::test_tools::per_element());
    BOOST_TEST(last_time(s, 0).ms == newest(s).ms);
    const auto trimmed = find_trim(s, 0, never, 1000);
    BOOST_REQUIRE(trimmed.has_value());
    BOOST_TEST(trimmed->to.at.seq == s.applied(0));
}

/// What lies in a replica's backup: as it says itself, and as it is restored.
void check_backup(store& s, const entity_address& a, const commands& wanted, bool cut = false) {
    const temporary_directory folder;
    const auto made = create_backup(s, folder.path / "backups", backup_maker::person);
    BOOST_REQUIRE_MESSAGE(made.has_value(), (made ? "" : made.error().detail));
    BOOST_TEST(made->last_seqs.front() == s.applied(0));
    BOOST_TEST(made->newest_record_at->ms == newest(s).ms);
    BOOST_TEST(verify_backup(made->directory, [](std::uint64_t) {}).has_value());

    fs::copy(made->directory, folder.path / "restored", fs::copy_options::recursive);
    const auto waiting = written_seq(s, 0) - s.applied(0);
    {
        const auto copy = store::open(options_for(folder.path / "restored", 1));
        BOOST_REQUIRE(copy.has_value());
        BOOST_TEST(*drop_unapplied(**copy) == waiting);
        BOOST_TEST(each_kept(**copy, 0)->empty()); // rows that were erased since may be in them
        if (cut) {
            BOOST_TEST(cut_journal(**copy, {last_time(**copy, 0).ms - 1}, [](std::uint64_t) {})->records_cut == 1u);
        }
        BOOST_TEST(written_seq(**copy, 0) == (*copy)->applied(0));
        check_shown(**copy, a, wanted);
    }
    const auto again = store::open(options_for(folder.path / "restored", 1));
    BOOST_REQUIRE(again.has_value());
    BOOST_TEST(written_seq(**again, 0) == (*again)->applied(0));
    wired_replicas::replica nobody;
    log_options logs;
    logs.peers = &nobody;
    const auto joined = committer::join(**again, 0, logs);
    BOOST_REQUIRE_MESSAGE(joined.has_value(), (joined ? "" : joined.error().detail));
    BOOST_TEST((*joined)->logs().last_seq(0) == (*again)->applied(0));
    check_shown(**again, a, wanted);
}

} // namespace

BOOST_AUTO_TEST_SUITE(applied)

BOOST_AUTO_TEST_CASE(entries_that_wait_are_nobodys_until_they_are_committed) {
    wired_replicas r(3);
    r.lead(0, {0, 1, 2});
    r.append(0, "a", {1, 2});
    r.settle({0, 1, 2});
    for (std::size_t i = 0; i < 3; ++i) {
        check_shown(r.store(i), r.entity, {"a"});
        BOOST_TEST(written_seq(r.store(i), 0) == r.store(i).applied(0));
    }

    r.append(0, "b", {1}); // on two disks of three, and the owner has not heard of the second
    r.append(0, "c", {1});
    for (std::size_t i = 0; i < 2; ++i) {
        BOOST_TEST(written_seq(r.store(i), 0) == r.store(i).applied(0) + 2);
        check_shown(r.store(i), r.entity, {"a"});
        check_backup(r.store(i), r.entity, {"a"});
        r.start(i);
        BOOST_TEST(written_seq(r.store(i), 0) == r.store(i).applied(0) + 2);
        check_shown(r.store(i), r.entity, {"a"});
    }

    r.lead(1, {1, 2}); // without the owner of before: it takes what is on its disk
    r.append(1, "d", {2});
    r.settle({1, 2});
    check_shown(r.store(1), r.entity, {"a", "b", "c", "d"});
    check_shown(r.store(2), r.entity, {"a", "b", "c", "d"});
    check_shown(r.store(0), r.entity, {"a"});
    check_backup(r.store(1), r.entity, {"a", "b", "c", "d"});
    check_backup(r.store(1), r.entity, {"a", "b", "c"}, true);
    r.settle({0, 1, 2});
    check_shown(r.store(0), r.entity, {"a", "b", "c", "d"});
}

BOOST_AUTO_TEST_CASE(nothing_of_what_is_dropped_was_ever_shown) {
    wired_replicas r(5);
    r.lead(0, {0, 1, 2, 3, 4});
    r.append(0, "a", {1, 2, 3, 4});
    r.settle({0, 1, 2, 3, 4});
    r.append(0, "b", {1});
    r.append(0, "c", {});
    for (std::size_t i = 0; i < 2; ++i) {
        check_shown(r.store(i), r.entity, {"a"});
    }
    const auto written = written_seq(r.store(0), 0);

    r.lead(2, {2, 3, 4}); // which have not heard of either
    r.append(2, "d", {3, 4});
    r.settle({2, 3, 4});
    for (std::size_t i = 0; i < 2; ++i) {
        check_shown(r.store(i), r.entity, {"a"});
    }
    r.settle({0, 1, 2, 3, 4});
    for (std::size_t i = 0; i < 5; ++i) {
        check_shown(r.store(i), r.entity, {"a", "d"});
        BOOST_TEST(written_seq(r.store(i), 0) <= written);
    }
    r.append(2, "e", {0});
    r.append(2, "f", {0});
    check_backup(r.store(0), r.entity, {"a", "d"});
    check_backup(r.store(0), r.entity, {"a"}, true);
}

BOOST_AUTO_TEST_CASE(a_node_alone_shows_all_that_it_wrote) {
    const temporary_directory directory;
    std::uint64_t last = 0;
    {
        journal_fixture journal(directory.path);
        const auto a = journal.address_in(2);
        BOOST_TEST(journal.store->applied(2) == 0u);
        for (int i = 0; i < 3; ++i) {
            last = journal.write(a, 2).back().seq;
            BOOST_TEST(journal.store->applied(2) == last);
        }
    }
    const journal_fixture journal(directory.path);
    BOOST_TEST(journal.store->applied(2) == last); // its mark is behind
    BOOST_TEST(applied_mark(*journal.store, 2) < last);
    BOOST_TEST(journal.store->applied(1) == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
