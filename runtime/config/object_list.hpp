#pragma once

#include "schemas/base/described.hpp"
#include "schemas/base/problem.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Properties that are a list of objects, as JSON: what their readers have in common.
namespace troupe::runtime {

/// Visible ASCII, without blanks.
bool is_visible(std::string_view text);
/// [a-z0-9_-]+
bool is_plain_name(std::string_view text);
/// "secret:NAME", "env:NAME" or "file:PATH": where a secret value is to be found.
bool is_reference(std::string_view text);

/// A number from 1 to `max`, written as JSON has it or as text; nothing for anything else.
std::optional<std::uint32_t> read_count(const json::raw& written,
                                        std::uint32_t max = std::numeric_limits<std::uint32_t>::max());

/// `config_invalid` with all that is wrong.
problem list_problem(std::vector<field_error> wrong);

/// Reads a JSON list as the member `items` of `List`; an empty text is an empty list. `config_invalid` has all that is
/// wrong, by JSON pointers into the list.
template <class List>
expected<List> read_object_list(std::string_view text) {
    constexpr std::string_view list_pointer = "/items";
    if (text.find_first_not_of(" \t\r\n") == text.npos) {
        return List{};
    }
    // Wrapped, so that a list is read like any other member; a text that closes the wrapping is no single value.
    const auto list = json::make_raw(text);
    auto read =
        list ? from_json<List>("{\"items\":" + list->text + "}", strictness::input) : expected<List>(list.error());
    if (read) {
        return read;
    }
    auto wrong = std::move(read.error().errors);
    for (auto& e : wrong) {
        if (e.pointer.starts_with(list_pointer)) {
            e.pointer.erase(0, list_pointer.size());
        }
    }
    if (wrong.empty()) {
        wrong.push_back({"", "is no JSON list of objects"});
    }
    return list_problem(std::move(wrong));
}

/// Adds what is wrong with names that are given twice.
template <class Item>
void check_names(const std::vector<Item>& items, std::vector<field_error>& wrong) {
    for (std::size_t i = 0; i < items.size(); ++i) {
        for (std::size_t before = 0; before < i; ++before) {
            if (items[before].name == items[i].name) {
                wrong.push_back({"/" + std::to_string(i) + "/name", "is the name of another one before it"});
                break;
            }
        }
    }
}

} // namespace troupe::runtime
