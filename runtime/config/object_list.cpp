#include "runtime/config/object_list.hpp"

#include <algorithm>
#include <charconv>
#include <system_error>

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

std::optional<std::uint32_t> read_count(const json::raw& written, std::uint32_t max) {
    const auto parsed = json::document::parse(written.text);
    const auto quoted = parsed ? parsed->root().as_string() : std::nullopt;
    const std::string_view text = quoted ? *quoted : std::string_view(written.text);
    std::uint32_t out = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc() && end == text.data() + text.size() && out >= 1 && out <= max ? std::optional(out)
                                                                                              : std::nullopt;
}

problem list_problem(std::vector<field_error> wrong) {
    auto detail = wrong.front().pointer + ": " + wrong.front().message;
    return {code::config_invalid, std::move(detail), std::move(wrong)};
}

} // namespace troupe::runtime
