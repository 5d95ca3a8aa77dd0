#include "actors/common/csv.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe::actors;

BOOST_AUTO_TEST_SUITE(csv)

BOOST_AUTO_TEST_CASE(only_what_needs_quotes_has_them) {
    BOOST_TEST(csv_text("") == "");
    BOOST_TEST(csv_text("Tasks that were created") == "Tasks that were created");
    BOOST_TEST(csv_text("a,b") == "\"a,b\"");
    BOOST_TEST(csv_text("a\nb") == "\"a\nb\"");
    BOOST_TEST(csv_text("say \"so\"") == "\"say \"\"so\"\"\"");
}

BOOST_AUTO_TEST_CASE(no_text_is_a_formula) {
    for (const auto* text : {"=1+1", "+1", "-1", "@SUM(A1)", "\tx"}) {
        BOOST_TEST(csv_text(text) == std::string("'") + text);
    }
    BOOST_TEST(csv_text("=HYPERLINK(\"http://evil\")") == "\"'=HYPERLINK(\"\"http://evil\"\")\"");
    BOOST_TEST(csv_text("1=1") == "1=1");
}

BOOST_AUTO_TEST_SUITE_END()
