#include "runtime/services.hpp"

#include <boost/test/unit_test.hpp>

#include <thread>
#include <utility>

using namespace troupe;

BOOST_AUTO_TEST_SUITE(asking)

BOOST_AUTO_TEST_CASE(ask_gives_the_answer_of_another_thread) {
    std::jthread answering;
    runtime::services s;
    s.submit = [&](runtime::command c, runtime::reply_port port) {
        answering = std::jthread([type = c.type, port = std::move(port)] {
            port(type == "good" ? runtime::reply(runtime::outcome{7, false, "{}"})
                                : runtime::reply(problem{code::conflict, "Not now."}));
        });
    };
    BOOST_TEST(runtime::ask(s, {.to = {}, .type = "good"}).value().version == 7u);
    BOOST_TEST((runtime::ask(s, {.to = {}, .type = "bad"}).error().code == code::conflict));
}

BOOST_AUTO_TEST_CASE(ask_of_a_node_that_ends_meanwhile_is_of_unknown_outcome) {
    runtime::services s;
    s.submit = [](const runtime::command&, const runtime::reply_port&) {}; // the port is destroyed unanswered
    const auto answer = runtime::ask(s, {.to = {}, .type = "add"});
    BOOST_REQUIRE(!answer);
    BOOST_TEST((answer.error().code == code::unknown_outcome));
}

BOOST_AUTO_TEST_SUITE_END()
