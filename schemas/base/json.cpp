#include "schemas/base/json.hpp"

#include "schemas/base/limits.hpp"

#include <simdjson.h>

#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <type_traits>

namespace troupe::json {
namespace {

namespace dom = simdjson::dom;

static_assert(sizeof(value) == sizeof(dom::element) && alignof(value) >= alignof(dom::element));
static_assert(std::is_trivially_copyable_v<dom::element> && std::is_trivially_copyable_v<value>);

dom::element element_of(const value& v) { return std::bit_cast<dom::element>(v); }
value value_of(dom::element e) { return std::bit_cast<value>(e); }

template <class T>
std::optional<T> get(const value& v) {
    T found;
    if (element_of(v).get(found) != simdjson::SUCCESS) {
        return std::nullopt;
    }
    return found;
}

std::optional<value> found_or_nothing(simdjson::simdjson_result<dom::element> result) {
    dom::element found;
    if (std::move(result).get(found) != simdjson::SUCCESS) {
        return std::nullopt;
    }
    return value_of(found);
}

/// simdjson keeps a count in 24 bits; from there on it has to be counted.
template <class Container>
std::size_t count_of(Container items) {
    constexpr std::size_t saturated = 0xffffff;
    return items.size() < saturated ? items.size()
                                    : static_cast<std::size_t>(std::distance(items.begin(), items.end()));
}

template <class Integer>
void append_integer(std::string& out, Integer number) {
    char text[24];
    out.append(text, std::to_chars(text, text + sizeof text, number).ptr);
}

void append(std::string& out, dom::element from);

void append(std::string& out, dom::array from) {
    char before = '[';
    for (const auto item : from) {
        out += before;
        before = ',';
        append(out, item);
    }
    out += before == '[' ? "[]" : "]";
}

void append(std::string& out, dom::object from) {
    char before = '{';
    for (const auto member : from) {
        out += before;
        before = ',';
        append_string(out, member.key);
        out += ':';
        append(out, member.value);
    }
    out += before == '{' ? "{}" : "}";
}

/// Recursion is bounded: `document::parse` refuses deep nesting.
void append(std::string& out, dom::element from) {
    switch (from.type()) {
    case dom::element_type::NULL_VALUE:
        out += "null";
        break;
    case dom::element_type::BOOL:
        out += bool(from) ? "true" : "false";
        break;
    case dom::element_type::INT64:
        append_integer(out, std::int64_t(from));
        break;
    case dom::element_type::UINT64:
        append_integer(out, std::uint64_t(from));
        break;
    case dom::element_type::DOUBLE:
        append_double(out, double(from));
        break;
    case dom::element_type::STRING:
        append_string(out, std::string_view(from));
        break;
    case dom::element_type::ARRAY:
        append(out, dom::array(from));
        break;
    case dom::element_type::OBJECT:
        append(out, dom::object(from));
        break;
    }
}

/// Whether any of the eight bytes is a control character, a quote or a backslash.
bool has_special(std::uint64_t word) {
    constexpr std::uint64_t ones = 0x0101010101010101;
    constexpr std::uint64_t highs = 0x80 * ones;
    const auto below = [](std::uint64_t w, std::uint64_t n) { return (w - n * ones) & ~w & highs; };
    return (below(word, 0x20) | below(word ^ ('"' * ones), 1) | below(word ^ ('\\' * ones), 1)) != 0;
}

bool is_special(char c) { return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\'; }

void append_escape(std::string& out, char c) {
    switch (c) {
    case '"':
        out += "\\\"";
        return;
    case '\\':
        out += "\\\\";
        return;
    case '\n':
        out += "\\n";
        return;
    case '\r':
        out += "\\r";
        return;
    case '\t':
        out += "\\t";
        return;
    case '\b':
        out += "\\b";
        return;
    case '\f':
        out += "\\f";
        return;
    default:
        break;
    }
    constexpr char digits[] = "0123456789abcdef";
    out += "\\u00";
    out += digits[static_cast<unsigned char>(c) >> 4];
    out += digits[c & 15];
}

/// The length of the well-formed UTF-8 sequence at the start of `text`; 0 when there is none.
std::size_t sequence_length(std::string_view text) {
    const auto lead = static_cast<unsigned char>(text[0]);
    const std::size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    return length <= text.size() && simdjson::validate_utf8(text.data(), length) ? length : 0;
}

/// Each byte that belongs to no well-formed sequence becomes U+FFFD. The slow path: such text is rare.
std::string with_replacements(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const auto length = sequence_length(text);
        out += length ? text.substr(0, length) : std::string_view("\xef\xbf\xbd");
        text.remove_prefix(length ? length : 1);
    }
    return out;
}

std::string sentence(simdjson::error_code error) {
    switch (error) {
    case simdjson::EMPTY:
        return "there is no JSON: the text is empty";
    case simdjson::UTF8_ERROR:
        return "the text is not valid UTF-8";
    case simdjson::DEPTH_ERROR:
        return "the JSON is nested deeper than " + std::to_string(limits::json_depth_max) + " levels";
    case simdjson::CAPACITY:
        return "the JSON is too large";
    case simdjson::MEMALLOC:
        return "there is not enough memory to parse this JSON";
    case simdjson::NUMBER_ERROR:
        return "the JSON has a number that is malformed or out of range";
    case simdjson::STRING_ERROR:
        return "the JSON has a string with a bad escape";
    case simdjson::UNCLOSED_STRING:
        return "the JSON has a string without its closing quote";
    case simdjson::UNESCAPED_CHARS:
        return "the JSON has a control character in a string that is not escaped";
    case simdjson::T_ATOM_ERROR:
    case simdjson::F_ATOM_ERROR:
    case simdjson::N_ATOM_ERROR:
        return "the JSON has a word that is not true, false or null";
    default:
        return "the text is not one JSON value: check brackets, commas and what follows the end";
    }
}

} // namespace

std::string_view name_of(kind k) {
    switch (k) {
    case kind::null:
        return "null";
    case kind::boolean:
        return "boolean";
    case kind::integer:
    case kind::unsigned_integer:
        return "integer";
    case kind::number:
        return "number";
    case kind::string:
        return "string";
    case kind::array:
        return "array";
    case kind::object:
        return "object";
    }
    return "";
}

// ---- value

kind value::type() const {
    switch (element_of(*this).type()) {
    case dom::element_type::BOOL:
        return kind::boolean;
    case dom::element_type::INT64:
        return kind::integer;
    case dom::element_type::UINT64:
        return kind::unsigned_integer;
    case dom::element_type::DOUBLE:
        return kind::number;
    case dom::element_type::STRING:
        return kind::string;
    case dom::element_type::ARRAY:
        return kind::array;
    case dom::element_type::OBJECT:
        return kind::object;
    case dom::element_type::NULL_VALUE:
        break;
    }
    return kind::null;
}

std::optional<bool> value::as_bool() const { return get<bool>(*this); }
std::optional<std::int64_t> value::as_int() const { return get<std::int64_t>(*this); }
std::optional<std::uint64_t> value::as_uint() const { return get<std::uint64_t>(*this); }
std::optional<double> value::as_double() const { return get<double>(*this); }
std::optional<std::string_view> value::as_string() const { return get<std::string_view>(*this); }

std::size_t value::size() const {
    if (const auto object = get<dom::object>(*this)) {
        return count_of(*object);
    }
    const auto array = get<dom::array>(*this);
    return array ? count_of(*array) : 0;
}

std::optional<value> value::find(std::string_view name) const {
    const auto object = get<dom::object>(*this);
    return object ? found_or_nothing(object->at_key(name)) : std::nullopt;
}

std::optional<value> value::at(std::size_t index) const {
    const auto array = get<dom::array>(*this);
    return array ? found_or_nothing(array->at(index)) : std::nullopt;
}

std::optional<value> value::pointer(std::string_view path) const {
    return found_or_nothing(element_of(*this).at_pointer(path));
}

std::string value::text_or(std::string_view name, std::string_view fallback) const {
    const auto member = find(name);
    return std::string(member ? member->as_string().value_or(fallback) : fallback);
}

std::int64_t value::int_or(std::string_view name, std::int64_t fallback) const {
    const auto member = find(name);
    return member ? member->as_int().value_or(fallback) : fallback;
}

void value::each_element(const std::function<void(value)>& visit) const {
    if (const auto array = get<dom::array>(*this)) {
        for (const auto item : *array) {
            visit(value_of(item));
        }
    }
}

void value::each_member(const std::function<void(std::string_view, value)>& visit) const {
    if (const auto object = get<dom::object>(*this)) {
        for (const auto member : *object) {
            visit(member.key, value_of(member.value));
        }
    }
}

std::string value::dump() const {
    std::string out;
    append(out, element_of(*this));
    return out;
}

// ---- document

struct document::impl {
    dom::document parsed; // nodes point at it, so it stays where it is while the document moves
};

document::document() : impl_(std::make_unique<impl>()) {}
document::document(document&&) noexcept = default;
document& document::operator=(document&&) noexcept = default;
document::~document() = default;

expected<document> document::parse(std::string_view text) {
    constexpr std::size_t kept_bytes_max = 1 * limits::mib; // what a thread's parser may keep after a large text
    constexpr std::size_t first_bytes = 4 * limits::kib;
    thread_local dom::parser parser;
    if (parser.capacity() == 0) {
        // simdjson counts the level of the scalar too.
        if (const auto error = parser.allocate(first_bytes, limits::json_depth_max + 1)) {
            return problem{code::malformed_json, sentence(error)};
        }
    }
    document out;
    const auto error = parser.parse_into_document(out.impl_->parsed, text.data(), text.size()).error();
    if (parser.capacity() > kept_bytes_max) {
        parser = dom::parser{};
    }
    if (error) {
        return problem{code::malformed_json, sentence(error)};
    }
    return out;
}

value document::root() const { return value_of(impl_->parsed.root()); }

expected<raw> make_raw(std::string_view text) {
    const auto parsed = document::parse(text);
    if (!parsed) {
        return parsed.error();
    }
    return raw{parsed->root().dump()};
}

// ---- writing

void append_string(std::string& out, std::string_view text) {
    if (!simdjson::validate_utf8(text.data(), text.size())) {
        append_string(out, with_replacements(text));
        return;
    }
    out += '"';
    const char* run = text.data();
    const char* at = run;
    const char* const end = at + text.size();
    while (at != end) {
        if (std::uint64_t word = 0; end - at >= 8) {
            std::memcpy(&word, at, sizeof word);
            if (!has_special(word)) {
                at += 8;
                continue;
            }
        }
        if (is_special(*at)) {
            out.append(run, at);
            append_escape(out, *at);
            run = at + 1;
        }
        ++at;
    }
    out.append(run, end);
    out += '"';
}

void append_double(std::string& out, double number) {
    if (!std::isfinite(number)) {
        out += "null"; // JSON has no word for it
        return;
    }
    char text[32];
    const auto end = std::to_chars(text, text + sizeof text, number).ptr;
    out.append(text, end);
    if (std::string_view(text, end).find_first_of(".e") == std::string_view::npos) {
        out += ".0"; // so that it is read back as a number with a fraction, not as an integer
    }
}

std::string quoted(std::string_view text) {
    std::string out;
    append_string(out, text);
    return out;
}

void object_writer::key(std::string_view name) {
    if (!first_) {
        out_ += ',';
    }
    first_ = false;
    append_string(out_, name);
    out_ += ':';
}

object_writer& object_writer::field(std::string_view name, std::string_view text) {
    key(name);
    append_string(out_, text);
    return *this;
}

object_writer& object_writer::field(std::string_view name, bool flag) {
    return raw_field(name, flag ? "true" : "false");
}

object_writer& object_writer::field(std::string_view name, std::int64_t number) {
    key(name);
    append_integer(out_, number);
    return *this;
}

object_writer& object_writer::field(std::string_view name, std::uint64_t number) {
    key(name);
    append_integer(out_, number);
    return *this;
}

object_writer& object_writer::field(std::string_view name, double number) {
    key(name);
    append_double(out_, number);
    return *this;
}

object_writer& object_writer::raw_field(std::string_view name, std::string_view json) {
    key(name);
    out_ += json;
    return *this;
}

} // namespace troupe::json
