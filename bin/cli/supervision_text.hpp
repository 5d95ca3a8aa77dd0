#pragma once

#include "bin/cli/terminal.hpp"
#include "schemas/base/json.hpp"

#include <string>

namespace troupe::cli {

/// GET /supervision as a tree. Pure.
std::string show_supervision(const screen& s, const json::value& root);
/// The same for a glance at the whole: quiet ones among many are counted, not named.
std::string show_supervision_overview(const screen& s, const json::value& root);
/// The same with what is known of each: queue, messages, memory, time and policy; what is not known is said so.
std::string show_supervision_details(const screen& s, const json::value& root);
/// GET /why/{kind}/{id}: the summary, then each reason with its remedy. Pure.
std::string show_why(const screen& s, const json::value& root);

} // namespace troupe::cli
