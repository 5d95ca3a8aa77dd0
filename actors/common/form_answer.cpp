#include "actors/common/form_answer.hpp"

#include "actors/common/text.hpp"
#include "schemas/base/json_schema.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>
#include <vector>

namespace troupe::actors {
namespace {

constexpr std::size_t shown_bytes_max = 300; ///< Of a field's title, description or choices.

problem no_form(std::string why) { return {code::invalid_request, "What is asked is no form: " + why}; }

struct form_field {
    std::string name;
    std::string type;
    json::value declared;
    bool required = false;
};

/// Its document outlives it.
struct form {
    std::vector<form_field> fields;
};

bool is_plain(const json::value& declared, std::string_view type) {
    if (type == "array") { // several of a list of choices
        const auto items = declared.find("items");
        return items && (items->find("enum") || items->find("anyOf") || items->find("oneOf"));
    }
    return type == "string" || type == "number" || type == "integer" || type == "boolean";
}

expected<form> read_form(const json::value& schema) {
    const auto properties = schema.find("properties");
    if (!properties || properties->type() != json::kind::object || properties->size() == 0) {
        return no_form("it names no fields.");
    }
    if (properties->size() > form_fields_max) {
        return no_form(fmt::format("it has more than {} fields.", form_fields_max));
    }
    form out;
    std::string wrong;
    properties->each_member([&](std::string_view name, json::value declared) {
        auto type = declared.text_or("type", declared.find("enum") ? "string" : "");
        if (!is_plain(declared, type)) {
            wrong = std::string(name);
        }
        out.fields.push_back({std::string(name), std::move(type), declared});
    });
    if (!wrong.empty()) {
        return no_form(fmt::format("its field \"{}\" is neither text, number, yes or no, nor a choice.",
                                   utf8_prefix(wrong, shown_bytes_max)));
    }
    if (const auto required = schema.find("required")) {
        required->each_element([&](json::value name) {
            const auto found = std::ranges::find(out.fields, name.as_string().value_or(""), &form_field::name);
            if (found != out.fields.end()) {
                found->required = true;
            }
        });
    }
    return out;
}

/// "red, green or blue"; empty: there is no choice.
std::string choices_of(const json::value& declared) {
    std::string out;
    const auto add = [&](std::string_view one) { out += (out.empty() ? "" : ", ") + std::string(one); };
    for (const auto* name : {"enum", "oneOf", "anyOf"}) {
        if (const auto all = declared.find(name)) {
            all->each_element([&](json::value one) { add(one.as_string() ? *one.as_string() : one.text_or("const")); });
        }
    }
    return std::string(utf8_prefix(out, shown_bytes_max));
}

std::string when_left_out(const form_field& field) {
    if (const auto usual = field.declared.find("default")) {
        return fmt::format(", {} when left out", utf8_prefix(usual->dump(), shown_bytes_max));
    }
    return field.required ? "" : ", may be left out";
}

std::string line_of(const form_field& field) {
    const auto items = field.type == "array" ? field.declared.find("items") : std::nullopt;
    const auto choices = choices_of(items.value_or(field.declared));
    const auto kind = field.type == "boolean"   ? "true or false"
                      : field.type == "string"  ? "text"
                      : field.type == "array"   ? "a list"
                      : field.type == "integer" ? "a whole number"
                                                : "a number";
    auto out = fmt::format("{}: {}{}", utf8_prefix(field.name, shown_bytes_max),
                           choices.empty() ? kind : (field.type == "array" ? "some of " : "one of ") + choices,
                           when_left_out(field));
    for (const auto* name : {"title", "description"}) {
        if (const auto text = field.declared.text_or(name); !text.empty()) {
            out += fmt::format(" ({})", utf8_prefix(text, shown_bytes_max));
        }
    }
    return out;
}

std::string_view trimmed(std::string_view text) {
    const auto begin = text.find_first_not_of(" \t\r\n");
    return begin == text.npos ? std::string_view() : text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

/// As JSON, if the words can be such a value.
std::optional<std::string> plain_value(const form_field& field, std::string_view words) {
    if (field.type == "string") {
        return json::quoted(words);
    }
    if (field.type == "boolean") {
        const bool yes = words == "true" || words == "yes" || words == "y";
        const bool no = words == "false" || words == "no" || words == "n";
        return yes || no ? std::optional<std::string>(yes ? "true" : "false") : std::nullopt;
    }
    const auto parsed = json::document::parse(words);
    return parsed ? std::optional(parsed->root().dump()) : std::nullopt;
}

/// The one that a plain answer is for: the only one, or the only one that has to be there.
const form_field* only_field(const form& all) {
    if (all.fields.size() == 1) {
        return &all.fields.front();
    }
    const bool one = std::ranges::count(all.fields, true, &form_field::required) == 1;
    return one ? &*std::ranges::find(all.fields, true, &form_field::required) : nullptr;
}

/// The answer as an object, still without defaults.
expected<std::string> object_of(const form& all, std::string_view answer) {
    const auto words = trimmed(answer);
    if (words.starts_with('{')) {
        auto parsed = json::make_raw(words);
        return parsed ? expected<std::string>(std::move(parsed->text))
                      : problem{code::invalid_request, "The answer is no JSON: " + parsed.error().detail};
    }
    const auto* field = only_field(all);
    if (!field) {
        return problem{code::invalid_request,
                       "Several fields are asked for: answer with a JSON object that has them, or decline with deny."};
    }
    const auto value = plain_value(*field, words);
    if (!value) {
        return problem{code::invalid_request,
                       fmt::format("\"{}\" does not fit {}", utf8_prefix(words, shown_bytes_max), line_of(*field))};
    }
    std::string out;
    json::object_writer w(out);
    w.raw_field(field->name, *value).end();
    return out;
}

} // namespace

expected<std::string> describe_form(std::string_view schema) {
    const auto parsed = json::document::parse(schema);
    auto all = parsed ? read_form(parsed->root()) : expected<form>(no_form("it cannot be read."));
    if (!all) {
        return all.error();
    }
    std::string out;
    for (const auto& field : all->fields) {
        out += line_of(field) + "\n";
    }
    return out;
}

expected<json::raw> fill_form(std::string_view schema, std::string_view answer) {
    const auto parsed = json::document::parse(schema);
    const auto all = parsed ? read_form(parsed->root()) : expected<form>(no_form("it cannot be read."));
    if (!all) {
        return all.error();
    }
    const auto given = object_of(*all, answer);
    if (!given) {
        return given.error();
    }
    const auto object = json::document::parse(*given);
    std::string content;
    json::object_writer w(content);
    std::vector<field_error> unknown;
    object->root().each_member([&](std::string_view name, json::value value) {
        if (std::ranges::find(all->fields, name, &form_field::name) == all->fields.end()) {
            unknown.push_back({"/answer/" + std::string(name), "is not asked for"});
        }
        w.raw_field(name, value.dump());
    });
    for (const auto& field : all->fields) {
        const auto usual = field.declared.find("default");
        if (usual && !object->root().find(field.name)) {
            w.raw_field(field.name, usual->dump());
        }
    }
    w.end();
    if (!unknown.empty()) {
        return problem{code::invalid_request, "The answer has fields that are not asked for.", std::move(unknown)};
    }
    const auto check = json_schema_check::parse(schema);
    if (auto fits = check ? check->check(content) : expected<void>(); !fits) {
        auto wrong = fits.error();
        for (auto& e : wrong.errors) {
            e.pointer.insert(0, "/answer");
        }
        return problem{code::invalid_request, "The answer does not fit what is asked: " + wrong.detail,
                       std::move(wrong.errors)};
    }
    return json::raw{std::move(content)};
}

} // namespace troupe::actors
