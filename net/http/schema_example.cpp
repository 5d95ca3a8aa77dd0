#include "net/http/schema_example.hpp"

#include <algorithm>
#include <set>
#include <vector>

namespace troupe::net {

namespace {

constexpr int depth_max = 8; // of a schema that contains itself

/// The first of a list of types, as in ["string","null"].
std::string type_of(const json::value& schema) {
    const auto type = schema.find("type");
    const auto first = type ? type->at(0) : std::nullopt;
    return std::string((first ? first : type).value_or(schema).as_string().value_or(""));
}

std::string text_example(std::string_view name, const json::value& schema) {
    const auto format = schema.text_or("format");
    if (format == "uuid")
        return "018f6e2c-7b1a-7c3d-9e4f-5a6b7c8d9e0f";
    if (format == "date-time")
        return "2026-11-21T07:14:41.000Z";
    if (format == "uri-reference")
        return "/api/v1";
    if (name == "sha256")
        return "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    auto text = std::string(name.empty() ? "text" : name);
    const auto bytes_max = static_cast<std::size_t>(std::max<std::int64_t>(schema.int_or("maxLength", 1000), 0));
    text.resize(std::min(text.size(), bytes_max));
    const auto bytes_min = static_cast<std::size_t>(std::max<std::int64_t>(schema.int_or("minLength", 0), 0));
    text.resize(std::max(text.size(), bytes_min), 'x');
    return text;
}

} // namespace

void example_book::learn(std::string_view schema) {
    if (const auto parsed = json::document::parse(schema))
        learn("", parsed->root());
}

void example_book::learn(std::string_view name, const json::value& schema) {
    if (const auto given = schema.pointer("/examples/0"))
        known_.try_emplace(type_of(schema) + "/" + std::string(name), given->dump());
    if (const auto members = schema.find("properties"))
        members->each_member([&](std::string_view member, json::value s) { learn(member, s); });
    if (const auto items = schema.find("items"))
        learn("", *items);
}

std::string example_book::of_request(std::string_view schema) const {
    const auto parsed = json::document::parse(schema);
    return parsed ? make("", parsed->root(), false, 0) : "null";
}

std::string example_book::of_reply(std::string_view schema) const {
    const auto parsed = json::document::parse(schema);
    return parsed ? make("", parsed->root(), true, 0) : "null";
}

std::string example_book::make(std::string_view name, const json::value& schema, bool all, int depth) const {
    if (const auto given = schema.pointer("/examples/0"))
        return given->dump();
    if (const auto given = schema.find("default"))
        return given->dump();
    if (const auto values = schema.find("enum"))
        return values->at(0) ? values->at(0)->dump() : "null";
    const auto type = type_of(schema);
    const auto known = known_.find(type + "/" + std::string(name));
    if (known != known_.end() && !schema.find("format"))
        return known->second;
    if (type == "object")
        return make_object(schema, all, depth);
    if (type == "array") {
        const auto items = schema.find("items");
        const bool some = items && depth < depth_max && (all || schema.int_or("minItems") > 0);
        return some ? "[" + make("", *items, all, depth + 1) + "]" : "[]";
    }
    if (type == "string")
        return json::quoted(text_example(name, schema));
    if (type == "integer" || type == "number")
        return std::to_string(
            std::min(std::max<std::int64_t>(1, schema.int_or("minimum", 1)), schema.int_or("maximum", 1'000'000)));
    if (type == "boolean")
        return "false";
    return type.empty() && name.empty() ? "{}" : "null";
}

std::string example_book::make_object(const json::value& schema, bool all, int depth) const {
    std::set<std::string, std::less<>> required;
    if (const auto list = schema.find("required"))
        list->each_element([&](json::value v) { required.emplace(v.as_string().value_or("")); });
    std::string out;
    json::object_writer w(out);
    if (const auto members = schema.find("properties"); members && depth < depth_max)
        members->each_member([&](std::string_view name, json::value s) {
            if (all || required.contains(name) || s.find("examples"))
                w.raw_field(name, make(name, s, all, depth + 1));
        });
    w.end();
    return out;
}

} // namespace troupe::net
