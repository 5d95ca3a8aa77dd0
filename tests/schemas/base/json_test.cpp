#include "schemas/base/json.hpp"

#include "schemas/base/limits.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <thread>
#include <vector>

using namespace troupe;
using json::document;

namespace {

std::string minified(std::string_view text) {
    const auto parsed = document::parse(text);
    return parsed ? parsed->root().dump() : "refused: " + parsed.error().detail;
}

std::string nested(std::size_t levels, const std::string& inside = "1") {
    return std::string(levels, '[') + inside + std::string(levels, ']');
}

} // namespace

BOOST_AUTO_TEST_SUITE(json_texts)

BOOST_AUTO_TEST_CASE(a_document_gives_its_parts) {
    const auto d = document::parse(R"({"a":[1,-2,18446744073709551615,2.5],"b":{"c":"x\u00e9"},"t":true,"n":null})");
    BOOST_REQUIRE(d.has_value());
    const auto root = d->root();
    BOOST_TEST((root.type() == json::kind::object));
    BOOST_TEST(root.size() == 4u);
    const auto a = root.find("a");
    BOOST_REQUIRE(a.has_value());
    BOOST_TEST(a->size() == 4u);
    BOOST_TEST(a->at(0)->as_int().value() == 1);
    BOOST_TEST(a->at(0)->as_uint().value() == 1u);
    BOOST_TEST(a->at(1)->as_int().value() == -2);
    BOOST_TEST(!a->at(1)->as_uint().has_value());
    BOOST_TEST((a->at(2)->type() == json::kind::unsigned_integer));
    BOOST_TEST(!a->at(2)->as_int().has_value());
    BOOST_TEST(a->at(2)->as_uint().value() == std::numeric_limits<std::uint64_t>::max());
    BOOST_TEST(a->at(3)->as_double().value() == 2.5);
    BOOST_TEST(!a->at(3)->as_int().has_value());
    BOOST_TEST(a->at(0)->as_double().value() == 1.0);
    BOOST_TEST(!a->at(4).has_value());
    BOOST_TEST(root.pointer("/b/c")->as_string().value() == "xé");
    BOOST_TEST(!root.pointer("/b/d").has_value());
    BOOST_TEST(!root.find("z").has_value());
    BOOST_TEST(!a->find("x").has_value());
    BOOST_TEST(root.find("t")->as_bool().value());
    BOOST_TEST((root.find("n")->type() == json::kind::null));
    BOOST_TEST(root.text_or("t", "other") == "other");
    BOOST_TEST(root.find("b")->text_or("c") == "xé");
    BOOST_TEST(root.int_or("a", 7) == 7);
}

BOOST_AUTO_TEST_CASE(a_document_keeps_its_nodes_when_it_moves_and_when_others_are_parsed) {
    auto first = document::parse(R"({"name":"first"})");
    BOOST_REQUIRE(first.has_value());
    const auto name = first->root().find("name");
    document moved = std::move(*first);
    const auto second = document::parse(R"({"name":"second"})");
    BOOST_REQUIRE(second.has_value());
    BOOST_TEST(name->as_string().value() == "first");
    BOOST_TEST(moved.root().text_or("name") == "first");
}

BOOST_AUTO_TEST_CASE(what_is_not_one_json_value_is_refused) {
    using namespace std::string_view_literals;
    for (const auto text : {""sv,     " "sv,       "{"sv,        "}"sv,     "[1,]"sv,
                            "{} x"sv, "1 2"sv,     "{}{}"sv,     "nul"sv,   "'a'"sv,
                            "\"a"sv,  "{\"a\"}"sv, "{a:1}"sv,    "01"sv,    "+1"sv,
                            "NaN"sv,  "\"\\x\""sv, "\"a\nb\""sv, "[1]\0"sv, "123456789012345678901234567890"sv}) {
        const auto d = document::parse(text);
        BOOST_REQUIRE_MESSAGE(!d.has_value(), text);
        BOOST_TEST((d.error().code == code::malformed_json));
        BOOST_TEST(!d.error().detail.empty());
    }
}

BOOST_AUTO_TEST_CASE(invalid_utf8_is_refused) {
    for (const auto* text : {"\"\xff\"", "\"\xc3\"", "\"\xed\xa0\x80\"", "\"\xc0\xaf\"", "\"\xf5\x80\x80\x80\""}) {
        const auto d = document::parse(text);
        BOOST_REQUIRE(!d.has_value());
        BOOST_TEST(d.error().detail.find("UTF-8") != std::string::npos);
    }
    BOOST_TEST(document::parse("\"é€😀\"").has_value());
}

BOOST_AUTO_TEST_CASE(nesting_is_accepted_up_to_the_limit_and_not_beyond) {
    BOOST_TEST(document::parse(nested(limits::json_depth_max)).has_value());
    BOOST_TEST(document::parse(nested(limits::json_depth_max, "{}")).has_value() ==
               document::parse(nested(limits::json_depth_max, "[]")).has_value());
    const auto deeper = document::parse(nested(limits::json_depth_max + 1));
    BOOST_REQUIRE(!deeper.has_value());
    BOOST_TEST(deeper.error().detail.find("64") != std::string::npos);
    BOOST_TEST(!document::parse(nested(100'000)).has_value());
    BOOST_TEST(!document::parse(std::string(100'000, '[')).has_value());
    BOOST_TEST(document::parse(nested(3)).has_value()); // a refusal leaves the parser usable
}

BOOST_AUTO_TEST_CASE(the_limit_of_depth_outlives_a_large_text) {
    const auto large = "[\"" + std::string(3 * limits::mib, 'x') + "\"]";
    BOOST_TEST(minified(large) == large);
    BOOST_TEST(!document::parse(nested(limits::json_depth_max + 1)).has_value());
    BOOST_TEST(document::parse(nested(limits::json_depth_max)).has_value());
}

BOOST_AUTO_TEST_CASE(dump_is_minified_and_exact) {
    BOOST_TEST(minified(R"( { "a" : [ 1 , 2 ] , "b" : { } , "c" : [ ] , "d" : null, "e": [true, false] } )") ==
               R"({"a":[1,2],"b":{},"c":[],"d":null,"e":[true,false]})");
    for (const auto* text : {"-9223372036854775808", "9223372036854775807", "18446744073709551615", "0", "0.1", "2.5",
                             "1.0", "-0.0", "1e+300", "5e-324", "1.7976931348623157e+308", "0.30000000000000004"}) {
        BOOST_TEST(minified(text) == text);
    }
    BOOST_TEST(minified(R"("\u0041\/\u00e9\ud83d\ude00\n\u0001")") == "\"A/é😀\\n\\u0001\"");
}

BOOST_AUTO_TEST_CASE(doubles_read_back_as_they_were) {
    for (const double number : {0.1, 1.0 / 3, 1e21, 123456789.125, -2.0, 1e-7, 9007199254740993.0}) {
        std::string out;
        json::append_double(out, number);
        BOOST_TEST(document::parse(out)->root().as_double().value() == number);
    }
    std::string none;
    json::append_double(none, std::nan(""));
    json::append_double(none, -std::numeric_limits<double>::infinity());
    BOOST_TEST(none == "nullnull");
}

BOOST_AUTO_TEST_CASE(every_byte_at_every_place_is_written_so_that_it_reads_back) {
    for (int byte = 0; byte < 0x80; ++byte) {
        for (std::size_t place = 0; place < 20; ++place) {
            std::string text = "abcdefghijklmnopqrst";
            text[place] = static_cast<char>(byte);
            const auto d = document::parse(json::quoted(text));
            BOOST_REQUIRE(d.has_value());
            BOOST_REQUIRE(d->root().as_string().value() == text);
        }
    }
    BOOST_TEST(json::quoted("a\"\\\b\f\n\r\t\x01\x7fz") == "\"a\\\"\\\\\\b\\f\\n\\r\\t\\u0001\x7fz\"");
    BOOST_TEST(json::quoted("") == "\"\"");
    BOOST_TEST(json::quoted("é€😀 and \"more\"") == "\"é€😀 and \\\"more\\\"\"");
}

BOOST_AUTO_TEST_CASE(invalid_utf8_is_replaced_when_written) {
    BOOST_TEST(json::quoted("a\xff\"b") == "\"a\xef\xbf\xbd\\\"b\"");
    BOOST_TEST(json::quoted("é\xe2\x82") == "\"é\xef\xbf\xbd\xef\xbf\xbd\"");
    BOOST_TEST(json::quoted("\xed\xa0\x80") == "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    BOOST_TEST(json::quoted("\xc3") == "\"\xef\xbf\xbd\"");
}

BOOST_AUTO_TEST_CASE(raw_is_checked_and_minified) {
    BOOST_TEST(json::make_raw(" { \"a\" : 1 } ")->text == "{\"a\":1}");
    BOOST_TEST(!json::make_raw("{\"a\":}").has_value());
    BOOST_TEST(json::raw{}.is_null());
}

BOOST_AUTO_TEST_CASE(an_object_writer_keeps_the_commas) {
    std::string out;
    json::object_writer w(out);
    w.field("text", "a\"b")
        .field("string", std::string("s"))
        .field("flag", true)
        .field("int", -3)
        .field("big", std::uint64_t{1} << 63);
    w.field("half", 0.5).raw_field("raw", "[1]").field("na\"me", std::int64_t{7});
    w.end();
    BOOST_TEST(
        out ==
        R"({"text":"a\"b","string":"s","flag":true,"int":-3,"big":9223372036854775808,"half":0.5,"raw":[1],"na\"me":7})");
    std::string empty;
    json::object_writer(empty).end();
    BOOST_TEST(empty == "{}");
}

BOOST_AUTO_TEST_CASE(the_first_of_two_members_with_one_name_is_found) {
    const auto d = document::parse(R"({"a":1,"a":2})");
    BOOST_TEST(d->root().int_or("a") == 1);
    BOOST_TEST(d->root().size() == 2u);
}

BOOST_AUTO_TEST_CASE(a_document_may_be_read_and_end_on_another_thread) {
    auto d = document::parse(R"({"a":[1,2,3]})");
    BOOST_REQUIRE(d.has_value());
    std::string seen;
    std::thread([&seen, moved = std::move(*d)] { seen = moved.root().dump(); }).join();
    BOOST_TEST(seen == R"({"a":[1,2,3]})");
}

BOOST_AUTO_TEST_SUITE_END()
