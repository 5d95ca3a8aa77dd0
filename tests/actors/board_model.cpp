#include "actors/task/board_model.hpp"

#include "tests/actors/given.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

BOOST_AUTO_TEST_SUITE(board_model_suite)

BOOST_AUTO_TEST_CASE(numbers_are_given_in_order_and_shown_nowhere) {
    entity<board_model> board;
    for (std::uint64_t n = 1; n <= 3; ++n) {
        const auto events = board.accepted(take_task_number{id_of(static_cast<std::uint8_t>(n))});
        BOOST_TEST(names_of(events) == texts{"task_number_taken"}, boost::test_tools::per_element());
        BOOST_TEST(from_json<task_number>(board.answer(), strictness::stored)->number == n);
    }
    BOOST_TEST(!board.view().exists);
    BOOST_TEST(board.owed().empty());
}

BOOST_AUTO_TEST_SUITE_END()
