#pragma once

#include "schemas/base/clock.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/json.hpp"
#include "schemas/base/problem.hpp"

#include <boost/describe.hpp>
#include <boost/mp11.hpp>

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

/// From one BOOST_DESCRIBE_STRUCT: JSON out, JSON in with paths, and a JSON Schema.
///
/// Field types: bool, integers, double, std::string, described enums (as their names), troupe::uuid,
/// troupe::timestamp, json::raw (any value), std::optional, std::vector, std::set, std::map<std::string, T>
/// and described structs. An empty optional is left out.
namespace troupe {

/// What validation and documentation know of a field beyond its type. A struct lists them as
///     static constexpr troupe::field_rule rules[] = {{.name = "title", .required = true, .min = 1, .max = 200, .doc =
///     "…"}};
/// A field without a rule is optional and takes its default.
struct field_rule {
    std::string_view name;
    bool required = false;
    std::int64_t min =
        std::numeric_limits<std::int64_t>::min(); ///< Of an integer; of the bytes of a text; of the count of a list.
    std::int64_t max = std::numeric_limits<std::int64_t>::max(); ///< Likewise.
    std::string_view doc = {};
    std::string_view example = {}; ///< JSON.
};

/// How decoding treats what does not fit exactly.
enum class strictness : std::uint8_t {
    stored, ///< Journals and snapshots: unknown members are skipped, missing ones take their default.
    input,  ///< API bodies and configs: unknown members and broken rules are errors with their pointers.
};

namespace detail {

template <class T>
concept described_struct = boost::describe::has_describe_members<T>::value;
template <class T>
concept described_enum = boost::describe::has_describe_enumerators<T>::value;
template <class T>
concept ruled = requires {
    T::rules;
};

template <class T>
struct is_optional : std::false_type {};
template <class T>
struct is_optional<std::optional<T>> : std::true_type {};
template <class T>
struct is_vector : std::false_type {};
template <class T>
struct is_vector<std::vector<T>> : std::true_type {};
template <class T>
struct is_set : std::false_type {};
template <class T>
struct is_set<std::set<T>> : std::true_type {};
template <class T>
struct is_map : std::false_type {};
template <class T>
struct is_map<std::map<std::string, T>> : std::true_type {};

template <class T>
using members_of =
    boost::describe::describe_members<T, boost::describe::mod_any_access | boost::describe::mod_inherited>;

template <described_enum T>
std::string_view enum_name(T value) {
    return boost::describe::enum_to_string(value, "");
}

template <described_enum T>
std::optional<T> enum_value(std::string_view name) {
    std::optional<T> found;
    boost::mp11::mp_for_each<boost::describe::describe_enumerators<T>>([&](auto d) {
        if (name == d.name) {
            found = d.value;
        }
    });
    return found;
}

template <class T>
const field_rule* rule_for(std::string_view name) {
    if constexpr (ruled<T>) {
        for (const auto& rule : T::rules) {
            if (rule.name == name) {
                return &rule;
            }
        }
    }
    return nullptr;
}

/// Collects what is wrong, with the place. At most `errors_max`, so that a bad body gets a short answer.
class decode_errors {
public:
    static constexpr std::size_t errors_max = 20;
    explicit decode_errors(strictness s) : mode(s) {}
    void add(const std::string& pointer, std::string message) {
        if (errors.size() < errors_max) {
            errors.push_back({pointer.empty() ? "/" : pointer, std::move(message)});
        }
    }
    void expected_type(const std::string& pointer, std::string_view wanted, json::kind got) {
        add(pointer, "expected " + std::string(wanted) + ", got " + std::string(json::name_of(got)));
    }
    strictness mode;
    std::vector<field_error> errors;
};

template <class T>
void write(std::string& out, const T& value);
template <class T>
void read(const json::value& from, T& into, const std::string& pointer, decode_errors& errors);
template <class T>
void schema(std::string& out, const field_rule* rule);
template <class T>
std::string_view schema_body(std::string& out, const field_rule* rule);

void check_rule(const field_rule& rule, std::int64_t measure, std::string_view what, const std::string& pointer,
                decode_errors& errors);
std::string escape_pointer(std::string_view name);
/// "description":…,"minLength":… as far as the rule says; `what` is "length", "number", "items", "properties" or "".
void schema_rule(std::string& out, const field_rule* rule, std::string_view what);

template <class T>
bool is_absent(const T& value) {
    if constexpr (is_optional<T>::value) {
        return !value.has_value();
    } else {
        return false;
    }
}

template <class T>
void write_struct(std::string& out, const T& value) {
    out += '{';
    bool first = true;
    boost::mp11::mp_for_each<members_of<T>>([&](auto d) {
        const auto& member = value.*d.pointer;
        if (is_absent(member)) {
            return;
        }
        if (!first) {
            out += ',';
        }
        first = false;
        out += '"';
        out += d.name;
        out += "\":";
        write(out, member);
    });
    out += '}';
}

template <class List>
void write_list(std::string& out, const List& list) {
    out += '[';
    bool first = true;
    for (const auto& item : list) {
        if (!first) {
            out += ',';
        }
        first = false;
        write(out, item);
    }
    out += ']';
}

template <class T>
void write(std::string& out, const T& value) {
    if constexpr (std::is_same_v<T, bool>) {
        out += value ? "true" : "false";
    } else if constexpr (described_enum<T>) {
        json::append_string(out, enum_name(value));
    } else if constexpr (std::is_integral_v<T>) {
        out += std::to_string(value);
    } else if constexpr (std::is_floating_point_v<T>) {
        json::append_double(out, value);
    } else if constexpr (std::is_same_v<T, std::string>) {
        json::append_string(out, value);
    } else if constexpr (std::is_same_v<T, json::raw>) {
        out += value.text;
    } else if constexpr (std::is_same_v<T, uuid> || std::is_same_v<T, timestamp>) {
        out += '"';
        out += to_string(value);
        out += '"';
    } else if constexpr (is_optional<T>::value) {
        value ? write(out, *value) : void(out += "null");
    } else if constexpr (is_vector<T>::value || is_set<T>::value) {
        write_list(out, value);
    } else if constexpr (is_map<T>::value) {
        out += '{';
        bool first = true;
        for (const auto& [name, item] : value) {
            if (!first) {
                out += ',';
            }
            first = false;
            json::append_string(out, name);
            out += ':';
            write(out, item);
        }
        out += '}';
    } else {
        static_assert(described_struct<T>, "describe this type with BOOST_DESCRIBE_STRUCT");
        write_struct(out, value);
    }
}

template <class T>
void read_integer(const json::value& from, T& into, const std::string& pointer, decode_errors& errors) {
    const auto fits = [&](auto number) { return std::in_range<T>(number); };
    if (auto n = from.as_int(); n && fits(*n)) {
        into = static_cast<T>(*n);
    } else if (auto u = from.as_uint(); u && fits(*u)) {
        into = static_cast<T>(*u);
    } else if (n || u) {
        errors.add(pointer, "the number is out of range");
    } else {
        errors.expected_type(pointer, "integer", from.type());
    }
}

template <class T>
void check_member(const field_rule& rule, const T& member, const std::string& pointer, decode_errors& errors) {
    if constexpr (is_optional<T>::value) {
        if (member) {
            check_member(rule, *member, pointer, errors);
        }
    } else if constexpr (std::is_same_v<T, std::string>) {
        check_rule(rule, static_cast<std::int64_t>(member.size()), "bytes", pointer, errors);
    } else if constexpr (is_vector<T>::value || is_set<T>::value || is_map<T>::value) {
        check_rule(rule, static_cast<std::int64_t>(member.size()), "items", pointer, errors);
    } else if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
        constexpr auto largest = std::numeric_limits<std::int64_t>::max();
        check_rule(rule, std::in_range<std::int64_t>(member) ? static_cast<std::int64_t>(member) : largest, "", pointer,
                   errors);
    }
}

/// Members that the type does not have, and members given twice, of which a reader could take either.
template <class T>
void report_surplus(const json::value& from, const std::string& pointer, decode_errors& errors) {
    std::set<std::string_view> seen;
    from.each_member([&](std::string_view name, json::value) {
        bool known = false;
        boost::mp11::mp_for_each<members_of<T>>([&](auto d) { known = known || name == d.name; });
        if (!known || !seen.insert(name).second) {
            errors.add(pointer + "/" + escape_pointer(name), known ? "is given twice" : "unknown field");
        }
    });
}

template <class T>
void read_struct(const json::value& from, T& into, const std::string& pointer, decode_errors& errors) {
    if (from.type() != json::kind::object) {
        errors.expected_type(pointer, "object", from.type());
        return;
    }
    std::size_t known = 0;
    boost::mp11::mp_for_each<members_of<T>>([&](auto d) {
        const auto member = from.find(d.name);
        const auto* rule = errors.mode == strictness::input ? rule_for<T>(d.name) : nullptr;
        if (!member) {
            if (rule && rule->required) {
                errors.add(pointer + "/" + d.name, "is required");
            }
            return;
        }
        ++known;
        const auto path = pointer + "/" + d.name;
        auto& target = into.*d.pointer;
        const auto before = errors.errors.size();
        read(*member, target, path, errors);
        if (rule && errors.errors.size() == before) {
            check_member(*rule, target, path, errors);
        }
    });
    if (errors.mode == strictness::input && known != from.size()) {
        report_surplus<T>(from, pointer, errors);
    }
}

template <class T>
void read(const json::value& from, T& into, const std::string& pointer, decode_errors& errors) {
    if constexpr (std::is_same_v<T, bool>) {
        if (auto b = from.as_bool()) {
            into = *b;
        } else {
            errors.expected_type(pointer, "boolean", from.type());
        }
    } else if constexpr (described_enum<T>) {
        const auto text = from.as_string();
        if (!text) {
            errors.expected_type(pointer, "string", from.type());
        } else if (auto e = enum_value<T>(*text)) {
            into = *e;
        } else {
            std::string names;
            boost::mp11::mp_for_each<boost::describe::describe_enumerators<T>>(
                [&](auto d) { names += (names.empty() ? "" : ", ") + std::string(d.name); });
            errors.add(pointer, "expected one of " + names);
        }
    } else if constexpr (std::is_integral_v<T>) {
        read_integer(from, into, pointer, errors);
    } else if constexpr (std::is_floating_point_v<T>) {
        if (auto n = from.as_double()) {
            into = *n;
        } else {
            errors.expected_type(pointer, "number", from.type());
        }
    } else if constexpr (std::is_same_v<T, std::string>) {
        if (auto s = from.as_string()) {
            into = *s;
        } else {
            errors.expected_type(pointer, "string", from.type());
        }
    } else if constexpr (std::is_same_v<T, json::raw>) {
        into.text = from.dump();
    } else if constexpr (std::is_same_v<T, uuid>) {
        const auto text = from.as_string();
        const auto id = text ? parse_uuid(*text) : std::nullopt;
        id ? void(into = *id) : errors.add(pointer, "expected a UUID");
    } else if constexpr (std::is_same_v<T, timestamp>) {
        const auto text = from.as_string();
        const auto time = text ? parse_timestamp(*text) : std::nullopt;
        time ? void(into = *time) : errors.add(pointer, "expected an RFC 3339 time such as 2026-11-21T07:14:41Z");
    } else if constexpr (is_optional<T>::value) {
        if (from.type() == json::kind::null) {
            into.reset();
        } else {
            read(from, into.emplace(), pointer, errors);
        }
    } else if constexpr (is_vector<T>::value || is_set<T>::value) {
        if (from.type() != json::kind::array) {
            errors.expected_type(pointer, "array", from.type());
            return;
        }
        into.clear();
        std::size_t index = 0;
        from.each_element([&](json::value item) {
            typename T::value_type decoded{};
            read(item, decoded, pointer + "/" + std::to_string(index++), errors);
            into.insert(into.end(), std::move(decoded));
        });
    } else if constexpr (is_map<T>::value) {
        if (from.type() != json::kind::object) {
            errors.expected_type(pointer, "object", from.type());
            return;
        }
        into.clear();
        from.each_member([&](std::string_view name, json::value item) {
            read(item, into[std::string(name)], pointer + "/" + escape_pointer(name), errors);
        });
    } else {
        static_assert(described_struct<T>, "describe this type with BOOST_DESCRIBE_STRUCT");
        read_struct(from, into, pointer, errors);
    }
}

template <class T>
void schema_struct(std::string& out) {
    std::string required;
    out += R"("type":"object","properties":{)";
    bool first = true;
    boost::mp11::mp_for_each<members_of<T>>([&](auto d) {
        const auto* rule = rule_for<T>(d.name);
        if (rule && rule->required) {
            required += (required.empty() ? "\"" : ",\"") + std::string(d.name) + "\"";
        }
        out += first ? "\"" : ",\"";
        first = false;
        out += d.name;
        out += "\":";
        schema<std::remove_cvref_t<decltype(std::declval<T&>().*d.pointer)>>(out, rule);
    });
    out += "}";
    if (!required.empty()) {
        out += ",\"required\":[" + required + "]";
    }
    out += R"(,"additionalProperties":false)";
}

template <class T>
void schema(std::string& out, const field_rule* rule) {
    if constexpr (is_optional<T>::value) {
        schema<typename T::value_type>(out, rule);
    } else {
        out += '{';
        schema_rule(out, rule, schema_body<T>(out, rule));
        out += '}';
    }
}

/// The members that the type decides; returns what a rule measures, for `schema_rule`.
template <class T>
std::string_view schema_body(std::string& out, const field_rule* rule) {
    std::string_view measured;
    if constexpr (std::is_same_v<T, bool>) {
        out += R"("type":"boolean")";
    } else if constexpr (described_enum<T>) {
        out += R"("type":"string","enum":[)";
        bool first = true;
        boost::mp11::mp_for_each<boost::describe::describe_enumerators<T>>([&](auto d) {
            out += first ? "\"" : ",\"";
            first = false;
            out += d.name;
            out += '"';
        });
        out += ']';
    } else if constexpr (std::is_integral_v<T>) {
        out += R"("type":"integer")";
        if (std::is_unsigned_v<T> && !(rule && rule->min >= 0)) {
            out += R"(,"minimum":0)";
        }
        measured = "number";
    } else if constexpr (std::is_floating_point_v<T>) {
        out += R"("type":"number")";
    } else if constexpr (std::is_same_v<T, std::string>) {
        out += R"("type":"string")";
        measured = "length";
    } else if constexpr (std::is_same_v<T, json::raw>) {
        out += rule && !rule->doc.empty() ? "" : R"("description":"Any JSON value.")";
    } else if constexpr (std::is_same_v<T, uuid>) {
        out += R"("type":"string","format":"uuid")";
    } else if constexpr (std::is_same_v<T, timestamp>) {
        out += R"("type":"string","format":"date-time")";
    } else if constexpr (is_vector<T>::value || is_set<T>::value) {
        out += R"("type":"array","items":)";
        schema<typename T::value_type>(out, nullptr);
        measured = "items";
    } else if constexpr (is_map<T>::value) {
        out += R"("type":"object","additionalProperties":)";
        schema<typename T::mapped_type>(out, nullptr);
        measured = "properties";
    } else {
        static_assert(described_struct<T>, "describe this type with BOOST_DESCRIBE_STRUCT");
        schema_struct<T>(out);
    }
    return measured;
}

} // namespace detail

/// The value as minified JSON. Never fails.
template <class T>
std::string to_json(const T& value) {
    std::string out;
    detail::write(out, value);
    return out;
}

/// Reads a value out of a parsed document. Every mistake is reported with its JSON pointer.
template <class T>
expected<T> from_json(const json::value& from, strictness mode) {
    T out{};
    detail::decode_errors errors(mode);
    detail::read(from, out, "", errors);
    if (errors.errors.empty()) {
        return out;
    }
    const auto& first = errors.errors.front();
    return problem{code::invalid_request, first.pointer + ": " + first.message, std::move(errors.errors)};
}

/// Parses and reads. `malformed_json` when the text is not JSON.
template <class T>
expected<T> from_json(std::string_view text, strictness mode) {
    auto parsed = json::document::parse(text);
    if (!parsed) {
        return parsed.error();
    }
    return from_json<T>(parsed->root(), mode);
}

/// The JSON Schema (2020-12) of a described type, as JSON text.
template <class T>
std::string json_schema() {
    std::string out;
    detail::schema<T>(out, nullptr);
    return out;
}

namespace detail {
constexpr std::string_view last_name(std::string_view qualified) {
    const auto colon = qualified.rfind(':');
    return colon == std::string_view::npos ? qualified : qualified.substr(colon + 1);
}
} // namespace detail

/// The name of a described type as its wire name: events and commands are stored under it.
/// Specialised by TROUPE_NAMED(troupe::storage::thing_created), at global scope: "thing_created". Renaming one breaks
/// stored data.
template <class T>
struct wire_name;

#define TROUPE_NAMED(type)                                                                                             \
    template <>                                                                                                        \
    struct troupe::wire_name<type> {                                                                                   \
        static constexpr std::string_view value = troupe::detail::last_name(#type);                                    \
    };

/// A message decoded by its stored name into one alternative of a variant of described structs.
template <class Variant>
expected<Variant> decode_named(std::string_view name, std::string_view payload, strictness mode) {
    expected<Variant> out = problem{code::invalid_request, "there is no message type '" + std::string(name) + "'"};
    boost::mp11::mp_for_each<boost::mp11::mp_transform<boost::mp11::mp_identity, Variant>>([&](auto alternative) {
        using T = typename decltype(alternative)::type;
        if (wire_name<T>::value == name) {
            auto decoded = from_json<T>(payload, mode);
            out = decoded ? expected<Variant>(Variant(std::move(*decoded))) : expected<Variant>(decoded.error());
        }
    });
    return out;
}

/// The stored name and payload of the active alternative.
template <class Variant>
std::pair<std::string_view, std::string> encode_named(const Variant& message) {
    return std::visit(
        [](const auto& m) {
            return std::pair<std::string_view, std::string>(wire_name<std::remove_cvref_t<decltype(m)>>::value,
                                                            to_json(m));
        },
        message);
}

} // namespace troupe
