#include "actors/common/assignment.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <random>

using namespace troupe;
using namespace troupe::actors;

namespace {

agent_document agent(const std::string& name, std::vector<std::string> capabilities = {"python"}) {
    agent_document a;
    a.id = derive_uuid({name});
    a.settings.name = name;
    a.settings.capabilities = std::move(capabilities);
    a.settings.max_concurrent_tasks = 2;
    return a;
}

std::string best(std::vector<agent_document> agents) { return rank_candidates(agents, {"python"}).front().name; }

} // namespace

BOOST_AUTO_TEST_SUITE(assignment_suite)

BOOST_AUTO_TEST_CASE(only_who_can_do_it_and_works_is_able) {
    auto paused = agent("a");
    paused.paused = true;
    auto stopped = agent("b");
    stopped.status = agent_status::offline;
    auto failing = agent("c");
    failing.status = agent_status::error;
    const auto ranked = rank_candidates({paused, stopped, failing, agent("d", {"go"}), agent("e", {"Python", "sql"})},
                                        {"python", "SQL"});
    BOOST_TEST(ranked.front().name == "e");
    BOOST_TEST(std::ranges::count(ranked, true, &assignment_candidate::able) == 1);
    BOOST_TEST(ranked.back().name == "d");
    BOOST_TEST(ranked.back().reasons.front() == "lacks python, SQL");
    BOOST_TEST(ranked.back().score == 0);
}

BOOST_AUTO_TEST_CASE(free_places_come_before_queues) {
    auto full = agent("a");
    full.running = {uuid{}, uuid{}};
    auto half = agent("b");
    half.running = {uuid{}};
    auto waiting = agent("c");
    waiting.running = {uuid{}, uuid{}};
    waiting.queued = {uuid{}, uuid{}, uuid{}};
    const auto ranked = rank_candidates({waiting, full, half, agent("d")}, {"python"});
    std::string order;
    for (const auto& c : ranked) {
        order += c.name;
    }
    BOOST_TEST(order == "dbac");
    BOOST_TEST(ranked.front().score == 80);
    BOOST_TEST(explain(ranked.front()) ==
               "Given to d (score 80): has python; 2 of 2 places free, 0 waiting; no earlier tasks.");
}

BOOST_AUTO_TEST_CASE(what_became_of_earlier_tasks_counts) {
    auto good = agent("z");
    good.completed = 9;
    auto bad = agent("a");
    bad.failed = 9;
    BOOST_TEST(best({bad, agent("m"), good}) == "z");
    BOOST_TEST(best({bad, agent("m")}) == "m");
}

BOOST_AUTO_TEST_CASE(the_same_agents_give_the_same_order_however_they_come) {
    std::vector<agent_document> agents;
    for (int n = 0; n < 20; ++n) {
        agents.push_back(agent("agent" + std::to_string(n % 7)));
        agents.back().id = derive_uuid({"id", std::to_string(n)});
        agents.back().completed = static_cast<std::uint64_t>(n % 3);
    }
    const auto first = rank_candidates(agents, {"python"});
    std::mt19937 random(3);
    for (int n = 0; n < 20; ++n) {
        std::ranges::shuffle(agents, random);
        const auto again = rank_candidates(agents, {"python"});
        BOOST_TEST(
            std::ranges::equal(again, first, {}, &assignment_candidate::agent_id, &assignment_candidate::agent_id));
    }
}

BOOST_AUTO_TEST_SUITE_END()
