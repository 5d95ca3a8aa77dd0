// JSON text: what is read is written again as it was meant, and what is written can be read.
#include "schemas/base/clock.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/json.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace troupe::fuzz {

namespace {

/// Every accessor on every value.
std::size_t walk(json::value v) {
    std::size_t seen = 1;
    (void)v.as_bool();
    (void)v.as_double();
    (void)v.text_or("a");
    (void)v.int_or("code");
    (void)v.pointer("/choices/0/delta");
    (void)v.at(1);
    if (const auto n = v.as_int(); n && *n >= 0) {
        claim(v.as_uint() == static_cast<std::uint64_t>(*n), "a number is the same, with and without a sign");
    }
    if (const auto text = v.as_string()) {
        if (const auto id = parse_uuid(*text)) {
            claim(parse_uuid(to_string(*id)) == id, "an id is read as it was written");
        }
        if (const auto time = parse_timestamp(*text)) {
            claim(parse_timestamp(to_string(*time)) == time, "a time is read as it was written");
        }
    }
    std::size_t inner = 0;
    v.each_element([&](json::value e) { seen += walk(e), ++inner; });
    v.each_member([&](std::string_view name, json::value e) {
        claim(v.find(name).has_value(), "a member can be found by its name");
        seen += walk(e), ++inner;
    });
    claim(inner == v.size(), "the size is the number of what is inside");
    return seen;
}

} // namespace

void try_input(std::string_view input) {
    if (auto parsed = json::document::parse(input)) {
        const auto seen = walk(parsed->root());
        const auto text = parsed->root().dump();
        auto again = json::document::parse(text);
        claim(again.has_value(), "what was dumped can be read");
        claim(again->root().dump() == text, "a dump is dumped as it is");
        claim(walk(again->root()) == seen, "a dump has all values");
        const auto raw = json::make_raw(input);
        claim(raw && raw->text == text, "a raw value is the same text");
    }
    const auto quoted = json::quoted(input);
    const auto back = json::document::parse(quoted);
    claim(back && back->root().as_string().has_value(), "any bytes can be quoted");
    claim(json::quoted(*back->root().as_string()) == quoted, "a quoted text is quoted as it was");
    if (const auto time = parse_timestamp(input)) {
        claim(parse_timestamp(to_string(*time)) == time, "a time is read as it was written");
    }
}

} // namespace troupe::fuzz
