#include "bin/cli/board_text.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::cli;

namespace {

task_document task(const std::string& key, const std::string& title) {
    task_document t;
    t.key = key;
    t.title = title;
    return t;
}

board_document sample() {
    board_document b;
    for (const auto status : {task_status::inbox, task_status::assigned, task_status::in_progress, task_status::review,
                              task_status::done, task_status::blocked, task_status::cancelled, task_status::failed}) {
        b.columns.push_back({status, {}, false});
    }
    b.columns[0].tasks = {task("TASK-001", "A title that is much longer than a column of the board is wide, by far"),
                          task("TASK-002", "bad \x1b[31m title")};
    b.columns[0].tasks[1].waiting_for = std::vector<uuid>(2);
    b.columns[2].tasks = {task("TASK-003", "short")};
    b.columns[2].more = true;
    return b;
}

} // namespace

BOOST_AUTO_TEST_SUITE(board_text_suite)

BOOST_AUTO_TEST_CASE(columns_stand_side_by_side_where_they_fit) {
    const auto text = show_board({false, false, 120}, sample());
    BOOST_TEST(text.starts_with("inbox 2"));
    const auto first = text.substr(0, text.find('\n'));
    BOOST_TEST(first.find("in_progress 1+") != std::string::npos);
    BOOST_TEST(first.find("cancelled") == std::string::npos); // it is empty
    std::string_view rest = text;
    while (!rest.empty()) {
        const auto end = rest.find('\n');
        BOOST_TEST(end <= 130u);
        rest.remove_prefix(end + 1);
    }
    BOOST_TEST(text.find("waits for 2") != std::string::npos);
    BOOST_TEST(text.find('\x1b') == std::string::npos);
}

BOOST_AUTO_TEST_CASE(on_a_narrow_screen_one_below_the_other) {
    for (const std::size_t width : {0U, 40U}) {
        const auto text = show_board({false, false, width}, sample());
        BOOST_TEST(text.find("inbox 2\n  TASK-001 A title") == 0u);
        BOOST_TEST(text.find("\n\nin_progress 1+\n  TASK-003 short\n") != std::string::npos);
        BOOST_TEST(text.find('\x1b') == std::string::npos);
    }
    BOOST_TEST(show_board({}, {}).empty());
}

BOOST_AUTO_TEST_SUITE_END()
