// A shard as a whole from one store to another. Over links: tests/runtime/cluster/clustered_checkpoints_test.cpp; under
// faults of the disk: replicated_store_simulation.cpp.

#include "storage/checkpoint.hpp"

#include "storage/audit.hpp"
#include "storage/bytes.hpp"
#include "storage/epochs.hpp"
#include "storage/log_reader.hpp"
#include "tests/storage/wired_replicas.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

using namespace troupe;
using namespace troupe::storage;
using namespace troupe::test;

namespace {

log_options few_groups() {
    log_options out;
    out.changes_bytes = 1000;
    out.tail_bytes = 1000;
    return out;
}

struct parcel {
    checkpoint_head head;
    std::vector<std::string> pieces;
    checkpoint_sum sum;
};

parcel rest_of(checkpoint_source source) {
    parcel out{source.head(), {}, {}};
    for (auto piece = source.next(200).value(); !piece.empty(); piece = source.next(200).value()) {
        out.pieces.push_back(std::move(piece));
    }
    out.sum = source.sum();
    return out;
}

expected<checkpoint_staging> staged(shard_logs& at, const parcel& what) {
    auto out = at.receive_checkpoint(what.head);
    for (const auto& piece : what.pieces) {
        if (auto added = out ? out->add(piece) : expected<void>(out.error()); !added) {
            return added.error();
        }
    }
    auto done = out ? out->finish(what.sum) : expected<void>(out.error());
    return done ? std::move(out) : expected<checkpoint_staging>(done.error());
}

/// Three replicas of a shard of which the third one lacks more than is kept.
struct away_fixture : wired_replicas {
    away_fixture() : wired_replicas(3, few_groups()) {
        filler.assign(300, 'x');
        lead(0, {0, 1, 2});
        append(0, "early", {2});
        settle({0, 1, 2});
        for (int i = 0; i < 20; ++i) {
            append(0, "c" + std::to_string(i), {1});
            settle({0, 1});
        }
    }
    shard_logs& logs(std::size_t i) { return (*this)[i].committer->logs(); }
    parcel take() { return rest_of(logs(0).take_checkpoint(0).value()); }
    expected<void> install(std::size_t i, checkpoint_staging& whole) {
        auto done = logs(i).install(whole);
        for (; done && !*done; done = logs(i).install(whole)) { // tables are written out by another thread
            std::this_thread::yield();
        }
        return done ? expected<void>() : expected<void>(done.error());
    }
    void require_equal() {
        BOOST_TEST((log_of(store(2), 0) == log_of(store(0), 0)));
        BOOST_TEST((rows_of(store(2), 0) == rows_of(store(0), 0)));
        BOOST_TEST(store(2).applied(0) == store(0).applied(0));
    }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(checkpoints, away_fixture)

BOOST_AUTO_TEST_CASE(a_replica_that_lacks_more_than_is_kept_gets_all_of_it_and_goes_on) {
    settle({0, 1, 2});
    BOOST_TEST(store(2).applied(0) < store(0).applied(0)); // entries alone do not help
    std::size_t told = 0;
    on_applied = [&](std::size_t at) { told += at == 2 ? 1 : 0; };
    auto whole = staged(logs(2), take()).value();
    BOOST_TEST(install(2, whole).has_value());
    require_equal();
    settle({0, 1, 2});
    BOOST_TEST(told > 0u);
    append(0, "later", {1, 2});
    settle({0, 1, 2});
    require_equal();
    start(2);
    settle({0, 1, 2});
    require_equal();
}

BOOST_AUTO_TEST_CASE(rows_of_the_replica_that_are_in_no_checkpoint_go) {
    auto& db = store(2).db();
    for (const auto t : {keys::table::timer, keys::table::changes, keys::table::usage}) {
        BOOST_TEST(db.db->Put({}, db.derived, keys::shard_table(0, t) + "stale", "x").ok());
    }
    BOOST_TEST(db.db->Put({}, db.log, keys::log(0, 1000), "x").ok());
    BOOST_TEST(db.db->Put({}, db.derived, keys::log_begin(1) + "next", "x").ok()); // of another shard
    auto whole = staged(logs(2), take()).value();
    BOOST_TEST(install(2, whole).has_value());
    require_equal();
    BOOST_TEST(each_kept(store(2), 0)->empty());
    std::string kept;
    BOOST_TEST(db.db->Get({}, db.derived, keys::log_begin(1) + "next", &kept).ok());
}

BOOST_AUTO_TEST_CASE(what_is_written_while_it_is_read_is_not_in_it) {
    auto source = logs(0).take_checkpoint(0).value();
    const auto before = rows_of(store(0), 0);
    append(0, "meanwhile", {1});
    settle({0, 1});
    auto whole = staged(logs(2), rest_of(std::move(source))).value();
    BOOST_TEST(install(2, whole).has_value());
    BOOST_TEST((rows_of(store(2), 0) == before));
    settle({0, 1, 2}); // it is kept, and comes as an entry
    require_equal();
}

BOOST_AUTO_TEST_CASE(entries_behind_one_that_is_under_way_are_kept) {
    auto source = logs(0).take_checkpoint(0).value();
    logs(0).keep_after(0, source.head().at.seq);
    for (int i = 0; i < 10; ++i) { // more than are kept otherwise
        append(0, "m" + std::to_string(i), {1});
        settle({0, 1});
    }
    auto whole = staged(logs(2), rest_of(std::move(source))).value();
    BOOST_TEST(install(2, whole).has_value());
    settle({0, 1, 2});
    require_equal();
    logs(0).keep_after(0, UINT64_MAX);
    append(0, "last", {1, 2});
    settle({0, 1, 2});
    BOOST_TEST(each_kept(store(0), 0)->size() < 5u);
}

BOOST_AUTO_TEST_CASE(who_has_what_is_not_kept_any_more_goes_on_without_one) {
    auto whole = staged(logs(2), take()).value();
    BOOST_TEST(install(2, whole).has_value());
    settle({0, 1, 2});
    for (int i = 0; i < 20; ++i) {
        append(0, "m" + std::to_string(i), {1, 2}); // its answers are lost
        settle({0, 1});
    }
    logs(0).on_peer_back(id_of(2)); // from the last answer on
    settle({0, 1, 2});
    require_equal();
}

BOOST_AUTO_TEST_CASE(pieces_that_are_lost_damaged_repeated_or_in_another_order_are_refused) {
    const auto good = take();
    const auto before = rows_of(store(2), 0);
    for (std::size_t i = 0; i < good.pieces.size(); ++i) {
        auto lost = good;
        lost.pieces.erase(lost.pieces.begin() + static_cast<std::ptrdiff_t>(i));
        BOOST_TEST(staged(logs(2), lost).has_error());
        auto twice = good;
        twice.pieces.insert(twice.pieces.begin() + static_cast<std::ptrdiff_t>(i), good.pieces[i]);
        BOOST_TEST(staged(logs(2), twice).has_error());
        auto damaged = good;
        damaged.pieces[i].back() ^= 1; // a value: only the sum tells
        BOOST_TEST(staged(logs(2), damaged).has_error());
        auto cut = good;
        cut.pieces[i].pop_back();
        BOOST_TEST(staged(logs(2), cut).has_error());
    }
    auto swapped = good;
    std::swap(swapped.pieces.front(), swapped.pieces.back());
    BOOST_TEST(staged(logs(2), swapped).has_error());
    BOOST_TEST((rows_of(store(2), 0) == before));
}

BOOST_AUTO_TEST_CASE(rows_of_other_shards_and_of_one_replica_are_refused) {
    for (const auto& key : {keys::log_begin(1) + "d", keys::shard_table(0, keys::table::epochs),
                            keys::shard_table(0, keys::table::applied), keys::changes(0, 7)}) {
        std::string row(1, '\1');
        put_text(row, key);
        put_text(row, "x");
        BOOST_TEST(logs(2).receive_checkpoint(take().head)->add(row).has_error());
    }
}

BOOST_AUTO_TEST_CASE(heads_that_cannot_be_are_refused) {
    const auto good = take().head;
    std::string bytes;
    put_head(bytes, good);
    const auto read = read_head(bytes);
    BOOST_REQUIRE(read.has_value());
    BOOST_TEST((read->at == good.at));
    BOOST_TEST(read->log.promise == good.log.promise);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        BOOST_TEST(read_head(bytes.substr(0, i)).has_error());
    }
    auto bad = good;
    bad.at.epoch += 1;
    bytes.clear();
    put_head(bytes, bad);
    BOOST_TEST(read_head(bytes).has_error());
    bad = good;
    bad.log.promise = 0;
    bytes.clear();
    put_head(bytes, bad);
    BOOST_TEST(read_head(bytes).has_error());
}

BOOST_AUTO_TEST_CASE(one_that_is_not_needed_any_more_is_not_installed) {
    auto first = staged(logs(2), take()).value();
    auto again = staged(logs(1), take()).error(); // the second replica has all of it
    BOOST_TEST((again.code == code::conflict));
    BOOST_TEST(install(2, first).has_value());
    BOOST_TEST(logs(2).receive_checkpoint(take().head).has_error());
    BOOST_TEST(install(2, first).has_error());
    require_equal();
}

BOOST_AUTO_TEST_CASE(the_promise_stays_and_an_older_epoch_is_refused_at_the_end) {
    auto whole = staged(logs(2), take()).value();
    lead(1, {0, 1, 2}); // all are sealed for a later epoch
    const auto promise = logs(2).of(0).core().promise();
    BOOST_TEST(promise > whole.head().log.promise);
    BOOST_TEST(install(2, whole).has_error());
    BOOST_TEST(logs(2).of(0).core().promise() == promise);
    auto next = rest_of(logs(1).take_checkpoint(0).value());
    auto newer = staged(logs(2), next).value();
    BOOST_TEST(install(2, newer).has_value());
    start(2);
    BOOST_TEST(logs(2).of(0).core().promise() == promise);
    settle({0, 1, 2});
    BOOST_TEST((rows_of(store(2), 0) == rows_of(store(1), 0)));
}

BOOST_AUTO_TEST_CASE(what_a_kill_leaves_of_a_transfer_goes_at_the_next_start) {
    const auto folder = (*this)[2].directory.path / "incoming";
    {
        auto whole = staged(logs(2), take()).value();
        BOOST_TEST(!std::filesystem::is_empty(folder));
    }
    BOOST_TEST(std::filesystem::is_empty(folder)); // given up
    std::ofstream(folder / "0-log.sst") << "half";
    const auto before = rows_of(store(2), 0);
    start(2);
    BOOST_TEST(std::filesystem::is_empty(folder));
    BOOST_TEST((rows_of(store(2), 0) == before));
    auto whole = staged(logs(2), take()).value();
    BOOST_TEST(install(2, whole).has_value());
    require_equal();
}

BOOST_AUTO_TEST_CASE(lines_of_the_audit_log_come_along_and_go_on) {
    BOOST_TEST(write_audit_lines(store(2), 0, 1000).has_value()); // of what it has
    BOOST_TEST(write_audit_lines(store(0), 0, 1000).has_value());
    auto whole = staged(logs(2), take()).value();
    BOOST_TEST(install(2, whole).has_value());
    append(0, "later", {1, 2});
    settle({0, 1, 2});
    for (const std::size_t i : {0, 2}) {
        BOOST_TEST(write_audit_lines(store(i), 0, 1000).has_value());
        BOOST_TEST(verify_audit(store(i), {}, {}, [](std::uint64_t) {}).bad_count == 0u);
    }
    require_equal();
}

BOOST_AUTO_TEST_CASE(a_trimmed_log_comes_with_its_base) {
    const auto to = store(0).applied(0);
    std::optional<record> last;
    BOOST_TEST(read_log(store(0), 0, to - 1, [&](record&& r) {
                   last = std::move(r);
                   return true;
               }).has_value());
    BOOST_TEST((*this)[0].committer->trim(0, {{to, last->epoch}, last->time}).has_value());
    auto whole = staged(logs(2), take()).value();
    BOOST_TEST(install(2, whole).has_value());
    BOOST_TEST(logs(2).base_seq(0) == to);
    append(0, "later", {1, 2});
    settle({0, 1, 2});
    start(2);
    settle({0, 1, 2});
    BOOST_TEST((rows_of(store(2), 0) == rows_of(store(0), 0)));
    BOOST_TEST(store(2).applied(0) == store(0).applied(0));
}

BOOST_AUTO_TEST_SUITE_END()
