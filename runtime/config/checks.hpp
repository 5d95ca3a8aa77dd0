#pragma once

#include <optional>
#include <string>
#include <string_view>

/// What is wrong with the text of a property, or nothing: for the table of properties. None repeats the text.
namespace troupe::runtime {

inline constexpr std::string_view log_level_names = "trace|debug|info|warn|error|off";

std::optional<std::string> check_address(std::string_view text);
std::optional<std::string> check_networks(std::string_view text);
std::optional<std::string> check_origins(std::string_view text);
std::optional<std::string> check_module_levels(std::string_view text);
std::optional<std::string> check_prices(std::string_view text);
std::optional<std::string> check_kinds(std::string_view text);
std::optional<std::string> check_syslog(std::string_view text);
std::optional<std::string> check_url(std::string_view text);
std::optional<std::string> check_ratio(std::string_view text);
std::optional<std::string> check_header_text(std::string_view text);
std::optional<std::string> check_folder(std::string_view text);
std::optional<std::string> check_file(std::string_view text);

} // namespace troupe::runtime
