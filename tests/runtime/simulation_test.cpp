#include "tests/runtime/simulation.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <iostream>

using namespace troupe;
using namespace troupe::test;

namespace {

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
    const char* const text = std::getenv(name);
    return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

} // namespace

BOOST_AUTO_TEST_SUITE(simulations)

BOOST_AUTO_TEST_CASE(nothing_acknowledged_is_lost_and_nothing_is_done_twice) {
    const auto first = from_environment("TROUPE_SIM_FIRST", 1);
    const auto seeds = from_environment("TROUPE_SIM_SEEDS", 100);
    simulation::statistics sum;
    std::uint64_t trace = 0;
    for (auto seed = first; seed < first + seeds; ++seed) {
        simulation world(seed, seed % 2 == 0);
        const auto wrong = world.run();
        BOOST_TEST(!wrong, "seed " << seed << ": " << wrong.value_or("") << "\nagain: TROUPE_SIM_FIRST=" << seed
                                   << " TROUPE_SIM_SEEDS=1 build/release/test_runtime -t simulations/nothing*");
        const auto& c = world.counts();
        sum.commands += c.commands;
        sum.acknowledged += c.acknowledged;
        sum.restarts += c.restarts;
        sum.cuts_in_work += c.cuts_in_work;
        sum.disk_failures += c.disk_failures;
        sum.ends_of_process += c.ends_of_process;
        sum.crashes += c.crashes;
        sum.full += c.full;
        sum.set_clocks += c.set_clocks;
        sum.performed += c.performed;
        sum.works_failed += c.works_failed;
        sum.events_cut += c.events_cut;
        sum.trimmed += c.trimmed;
        trace ^= world.trace() * seed;
    }
    BOOST_TEST_MESSAGE(
        sum.commands << " commands, " << sum.acknowledged << " acknowledged, " << sum.restarts << " restarts, "
                     << sum.cuts_in_work << " cuts within an operation, " << sum.disk_failures
                     << " failures of the disk, " << sum.ends_of_process << " ends of the process, " << sum.performed
                     << " works performed (" << sum.works_failed << " in vain), " << sum.crashes << " crashes, "
                     << sum.full << " refused by a full disk, " << sum.events_cut << " events cut and " << sum.trimmed
                     << " records trimmed by retention, " << sum.set_clocks << " set clocks; trace " << trace);
}

BOOST_AUTO_TEST_CASE(a_seed_is_the_same_story_each_time) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        std::uint64_t traces[2];
        for (auto& trace : traces) {
            simulation world(seed);
            (void)world.run();
            trace = world.trace();
        }
        BOOST_TEST(traces[0] == traces[1], "seed " << seed);
    }
}

BOOST_AUTO_TEST_SUITE_END()
