#include "bin/cli/terminal.hpp"

#include "bin/cli/text.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::cli;

namespace {

const std::vector<column> columns = {{"RUN"}, {"STATUS"}, {"STEPS", true}, {"GOAL", false, true, 12}};
const std::vector<std::vector<cell>> rows = {
    {{"018f3c1e-7d2a"}, {"✓ succeeded"}, {"4"}, {"Add a subtract function and its test to the calculator project"}},
    {{"018f3c1e-9001"}, {"● running"}, {"12"}, {"Make\nthe build\x1b[2J pass"}}};

std::size_t widest(const std::string& text) {
    std::size_t width = 0;
    for (const auto& line : lines_of(text)) {
        width = std::max(width, display_width(line));
    }
    return width;
}

} // namespace

BOOST_AUTO_TEST_SUITE(terminal)

BOOST_AUTO_TEST_CASE(a_table_fits_sixty_columns) {
    const auto text = table({.width = 60}, columns, rows);
    BOOST_TEST(text == "RUN            STATUS       STEPS  GOAL\n"
                       "018f3c1e-7d2a  ✓ succeeded      4  Add a subtract function…\n"
                       "018f3c1e-9001  ● running       12  Make the build pass\n");
    BOOST_TEST(widest(text) <= 60U);
}

BOOST_AUTO_TEST_CASE(a_table_uses_what_it_needs_of_a_hundred_and_twenty) {
    const auto text = table({.width = 120}, columns, rows);
    BOOST_TEST(text.find("to the calculator project\n") != std::string::npos);
    BOOST_TEST(widest(text) == 97U);
}

BOOST_AUTO_TEST_CASE(a_pipe_gets_everything_and_no_colour) {
    const auto text = table({}, columns, rows);
    BOOST_TEST(text.find("to the calculator project\n") != std::string::npos);
    BOOST_TEST(text.find('\x1b') == std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_pipe_gets_long_texts_shortened_and_the_rest_whole) {
    const std::string text(90'000, 'x');
    const auto piped = table({}, {{"ID"}, {"GOAL", false, true}}, {{{text}, {text}}});
    BOOST_TEST(widest(piped) == text.size() + 2 + piped_width_max);
}

BOOST_AUTO_TEST_CASE(colour_does_not_move_columns) {
    const auto text =
        table({.interactive = true, .colour = true, .width = 60}, {{"A"}, {"B"}}, {{{"x", tone::bad}, {"y"}}});
    BOOST_TEST(text.find("\x1b[31mx\x1b[0m  y") != std::string::npos);
    BOOST_TEST(clean(text) == "A  B\nx  y\n");
}

BOOST_AUTO_TEST_CASE(flexible_columns_give_way_the_widest_first) {
    const std::vector<column> two = {{"a", false, true, 5}, {"b", false, true, 5}, {"c"}};
    const auto widths = fit_columns(two, {30, 10, 4}, 30);
    BOOST_TEST(widths == (std::vector<std::size_t>{12, 10, 4}), boost::test_tools::per_element());
    const auto least = fit_columns(two, {30, 10, 4}, 5);
    BOOST_TEST(least == (std::vector<std::size_t>{5, 5, 4}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(details_align_and_leave_out_what_is_empty) {
    BOOST_TEST(details({.width = 24}, {{"run", {"018f"}}, {"error", {""}}, {"goal", {"one two three four five"}}}) ==
               "run   018f\n"
               "goal  one two three four\n"
               "      five\n");
}

BOOST_AUTO_TEST_CASE(times_are_relative) {
    const timestamp now{1'800'000'000'000};
    BOOST_TEST(relative_time(now, now) == "now");
    BOOST_TEST(relative_time(now + -12'000, now) == "12 s ago");
    BOOST_TEST(relative_time(now + -3'600'000, now) == "1 h ago");
    BOOST_TEST(relative_time(now + 180'000, now) == "in 3 min");
    BOOST_TEST(relative_time(now + -90LL * 24 * 3'600'000, now) == "2026-10-17");
}

BOOST_AUTO_TEST_CASE(quantities_have_units) {
    BOOST_TEST(duration_text(340) == "340 ms");
    BOOST_TEST(duration_text(2'450) == "2.4 s");
    BOOST_TEST(duration_text(200'000) == "3 min 20 s");
    BOOST_TEST(duration_text(7'500'000) == "2 h 05 min");
    BOOST_TEST(bytes_text(1023) == "1023 B");
    BOOST_TEST(bytes_text(1536) == "1.5 KiB");
    BOOST_TEST(count_text(1234567) == "1 234 567");
    BOOST_TEST(count_text(999) == "999");
}

BOOST_AUTO_TEST_SUITE_END()
