#include "schemas/base/described.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace troupe::sample {

BOOST_DEFINE_ENUM_CLASS(colour, red, green)

struct line {
    std::string name;
    std::uint8_t count = 1;
    static constexpr field_rule rules[] = {
        {.name = "name", .required = true, .min = 1, .max = 5, .doc = "Its \"name\"."}, {.name = "count", .max = 9}};
};
BOOST_DESCRIBE_STRUCT(line, (), (name, count))

struct order {
    bool paid = false;
    std::int64_t delta = 0;
    std::uint64_t total = 0;
    double weight = 0;
    std::string note;
    colour paint = colour::red;
    uuid id;
    timestamp at;
    json::raw extra;
    std::optional<std::string> nick;
    std::optional<std::int32_t> floor;
    std::vector<line> lines;
    std::set<std::string> tags;
    std::map<std::string, colour> paints;
    static constexpr field_rule rules[] = {
        {.name = "total", .max = 1000},
        {.name = "note", .doc = "Free text.", .example = "\"fragile\""},
        {.name = "extra", .doc = "Anything."},
        {.name = "nick", .min = 2, .max = 4},
        {.name = "floor", .min = -2, .max = 50},
        {.name = "lines", .max = 2},
        {.name = "paints", .max = 1},
    };
};
BOOST_DESCRIBE_STRUCT(order, (),
                      (paid, delta, total, weight, note, paint, id, at, extra, nick, floor, lines, tags, paints))

struct opened {
    std::string by;
};
BOOST_DESCRIBE_STRUCT(opened, (), (by))
struct closed {
    int reason = 0;
};
BOOST_DESCRIBE_STRUCT(closed, (), (reason))
using event = std::variant<opened, closed>;

} // namespace troupe::sample

TROUPE_NAMED(troupe::sample::opened)
TROUPE_NAMED(troupe::sample::closed)

using namespace troupe;
using sample::order;

namespace {

/// "POINTER: message" of each error, or "accepted".
std::string refusal(std::string_view text, strictness mode = strictness::input) {
    const auto decoded = from_json<order>(text, mode);
    if (decoded) {
        return "accepted";
    }
    BOOST_TEST((decoded.error().code == code::invalid_request));
    std::string out;
    for (const auto& error : decoded.error().errors) {
        out += (out.empty() ? "" : "; ") + error.pointer + ": " + error.message;
    }
    return out;
}

json::document schema_of_order() {
    auto parsed = json::document::parse(json_schema<order>());
    BOOST_REQUIRE(parsed.has_value());
    return std::move(*parsed);
}

} // namespace

BOOST_AUTO_TEST_SUITE(described)

BOOST_AUTO_TEST_CASE(every_kind_of_field_reads_back_as_it_was) {
    order o;
    o.paid = true;
    o.delta = std::numeric_limits<std::int64_t>::min();
    o.total = std::numeric_limits<std::uint64_t>::max();
    o.weight = 0.1;
    o.note = "a \"note\"\n";
    o.paint = sample::colour::green;
    o.id = make_uuid();
    o.at = timestamp{1'795'245'281'042};
    o.extra.text = R"({"x":[1]})";
    o.nick = "nick";
    o.floor = -2;
    o.lines = {{"bolt", 3}, {"nut", 255}};
    o.tags = {"b", "a"};
    o.paints = {{"a/b~c\"", sample::colour::green}};
    const auto text = to_json(o);
    const auto back = from_json<order>(text, strictness::stored);
    BOOST_REQUIRE(back.has_value());
    BOOST_TEST(to_json(*back) == text);
    BOOST_TEST(back->total == o.total);
    BOOST_TEST(back->weight == 0.1);
    BOOST_TEST((back->id == o.id && back->at == o.at && back->extra == o.extra && back->paints == o.paints));
    BOOST_TEST(back->lines[1].count == 255);
}

BOOST_AUTO_TEST_CASE(an_empty_optional_is_left_out_and_null_empties_it) {
    BOOST_TEST(to_json(order{}).find("nick") == std::string::npos);
    const auto decoded = from_json<order>(R"({"nick":null})", strictness::input);
    BOOST_REQUIRE(decoded.has_value());
    BOOST_TEST(!decoded->nick.has_value());
}

BOOST_AUTO_TEST_CASE(missing_members_take_their_default) {
    const auto decoded = from_json<order>(R"({"lines":[{"name":"x"}]})", strictness::input);
    BOOST_REQUIRE(decoded.has_value());
    BOOST_TEST(decoded->lines[0].count == 1);
}

BOOST_AUTO_TEST_CASE(unknown_members_are_refused_as_input_and_skipped_in_stored_data) {
    const auto text = R"({"paid":true,"a/b":1,"lines":[{"name":"x","colour":2}]})";
    BOOST_TEST(refusal(text) == "/lines/0/colour: unknown field; /a~1b: unknown field");
    BOOST_TEST(refusal(text, strictness::stored) == "accepted");
}

BOOST_AUTO_TEST_CASE(a_member_given_twice_is_refused_as_input) {
    BOOST_TEST(refusal(R"({"paid":true,"paid":false})") == "/paid: is given twice");
}

BOOST_AUTO_TEST_CASE(rules_bind_input_only) {
    BOOST_TEST(refusal(R"({"lines":[{}]})") == "/lines/0/name: is required");
    BOOST_TEST(refusal(R"({"lines":[{"name":""}]})") == "/lines/0/name: must not be empty");
    BOOST_TEST(refusal(R"({"lines":[{"name":"screws"}]})") == "/lines/0/name: must have at most 5 bytes, has 6");
    BOOST_TEST(refusal(R"({"lines":[{"name":"x","count":10}]})") == "/lines/0/count: must be at most 9");
    BOOST_TEST(refusal(R"({"nick":"a"})") == "/nick: must have at least 2 bytes, has 1");
    BOOST_TEST(refusal(R"({"floor":-3})") == "/floor: must be at least -2");
    BOOST_TEST(refusal(R"({"floor":51})") == "/floor: must be at most 50");
    BOOST_TEST(refusal(R"({"lines":[{"name":"a"},{"name":"b"},{"name":"c"}]})") ==
               "/lines: must have at most 2 items, has 3");
    BOOST_TEST(refusal(R"({"paints":{"a":"red","b":"red"}})") == "/paints: must have at most 1 items, has 2");
    BOOST_TEST(refusal(R"({"total":18446744073709551615})") == "/total: must be at most 1000");
    BOOST_TEST(refusal(R"({"total":1000,"nick":"ab","floor":50})") == "accepted");
    BOOST_TEST(refusal(R"({"nick":"a","lines":[{}]})", strictness::stored) == "accepted");
}

BOOST_AUTO_TEST_CASE(wrong_types_are_named_with_their_place) {
    BOOST_TEST(refusal(R"({"paid":1})") == "/paid: expected boolean, got integer");
    BOOST_TEST(refusal(R"({"delta":"1"})") == "/delta: expected integer, got string");
    BOOST_TEST(refusal(R"({"delta":1.5})") == "/delta: expected integer, got number");
    BOOST_TEST(refusal(R"({"total":-1})") == "/total: the number is out of range");
    BOOST_TEST(refusal(R"({"lines":[{"name":"x","count":256}]})") == "/lines/0/count: the number is out of range");
    BOOST_TEST(refusal(R"({"weight":true})") == "/weight: expected number, got boolean");
    BOOST_TEST(refusal(R"({"note":[]})") == "/note: expected string, got array");
    BOOST_TEST(refusal(R"({"paint":"blue"})") == "/paint: expected one of red, green");
    BOOST_TEST(refusal(R"({"paints":{"a/b":"blue"}})") == "/paints/a~1b: expected one of red, green");
    BOOST_TEST(refusal(R"({"id":"x"})") == "/id: expected a UUID");
    BOOST_TEST(refusal(R"({"at":"yesterday"})").starts_with("/at: expected an RFC 3339 time"));
    BOOST_TEST(refusal(R"({"lines":{}})") == "/lines: expected array, got object");
    BOOST_TEST(refusal(R"({"lines":[null]})") == "/lines/0: expected object, got null");
    BOOST_TEST(refusal("[]") == "/: expected object, got array");
}

BOOST_AUTO_TEST_CASE(an_unknown_name_of_an_enum_is_an_error_in_stored_data_too) {
    BOOST_TEST(refusal(R"({"paint":"blue"})", strictness::stored) == "/paint: expected one of red, green");
}

BOOST_AUTO_TEST_CASE(all_mistakes_are_reported_at_once_but_not_without_end) {
    BOOST_TEST(refusal(R"({"paid":1,"note":2})") ==
               "/paid: expected boolean, got integer; /note: expected string, got integer");
    std::string tags;
    for (int i = 0; i < 100; ++i) {
        tags += i == 0 ? "1" : ",1";
    }
    const auto decoded = from_json<order>(R"({"tags":[)" + tags + "]}", strictness::input);
    BOOST_REQUIRE(!decoded.has_value());
    BOOST_TEST(decoded.error().errors.size() == detail::decode_errors::errors_max);
}

BOOST_AUTO_TEST_CASE(text_that_is_not_json_is_another_problem) {
    const auto decoded = from_json<order>("{", strictness::input);
    BOOST_REQUIRE(!decoded.has_value());
    BOOST_TEST((decoded.error().code == code::malformed_json));
}

BOOST_AUTO_TEST_CASE(the_schema_says_what_the_types_and_rules_say) {
    const auto schema = schema_of_order();
    const auto at = [&](std::string_view pointer) {
        const auto found = schema.root().pointer(pointer);
        return found ? found->dump() : "nothing";
    };
    BOOST_TEST(at("/type") == "\"object\"");
    BOOST_TEST(at("/additionalProperties") == "false");
    BOOST_TEST(at("/required") == "nothing");
    BOOST_TEST(at("/properties/paid") == R"({"type":"boolean"})");
    BOOST_TEST(at("/properties/delta") == R"({"type":"integer"})");
    BOOST_TEST(at("/properties/total") == R"({"type":"integer","minimum":0,"maximum":1000})");
    BOOST_TEST(at("/properties/weight") == R"({"type":"number"})");
    BOOST_TEST(at("/properties/note") == R"({"type":"string","description":"Free text.","examples":["fragile"]})");
    BOOST_TEST(at("/properties/paint") == R"({"type":"string","enum":["red","green"]})");
    BOOST_TEST(at("/properties/id") == R"({"type":"string","format":"uuid"})");
    BOOST_TEST(at("/properties/at") == R"({"type":"string","format":"date-time"})");
    BOOST_TEST(at("/properties/extra") == R"({"description":"Anything."})");
    BOOST_TEST(at("/properties/nick") == R"({"type":"string","minLength":2,"maxLength":4})");
    BOOST_TEST(at("/properties/floor") == R"({"type":"integer","minimum":-2,"maximum":50})");
    BOOST_TEST(at("/properties/lines/maxItems") == "2");
    BOOST_TEST(at("/properties/lines/items/required") == R"(["name"])");
    BOOST_TEST(at("/properties/lines/items/properties/name") ==
               R"({"type":"string","description":"Its \"name\".","minLength":1,"maxLength":5})");
    BOOST_TEST(at("/properties/tags/items") == R"({"type":"string"})");
    BOOST_TEST(
        at("/properties/paints") ==
        R"({"type":"object","additionalProperties":{"type":"string","enum":["red","green"]},"maxProperties":1})");
    BOOST_TEST(json_schema<json::raw>() == R"({"description":"Any JSON value."})");
}

BOOST_AUTO_TEST_CASE(a_pointer_escapes_its_own_characters) {
    BOOST_TEST(detail::escape_pointer("a/b~c~1") == "a~1b~0c~01");
    BOOST_TEST(detail::escape_pointer("plain") == "plain");
}

BOOST_AUTO_TEST_CASE(a_named_message_reads_back_as_its_alternative) {
    const auto [name, payload] = encode_named(sample::event(sample::closed{7}));
    BOOST_TEST(name == "closed");
    BOOST_TEST(payload == R"({"reason":7})");
    const auto back = decode_named<sample::event>(name, payload, strictness::stored);
    BOOST_REQUIRE(back.has_value());
    BOOST_TEST(std::get<sample::closed>(*back).reason == 7);
    const auto other = decode_named<sample::event>("opened", R"({"by":"ada"})", strictness::stored);
    BOOST_REQUIRE(other.has_value());
    BOOST_TEST(std::get<sample::opened>(*other).by == "ada");
}

BOOST_AUTO_TEST_CASE(an_unknown_name_or_a_bad_payload_is_refused) {
    const auto unknown = decode_named<sample::event>("vanished", "{}", strictness::stored);
    BOOST_REQUIRE(!unknown.has_value());
    BOOST_TEST(unknown.error().detail.find("vanished") != std::string::npos);
    const auto bad = decode_named<sample::event>("closed", R"({"reason":"x"})", strictness::stored);
    BOOST_REQUIRE(!bad.has_value());
    BOOST_TEST(bad.error().errors.at(0).pointer == "/reason");
}

BOOST_AUTO_TEST_SUITE_END()
