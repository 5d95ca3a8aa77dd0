#include "net/http/edge.hpp"
#include "schemas/base/log.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <future>
#include <memory>
#include <stdexcept>

using namespace troupe;
using namespace troupe::net;

BOOST_AUTO_TEST_SUITE(io_threads)

BOOST_AUTO_TEST_CASE(a_task_that_throws_takes_no_other_with_it) {
    BOOST_REQUIRE(set_log_levels("off").has_value());
    const auto io = std::make_shared<io_thread>();
    std::promise<void> ran;
    io->post([] { throw std::runtime_error("a defect"); });
    io->post([&] { ran.set_value(); });
    io->start(); // and finds both at once
    BOOST_TEST((ran.get_future().wait_for(std::chrono::seconds(60)) == std::future_status::ready));
    io->stop();
}

BOOST_AUTO_TEST_SUITE_END()
