#pragma once

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <cstdlib>
#include <exception>
#include <string_view>

namespace troupe::test {

/// Runs a simulation with the seeds 1 to `seeds`; TROUPE_SEED=<seed> runs that one alone, TROUPE_SEEDS=<count> more of
/// them. What it throws fails the test and names the seed. Returns how many ran.
template <class Run>
std::uint64_t each_seed(std::uint64_t seeds, std::string_view world, const Run& run) {
    std::uint64_t first = 1;
    if (const char* one = std::getenv("TROUPE_SEED")) {
        first = std::strtoull(one, nullptr, 10);
        seeds = 1;
    } else if (const char* count = std::getenv("TROUPE_SEEDS")) {
        seeds = std::strtoull(count, nullptr, 10);
    }
    for (auto seed = first; seed < first + seeds; ++seed) {
        try {
            run(seed);
        } catch (const std::exception& broken) {
            BOOST_FAIL("TROUPE_SEED=" << seed << " with " << world << ": not true: " << broken.what());
        }
    }
    return seeds;
}

} // namespace troupe::test
