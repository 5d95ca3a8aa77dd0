#include "actors/common/form_answer.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace troupe;
using namespace troupe::actors;

namespace {

const std::string trip = R"({"type":"object","required":["city"],"properties":{
    "city":{"type":"string","title":"City","description":"Where to?","minLength":2},
    "days":{"type":"integer","minimum":1,"maximum":9,"default":3},
    "class":{"type":"string","enum":["first","second"]},
    "insured":{"type":"boolean"}}})";

std::string one(const std::string& declared) { return R"({"type":"object","properties":{"x":)" + declared + "}}"; }

std::string filled(const std::string& schema, const std::string& answer) {
    const auto content = fill_form(schema, answer);
    BOOST_REQUIRE_MESSAGE(content.has_value(), (content ? "" : content.error().detail));
    return content->text;
}

void refused(const std::string& schema, const std::string& answer, const std::string& pointer) {
    const auto content = fill_form(schema, answer);
    BOOST_REQUIRE_MESSAGE(content.has_error(), answer);
    BOOST_TEST((content.error().code == code::invalid_request));
    BOOST_TEST((content.error().errors.empty() ? "" : content.error().errors.front().pointer) == pointer);
}

} // namespace

BOOST_AUTO_TEST_SUITE(form_answer)

BOOST_AUTO_TEST_CASE(a_person_reads_each_field_with_what_it_takes) {
    BOOST_TEST(describe_form(trip).value() == "city: text (City) (Where to?)\n"
                                              "days: a whole number, 3 when left out\n"
                                              "class: one of first, second, may be left out\n"
                                              "insured: true or false, may be left out\n");
    BOOST_TEST(describe_form(one(R"({"type":"string","oneOf":[{"const":"#f00","title":"Red"}]})")).value() ==
               "x: one of #f00, may be left out\n");
    BOOST_TEST(describe_form(one(R"({"type":"array","items":{"type":"string","enum":["a","b"]}})")).value() ==
               "x: some of a, b, may be left out\n");
}

BOOST_AUTO_TEST_CASE(what_is_no_form_of_plain_fields_is_refused) {
    std::string many = R"({"type":"object","properties":{)";
    for (std::size_t i = 0; i <= form_fields_max; ++i) {
        many += (i > 0 ? "," : "") + std::string("\"f") + std::to_string(i) + R"(":{"type":"string"})";
    }
    for (const std::string& schema : {std::string(), std::string("{"), std::string("[]"), std::string("{}"),
                                      std::string(R"({"properties":{}})"), std::string(R"({"properties":[]})"),
                                      one(R"({"type":"object"})"), one(R"({"type":"array"})"), one("7"), many + "}}"}) {
        BOOST_TEST(describe_form(schema).has_error(), schema);
        BOOST_TEST(fill_form(schema, "x").has_error(), schema);
    }
}

BOOST_AUTO_TEST_CASE(an_object_fills_in_the_fields_and_defaults_the_rest) {
    BOOST_TEST(filled(trip, R"( {"city":"Basel","insured":true} )") == R"({"city":"Basel","insured":true,"days":3})");
    BOOST_TEST(filled(trip, R"({"city":"Basel","days":1})") == R"({"city":"Basel","days":1})");
}

BOOST_AUTO_TEST_CASE(one_value_is_for_the_one_field_that_is_wanted) {
    BOOST_TEST(filled(trip, "  Basel\n") == R"({"city":"Basel","days":3})");
    BOOST_TEST(filled(one(R"({"type":"boolean"})"), "yes") == R"({"x":true})");
    BOOST_TEST(filled(one(R"({"type":"boolean"})"), "n") == R"({"x":false})");
    BOOST_TEST(filled(one(R"({"type":"integer"})"), "7") == R"({"x":7})");
    BOOST_TEST(filled(one(R"({"type":"string"})"), "7") == R"({"x":"7"})");
    BOOST_TEST(filled(one(R"({"type":"array","items":{"type":"string","enum":["a","b"]}})"), R"(["a"])") ==
               R"({"x":["a"]})");
    refused(one(R"({"type":"boolean"})"), "perhaps", "");
    refused(one(R"({"type":"integer"})"), "seven", "");
    refused(one(R"({"type":"integer"})"), "7.5", "/answer/x");
    refused(R"({"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}}})", "x", "");
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_named) {
    refused(trip, R"({"city":"B"})", "/answer/city");
    refused(trip, R"({"city":"Basel","days":10})", "/answer/days");
    refused(trip, R"({"city":"Basel","class":"third"})", "/answer/class");
    refused(trip, R"({"city":"Basel","pin":"1"})", "/answer/pin");
    refused(trip, "{", "");
}

BOOST_AUTO_TEST_SUITE_END()
