#include "actors/common/waiting.hpp"

#include <boost/test/unit_test.hpp>

#include <memory>

using namespace troupe;
using namespace troupe::actors;

BOOST_AUTO_TEST_SUITE(waiting)

BOOST_AUTO_TEST_CASE(an_answer_or_none_in_time_or_none_any_more) {
    std::promise<expected<int>> given;
    given.set_value(7);
    BOOST_TEST(wait_for(given.get_future(), std::chrono::hours(1), "none").value() == 7);

    std::promise<expected<int>> refused;
    refused.set_value(problem{code::conflict, "no"});
    BOOST_TEST((wait_for(refused.get_future(), std::chrono::hours(1), "none").error().code == code::conflict));

    std::promise<expected<int>> late;
    BOOST_TEST(wait_for(late.get_future(), std::chrono::milliseconds(1), "too late").error().detail == "too late");

    auto dropped = std::make_unique<std::promise<expected<int>>>();
    auto answer = dropped->get_future();
    dropped.reset();
    BOOST_TEST((wait_for(std::move(answer), std::chrono::hours(1), "gone").error().code == code::unavailable));
}

BOOST_AUTO_TEST_SUITE_END()
