#include "runtime/config/object_list.hpp"

#include <algorithm>

namespace troupe::runtime {

bool is_visible(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; });
}

bool is_plain_name(std::string_view text) {
    const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'; };
    return !text.empty() && std::ranges::all_of(text, letter);
}

bool is_reference(std::string_view text) {
    const auto colon = text.find(':');
    const auto kind = text.substr(0, colon);
    return colon != text.npos && colon + 1 < text.size() && (kind == "secret" || kind == "env" || kind == "file");
}

problem list_problem(std::vector<field_error> wrong) {
    auto detail = wrong.front().pointer + ": " + wrong.front().message;
    return {code::config_invalid, std::move(detail), std::move(wrong)};
}

} // namespace troupe::runtime
