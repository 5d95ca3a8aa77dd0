#include "storage/usage.hpp"

#include "storage/cut.hpp"
#include "tests/storage/journal_fixture.hpp"
#include "tests/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <thread>
#include <vector>

using namespace troupe;
using namespace troupe::storage;
using namespace troupe::test;

namespace {

constexpr std::int64_t day_ms = 24LL * 3600 * 1000;
const timestamp now{1'700'000'000'000}; // of the fixture's records
const std::uint32_t today = day_of(now);

struct ledger_fixture {
    void open() {
        journal.reset();
        journal = std::make_unique<journal_fixture>(directory.path);
        journal->store->usage().allow([this](const uuid&) -> expected<allowance> { return may; });
    }
    ledger_fixture() { open(); }

    usage_ledger& ledger() const { return journal->store->usage(); }

    /// An append that uses and holds so much, at `at`.
    append prepare(std::uint32_t shard, std::vector<usage_amount> used, std::vector<usage_amount> held = {},
                   timestamp at = now) {
        auto out = journal->prepare(journal->address_in(shard, organization));
        out.records[0].time = at;
        out.used = std::move(used);
        out.derived.held = std::move(held);
        return out;
    }
    void commit(append a) {
        std::vector<append> batch;
        batch.push_back(std::move(a));
        std::vector<expected<appended>> results;
        BOOST_REQUIRE(journal->committer->commit(batch, results).has_value());
        BOOST_REQUIRE(results.front().has_value());
    }
    bool take(usage_claim& claim, std::string_view what, std::int64_t amount = 1, timestamp at = now) {
        return ledger().take(claim, organization, what, amount, at).has_value();
    }
    std::int64_t standing(const std::string& what, timestamp at = now) {
        return ledger().standing(organization, at).value().at(what);
    }
    usage_of_day shown(std::uint32_t day) {
        return read_usage(*journal->store, organization, day, day).value().at(day);
    }

    temporary_directory directory;
    uuid organization = make_uuid();
    allowance may{"free", {}, false};
    std::unique_ptr<journal_fixture> journal;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(usage, ledger_fixture)

BOOST_AUTO_TEST_CASE(what_is_taken_counts_before_it_is_committed_and_is_given_back_when_it_is_not) {
    may.limits.tasks_per_day = 2;
    {
        usage_claim first;
        usage_claim second;
        BOOST_TEST(take(first, "tasks"));
        BOOST_TEST(take(second, "tasks"));
        BOOST_TEST(!take(second, "tasks"));
        first.give_back(0);
        BOOST_TEST(take(second, "tasks"));
        BOOST_TEST(standing("tasks") == 2);
    }
    BOOST_TEST(standing("tasks") == 0);
}

BOOST_AUTO_TEST_CASE(a_committed_claim_counts_once) {
    may.limits.tasks_per_day = 3;
    auto a = prepare(0, {{"tasks", 1}});
    BOOST_TEST(take(a.claim, "tasks"));
    commit(std::move(a));
    BOOST_TEST(standing("tasks") == 1);
    commit(prepare(1, {{"tasks", 2}})); // as of somebody who was not limited
    usage_claim claim;
    BOOST_TEST(!take(claim, "tasks"));
}

BOOST_AUTO_TEST_CASE(a_refused_append_counts_nothing) {
    may.limits.tasks_per_day = 1;
    auto a = prepare(0, {{"tasks", 1}});
    BOOST_TEST(take(a.claim, "tasks"));
    ++a.expected_version;
    {
        std::vector<append> batch;
        batch.push_back(std::move(a));
        std::vector<expected<appended>> results;
        BOOST_REQUIRE(journal->committer->commit(batch, results).has_value());
        BOOST_TEST(results.front().has_error());
    }
    BOOST_TEST(standing("tasks") == 0);
}

BOOST_AUTO_TEST_CASE(after_a_restart_the_rows_are_the_truth_and_claims_are_gone) {
    may.limits.tasks_per_day = 5;
    may.limits.agents = 2;
    commit(prepare(0, {{"tasks", 1}}, {{"agents", 1}}));
    commit(prepare(3, {{"tasks", 2}}, {{"agents", 1}}));
    auto lost = prepare(1, {{"tasks", 1}});
    BOOST_TEST(take(lost.claim, "tasks"));
    lost = {};
    open();
    BOOST_TEST(standing("tasks") == 3);
    BOOST_TEST(standing("agents") == 2);
    usage_claim claim;
    BOOST_TEST(!take(claim, "agents"));
    BOOST_TEST(take(claim, "tasks", 2));
    BOOST_TEST(!take(claim, "tasks"));
}

BOOST_AUTO_TEST_CASE(a_new_day_begins_with_nothing_used_and_all_that_is_held) {
    may.limits.tasks_per_day = 1;
    may.limits.agents = 1;
    commit(prepare(0, {{"tasks", 1}}, {{"agents", 1}}));
    usage_claim claim;
    BOOST_TEST(!take(claim, "tasks"));
    const auto tomorrow = now + day_ms;
    BOOST_TEST(take(claim, "tasks", 1, tomorrow));
    BOOST_TEST(!take(claim, "agents", 1, tomorrow));
    BOOST_TEST(standing("tasks", tomorrow) == 1); // the claim
}

BOOST_AUTO_TEST_CASE(reservations_of_tokens_count_with_what_was_used) {
    may.limits.tokens_per_day = 100;
    commit(prepare(0, {{"tokens", 30}}, {{"tokens", 60}}));
    usage_claim claim;
    BOOST_TEST(!take(claim, "tokens", 11));
    BOOST_TEST(take(claim, "tokens", 10));
    commit(prepare(1, {{"tokens", 5}}, {{"tokens", -60}})); // settled for less
    BOOST_TEST(standing("tokens") == 45);
}

BOOST_AUTO_TEST_CASE(a_part_has_a_limit_of_its_own_and_many_at_once_cannot_get_beyond_it) {
    const auto what = part_of_count("cost_micros", make_uuid());
    commit(prepare(0, {{what, 10}}, {{what, 20}}));
    std::atomic<int> taken = 0;
    {
        std::vector<usage_claim> claims(64);
        std::vector<std::jthread> threads;
        for (auto& claim : claims) {
            threads.emplace_back(
                [&] { taken += ledger().take_part(claim, organization, what, 7, 100, now).has_value() ? 1 : 0; });
        }
        threads.clear();
        BOOST_TEST(taken == 10); // 30 and ten times 7 is 100
        usage_claim other;
        const auto refused = ledger().take_part(other, organization, what, 1, 100, now);
        BOOST_TEST((refused.error().code == code::quota_exceeded));
        BOOST_TEST(refused.error().retry_after_s.value() > 0u);
        BOOST_TEST(ledger()
                       .take_part(other, organization, what, 10, 100, now + day_ms)
                       .has_value()); // of the day before counts what is held
    }
    open();
    usage_claim again;
    BOOST_TEST(!ledger().take_part(again, organization, what, 71, 100, now).has_value());
    BOOST_TEST(ledger().take_part(again, organization, what, 70, 100, now).has_value());
    BOOST_TEST(shown(today).most.empty()); // of what is only reserved there is no history
}

BOOST_AUTO_TEST_CASE(limits_are_read_again_when_they_were_forgotten) {
    may.limits.agents = 0;
    usage_claim claim;
    BOOST_TEST(!take(claim, "agents"));
    may.limits.agents = 1;
    BOOST_TEST(!take(claim, "agents"));
    ledger().forget(organization);
    BOOST_TEST(take(claim, "agents"));
}

BOOST_AUTO_TEST_CASE(organizations_and_the_nodes_own_things_do_not_share_limits) {
    may.limits.tasks_per_day = 1;
    usage_claim claim;
    usage_claim other;
    BOOST_TEST(take(claim, "tasks"));
    BOOST_TEST(ledger().take(other, make_uuid(), "tasks", 1, now).has_value());
    BOOST_TEST(ledger().take(other, system_organization, "tasks", 1'000'000, now).has_value());
}

BOOST_AUTO_TEST_CASE(days_show_what_was_used_what_was_held_at_their_end_and_the_most) {
    commit(prepare(0, {{"tasks", 2}}, {{"storage_bytes", 100}}));
    commit(prepare(1, {}, {{"storage_bytes", 50}}));
    commit(prepare(2, {}, {{"storage_bytes", -120}}));
    commit(prepare(3, {{"tasks", 1}}, {{"storage_bytes", 5}}, now + 2 * day_ms));
    const auto days = read_usage(*journal->store, organization, today - 1, today + 3).value();
    BOOST_TEST(days.size() == 5u);
    BOOST_TEST(days.at(today - 1).most.at("storage_bytes") == 0);
    BOOST_TEST(days.at(today).used.at("tasks") == 2);
    BOOST_TEST(days.at(today).most.at("storage_bytes") == 150);
    BOOST_TEST(days.at(today).held.at("storage_bytes") == 30);
    BOOST_TEST(days.at(today + 1).most.at("storage_bytes") == 30); // nothing happened
    BOOST_TEST(days.at(today + 1).used.empty());
    BOOST_TEST(days.at(today + 2).used.at("tasks") == 1);
    BOOST_TEST(days.at(today + 3).held.at("storage_bytes") == 35);
    // The end of what is asked for need not be the end of what there is.
    BOOST_TEST(shown(today).held.at("storage_bytes") == 30);
}

BOOST_AUTO_TEST_CASE(a_journal_that_was_taken_back_counts_what_is_held_anew) {
    const std::map<uuid, std::vector<usage_amount>> held{{organization, {{"agents", 1}, {"agents", 2}}}};
    BOOST_TEST(!counts_holdings(*journal->store, 0, "agent").value());
    commit(prepare(0, {{"tasks", 4}}, {{"agents", 9}}));
    commit(prepare(0, {{"tasks", 3}}, {}, now + day_ms));
    journal->committer.reset();
    BOOST_REQUIRE(cut_journal(*journal->store, now + 1000, [](std::uint64_t) {}).has_value());
    const auto days = read_usage(*journal->store, organization, today, today + 1).value();
    BOOST_TEST(days.at(today).used.at("tasks") == 4);
    BOOST_TEST(days.at(today + 1).used.empty());
    std::vector<std::pair<std::string, std::string>> rows;
    BOOST_REQUIRE(add_holdings(*journal->store, 0, held, rows).has_value());
    BOOST_REQUIRE(rows.size() == 1u);
    BOOST_TEST(static_cast<int>(rows[0].second[0]) == 3);
}

BOOST_AUTO_TEST_SUITE_END()
