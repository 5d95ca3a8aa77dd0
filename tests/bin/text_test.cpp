#include "bin/cli/text.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe::cli;

BOOST_AUTO_TEST_SUITE(text)

BOOST_AUTO_TEST_CASE(escape_sequences_are_removed) {
    BOOST_TEST(clean("a\x1b[31mred\x1b[0m b") == "ared b");
    BOOST_TEST(clean("\x1b]0;title\x07shown") == "shown");
    BOOST_TEST(clean("\x1b]52;c;aGk=\x1b\\shown") == "shown");
    BOOST_TEST(clean("\x1bPdevice\x1b\\shown") == "shown");
    BOOST_TEST(clean("\x1b(Bshown\x1b"
                     "7") == "shown");
    BOOST_TEST(clean("\xC2\x9B"
                     "2Jshown") == "shown"); // the C1 form of ESC [
    BOOST_TEST(clean("\x1b[?25l\x1b[2J\x1b[1;1Hshown") == "shown");
}

BOOST_AUTO_TEST_CASE(a_sequence_cut_into_pieces_is_removed_too) {
    text_filter filter;
    BOOST_TEST(filter.feed("a\x1b") == "a");
    BOOST_TEST(filter.feed("[3") == "");
    BOOST_TEST(filter.feed("1mb") == "b");
    BOOST_TEST(filter.feed("\xC3") == "");
    BOOST_TEST(filter.feed("\xA9") == "é");
}

BOOST_AUTO_TEST_CASE(an_unfinished_sequence_does_not_swallow_the_rest) {
    BOOST_TEST(clean("\x1b]0;never ended\nnext line") == "\nnext line");
    BOOST_TEST(clean("\x1b]" + std::string(10'000, 'x')).size() > 5'000U);
}

BOOST_AUTO_TEST_CASE(control_and_disguising_characters_are_removed) {
    BOOST_TEST(clean(std::string("a\0b\x08"
                                 "c\x7F",
                                 6)) == "abc");
    BOOST_TEST(clean("rm \xE2\x80\xAE"
                     "txt.exe") == "rm txt.exe"); // right-to-left override
    BOOST_TEST(clean("x\tq") == "x    q");
    BOOST_TEST(clean("10%\r20%\r\ndone") == "10%\n20%\ndone");
}

BOOST_AUTO_TEST_CASE(broken_utf8_is_mended) {
    BOOST_TEST(clean("a\xFF"
                     "b") == "a\xEF\xBF\xBD"
                             "b");
    BOOST_TEST(clean("\xC0\xAF") == "\xEF\xBF\xBD\xEF\xBF\xBD"); // an overlong slash
    BOOST_TEST(clean("\xED\xA0\x80"
                     "x")
                   .ends_with("x")); // a surrogate
    BOOST_TEST(clean("déjà 漢字 🎭") == "déjà 漢字 🎭");
}

BOOST_AUTO_TEST_CASE(a_line_has_no_line_feeds) { BOOST_TEST(clean_line(" a\n\n b\t c \n") == "a b c"); }

BOOST_AUTO_TEST_CASE(width_counts_columns) {
    BOOST_TEST(display_width("abc") == 3U);
    BOOST_TEST(display_width("漢字") == 4U);
    BOOST_TEST(display_width("e\xCC\x81") == 1U); // e and a combining accent
    BOOST_TEST(shorten("abcdef", 4) == "abc…");
    BOOST_TEST(shorten("漢字漢字", 5) == "漢字…");
    BOOST_TEST(shorten("abc", 0) == "abc");
}

BOOST_AUTO_TEST_CASE(wrapping_breaks_at_spaces_and_long_words_where_it_must) {
    const auto per = boost::test_tools::per_element();
    BOOST_TEST(wrap("one two three", 8) == (std::vector<std::string>{"one two", "three"}), per);
    BOOST_TEST(wrap("abcdefghij", 4) == (std::vector<std::string>{"abcd", "efgh", "ij"}), per);
    BOOST_TEST(wrap("a\n\nb", 10) == (std::vector<std::string>{"a", "", "b"}), per);
    BOOST_TEST(wrap("  in code", 20) == (std::vector<std::string>{"  in code"}), per);
    BOOST_TEST(wrap("one two", 0) == (std::vector<std::string>{"one two"}), per);
}

BOOST_AUTO_TEST_SUITE_END()
