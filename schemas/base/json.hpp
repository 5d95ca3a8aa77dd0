#pragma once

#include "schemas/base/problem.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

/// JSON without a parser's header: a read-only tree over simdjson's DOM, and an appending writer.
namespace troupe::json {

/// A field that holds any JSON value, kept as its text. "null" by default. Always valid, minified JSON.
struct raw {
    std::string text = "null";

    bool operator==(const raw&) const = default;
    [[nodiscard]] bool is_null() const { return text == "null"; }
};

enum class kind : std::uint8_t { null, boolean, integer, unsigned_integer, number, string, array, object };

/// The field's word for a kind in error messages: "integer", "string", …
std::string_view name_of(kind k);

/// A node of a parsed document; valid as long as its document lives. Cheap to copy.
class value {
public:
    [[nodiscard]] kind type() const;
    [[nodiscard]] std::optional<bool> as_bool() const;
    [[nodiscard]] std::optional<std::int64_t> as_int() const;   ///< An integer that fits.
    [[nodiscard]] std::optional<std::uint64_t> as_uint() const; ///< A non-negative integer that fits.
    [[nodiscard]] std::optional<double> as_double() const;      ///< Any number.
    [[nodiscard]] std::optional<std::string_view> as_string() const;
    [[nodiscard]] std::size_t size() const; ///< Elements or members; 0 for scalars.

    /// The member of that name, or nothing when this is no object or has none.
    [[nodiscard]] std::optional<value> find(std::string_view name) const;
    /// The element at `index`, or nothing. Linear: iterate with `each`.
    [[nodiscard]] std::optional<value> at(std::size_t index) const;
    /// Follows a JSON pointer ("/choices/0/delta"), or nothing.
    [[nodiscard]] std::optional<value> pointer(std::string_view path) const;
    /// Shorthands for foreign documents: the member's text or number, or the fallback.
    [[nodiscard]] std::string text_or(std::string_view name, std::string_view fallback = {}) const;
    [[nodiscard]] std::int64_t int_or(std::string_view name, std::int64_t fallback = 0) const;

    void each_element(const std::function<void(value)>& visit) const;
    void each_member(const std::function<void(std::string_view, value)>& visit) const;

    /// The value as minified JSON.
    [[nodiscard]] std::string dump() const;

private:
    friend class document;
    alignas(8) unsigned char element_[16] = {}; // simdjson::dom::element, asserted in json.cpp
};

/// A parsed document that owns its nodes. Movable.
class document {
public:
    document(document&&) noexcept;
    document& operator=(document&&) noexcept;
    ~document();

    /// Refuses what is no single JSON value, invalid UTF-8 and nesting over `limits::json_depth_max`.
    static expected<document> parse(std::string_view text);

    [[nodiscard]] value root() const;

private:
    document();
    struct impl;
    std::unique_ptr<impl> impl_;
};

/// `text` as a checked, minified raw value.
expected<raw> make_raw(std::string_view text);

/// Appends `text` with quotes and escapes. Invalid UTF-8 becomes U+FFFD, so that output is always JSON.
void append_string(std::string& out, std::string_view text);
void append_double(std::string& out, double number);
/// `text` as a JSON string with its quotes.
std::string quoted(std::string_view text);

/// Writes one object or array by hand where no described struct fits. Commas are kept by the writer.
///     object_writer w(out); w.field("id", id).field("count", 3).raw_field("tree", tree); w.end();
class object_writer {
public:
    explicit object_writer(std::string& out) : out_(out) { out_ += '{'; }
    object_writer& field(std::string_view name, std::string_view text);
    object_writer& field(std::string_view name, const char* text) { return field(name, std::string_view(text)); }
    object_writer& field(std::string_view name, const std::string& text) { return field(name, std::string_view(text)); }
    object_writer& field(std::string_view name, bool flag);
    object_writer& field(std::string_view name, std::int64_t number);
    object_writer& field(std::string_view name, std::uint64_t number);
    object_writer& field(std::string_view name, int number) { return field(name, std::int64_t{number}); }
    object_writer& field(std::string_view name, double number);
    object_writer& raw_field(std::string_view name, std::string_view json);
    void end() { out_ += '}'; }

private:
    void key(std::string_view name);
    std::string& out_;
    bool first_ = true;
};

} // namespace troupe::json
