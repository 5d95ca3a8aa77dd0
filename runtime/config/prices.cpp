#include "runtime/config/prices.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace troupe::runtime {

namespace {

std::string_view trimmed(std::string_view text) {
    const auto begin = text.find_first_not_of(' ');
    return begin == text.npos ? std::string_view() : text.substr(begin, text.find_last_not_of(' ') - begin + 1);
}

} // namespace

std::optional<std::int64_t> parse_micros(std::string_view text) {
    const auto point = text.find('.');
    std::string digits(text.substr(0, point));
    const auto decimals = point == text.npos ? std::string_view("0") : text.substr(point + 1);
    if (digits.empty() || digits.size() > 6 || decimals.empty() || decimals.size() > 6) {
        return {};
    }
    digits += decimals;
    digits.append(6 - decimals.size(), '0');
    std::int64_t out = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
    const bool whole = error == std::errc() && end == digits.data() + digits.size() && digits.front() != '-';
    return whole ? std::optional(out) : std::nullopt;
}

expected<std::map<std::string, token_price>> parse_prices(std::string_view text) {
    std::map<std::string, token_price> out;
    for (std::size_t at = 0; at < text.size();) {
        const auto end = std::min(text.find(',', at), text.size());
        const auto entry = trimmed(text.substr(at, end - at));
        at = end + 1;
        const auto equals = entry.rfind('=');
        const auto slash = entry.rfind('/');
        const bool split = equals != entry.npos && equals > 0 && slash != entry.npos && slash > equals;
        const auto input = split ? parse_micros(trimmed(entry.substr(equals + 1, slash - equals - 1))) : std::nullopt;
        const auto output = split ? parse_micros(trimmed(entry.substr(slash + 1))) : std::nullopt;
        if (!input || !output || !out.emplace(trimmed(entry.substr(0, equals)), token_price{*input, *output}).second) {
            return problem{code::config_invalid,
                           fmt::format("\"{}\" is no MODEL=INPUT/OUTPUT with prices of a million tokens, as in "
                                       "openai/gpt-4.1-mini=0.40/1.60, or names a model twice",
                                       entry)};
        }
    }
    return out;
}

expected<std::map<std::string, std::int64_t>> parse_plan_prices(std::string_view text) {
    static constexpr std::array known{"free", "pro", "enterprise", "task", "agent", "storage_gb"};
    std::map<std::string, std::int64_t> out;
    for (std::size_t at = 0; at < text.size();) {
        const auto end = std::min(text.find(',', at), text.size());
        const auto entry = trimmed(text.substr(at, end - at));
        at = end + 1;
        const auto equals = std::min(entry.find('='), entry.size());
        const auto name = trimmed(entry.substr(0, equals));
        const auto price = equals < entry.size() ? parse_micros(trimmed(entry.substr(equals + 1))) : std::nullopt;
        if (std::ranges::find(known, name) == known.end() || !price || !out.emplace(name, *price).second) {
            return problem{code::config_invalid,
                           fmt::format("\"{}\" is no NAME=PRICE with a name of {}, as in pro=20.00, "
                                       "or names one twice",
                                       entry, fmt::join(known, ", "))};
        }
    }
    return out;
}

} // namespace troupe::runtime
