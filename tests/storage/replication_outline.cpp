#include "storage/replication/outline.hpp"

#include <boost/test/unit_test.hpp>

#include <vector>

using namespace troupe::storage::replication;

BOOST_AUTO_TEST_SUITE(replication_outline)

namespace {

/// Entries 1–3 of epoch 1, 4–5 of epoch 3, 6 of epoch 4.
log_outline three_epochs() {
    log_outline log;
    log.append(1, 3);
    log.append(3, 2);
    log.append(4, 1);
    return log;
}

} // namespace

BOOST_AUTO_TEST_CASE(a_later_epoch_is_greater_than_a_longer_log) {
    BOOST_TEST((position{3, 2} > position{9, 1}));
    BOOST_TEST((position{4, 2} > position{3, 2}));
    BOOST_TEST((position{3, 2} == position{3, 2}));
}

BOOST_AUTO_TEST_CASE(every_entry_has_the_epoch_it_was_appended_with) {
    const auto log = three_epochs();
    BOOST_TEST((log.last() == position{6, 4}));
    BOOST_TEST(log.epoch_at(0) == 0U);
    BOOST_TEST(log.epoch_at(3) == 1U);
    BOOST_TEST(log.epoch_at(4) == 3U);
    BOOST_TEST(log.run_end(1) == 3U);
    BOOST_TEST(log.run_end(5) == 5U);
    BOOST_TEST(log.run_end(6) == 6U);
    BOOST_TEST(log.contains({5, 3}));
    BOOST_TEST(!log.contains({5, 4}));
    BOOST_TEST(!log.contains({7, 4}));
}

BOOST_AUTO_TEST_CASE(a_long_epoch_takes_one_run) {
    log_outline log;
    for (int i = 0; i < 1000; ++i) {
        log.append(2, 3);
    }
    BOOST_TEST((log.runs() == std::vector<epoch_run>{{2, 1}}));
    BOOST_TEST(log.last().seq == 3000U);
}

BOOST_AUTO_TEST_CASE(truncation_drops_the_suffix_and_its_runs) {
    auto log = three_epochs();
    log.truncate(7);
    BOOST_TEST((log.last() == position{6, 4}));
    log.truncate(5);
    BOOST_TEST((log.last() == position{4, 3}));
    log.truncate(4);
    BOOST_TEST((log.last() == position{3, 1}));
    log.truncate(1);
    BOOST_TEST((log.last() == position{}));
    BOOST_TEST(log.runs().empty());
}

BOOST_AUTO_TEST_CASE(trimming_keeps_the_position_below_the_first_entry) {
    auto log = three_epochs();
    log.trim(4);
    BOOST_TEST((log.base() == position{4, 3}));
    BOOST_TEST((log.runs() == std::vector<epoch_run>{{3, 5}, {4, 6}}));
    BOOST_TEST(log.contains({4, 3}));
    BOOST_TEST(!log.contains({3, 1}));
    log.trim(2); // Below the base: nothing changes.
    BOOST_TEST((log.base() == position{4, 3}));
    log.trim(6);
    BOOST_TEST(log.runs().empty());
    BOOST_TEST((log.last() == position{6, 4}));
    log.append(4, 1);
    BOOST_TEST((log.at(7) == position{7, 4}));
}

BOOST_AUTO_TEST_CASE(backtracking_finds_where_two_logs_may_agree) {
    const auto log = three_epochs();
    BOOST_TEST((log.backtrack({9, 9}) == position{6, 4}));
    BOOST_TEST((log.backtrack({5, 9}) == position{5, 3}));
    BOOST_TEST((log.backtrack({9, 2}) == position{3, 1}));
    BOOST_TEST((log.backtrack({2, 1}) == position{2, 1}));
    BOOST_TEST((log.backtrack({9, 0}) == position{}));
}

BOOST_AUTO_TEST_SUITE_END()
