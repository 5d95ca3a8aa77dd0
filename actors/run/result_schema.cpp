#include "actors/run/result_schema.hpp"

#include "schemas/base/json.hpp"
#include "schemas/base/json_schema.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

namespace troupe::actors {

namespace {

// A schema that refers to its own parts twice a level doubles with each: these bound what comes out.
constexpr int depth_max = 40;
constexpr std::size_t parts_max = 5'000;
constexpr std::size_t bytes_max = 4 * result_schema_bytes_max;

template <std::size_t n>
bool is_in(const std::array<std::string_view, n>& list, std::string_view name) {
    return std::ranges::find(list, name) != list.end();
}

constexpr std::array<std::string_view, 5> left_out = {"$schema", "$id", "$defs", "definitions", "$comment"};
constexpr std::array<std::string_view, 3> refused = {"pattern", "patternProperties", "uniqueItems"};
constexpr std::array<std::string_view, 13> holds_schemas = {"items",
                                                            "additionalItems",
                                                            "additionalProperties",
                                                            "contains",
                                                            "not",
                                                            "propertyNames",
                                                            "if",
                                                            "then",
                                                            "else",
                                                            "allOf",
                                                            "anyOf",
                                                            "oneOf",
                                                            "prefixItems"};

/// Writes a schema with the parts that it refers to in their places.
class inliner {
public:
    explicit inliner(json::value root) : root_(root) {}

    void write_schema(json::value schema, int depth) {
        if (wrong_ || depth > depth_max || ++parts_ > parts_max || out.size() > bytes_max) {
            refuse("is too large, or refers to itself");
            return;
        }
        if (schema.type() == json::kind::array) {
            write_each(schema, depth);
        } else if (schema.type() != json::kind::object) {
            out += schema.dump();
        } else if (const auto reference = schema.find("$ref")) {
            follow(reference->as_string().value_or(""), depth);
        } else {
            write_members(schema, depth);
        }
    }

    std::string out;
    [[nodiscard]] const std::optional<std::string>& wrong() const { return wrong_; }

private:
    void refuse(std::string why) {
        if (!wrong_) {
            wrong_ = std::move(why);
        }
    }

    void write_each(json::value list, int depth) {
        out += '[';
        list.each_element([&, first = true](json::value one) mutable {
            out += first ? "" : ",";
            first = false;
            write_schema(one, depth + 1);
        });
        out += ']';
    }

    void follow(std::string_view reference, int depth) {
        const auto target = reference.starts_with("#") ? root_.pointer(reference.substr(1)) : std::nullopt;
        if (!target) {
            refuse(fmt::format("refers to '{}', which is no part of it", reference));
            return;
        }
        write_schema(*target, depth + 1);
    }

    void write_members(json::value schema, int depth) {
        out += '{';
        schema.each_member([&, first = true](std::string_view name, json::value member) mutable {
            if (is_in(left_out, name)) {
                return;
            }
            if (is_in(refused, name)) {
                refuse(fmt::format("has '{}', which takes too long to check", name));
                return;
            }
            out += (first ? "" : ",") + json::quoted(name) + ":";
            first = false;
            if (name == "properties" && member.type() == json::kind::object) {
                write_properties(member, depth);
            } else if (is_in(holds_schemas, name)) {
                write_schema(member, depth + 1);
            } else {
                out += member.dump();
            }
        });
        out += '}';
    }

    void write_properties(json::value properties, int depth) {
        out += '{';
        properties.each_member([&, first = true](std::string_view name, json::value schema) mutable {
            out += (first ? "" : ",") + json::quoted(name) + ":";
            first = false;
            write_schema(schema, depth + 1);
        });
        out += '}';
    }

    json::value root_;
    std::size_t parts_ = 0;
    std::optional<std::string> wrong_;
};

} // namespace

expected<std::string> usable_result_schema(std::string_view schema) {
    const auto bad = [](const std::string& why) {
        return problem{
            code::invalid_request, "The result schema cannot be used: it " + why + ".", {{"/result_schema", why}}};
    };
    if (schema.size() > result_schema_bytes_max) {
        return bad(fmt::format("has {} bytes; at most {} can be used", schema.size(), result_schema_bytes_max));
    }
    const auto read = json::document::parse(schema);
    if (!read || read->root().type() != json::kind::object) {
        return bad("is no JSON object");
    }
    inliner all(read->root());
    all.write_schema(read->root(), 0);
    if (all.wrong()) {
        return bad(*all.wrong());
    }
    const auto parsed = json::document::parse(all.out);
    if (!parsed || parsed->root().text_or("type") != "object") {
        return bad("has to be that of an object: give it \"type\":\"object\"");
    }
    if (const auto checks = json_schema_check::parse(all.out); !checks) {
        return bad(checks.error().detail);
    }
    return std::move(all.out);
}

} // namespace troupe::actors
