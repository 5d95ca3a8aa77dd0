#include "schemas/search.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

namespace troupe {
namespace {

std::string shown(std::string_view text) {
    const auto all = parse_search(text);
    if (!all) {
        return all.error().detail;
    }
    std::string out;
    for (const auto& c : *all) {
        out += (out.empty() ? "" : " ") + std::string(c.excluded ? "-" : "") +
               (c.kind == clause_kind::phrase   ? "\"" + c.text + "\""
                : c.kind == clause_kind::prefix ? c.text + "*"
                                                : c.text);
    }
    return out;
}

BOOST_AUTO_TEST_SUITE(search_questions)

BOOST_AUTO_TEST_CASE(words_phrases_beginnings_and_what_is_left_out_are_read) {
    for (const auto* good : {"one", "one two", "\"one two\" three", "one -two", "one -\"two three\"", "begin*",
                             "TASK-017", "straße* -größe", "a_b/c.d"}) {
        BOOST_TEST(shown(good) == good);
    }
    BOOST_TEST(shown("  one\t two\n") == "one two");
    BOOST_TEST(shown("one\"two\"") == "one \"two\"");
    BOOST_TEST(shown("\"a * b\"") == "\"a * b\"");
}

BOOST_AUTO_TEST_CASE(what_cannot_be_asked_is_refused_with_its_place) {
    BOOST_TEST(shown("") == "q, at byte 1: a word to look for is missing");
    BOOST_TEST(shown("-one -two") == "q, at byte 1: a word to look for is missing");
    BOOST_TEST(shown("one \"two") == "q, at byte 5: the quotation mark is not closed");
    BOOST_TEST(shown("one - two") == "q, at byte 5: there is no word");
    BOOST_TEST(shown("one \"\"") == "q, at byte 5: there is no word");
    BOOST_TEST(shown("one *") == "q, at byte 5: there is no word");
    BOOST_TEST(shown("one t*o") == "q, at byte 5: a * can only end a word");
    BOOST_TEST(shown("ab*") == "q, at byte 1: before a * there have to be 3 to 8 characters");
    BOOST_TEST(shown("ninechars*") == "q, at byte 1: before a * there have to be 3 to 8 characters");
}

BOOST_AUTO_TEST_CASE(questions_are_bounded) {
    std::string many = "w";
    for (std::size_t i = 1; i < search_clauses_max; ++i) {
        many += " w";
    }
    BOOST_TEST(parse_search(many).has_value());
    BOOST_TEST(!parse_search(many + " w").has_value());
    BOOST_TEST(parse_search(std::string(search_bytes_max, 'w')).has_value());
    BOOST_TEST(!parse_search(std::string(search_bytes_max + 1, 'w')).has_value());
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace troupe
