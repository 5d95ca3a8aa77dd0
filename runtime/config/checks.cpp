#include "runtime/config/checks.hpp"

#include "runtime/config/config.hpp"
#include "runtime/config/prices.hpp"
#include "runtime/config/retention.hpp"
#include "runtime/config/syslog_place.hpp"
#include "schemas/base/network.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <filesystem>
#include <limits>
#include <system_error>

#include <unistd.h>

namespace troupe::runtime {

std::optional<std::string> check_address(std::string_view text) {
    const auto colon = text.rfind(':');
    unsigned port = 0;
    const auto digits = colon == text.npos ? std::string_view{} : text.substr(colon + 1);
    const auto [end, status] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (colon == text.npos || colon == 0 || status != std::errc{} || end != digits.data() + digits.size() ||
        port > 65535) {
        return fmt::format("\"{}\" is no ADDRESS:PORT, as in 127.0.0.1:7117 or [::1]:7117", text);
    }
    return {};
}

std::optional<std::string> check_networks(std::string_view text) {
    const auto networks = network_list::parse(text);
    return networks ? std::nullopt : std::optional(networks.error().detail);
}

/// "https://console.example, http://localhost:3000", or "*".
std::optional<std::string> check_origins(std::string_view text) {
    while (!text.empty()) {
        const auto comma = text.find(',');
        auto item = text.substr(0, comma);
        text = comma == text.npos ? std::string_view{} : text.substr(comma + 1);
        item.remove_prefix(std::min(item.find_first_not_of(' '), item.size()));
        item = item.substr(0, item.find_last_not_of(' ') + 1);
        const auto scheme = item.find("://");
        const bool web = item.starts_with("http://") || item.starts_with("https://");
        if (item != "*" &&
            (!web || item.size() == scheme + 3 || item.find_first_of("/?#@ *", scheme + 3) != item.npos)) {
            return fmt::format("\"{}\" is no origin, as in https://console.example or http://localhost:3000, and not *",
                               item);
        }
    }
    return {};
}

std::optional<std::string> check_module_levels(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        const auto end = std::min(text.find(',', at), text.size());
        const auto item = text.substr(at, end - at);
        const auto equals = item.find('=');
        const auto level = equals == item.npos ? std::string_view{} : item.substr(equals + 1);
        if (equals == 0 || level.empty() || level.find('|') != level.npos ||
            fmt::format("|{}|", log_level_names).find(fmt::format("|{}|", level)) == std::string::npos) {
            return fmt::format("\"{}\" is no MODULE=LEVEL with a level of {}", item, log_level_names);
        }
        at = end + 1;
    }
    return {};
}

std::optional<std::string> check_prices(std::string_view text) {
    const auto prices = parse_prices(text);
    return prices ? std::nullopt : std::optional(prices.error().detail);
}

std::optional<std::string> check_kinds(std::string_view text) {
    const auto kinds = parse_retention_kinds(text);
    return kinds ? std::nullopt : std::optional(kinds.error().detail);
}

std::optional<std::string> check_syslog(std::string_view text) {
    const auto place = text.empty() ? expected<syslog_place>() : parse_syslog_place(text);
    return place ? std::nullopt : std::optional(place.error().detail);
}

std::optional<std::string> check_url(std::string_view text) {
    if (!text.starts_with("http://") && !text.starts_with("https://")) {
        return fmt::format("\"{}\" does not start with http:// or https://", text);
    }
    return {};
}

std::optional<std::string> check_ratio(std::string_view text) {
    double ratio = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), ratio);
    if (status != std::errc{} || end != text.data() + text.size() || !(ratio >= 0 && ratio <= 1)) {
        return fmt::format("\"{}\" is no number from 0 to 1", text);
    }
    return {};
}

std::optional<std::string> check_header_text(std::string_view text) {
    const auto printable = [](unsigned char c) { return c > 0x20 && c < 0x7f; };
    if (!std::ranges::all_of(text, printable)) {
        return "has a blank, a line break or another character that no key has";
    }
    return {};
}

std::optional<std::string> check_folder(std::string_view text) {
    const std::string path(text);
    std::error_code missing; // is said as "no folder"
    if (!std::filesystem::is_directory(path, missing)) {
        return fmt::format("\"{}\" is no folder", text);
    }
    return ::access(path.c_str(), R_OK | X_OK) == 0
               ? std::nullopt
               : std::optional(fmt::format("\"{}\" cannot be read: check its permissions", text));
}

std::optional<std::string> check_file(std::string_view text) {
    const std::string path(text);
    std::error_code missing; // is said as "no file"
    if (!std::filesystem::is_regular_file(path, missing)) {
        return fmt::format("\"{}\" is no file", text);
    }
    return ::access(path.c_str(), R_OK) == 0
               ? std::nullopt
               : std::optional(fmt::format("\"{}\" cannot be read: check its permissions", text));
}

} // namespace troupe::runtime
